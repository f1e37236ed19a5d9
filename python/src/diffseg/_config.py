# SPDX-License-Identifier: MIT
"""What runs: the build, the processor, the OpenMP runtimes of this process."""
from __future__ import annotations

import pathlib
from typing import Any, Literal, overload

from diffseg import _core, _cpu

__version__: str = _core._version


def openmp_libraries() -> list[str]:
    """The files of the OpenMP runtimes that this process has loaded; Linux."""
    try:
        lines = pathlib.Path("/proc/self/maps").read_text().splitlines()
    except OSError:
        return []
    files = {line.split(maxsplit=5)[5] for line in lines if line.count(" ") >= 5 and "/" in line}
    return sorted(file for file in files
                  if pathlib.Path(file).name.startswith(("libgomp", "libomp", "libiomp")))


def _settings() -> dict[str, Any]:
    return {
        "version": __version__,
        "variant": _core.variant,
        "variants": _core._available(),
        "x86-64 level": _cpu.level(),
        "compiler": _core._compiler,
        "OpenMP": _core._openmp,
        "OpenMP libraries": openmp_libraries(),
        "threads": _core.thread_count(),
    }


@overload
def show_config(mode: Literal["stdout"] = "stdout") -> None: ...
@overload
def show_config(mode: Literal["dicts"]) -> dict[str, Any]: ...


def show_config(mode: str = "stdout") -> dict[str, Any] | None:
    """Prints the build that was chosen and what it runs on, or returns it as a dict ("dicts").

    More than one OpenMP library means as many pools of threads: docs/using.md."""
    if mode not in ("stdout", "dicts"):
        raise ValueError(f"show_config: mode must be 'stdout' or 'dicts', got {mode!r}")
    settings = _settings()
    if mode == "dicts":
        return settings
    for name, value in settings.items():
        shown = ", ".join(map(str, value)) or "none" if isinstance(value, list) else value
        print(f"{name + ':':18}{shown}")
    return None
