# SPDX-License-Identifier: MIT
"""Programs whose k-th allocation above 1 KiB fails, for k = 1, 2, .. until none does.

out_of_memory.py [--quick] SEGMENT EVALUATE MAKE_ATTENTION [CASE ...]

Whatever fails, a program must end by itself with a sentence, leave whole results or none, and do
the rest when it is called again. Every k fails alone first, then with all that follow it. --quick:
two cases, every seventh k (5 s); all takes about 10 min on one core. Exit status: 1 for a finding.
"""
import argparse
import json
import pathlib
import shutil
import sys
import tempfile
import time

import preload

FILES = pathlib.Path(__file__).resolve().parent.parent / "files"
CASES = {}


def case(function):
    CASES[function.__name__] = function
    return function


def copied(folder, *names):
    for name in names:
        shutil.copy(FILES / "photos" / name, folder / name)
    return list(names)


@case
def an_array(folder, tools):
    (folder / "a.npy").write_bytes(preload.npy(3))
    return [tools.segment, "--attention", "a.npy", "--segments", "2", "-s", "64", "-o", "out"]


@case
def a_manifest_with_names_and_everything(folder, tools):
    copied(folder, "exif_6.jpg")
    (folder / "manifest.json").write_text(json.dumps({
        "diffseg": 1, "tokens": ["<start>", "Cat</w>", "hel", "met</w>", "<end>"],
        "layers": [{"file": "npy/self_8.npy"}, {"file": "all.safetensors", "array": "self_4"}],
        "cross": [{"file": "all.npz", "array": "cross_8", "queries": [8, 8]}]}))
    return [tools.segment, "--attention", "manifest.json", "--image", "exif_6.jpg",
            "--names", "cat,helmet", "--refine", "--tidy", "--fit-borders",
            "-f", "png,voc,npy,coco,polygons,geojson,csv,outlines", "--overlay", "jpg",
            "--sweep", "0.5:1.0:0.5", "--html", "out/page.html", "--trace", "out/trace.json",
            "--json", "-o", "out"]


@case
def an_archive(folder, tools):
    return [tools.segment, "--attention", "all.npz", "--names", "lid=2-3,pet=1", "-o", "out"]


@case
def safe_tensors(folder, tools):
    return [tools.segment, "--attention", "all.safetensors", "-o", "out"]


def photo(name):
    def made(folder, tools):
        (folder / "a.npy").write_bytes(preload.npy(3))
        copied(folder, name)
        return [tools.segment, "--attention", "a.npy", "--image", name, "-o", "out", "-q"]
    made.__name__ = "a_photo_" + name.replace(".", "_")
    CASES[made.__name__] = made


for each in ("plain.jpg", "progressive.jpg", "exif_long.jpg", "exif_profile.png", "exif_3.png",
             "interlaced16.png", "alpha_turned.webp", "lossy.webp"):
    photo(each)


@case
def a_folder_of_attention(folder, tools):
    for i in range(3):
        (folder / f"many/{i}").mkdir(parents=True)
        (folder / f"many/{i}/self.npy").write_bytes(preload.npy(i + 2))
    return [tools.segment, "--attention", "many", "-s", "64", "-o", "out"]


@case
def a_list_two_at_a_time(folder, tools):
    for i in range(4):
        (folder / f"{i}.npy").write_bytes(preload.npy(i + 2))
    (folder / "list.txt").write_text("".join(f"{i}.npy\n" for i in range(4)))
    return [tools.segment, "--attention", "@list.txt", "-s", "64", "-o", "out", "--jobs", "2",
            "--json"]


@case
def photos_that_fail(folder, tools):
    (folder / "in").mkdir()
    for i in range(3):
        (folder / f"in/{i}.jpg").write_text("no photo")
    return [tools.segment, "-r", "in", "in/*.jpg", "none", "-o", "out"]


@case
def scores(folder, tools):
    shutil.copytree(FILES / "labels", folder / "labels")
    return [tools.evaluate, "--json", "--classes", "9", "--ignore", "9",
            "labels/predictions", "labels/truths"]


@case
def a_table_of_scores(folder, tools):
    shutil.copytree(FILES / "labels", folder / "labels")
    return [tools.evaluate, "labels/predictions", "labels/truths"]


@case
def reports_together(folder, tools):
    shutil.copytree(FILES / "labels", folder / "labels")
    for i, options in enumerate(([], ["--classes", "300"])):
        done = preload.run(tools.library, {}, [tools.evaluate, "--json", *options,
                                               "labels/predictions", "labels/truths"], folder)
        (folder / f"{i}.json").write_text(done.out)
    return [tools.evaluate, "--merge", "0.json", "1.json"]


@case
def a_photo_alone(folder, tools):
    copied(folder, "pixel.png")
    return [tools.segment, "pixel.png", "-o", "out"]


class Finding(Exception):
    """What must not be."""


class Trial:
    """One program, again and again, in a folder of its own."""

    def __init__(self, name, tools):
        self.name = name
        self.tools = tools
        self.folder = tools.scratch / name
        shutil.copytree(tools.scratch / "attention", self.folder, dirs_exist_ok=True)
        self.arguments = CASES[name](self.folder, tools)
        whole = self.call(0, False)
        self.status = whole.status
        self.told = self.settled(whole.out)
        self.expected = self.results()

    def call(self, at, and_on):
        return preload.run(self.tools.library, {"FAIL_AT": at, "FAIL_ON": int(and_on)},
                           self.arguments, self.folder)

    def results(self):
        out = self.folder / "out"
        return preload.results(out) if out.exists() else {}

    def settled(self, text):
        """What is told but times and order, which differ among runs."""
        return sorted(preload.TIMES.sub(r"\1: 0", line) for line in text.splitlines())

    def check(self, at, and_on):
        """False: there are fewer allocations."""
        shutil.rmtree(self.folder / "out", ignore_errors=True)
        done = self.call(at, and_on)
        if done.status < 0 or done.status > 3:
            raise Finding(f"ends with status {done.status}: {done.err}")
        found = self.results()
        for name, data in found.items():
            if name.endswith(".tmp") and "libgomp" in done.err:
                continue  # which ends the process at once; the next run removes it
            if self.expected.get(name) != data and name not in ("page.html", "trace.json"):
                raise Finding(f"leaves another {name}: {done.err}")
        if not done.reached:
            return False
        if done.status == 0 and (found != self.expected or self.settled(done.out) != self.told):
            raise Finding(f"claims success with {sorted(found)}: {done.out} {done.err}")
        if done.status != 0 and not done.err:
            raise Finding(f"says nothing, status {done.status}")
        self.check_again(done)
        return True

    def check_again(self, failed):
        if failed.status == self.status:
            return
        again = self.call(0, False)
        if again.status != self.status or self.results() != self.expected:
            raise Finding(f"does not go on: {again.err}")

    def sweep(self, step):
        """Every step-th k, alone and with all behind it; how many, and what is found."""
        count = 0
        findings = []
        for and_on in (False, True):
            at = 1
            more = True
            while more:
                try:
                    more = self.check(at, and_on)
                except Finding as finding:
                    findings.append(f"{at}{' and on' if and_on else ''}: {finding}")
                count += more
                at += step
        return count, findings


class Tools:
    """The programs, and what they are disturbed by."""

    def __init__(self, arguments, scratch):
        self.segment = arguments.segment.resolve()
        self.evaluate = arguments.evaluate.resolve()
        self.scratch = scratch
        self.library = preload.build("fail_allocation", scratch)
        (scratch / "attention").mkdir()
        preload.run(self.library, {}, [arguments.make_attention.resolve(), "attention"], scratch)


def outcome(name, tools, step):
    begin = time.monotonic()
    count, findings = Trial(name, tools).sweep(step)
    print(f"{name}: {count} failures, {len(findings)} findings "
          f"({time.monotonic() - begin:.1f} s)", flush=True)
    for finding in findings:
        print(f"  {finding.rstrip()}", flush=True)
    return not findings


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    for name in ("segment", "evaluate", "make_attention"):
        parser.add_argument(name, type=pathlib.Path)
    parser.add_argument("case", nargs="*")
    arguments = parser.parse_args()
    names = arguments.case or (["an_array", "scores"] if arguments.quick else list(CASES))
    with tempfile.TemporaryDirectory() as scratch:
        tools = Tools(arguments, pathlib.Path(scratch))
        good = [outcome(name, tools, 7 if arguments.quick else 1) for name in names]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
