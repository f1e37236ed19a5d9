# SPDX-License-Identifier: MIT
"""What the comparisons of this folder share: an environment of their own, our programs as peers,
calls in turns, medians and ratios.
"""
import contextlib
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import venv


def enter_environment(packages, make=True):
    """Runs the script again inside a virtual environment that has the packages: beside the
    temporary files of the system, or in DIFFSEG_COMPARE_VENV; kept. make: build it where it is not
    there."""
    default = pathlib.Path(tempfile.gettempdir()) / "diffseg-compare-venv"
    folder = pathlib.Path(os.environ.get("DIFFSEG_COMPARE_VENV", default)).resolve()
    python = folder / "bin" / "python"
    done = folder / "complete"  # lists what is installed
    present = done.read_text().split() if done.exists() else []
    missing = [package for package in packages if package not in present]
    if missing and not make:
        return
    if missing:
        if not python.exists():
            venv.create(folder, with_pip=True)
        print("installing", *missing, "in", folder, flush=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *missing], check=True)
        done.write_text("\n".join(present + missing) + "\n")
    if pathlib.Path(sys.prefix).resolve() != folder:
        os.execv(python, [str(python), *sys.argv])


def set_threads(threads):
    """For everything that is loaded or started from now on."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(threads)
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")


def read_photo(file):
    """[height, width, 3] 8 bits, red first."""
    import cv2
    return cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB)


class Peer:
    """One of our programs, waiting for commands."""

    def __init__(self, *command, first=""):
        self.process = subprocess.Popen(command, text=True, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)
        self.process.stdin.write(first)

    def __call__(self, command):
        """-> milliseconds and a figure."""
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        milliseconds, figure = map(float, self.process.stdout.readline().split())
        return milliseconds, figure

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def prepare(*command):
    """Runs one of our programs to its end; what it printed."""
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout


def timed(call):
    begin = time.perf_counter()
    result = call()
    return 1000 * (time.perf_counter() - begin), result


class Stopwatch:
    """Milliseconds by name: `with watch("Merge"): ...` adds to those of Merge."""

    def __init__(self):
        self.milliseconds = {}

    @contextlib.contextmanager
    def __call__(self, name):
        begin = time.perf_counter()
        yield
        spent = 1000 * (time.perf_counter() - begin)
        self.milliseconds[name] = self.milliseconds.get(name, 0) + spent


def in_turns(calls, rounds, seconds=float("inf")):
    """Milliseconds of each call, one of each round, and its last result; a first round is not
    counted. Three rounds at least, no new one after `seconds`."""
    times = {name: [] for name in calls}
    results = {}
    begin = time.perf_counter()
    for turn in range(rounds + 1):
        if turn > 3 and time.perf_counter() - begin > seconds:
            break
        for name, call in calls.items():
            milliseconds, results[name] = call()
            if turn > 0:
                times[name].append(milliseconds)
    return times, results


def median(values):
    return sorted(values)[len(values) // 2]


def ratio(above, below):
    """The ratios of all rounds: median, lower and upper quartile."""
    values = sorted(a / b for a, b in zip(above, below))
    return median(values), values[len(values) // 4], values[-1 - len(values) // 4]
