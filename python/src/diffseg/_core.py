# SPDX-License-Identifier: MIT
"""The extension: of the builds that the package holds the one for this processor.

DIFFSEG_VARIANT=baseline, v3 or v4 in the environment asks for another. Types: _core.pyi."""
import importlib
import importlib.util
import os

from diffseg import _cpu

LEVELS = {"baseline": 0, "v3": 3, "v4": 4}  # of x86-64 that each build needs


def _available():
    """The builds of this package, the fastest first."""
    return [name for name in reversed(LEVELS)
            if importlib.util.find_spec("diffseg._core_" + name) is not None]


def _choose(wanted):
    level, available = _cpu.level(), _available()
    runnable = [name for name in available if LEVELS[name] <= level]
    if not runnable:
        raise ImportError(f"diffseg: no build of {available} runs on this processor; install "
                          "diffseg anew, with the variant baseline")
    if not wanted:
        return runnable[0]
    if wanted not in runnable:
        raise ImportError(f"diffseg: DIFFSEG_VARIANT must be one of {', '.join(runnable)} here, "
                          f"got '{wanted}'")
    return wanted


variant = _choose(os.environ.get("DIFFSEG_VARIANT", ""))
_module = importlib.import_module("diffseg._core_" + variant)

for _name, _value in vars(_module).items():
    if _name.startswith("__"):
        continue
    if isinstance(_value, type):
        _value.__module__ = "diffseg"  # whichever build: a pickle must not tell
    globals()[_name] = _value
