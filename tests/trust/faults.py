# SPDX-License-Identifier: MIT
"""Faults of the world while the programs work: faults.py [--quick] SEGMENT EVALUATE [CASE ...]

Every call that writes fails in turn, disks are full, folders read-only, runs are killed at random
moments, files are cut off while they are mapped, links lead out and back, names have every byte,
several runs share a folder. Nothing may be lost, doubled or half there; what is said must be right;
the next run does the rest. All takes about 3 min on one core (200 kills), --quick 6 s. Prints its
seed; --seed repeats it. Exit status: 1 for a finding.
"""
import argparse
import errno
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import preload

FILES = pathlib.Path(__file__).resolve().parent.parent / "files"
CASES = {}
SIZES = (64, 40)  # of the labels, by which results of two commands differ


def case(function):
    CASES[function.__name__] = function
    return function


class Finding(Exception):
    """What must not be."""


def must(condition, *what):
    if not condition:
        raise Finding(" ".join(map(str, what)))


class World:
    """The programs, a folder, and how much of everything."""

    def __init__(self, arguments, scratch):
        self.segment = arguments.segment.resolve()
        self.evaluate = arguments.evaluate.resolve()
        self.quick = arguments.quick
        self.random = random.Random(arguments.seed)
        self.scratch = scratch
        self.library = preload.build("fail_files", scratch)
        self.folder = scratch

    def few(self, many, few):
        return few if self.quick else many

    def env(self, **variables):
        return os.environ | {"OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "passive"} | variables

    def run(self, *arguments, status=0, program=None, **options):
        done = subprocess.run([program or self.segment, *arguments], cwd=self.folder, check=False,
                              capture_output=True, timeout=120, env=self.env(), **options)
        out, err = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        must(done.returncode == status, "status", done.returncode, "of", arguments, out, err)
        return out, err

    def start(self, *arguments):
        return subprocess.Popen([self.segment, *arguments], cwd=self.folder, env=self.env(),
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def failing(self, variables, *arguments, program=None, **options):
        return preload.run(self.library, variables, [program or self.segment, *arguments],
                           self.folder, **options)


def listed(world, count):
    """A list of so many arrays, in a folder of their own."""
    (world.folder / "arrays").mkdir()
    names = [f"arrays/{i:03}.npy" for i in range(count)]
    for i, name in enumerate(names):
        (world.folder / name).write_bytes(preload.npy(1 + i % 7))
    (world.folder / "list.txt").write_text("".join(f"{name}\n" for name in names))
    return ["--attention", "@list.txt", "--segments", "2"]


def whole_results(world, arguments):
    """What there is to be, by the size of the labels."""
    found = {}
    for size in SIZES:
        world.run(*arguments, "-s", str(size), "-o", f"whole_{size}")
        found[size] = preload.results(world.folder / f"whole_{size}")
    return found


def check_state(out, whole):
    """Every file is whole, and sidecars tell of what is there. The number of sidecars."""
    sidecars = 0
    for file in sorted(out.rglob("*")):
        name = str(file.relative_to(out))
        if file.is_dir() or (file.name.startswith(".diffseg-") and name.endswith(".tmp")):
            continue
        if file.suffix != ".json":
            must(any(results.get(name) == file.read_bytes() for results in whole.values()),
                 name, "is not whole")
            continue
        sidecar = json.loads(file.read_bytes())
        results = whole[sidecar["label_size"]["height"]]
        sidecars += 1
        for result in sidecar["results"]:
            beside = name.removesuffix(".json") + result["suffix"]
            must((out / beside).exists() and (out / beside).read_bytes() == results[beside],
                 name, "tells of another", beside)
    return sidecars


def leftovers(out):
    return [file.name for file in out.rglob(".*") if file.is_file()]


def with_photo(world, count):
    """Each has two results and a sidecar."""
    arguments = listed(world, count)
    (world.folder / "photos").mkdir()
    for i in range(count):
        shutil.copy(FILES / "photos/exif_1.png", world.folder / f"photos/{i:03}.png")
    return [*arguments, "--image", "photos"]


def check_failing(world, arguments, whole, variables):
    """One call of the system fails in a run over older results. False: there are fewer."""
    out = world.folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(world.folder / f"whole_{SIZES[0]}", out)
    shutil.rmtree(out / "new", ignore_errors=True)
    done = world.failing(variables, *arguments, "-s", str(SIZES[1]), "-o", "out")
    must(done.status in (0, 1), "status", done.status, done.err)
    check_state(out, whole)
    if not done.reached:
        return False
    if done.status == 1:
        must("cannot be written" in done.err, "says", done.err)
        if variables["FAIL_ERROR"] == errno.ENOSPC:
            must("the disk is full; " in done.err, "says", done.err)
    elif variables["FAIL_ON"]:
        must(False, "claims success on a full disk")
    world.run(*arguments, "-s", str(SIZES[1]), "-o", "out")
    must(preload.results(out) == whole[SIZES[1]], "does not go on:", leftovers(out))
    return True


@case
def every_call_that_writes_fails(world):
    arguments = with_photo(world, 2)
    whole = whole_results(world, arguments)
    count = 0
    for error, and_on in ((errno.EIO, 0), (errno.ENOSPC, 1)):
        at = 1
        while check_failing(world, arguments, whole,
                            {"FAIL_AT": at, "FAIL_ON": and_on, "FAIL_ERROR": error}):
            at += world.few(1, 4)
            count += 1
    return f"{count} failures"


@case
def every_call_that_writes_fails_of_pages_and_traces(world):
    arguments = [*with_photo(world, 1), "--html", "new/page.html", "--trace", "new/trace.json"]
    count = 0
    for at in range(1, 1000, world.few(1, 4)):
        shutil.rmtree(world.folder / "new", ignore_errors=True)
        shutil.rmtree(world.folder / "out", ignore_errors=True)
        done = world.failing({"FAIL_AT": at, "FAIL_ERROR": errno.ENOSPC}, *arguments, "-o", "out")
        if not done.reached:
            break
        count += 1
        must(done.status in (0, 1) and bool(done.err), "status", done.status, done.err)
        files = sorted((world.folder / "new").glob("*"))
        for file in files:
            text = file.read_text()
            must(text.rstrip().endswith(("</html>", "}")), file.name, "is half there")
        must(done.status == 1 or len(files) == 2, "claims success with", files, done.err)
    return f"{count} failures"


@case
def standard_output_is_full(world):
    arguments = [*listed(world, 2), "-s", "64", "-o", "out"]
    with open("/dev/full", "wb") as full:
        done = subprocess.run([world.segment, *arguments], stdout=full, stderr=subprocess.PIPE,
                              cwd=world.folder, check=False, env=world.env())
        must(done.returncode == 1 and b"cannot be written to stdout (No space" in done.stderr,
             done.returncode, done.stderr)
        must(len(list((world.folder / "out").glob("*.labels.png"))) == 2, "lost results")
        labels = FILES / "labels"
        for options in ([], ["--json"]):
            done = subprocess.run([world.evaluate, *options, labels / "predictions",
                                   labels / "truths"], stdout=full, stderr=subprocess.PIPE,
                                  cwd=world.folder, check=False)
            must(done.returncode == 1 and b"cannot be written to stdout" in done.stderr,
                 done.returncode, done.stderr)


def as_nobody():
    if os.getuid() == 0:
        os.setgid(65534)
        os.setuid(65534)


@case
def folders_that_may_not_be_written_or_read(world):
    arguments = listed(world, 2)
    for folder in (world.scratch, world.folder):
        folder.chmod(0o755)
    (world.folder / "out").mkdir()
    (world.folder / "out").chmod(0o555)
    out, err = world.run(*arguments, "-s", "64", "-o", "out", status=1, preexec_fn=as_nobody)
    must(err.count("out/000.labels.png: cannot be written (Permission denied)") == 2, err)
    out, err = world.run(*arguments, "-s", "64", "-o", "out/new", status=1, preexec_fn=as_nobody)
    must("out/new/000.labels.png: cannot be written (Permission denied)" in err, err)
    must(not list((world.folder / "out").iterdir()), "wrote into it")
    (world.folder / "in/locked").mkdir(parents=True)
    (world.folder / "in/locked/a.png").write_text("no photo")
    (world.folder / "in/locked").chmod(0)
    for given in (["-r", "in"], ["-r", "--attention", "in"], ["in/locked/a.png"]):
        out, err = world.run(*given, "-o", "/tmp", status=1, preexec_fn=as_nobody)
        must("in/locked" in err and "cannot be read (Permission denied)" in err, given, err)
    (world.folder / "in/locked").chmod(0o755)
    # A result that is a folder, an output that is a file, or a link to nowhere.
    (world.folder / "file").write_text("mine")
    os.symlink("/nowhere/at/all", world.folder / "link")
    for place in ("file", "file/deep", "link"):
        _, err = world.run(*arguments, "-o", place, status=1)
        must(f"{place}/000.labels.png: cannot be written (" in err, err)
    must((world.folder / "file").read_text() == "mine", "replaced a file by a folder")


@case
def runs_are_killed(world):
    arguments = with_photo(world, world.few(60, 30))
    whole = whole_results(world, arguments)
    begin = time.monotonic()
    world.run(*arguments, "-s", str(SIZES[1]), "-o", "timed")
    longest = time.monotonic() - begin
    out = world.folder / "out"
    kills = partial = 0
    while kills < world.few(200, 8):
        size = str(SIZES[kills % 5 == 4])  # now and then another command over the same results
        process = world.start(*arguments, "-s", size, "-o", "out",
                              "--jobs", world.random.choice("12"))
        time.sleep(world.random.uniform(0, longest))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        kills += process.returncode == -signal.SIGKILL
        if not out.exists():
            continue
        done = check_state(out, whole)
        partial += 0 < done < len(whole[64]) // 3
        if done == len(whole[64]) // 3 and world.random.random() < 0.5:
            shutil.rmtree(out)
    done = sum(json.loads(file.read_bytes())["label_size"]["height"] == SIZES[0]
               for file in out.glob("*.json")) if out.exists() else 0
    _, err = world.run(*arguments, "-s", str(SIZES[0]), "-o", "out")
    must(done == 0 or f", {done} done before" in err, "did again what was done:", done, err)
    must(preload.results(out) == whole[SIZES[0]], "does not go on:", leftovers(out))
    return f"{kills} kills, {partial} of them within a batch"


@case
def files_are_cut_off_while_they_are_mapped(world):
    arrays = preload.npy(3, 24)
    (world.folder / "arrays").mkdir()
    header = json.dumps({"a": {"dtype": "F32", "shape": [1, 576, 576],
                               "data_offsets": [0, len(arrays) - 128]}}).encode()
    header += b" " * (-len(header) % 8)
    whole = {"npy": arrays,
             "safetensors": len(header).to_bytes(8, "little") + header + arrays[128:]}
    (world.folder / "good.npy").write_bytes(preload.npy(3))
    count = 0
    for kind, data in whole.items():
        for cut in (0, 1, 100, 4096, 8192, len(data) // 2, len(data) - 1):
            for jobs in "12":
                shutil.rmtree(world.folder / "out", ignore_errors=True)
                name = f"arrays/cut.{kind}"
                (world.folder / name).write_bytes(data)
                (world.folder / "list.txt").write_text(f"{name}\ngood.npy\n")
                done = world.failing({"CUT": cut}, "--attention", "@list.txt", "--segments", "2",
                                     "-s", "64", "-o", "out", "--force", "--jobs", jobs)
                count += 1
                # Within the last page nothing is lost to the mapping: zeros are read there.
                if cut == len(data) - 1 and done.status == 0:
                    continue
                must(done.reached and done.status == 1, "status", done.status, cut, done.err)
                must(name in done.err, cut, "does not name it:", done.err)
                must((world.folder / "out/good.labels.png").exists(), "lost another:", done.err)
                must(not (world.folder / "out/cut.labels.png").exists(), cut, "took zeros")
    return f"{count} cuts"


@case
def links_lead_out_and_back(world):
    for place in ("in/a", "elsewhere/b", "many/one", "more/two"):
        (world.folder / place).mkdir(parents=True)
    for name in ("in/a/1.png", "elsewhere/b/2.png"):
        (world.folder / name).write_text("no photo: that is quick")
    for place in ("many/one", "more/two"):
        (world.folder / place / "self.npy").write_bytes(preload.npy(3))
    for link, target in (("in/back", ".."), ("in/a/self", "."), ("in/out", "../elsewhere"),
                         ("elsewhere/b/up", "../../in"), ("in/dangling.png", "none"),
                         ("in/round.png", "round.png"), ("many/back", "."), ("many/up", "../many"),
                         ("many/more", "../more"), ("more/many", "../many"),
                         ("many/round", "round")):
        os.symlink(target, world.folder / link)
    out, _ = world.run("--json", "-r", "in", "-o", "out", status=1)
    photos = [json.loads(line).get("photo") for line in out.splitlines()[:-1]]
    must(len(photos) == len(set(photos)), "doubled", photos)
    must({os.path.realpath(world.folder / photo) for photo in photos if "round" not in photo} ==
         {str(world.folder / name) for name in ("in/a/1.png", "elsewhere/b/2.png", "in/none")},
         "found", photos)
    must("in/round.png" in photos, "lost a link that goes round", photos)
    out, _ = world.run("--json", "-r", "--attention", "many", "-s", "64", "-o", "out", status=0)
    found = [json.loads(line)["attention"][0] for line in out.splitlines()[:-1]]
    must(sorted(os.path.realpath(world.folder / name) for name in found) ==
         [str(world.folder / name) for name in ("many/one", "more/two")], "found", found)
    for link, target in (("truths", str(FILES / "labels/truths")), ("both/t", "../truths"),
                         ("both/back", ".."), ("both/p", str(FILES / "labels/predictions"))):
        (world.folder / link).parent.mkdir(exist_ok=True)
        os.symlink(target, world.folder / link)
    out, _ = world.run("--json", "both/p", "both/t", program=world.evaluate)
    must(json.loads(out)["all"]["photos"] == 3, "evaluate found", out[:200])
    world.run("--json", "both", "both", program=world.evaluate, status=1)
    # Results replace links, and leave alone what they lead to.
    (world.folder / "mine").write_text("mine")
    arguments = [*listed(world, 1), "-s", "64", "-o", "linked"]
    (world.folder / "linked").mkdir()
    for name in ("000.labels.png", "000.json"):
        os.symlink("../mine", world.folder / "linked" / name)
    world.run(*arguments)
    must((world.folder / "mine").read_text() == "mine", "wrote through a link")
    must(not (world.folder / "linked/000.labels.png").is_symlink(), "left a link")


def byte_names(around):
    """A name with each byte that there may be in one."""
    return [around.replace(b"*", bytes([byte])) for byte in range(1, 256) if byte != ord("/")]


@case
def names_have_every_byte(world):
    root = os.fsencode(world.folder)
    os.mkdir(root + b"/arrays")
    names = byte_names(b"arrays/*") + byte_names(b"arrays/a*b")
    for i, name in enumerate(names):
        with open(root + b"/" + name + b".npy", "wb") as file:
            file.write(preload.npy(1 + i % 7))
    text = b"".join(name + b".npy\0" for name in names)
    arguments = ["--attention", "@-", "--segments", "2", "-s", "64", "-o", "out"]
    for skipped in (False, True):
        out, _ = world.run(*arguments, "--json", "--html", "page.html", input=text)
        lines = [json.loads(line) for line in out.splitlines()]
        must(lines[-1]["summary"]["skipped" if skipped else "done"] == len(names), lines[-1])
        must(len(lines) == len(names) + 1, "lines", len(lines))
        found = os.listdir(root + b"/out")
        must(len(found) == 2 * len(names), "files", len(found))
        for name in names:
            must(name[7:] + b".labels.png" in found, "lost", name)
    photos = [name for name in byte_names(b"in/*") + byte_names(b"in/a*b") if name != b"in/."]
    os.mkdir(root + b"/in")
    for name in photos:
        with open(root + b"/" + name + b".png", "wb") as file:
            file.write(b"no photo: that is quick")
    out, _ = world.run("--json", "in", "-o", "none", status=1)
    must(json.loads(out.splitlines()[-1])["summary"]["failed"] == len(photos), "lost a photo")
    for folder in (b"truths", b"predictions"):
        os.mkdir(root + b"/" + folder)
        for name in photos:
            shutil.copy(FILES / "photos/grey.png",
                        root + b"/" + folder + name[2:] + (b".truth0.png" if folder == b"truths"
                                                           else b".labels.png"))
    out, _ = world.run("--json", "predictions", "truths", program=world.evaluate)
    must(json.loads(out)["all"]["photos"] == len(photos), "evaluate lost", out[:200])
    return f"{len(names) + 2 * len(photos)} names"


@case
def runs_share_a_folder(world):
    arguments = with_photo(world, world.few(60, 20))
    whole = whole_results(world, arguments)
    count = len(whole[64]) // 3
    rounds = world.few(20, 3)
    for i in range(rounds):
        shutil.rmtree(world.folder / "out", ignore_errors=True)
        if i % 2 == 1:  # over results of another command
            shutil.copytree(world.folder / f"whole_{SIZES[1]}", world.folder / "out")
        runs = [world.start(*arguments, "-s", str(SIZES[0]), "-o", "out", "--json")
                for _ in range(3)]
        killed = i % 4 >= 2  # one of them
        if killed:
            time.sleep(world.random.uniform(0, 0.3))
            runs.pop().kill()
        done = 0
        for process in runs:
            out, err = process.communicate(timeout=120)
            must(process.returncode == 0, "status", process.returncode, err.decode())
            summary = json.loads(out.splitlines()[-1])["summary"]
            must(summary["done"] + summary["skipped"] == count and summary["left"] == 0, summary)
            must(len(out.splitlines()) == count + 1, "told", len(out.splitlines()))
            done += summary["done"]
        must(killed or done >= count, "lost", count - done)
        found = check_state(world.folder / "out", whole)
        # Who is killed may have been about to replace what another has done.
        must(found == count or (killed and count - 2 <= found < count),
             found, "sidecars", killed)
        _, err = world.run(*arguments, "-s", str(SIZES[0]), "-o", "out")
        must(f"{found} done before" in err, "not all done:", err)
        must(preload.results(world.folder / "out") == whole[64], leftovers(world.folder / "out"))
    return f"{rounds} times"


def outcome(name, world):
    begin = time.monotonic()
    world.folder = world.scratch / name
    world.folder.mkdir()
    try:
        text = f"ok, {CASES[name](world) or 'done'}"
    except (Finding, subprocess.TimeoutExpired) as finding:
        text = f"FOUND: {finding}"
    shutil.rmtree(world.folder)
    print(f"{name}: {text} ({time.monotonic() - begin:.1f} s)", flush=True)
    return not text.startswith("FOUND")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("segment", type=pathlib.Path)
    parser.add_argument("evaluate", type=pathlib.Path)
    parser.add_argument("case", nargs="*")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}")
    with tempfile.TemporaryDirectory() as scratch:
        world = World(arguments, pathlib.Path(scratch).resolve())
        good = [outcome(name, world) for name in arguments.case or CASES]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
