#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the fuzzers of tests/fuzz, one after the other, and tells what each did.

    tests/trust/fuzz.py --seconds 60               all of them, 11 minutes and 10 to build
    tests/trust/fuzz.py --runs 10000000 npy npz    these, until they have run so often
    tests/trust/fuzz.py --seconds 60 --pack        also what was found, into tests/fuzz/corpus

Needs what the preset fuzz does: clang and its libFuzzer. The exit status is 1 where a fuzzer found
something; the input then lies in build/fuzz/found/NAME, and `build/fuzz/tests/fuzz/fuzz_NAME INPUT`
shows it again.
"""
import argparse
import pathlib
import re
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "fuzz"
NAMES = sorted(path.name.removesuffix("_fuzz.cpp")
               for path in (ROOT / "tests" / "fuzz").glob("*_fuzz.cpp"))
# Bytes of an input, and of a pack: most are small, and small ones are found sooner.
LONGEST = {"exif": 1024, "options": 512, "rows": 1024, "view": 1024}
PACK_BYTES = 6000
LIMITS = ["-timeout=10", "-rss_limit_mb=1024", "-malloc_limit_mb=512"]


def program(name):
    return BUILD / "tests" / "fuzz" / f"fuzz_{name}"


def build(names):
    subprocess.run(["cmake", "--preset", "fuzz"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["ninja", "-C", BUILD, "fuzz_seeds", *(f"fuzz_{name}" for name in names)],
                   check=True, stdout=subprocess.DEVNULL)


def corpus_of(name):
    """The folder of its inputs, with the seeds and those of earlier runs."""
    corpus = BUILD / "tests" / "fuzz" / "corpus" / name
    corpus.mkdir(parents=True, exist_ok=True)
    pack = ROOT / "tests" / "fuzz" / "corpus" / f"{name}.pack"
    subprocess.run([program("seeds"), name, pack, corpus], check=True)
    return corpus


def number(pattern, text):
    found = re.findall(pattern, text)
    return int(found[-1]) if found else 0


def fuzz(name, asked):
    """Whether it found nothing; prints its line of the table."""
    found = BUILD / "found" / name
    found.mkdir(parents=True, exist_ok=True)
    budget = [f"-runs={asked.runs}"] if asked.runs else [f"-max_total_time={asked.seconds}"]
    begin = time.monotonic()
    done = subprocess.run(
        [program(name), *budget, *LIMITS, f"-max_len={LONGEST.get(name, 4096)}",
         "-print_final_stats=1", f"-artifact_prefix={found}/", corpus_of(name)],
        cwd=BUILD, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    text = done.stderr.decode(errors="replace")
    runs = number(r"number_of_executed_units: *(\d+)", text) or number(r"#(\d+)\t", text)
    print(f"{name:12} {runs:11,} runs {time.monotonic() - begin:7.0f} s "
          f"{number(r'new_units_added: *([0-9]+)', text):6,} new units "
          f"{'' if done.returncode == 0 else f'FAILED, see {found}'}", flush=True)
    if done.returncode != 0:
        print("\n".join(text.splitlines()[-40:]), file=sys.stderr)
    return done.returncode == 0


def pack(name):
    """The smallest inputs that reach what all of them reach, as many as there is room for."""
    with tempfile.TemporaryDirectory() as folder:
        merged = pathlib.Path(folder)
        subprocess.run([program(name), "-merge=1", *LIMITS, merged, corpus_of(name)], cwd=BUILD,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        inputs = sorted((file.read_bytes() for file in merged.iterdir()),
                        key=lambda data: (len(data), data))
    packed, room = [], PACK_BYTES
    # Every n-th of them, the smallest and the largest alike.
    total = sum(len(data) + 4 for data in inputs)
    step = max(1, -(-total // PACK_BYTES))
    for data in inputs[::step]:
        if len(data) + 4 <= room:
            packed.append(len(data).to_bytes(4, "little") + data)
            room -= len(data) + 4
    target = ROOT / "tests" / "fuzz" / "corpus" / f"{name}.pack"
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(b"".join(packed))
    print(f"{name:12} {len(packed)} of {len(inputs)} inputs in {target.name}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}")
    parser.add_argument("--seconds", type=int, default=60, help="for each (default 60)")
    parser.add_argument("--runs", type=int, default=0, help="for each, instead of seconds")
    parser.add_argument("--pack", action="store_true", help="keep what was found in the repository")
    asked = parser.parse_args()
    names = asked.names or NAMES
    unknown = set(names) - set(NAMES)
    if unknown:
        parser.error(f"no fuzzer {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    build(names)
    good = [fuzz(name, asked) for name in names]
    if asked.pack:
        for name in names:
            pack(name)
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
