#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Do the tests notice a small mistake in a header?

Edits of headers below include/ are drawn: other operators, numbers, min and max, true and false,
statements that go. Each is made in a copy of the tree; the tests that include the header are
compiled and run, the one of its own name first, until one fails, crashes or takes too long; what
none notices, the first meets once more under AddressSanitizer, as in the preset asan. An
edit that does not compile, or compiles to the same code, is replaced by another. equivalent.txt,
beside this script, names edits that no test can see, with the reason.

Needs g++, Catch2, Eigen, nlohmann-json and zlib. What is known is kept in build/mutation: a run
that was stopped goes on where it was. A hundred edits: half an hour on two cores with --jobs 2.
Exit status 1: fewer than --limit percent were noticed.
"""
import argparse
import concurrent.futures
import dataclasses
import difflib
import functools
import hashlib
import json
import os
import pathlib
import queue
import re
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time

import edits

ROOT = pathlib.Path(__file__).resolve().parents[2]
REASONS = pathlib.Path(__file__).with_name("equivalent.txt")
FLAGS = ["-std=c++20", "-O1", "-g0", "-w", "-fopenmp", "-march=native", "-D_GLIBCXX_ASSERTIONS",
         "-frandom-seed=0", "-I/usr/include/eigen3"]
SANITIZER = "-fsanitize=address"
# What most tests include of others, compiled once.
OTHERS = ('"support/catch.hpp"', "<Eigen/Core>", "<Eigen/Eigenvalues>", "<Eigen/SparseCore>",
          "<nlohmann/json.hpp>", "<filesystem>", "<functional>", "<random>", "<sstream>")
# In place of the stages that are compiled already: they would not have the edit.
STAGES = "#include <diffseg/diffseg.hpp>\n#include <diffseg/merge/refine_projected.hpp>\n"
INCLUDE = re.compile(r'^#include [<"]([^>"]+)[>"]', re.M)
GIB = 1 << 30


def options():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100, help="edits that count (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="which are drawn (%(default)s)")
    parser.add_argument("--jobs", type=int, default=1, help="edits at a time (%(default)s)")
    parser.add_argument("--tests", type=int, default=8, metavar="N",
                        help="programs that may try to notice an edit (%(default)s)")
    parser.add_argument("--only", nargs="+", default=[""], metavar="PART",
                        help="headers that have this in their path, alone")
    parser.add_argument("--again", action="store_true",
                        help="try those again that went unnoticed")
    parser.add_argument("--limit", type=float, default=95, metavar="PERCENT",
                        help="exit status 1 below it (%(default)s)")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/mutation",
                        help="folder of what is built and known")
    return parser.parse_args()


def limited(seconds, sanitized):
    """For a child: an end to what an edit may make it take; a sanitizer reserves all there is."""
    def limit():
        for what, most in ((resource.RLIMIT_FSIZE, GIB), (resource.RLIMIT_CORE, 0),
                           (resource.RLIMIT_CPU, 4 * seconds), (resource.RLIMIT_AS, 8 * GIB)):
            if what != resource.RLIMIT_AS or not sanitized:
                resource.setrlimit(what, (most, most))
    return limit


def ends_well(command, folder, seconds, sanitized):
    """Whether it ends with 0 in time; what it has started ends with it."""
    variables = os.environ | {
        "OMP_WAIT_POLICY": "passive", "OMP_NUM_THREADS": "2", "TMPDIR": str(folder),
        "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1"}
    with subprocess.Popen(command, cwd=folder, env=variables, stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                          start_new_session=True,
                          preexec_fn=limited(seconds, sanitized)) as process:
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            status = None
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        return status == 0


class Tree:
    """A copy of headers and tests, and what includes what."""

    def __init__(self, root, folder):
        self.folder = folder
        for name in ("include", "tests"):
            shutil.copytree(root / name, folder / name, dirs_exist_ok=True)
        (folder / "stages/compiled").mkdir(parents=True, exist_ok=True)
        for scalar in ("float", "double"):
            (folder / f"stages/compiled/{scalar}.hpp").write_text(STAGES, encoding="utf-8")
        self.texts = {str(path.relative_to(folder)): path.read_text(encoding="utf-8")
                      for part in ("include", "tests") for path in (root / part).rglob("*.[hc]pp")
                      for path in [folder / path.relative_to(root)]}
        self.headers = sorted(path for path in self.texts if path.startswith("include/"))
        self.tests = sorted(path for path in self.texts
                            if path.endswith("_test.cpp") and "/cli/" not in path)

    @functools.lru_cache(maxsize=None)
    def includes(self, path):
        """What a file names itself."""
        found = set()
        for name in INCLUDE.findall(self.texts[path]):
            names = ["diffseg/diffseg.hpp"] if name.startswith("compiled/") else [name]
            beside = str(pathlib.PurePosixPath(path).parent / name)
            found |= {full for full in (beside, *(f"{part}/{one}" for one in names
                                                  for part in ("include", "tests")))
                      if full in self.texts}
        return found

    @functools.lru_cache(maxsize=None)
    def distances(self, path):
        """How many includes away each file is."""
        found, ring, distance = {path: 0}, {path}, 0
        while ring:
            distance += 1
            ring = {other for one in ring for other in self.includes(one)} - found.keys()
            found |= dict.fromkeys(ring, distance)
        return found

    def tests_of(self, header):
        """Those that include it: of its own name, of a like one, the nearest, what takes long."""
        own = header.replace("include/diffseg/", "tests/").replace(".hpp", "_test.cpp")
        name = pathlib.PurePosixPath(header).stem

        def order(test):
            slow = test.split("/")[1] in ("golden", "memory")
            stem = pathlib.PurePosixPath(test).stem.removesuffix("_test")
            return (test != own, slow, not name.startswith(stem), self.distances(test)[header],
                    len(self.texts[test]))
        return sorted((test for test in self.tests if header in self.distances(test)), key=order)

    def digest(self, test):
        text = repr(FLAGS) + "".join(self.texts[path] for path in sorted(self.distances(test)))
        return hashlib.sha256(text.encode()).hexdigest()


class Known:
    """What is known from earlier, a line a fact."""

    def __init__(self, path):
        self.path, self.lock, self.facts = path, threading.Lock(), {}
        if path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                name, fact = json.loads(line)
                self.facts[name] = fact

    def get(self, name):
        return self.facts.get(name)

    def put(self, name, fact):
        with self.lock:
            self.facts[name] = fact
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps([name, fact]) + "\n")


class Bench:
    """Compiles and runs tests beside headers of its own."""

    def __init__(self, tree, known, number):
        self.tree, self.known = tree, known
        self.folder = tree.folder / f"bench_{number}"
        shutil.copytree(tree.folder / "include", self.folder / "include", dirs_exist_ok=True)
        self.object, self.program = self.folder / "test.o", self.folder / "test"

    def compile(self, test, sanitized=False):
        """The digest of the code, or None."""
        tree = self.tree.folder
        command = ["g++", *FLAGS, f"-I{self.folder}/include", f"-I{tree}/stages", f"-I{tree}/tests",
                   f'-DDIFFSEG_GOLDEN_DIR="{tree}/tests/files/golden"',
                   f'-DDIFFSEG_TRAINED_DIR="{tree}/tests/files/trained"',
                   "-c", f"{tree}/{test}", "-o", str(self.object)]
        command += [SANITIZER] if sanitized else ["-include", f"{tree}/others.hpp"]
        done = subprocess.run(command, capture_output=True, check=False)
        if done.returncode != 0:
            return None
        return hashlib.sha256(self.object.read_bytes()).hexdigest()

    def run(self, seconds, sanitized=False):
        """Whether the program of the object passes, and its seconds."""
        subprocess.run(["g++", str(self.object), "-o", str(self.program), "-fopenmp",
                        "-lCatch2WithMain", "-lz", *[SANITIZER][:sanitized]],
                       check=True, capture_output=True)
        begin = time.monotonic()
        folder = self.folder / "tests"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        passed = ends_well([str(self.program), "--abort"], folder, seconds, sanitized)
        return passed, time.monotonic() - begin

    def unedited(self, test):
        """Code, success and seconds of a test as it is."""
        name = f"{test} {self.tree.digest(test)}"
        if self.known.get(name) is None:
            code = self.compile(test)
            passed, seconds = self.run(900) if code else (False, 0)
            self.known.put(name, [code, passed, seconds])
            if not passed:
                print(f"left out, fails without an edit: {test}", flush=True)
        return self.known.get(name)

    def compile_edited(self, test, edit, sanitized=False):
        source, header = self.tree.texts[edit.path], self.folder / edit.path
        header.write_text(edit.apply(source), encoding="utf-8")
        try:
            return self.compile(test, sanitized)
        finally:
            header.write_text(source, encoding="utf-8")

    def judge(self, edit, most):
        """What becomes of an edit, and by which test."""
        what, tests = "same code", self.tree.tests_of(edit.path)[:most]
        for test in tests:
            code, passed, seconds = self.unedited(test)
            if not passed:
                continue
            found = self.compile_edited(test, edit)
            if found is None:
                return "does not compile", test
            if found == code:
                continue
            if not self.run(int(30 + 10 * seconds))[0]:
                return "noticed", test
            what = "unnoticed"
        if what == "unnoticed" and self.sanitizer_notices(tests[0], edit):
            return "noticed", f"{tests[0]} under AddressSanitizer"
        return what, ""

    def sanitizer_notices(self, test, edit):
        self.compile_edited(test, edit, sanitized=True)
        if self.run(900, sanitized=True)[0]:
            return False
        self.compile(test, sanitized=True)
        return self.run(900, sanitized=True)[0]


def reasons():
    """{(path, line before, line after)} that no test can see; after may be `*`."""
    found = set()
    text = "\n".join(line for line in REASONS.read_text(encoding="utf-8").splitlines()
                     if not line.startswith("#"))
    for block in filter(str.strip, text.split("\n\n")):
        path, before, after, why = block.strip().split("\n", 3)
        assert before[:2] == "- " and after[:2] == "+ " and why.startswith("why: "), block
        found.add((path, before[2:].strip(), after[2:].strip()))
    return found


def drawn(tree, seed, only):
    """All edits in an order of the seed, which an edit keeps when other lines change."""
    found = []
    for path in tree.headers:
        if not any(part in path for part in only):
            continue
        source = tree.texts[path]
        for edit in edits.edits(path, source):
            name = f"{seed} {path} {edit.lines(source)}"
            found.append((hashlib.sha256(name.encode()).digest(), edit.begin, edit))
    return [edit for _, _, edit in sorted(found, key=lambda each: each[:2])]


def difference(tree, edit):
    source = tree.texts[edit.path]
    return "\n".join(line.rstrip("\n") for line in difflib.unified_diff(
        source.splitlines(True), edit.apply(source).splitlines(True), edit.path, edit.path, n=2))


@dataclasses.dataclass
class Session:
    """Edits on their way through the benches."""
    tree: Tree
    known: Known
    benches: queue.SimpleQueue
    args: argparse.Namespace
    excuses: set

    def outcome(self, edit):
        source = self.tree.texts[edit.path]
        before, after = edit.lines(source)
        if {(edit.path, before, after), (edit.path, before, "*")} & self.excuses:
            return "excused"
        name = hashlib.sha256(f"{source} {edit}".encode()).hexdigest()
        fact = self.known.get(name)
        if fact is None or (self.args.again and fact[0] in ("unnoticed", "same code")):
            bench = self.benches.get()
            try:
                fact = list(bench.judge(edit, self.args.tests))
            finally:
                self.benches.put(bench)
            self.known.put(name, fact)
            print(f"{fact[0]}: {edit.path}: {before} -> {after}  {fact[1]}", flush=True)
        return fact[0]


def counted(session, order):
    """[(edit, outcome)] until enough of them count."""
    found, count = [], 0
    with concurrent.futures.ThreadPoolExecutor(session.args.jobs) as pool:
        for at in range(0, len(order), session.args.jobs):
            part = order[at:at + session.args.jobs]
            for edit, what in zip(part, pool.map(session.outcome, part)):
                count += what in ("noticed", "unnoticed")
                found.append((edit, what))
                if count == session.args.count:
                    return found
    return found


def report(session, found):
    kinds = {}
    for edit, what in found:
        kinds.setdefault(what, []).append(edit)
    missed, noticed = kinds.get("unnoticed", []), len(kinds.get("noticed", []))
    for kind in ("excused", "same code", "unnoticed"):
        for edit in kinds.get(kind, []):
            print(f"\n{kind}:\n{difference(session.tree, edit)}")
    count = noticed + len(missed)
    others = {kind: len(kinds.get(kind, []))
              for kind in ("does not compile", "same code", "excused")}
    print(f"\nnoticed {noticed} of {count} (seed {session.args.seed}); not counted: {others}")
    return 0 if count and 100 * noticed >= session.args.limit * count else 1


def main():
    args = options()
    args.build.mkdir(parents=True, exist_ok=True)
    tree = Tree(ROOT, args.build.resolve())
    others = tree.folder / "others.hpp"
    others.write_text("".join(f"#include {name}\n" for name in OTHERS), encoding="utf-8")
    subprocess.run(["g++", *FLAGS, f"-I{tree.folder}/tests", "-x", "c++-header", str(others), "-o",
                    f"{others}.gch"], check=True)
    known = Known(tree.folder / "known.jsonl")
    benches = queue.SimpleQueue()
    for number in range(args.jobs):
        benches.put(Bench(tree, known, number))
    session = Session(tree, known, benches, args, reasons())
    return report(session, counted(session, drawn(tree, args.seed, args.only)))


if __name__ == "__main__":
    sys.exit(main())
