#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Which lines and branches of the headers do the tests of the README's command run?

Builds the preset coverage, runs the tests, and lets gcovr (the one there is, or from PyPI into
build/gcovr) join what all instantiations of a line have run. Branches for exceptions do not count,
nor do those that belong to headers of others, which the compiler put into ours. Prints the lines
and branches that were not run. About half an hour on two cores.
Exit status: not 0 below --lines or --branches percent, or when a test fails.
"""
import argparse
import functools
import os
import pathlib
import shutil
import subprocess
import sys
import venv

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build/coverage"
RAW = BUILD / "coverage.json"
# The loop of Tensor::as: the compiler repeats it for 13 stored types and every type asked for.
REPEATED = r".*(convert_number<T>\(number|i < values\.size\(\); \+\+i\) \{).*"


def options():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=float, default=95, metavar="PERCENT",
                        help="at least so many (%(default)s)")
    parser.add_argument("--branches", type=float, default=85, metavar="PERCENT",
                        help="at least so many (%(default)s)")
    parser.add_argument("--report", action="store_true", help="of the last run: build nothing")
    return parser.parse_args()


def gcovr():
    found = shutil.which("gcovr")
    if found:
        return found
    folder = ROOT / "build/gcovr"
    if not (folder / "bin/gcovr").exists():
        venv.create(folder, with_pip=True)
        subprocess.run([folder / "bin/pip", "install", "--quiet", "gcovr>=8"], check=True)
    return str(folder / "bin/gcovr")


def count(tool):
    """Runs the tests and keeps what they ran."""
    for old in BUILD.rglob("*.gcda"):
        old.unlink()
    run = functools.partial(subprocess.run, cwd=ROOT, check=True)
    run(["cmake", "--preset", "coverage"])
    run(["cmake", "--build", "--preset", "coverage"])
    # A program a room, instead of a process a test: each adds its counts to all files at its end.
    # Threads that wait would count their waiting, in turns with those that work.
    patient = {**os.environ, "OMP_WAIT_POLICY": "passive"}
    for program in sorted(BUILD.glob("tests/diffseg_test_*")):
        if program.is_file() and os.access(program, os.X_OK):
            run([program, "~[long]"], cwd=program.parent, env=patient)
    # Nor what starts segment hundreds of times, each of which adds its counts to all files, nor what
    # counts allocations. (With a test preset, ctest would not exclude labels that are given here.)
    run(["ctest", "--test-dir", BUILD, "--parallel", "2", "--output-on-failure", "--label-exclude",
         "stages|readers|long", "--exclude-regex", "cli.segment|cli.batch|^memory"], env=patient)
    # gcov leaves its files where it runs. Loops that run 2^32 times are no mistake here.
    run([tool, "--root", ROOT, "--filter", f"{ROOT}/include/", "--exclude-throw-branches",
         "--exclude-unreachable-branches", "--exclude-branches-by-pattern", REPEATED,
         "--gcov-ignore-parse-errors=suspicious_hits.warn_once_per_file", "--json", RAW, BUILD],
        cwd=BUILD)


def report(tool, args):
    """gcovr's tables, what is missing included, and its status."""
    read = [tool, "--root", ROOT, "--merge-lines", "--add-tracefile", RAW]
    subprocess.run([*read, "--txt", "--txt-metric", "branch"], cwd=ROOT, check=True)
    return subprocess.run([*read, "--txt", "--print-summary", "--fail-under-line", str(args.lines),
                           "--fail-under-branch", str(args.branches)],
                          cwd=ROOT, check=False).returncode


def main():
    args, tool = options(), gcovr()
    if not args.report:
        count(tool)
    return report(tool, args)


if __name__ == "__main__":
    sys.exit(main())
