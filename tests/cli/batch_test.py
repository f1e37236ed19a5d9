# SPDX-License-Identifier: MIT
"""Many photos, as a user or a cluster gives them: batch_test.py SEGMENT PHOTOS NAME ...

"all" are those that need nothing but Python; 77 means that something is missing.
"""
import contextlib
import fcntl
import functools
import json
import os
import pathlib
import pty
import re
import resource
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
import zlib

SEGMENT = os.path.abspath(sys.argv[1])
PHOTOS = pathlib.Path(sys.argv[2]).resolve()
TESTS = []
LEFT_OUT = 77  # the exit status of a test that cannot run here
CLUSTERS = ("SLURM_", "JOB_COMPLETION", "OMPI_", "PMI_", "PMIX_")


class LeftOut(Exception):
    """What the test needs is not there."""


def test(function):
    TESTS.append(function)
    return function


def environment(**variables):
    """Ours without anything that changes what is tested."""
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith(CLUSTERS) and name not in ("NO_COLOR", "TERM")}
    return kept | {"OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "passive"} | variables


def run(*arguments, status=0, env=None, **options):
    done = subprocess.run([SEGMENT, *map(str, arguments)], capture_output=True, timeout=120,
                          env=environment(**(env or {})), check=False, **options)
    out, err = done.stdout.decode(), done.stderr.decode()
    assert done.returncode == status, (arguments, done.returncode, out, err)
    return out, err


def start(*arguments, **options):
    return subprocess.Popen([SEGMENT, *map(str, arguments)], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, env=environment(), **options)


@functools.lru_cache
def attention(split):
    """The .npy of 8 x 8 cells; those left of column `split` look at one another, the others too."""
    rows = bytearray()
    for query in range(64):
        left = query % 8 < split
        count = 8 * (split if left else 8 - split)
        rows += struct.pack("<64f", *((1 / count if (key % 8 < split) == left else 0)
                                      for key in range(64)))
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 64, 64), }"
    header += " " * (117 - len(header)) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + rows


def write_attention(path, split):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(attention(split))


def dumps(folder, count):
    """A list of the attention of so many photos; quick, where a photo takes its time."""
    files = [folder / "dumps" / f"{i:04}.npy" for i in range(count)]
    for i, file in enumerate(files):
        write_attention(file, 1 + i % 7)
    listed = folder / "list.txt"
    listed.write_text("".join(f"{file}\n" for file in files))
    return ["--attention", f"@{listed}", "--segments", "2", "--size", "64"]


def results(folder):
    """The bytes of all results but the times in sidecars."""
    return {str(file.relative_to(folder)): file.read_bytes() if file.suffix != ".json" else b""
            for file in sorted(folder.rglob("*")) if file.is_file()}


def names(folder):
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


def kept_names(folder):
    return [name for name in names(folder) if not name.endswith(".json")]


def lines(out):
    return [json.loads(line) for line in out.splitlines()]


def named(*arguments, **options):
    """The photos that a run came to, and whether each worked."""
    out, _ = run("--json", "-q", "-o", "none", *arguments, status=1, **options)
    return {line["photo"]: line["ok"] for line in lines(out)[:-1]}


@test
def inputs_of_every_kind(folder):
    for name in ("in/sub/deep/c.webp", "in/._a.png", "in/.hidden.png", "in/notes.txt",
                 "in/__MACOSX/a.png", "in/b.labels.png", "in/b.overlay.jpg"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("no photo: that is quick")
    for name in ("in/a.PNG", "in/sub/b.png"):
        shutil.copy(PHOTOS / "pixel.png", folder / name)
    found = {"in/a.PNG": True, "in/sub/b.png": True, "in/sub/deep/c.webp": False}
    run("-r", "-o", "in/out", "in", status=1, cwd=folder)
    assert names(folder / "in/out") == [f"{name}.{kind}" for name in ("a", "sub/b")
                                        for kind in ("json", "labels.png", "overlay.png")]
    out, err = run("-r", "-o", "in/out", "in", status=1, cwd=folder)
    assert out.count("(done before)") == 2 and "2 done before" in err, (out, err)
    shutil.copytree(folder / "in/out", folder / "none")
    out, err = run("-o", "in/out", "in/", cwd=folder)
    assert out.startswith("in/a.PNG: ") and "1 photo: " in err, (out, err)
    assert named("-r", "in", "in/sub", cwd=folder) == found
    # Lists of one path a line, or between zeros, from a file or stdin; patterns; stdin.
    for text in ("\ufeffin/sub/deep/c.webp\r\n\r\nx y\n", "in/sub/deep/c.webp\0x y\0"):
        (folder / "list").write_text(text, newline="")
        expected = {"in/sub/deep/c.webp": False, "x y": False}
        assert named("@list", cwd=folder) == expected
        assert named("@-", input=text.encode(), cwd=folder) == expected
    assert named("in/s*/d??p/*", "in/sub/./deep/c.webp", cwd=folder) == {
        "in/sub/deep/c.webp": False}
    assert named("-", input=b"no photo", cwd=folder) == {"-": False}
    # What is not there is named, last again, and the rest is done.
    (folder / "empty/.git").mkdir(parents=True)
    (folder / "nothing").write_text("\n")
    out, err = run("-o", "in/out", "empty", "no*.jpg", "@nothing", "@absent", "gone.jpg", "",
                   "in/a.PNG", status=1, cwd=folder)
    listed = err.split("6 failed:\n")[1]
    for word in ("empty: holds no photo", "no*.jpg: matches nothing", "nothing: lists nothing",
                 "absent: cannot be read", "gone.jpg: cannot be read", "name must not be empty"):
        assert word in listed, (word, err)
    assert out.startswith("in/a.PNG: ")


@test
def results_are_no_inputs_and_names_are_kept_apart(folder):
    for name in ("d1/a.png", "d2/a.png", "d1/a.jpeg"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("no photo")
    shutil.copy(PHOTOS / "pixel.png", folder / "d1/a.png")
    run("-o", "two", "d1", status=1, cwd=folder)
    assert kept_names(folder / "two") == ["a.png.labels.png", "a.png.overlay.png"]
    run("-o", "folders", "d1/a.png", "d2/a.png", status=1, cwd=folder)
    assert kept_names(folder / "folders") == ["d1/a.labels.png", "d1/a.overlay.png"]
    (folder / "x/d1").mkdir(parents=True)
    shutil.copy(PHOTOS / "pixel.png", folder / "x/d1/a.png")
    out, err = run("-o", "none", "d1/a.png", "x/d1/a.png", status=2, cwd=folder)
    assert "the results of both would be none/d1/a.labels.png" in err and not out
    assert not (folder / "none").exists()
    # As a shell gives * on the second run, and somebody else's JSON, which stays.
    here = folder / "x/d1"
    (here / "a.json").write_text("{}")
    run("a.png", cwd=here)
    assert (here / "a.json").read_text() == "{}" and "a.segment.json" in names(here)
    (here / "a.json").unlink()
    out, err = run(*names(here), cwd=here)
    assert "passed over 3 results of earlier runs (a.labels.png, ..)" in err, err
    assert out.count("a.png: ") == out.count("\n") == 1, out


def with_photo(folder, stem, *options):
    """Attention and its photo: both results, and quick."""
    write_attention(folder / f"{stem}.npy", 3)
    return ["--attention", f"{stem}.npy", "--image", PHOTOS / "exif_1.png", *options]


@test
def a_long_name(folder):
    name = "n" * 236
    run("-o", "out", *with_photo(folder, name), cwd=folder)
    assert kept_names(folder / "out") == [f"{name}.labels.png", f"{name}.overlay.png"]
    _, err = run("-o", "long", *with_photo(folder, name + 10 * "n"), status=1, cwd=folder)
    assert "its name has 257 bytes" in err
    assert not (folder / "long").exists() or not names(folder / "long")


@test
def attention_of_many(folder):
    for i in range(3):
        write_attention(folder / f"many/{i}/self.npy", i + 2)
        write_attention(folder / f"manifests/{i}.npy", i + 2)
        (folder / f"manifests/{i}.json").write_text(json.dumps(
            {"diffseg": 1, "layers": [{"file": f"{i}.npy"}]}))
    (folder / "manifests/bad.json").write_text("{}")
    run("-o", "folders", "--attention", "many", cwd=folder)
    assert kept_names(folder / "folders") == [f"{i}.labels.png" for i in range(3)]
    out, err = run("--json", "-o", "out", "--attention", "manifests", status=1, cwd=folder)
    assert kept_names(folder / "out") == [f"{i}.labels.png" for i in range(3)]
    assert "  manifests/bad.json: " in err
    assert sorted(line["ok"] for line in lines(out)[:-1]) == [False, True, True, True]
    run("-o", "one", "--attention", "many/0", cwd=folder)
    assert kept_names(folder / "one") == ["0.labels.png"]
    # Results beside manifests are no manifests; arrays that changed are done again.
    run("--attention", ".", status=1, cwd=folder / "manifests")
    run("--attention", ".", status=1, cwd=folder / "manifests")
    assert "0.segment.json" in names(folder / "manifests")
    write_attention(folder / "manifests/1.npy", 6)
    out, _ = run("-o", "out", "--attention", "manifests/0.json", "manifests/1.json", cwd=folder)
    assert sorted("done before" in line for line in out.splitlines()) == [False, True], out
    # Photos of a folder, by their names.
    (folder / "photos").mkdir()
    for i in range(2):
        shutil.copy(PHOTOS / "pixel.png", folder / f"photos/{i}.png")
    _, err = run("-o", "seen", "--attention", "many", "--image", "photos", status=1, cwd=folder)
    assert "many/2: has no photo 2 in photos" in err
    assert "1.overlay.png" in names(folder / "seen")


@test
def what_is_done_is_not_done_again(folder):
    write_attention(folder / "a.npy", 3)
    attention = ["--attention", "a.npy", "-o"]

    def is_done(*options):
        size = () if "-s" in options else ("-s", "64")
        first, _ = run(*attention, "out", *size, *options, cwd=folder)
        assert "done before" not in first, options
        second, err = run(*attention, "out", *size, *options, cwd=folder)
        assert "(done before) -> out/a.labels.png" in second, options
        assert "1 done before (--force does them again)" in err
        return second

    for options in (["-t", "0.5"], ["-t", "0.6,0.5"], ["--segments", "2"], ["-a", "4"],
                    ["-s", "40"], ["--overlay", "none"], ["--format", "png,npy"],
                    ["--sweep", "0.1:0.3:0.1"], ["--refine"], ["--tidy"], ["--fit-borders"],
                    ["--tidy", "--min-area", "0"], ["--sinks", "0.5"], []):
        is_done(*options)
    assert "done before" not in run(*attention, "out", "-s", "64", "--force", cwd=folder)[0]
    assert "done before" not in run(*attention, "out", "-s", "64", "--profile", cwd=folder)[0]
    (folder / "out/a.labels.png").unlink()
    is_done()
    (folder / "out/a.labels.png").write_bytes(b"cut off")
    is_done()
    (folder / "out/a.json").write_text((folder / "out/a.json").read_text()[:100])
    is_done()
    os.utime(folder / "a.npy", ns=(1, 1))
    is_done()
    skipped = lines(run(*attention, "out", "-s", "64", "--json", cwd=folder)[0])[0]
    done = lines(run(*attention, "out", "-s", "64", "--json", "--force", cwd=folder)[0])[0]
    assert skipped.pop("skipped") is True and "skipped" not in done
    skipped.pop("milliseconds"), done.pop("milliseconds")
    assert skipped == done
    shutil.move(folder / "out", folder / "moved")
    out, _ = run(*attention, "moved", "-s", "64", cwd=folder)
    assert "(done before) -> moved/a.labels.png" in out
    sidecar = json.loads((folder / "moved/a.json").read_text())
    assert sidecar["files"] == {"labels": "a.labels.png"} and sidecar["labels"] == 2


def signalled(folder, number, arguments, out):
    """Stops a run after it has done some photos; how many are left."""
    process = start(*arguments, "-o", out, cwd=folder)
    done = 0
    while done < 5:
        done += b"done before" not in process.stdout.readline()
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number, (process.returncode, err)
    left = re.search(rb"interrupted; (\d+) of 400 left, the same command goes on", err)
    assert left, err
    return int(left[1])


@test
def a_signal_ends_between_photos_and_the_rest_follows(folder):
    arguments = dumps(folder, 400)
    run(*arguments, "-o", folder / "whole")
    expected = results(folder / "whole")
    assert len(set(expected.values())) > 4
    for number in (signal.SIGINT, signal.SIGTERM):
        out = folder / f"stopped_{int(number)}"
        first = signalled(folder, number, [*arguments, "--jobs", "2"], out)
        second = signalled(folder, number, [*arguments, "--jobs", "1"], out)
        assert 0 < second < first <= 395, (first, second)
        found = results(out)
        assert found == {name: expected[name] for name in found}  # whole ones, nothing else
        assert len(kept_names(out)) == len(names(out)) // 2
        _, err = run(*arguments, "-o", out)
        assert f"{400 - second} done before" in err, (second, err)
        assert results(out) == expected


@test
def a_signal_gives_up_the_photo_at_hand(folder):
    with start("-o", "out", "-", stdin=subprocess.PIPE, cwd=folder) as waiting:
        time.sleep(0.3)  # until it reads stdin
        waiting.send_signal(signal.SIGTERM)
        _, err = waiting.communicate((PHOTOS / "exif_1.png").read_bytes(), timeout=60)
    if waiting.returncode != -signal.SIGTERM:  # it did not even listen yet
        assert waiting.returncode == 143 and b"interrupted; 1 of 1 left" in err, err
    assert not (folder / "out").exists()


@test
def a_second_signal_ends_at_once_and_an_ignored_one_never(folder):
    with start("-o", "out", "-", stdin=subprocess.PIPE, cwd=folder) as waiting:
        time.sleep(0.2)  # until it reads stdin, which never ends
        waiting.send_signal(signal.SIGTERM)
        assert waiting.poll() is None
        while waiting.poll() is None:  # one alone may be sent before it listens
            waiting.send_signal(signal.SIGTERM)
            time.sleep(0.05)
        assert waiting.returncode in (143, -signal.SIGTERM)
    assert not (folder / "out").exists()
    arguments = dumps(folder, 40)
    deaf = start(*arguments, "-o", folder / "out",
                 preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
    deaf.stdout.readline()
    deaf.send_signal(signal.SIGINT)
    deaf.communicate(timeout=60)
    assert deaf.returncode == 0
    assert len(names(folder / "out")) == 80


@test
def a_killed_run_goes_on(folder):
    arguments = dumps(folder, 400)
    out = folder / "out"
    process = start(*arguments, "-o", out)
    for _ in range(3):
        process.stdout.readline()
    process.kill()
    process.communicate()
    old = out / ".diffseg-elsewhere-1-1.tmp"
    new = out / ".diffseg-elsewhere-1-2.tmp"
    for file in (old, new):
        file.write_text("")
    os.utime(old, (0, 0))
    run(*arguments, "-o", out)
    assert [name for name in names(out) if name.endswith(".tmp")] == [new.name]
    assert len(kept_names(out)) == 401


def limited(size):
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@test
def no_room(folder):
    photo = with_photo(folder, "a")
    run("-o", "out", *photo, "--segments", "3", cwd=folder)
    before = results(folder / "out")
    # A limit on files: the small labels would fit, the overlay does not, and nothing changes.
    size = (folder / "out/a.overlay.png").stat().st_size
    _, err = run("-o", "out", *photo, status=1, cwd=folder, preexec_fn=limited(size - 100))
    assert "out/a.overlay.png: cannot be written (File too large)" in err
    assert results(folder / "out") == before
    _, err = run("-o", "/proc/none", *photo, status=1, cwd=folder)
    assert "/proc/none/a.labels.png: cannot be written" in err


@test
def a_full_disk(folder):
    small = folder / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", small],
                             capture_output=True, check=False).returncode == 0
    if not mounted:
        raise LeftOut("a small disk cannot be mounted here")
    try:
        arguments = dumps(folder, 100)  # each with a sidecar, 8 KiB
        _, err = run(*arguments, "-o", small, status=1)
        assert "cannot be written (No space left on device); make room" in err
        left = re.search(r"the disk is full; (\d+) of 100 left, the same command goes on", err)
        assert left and int(left[1]) > 50, err
        assert all(name.endswith((".json", ".labels.png")) for name in names(small))
        assert all(file.stat().st_size > 0 for file in small.iterdir())
        subprocess.run(["mount", "-o", "remount,size=4m", small], check=True)
        run(*arguments, "-o", small)
        assert len(names(small)) == 200
    finally:
        subprocess.run(["umount", small], check=True)


@test
def the_same_bytes_side_by_side_and_in_parts(folder):
    arguments = dumps(folder, 60)
    run(*arguments, "-o", folder / "whole")
    expected = results(folder / "whole")
    for options in (["--jobs", "1"], ["--jobs", "3", "--threads", "2"], ["--jobs", "4"],
                    ["--jobs", "4", "--memory", "1K"]):
        run(*arguments, *options, "-o", folder / "other", "--force")
        assert results(folder / "other") == expected, options
    for i in range(2):
        shutil.copy(PHOTOS / f"exif_{i + 1}.png", folder / f"{i}.png")
    for jobs in (1, 2):
        run("--jobs", jobs, "-o", f"photos_{jobs}", "0.png", "1.png", cwd=folder)
    assert results(folder / "photos_1") == results(folder / "photos_2")


def parts(folder, arguments, out, variables, shard):
    """What each of the processes did, of which each has variables of its own."""
    done = []
    for env in variables:
        text, _ = run(*arguments, "--json", "-o", folder / out, "--shard", shard, env=env)
        done.append({line["attention"][0] for line in lines(text)[:-1]})
    return done


@test
def shards_are_disjoint_and_all_is_done(folder):
    arguments = dumps(folder, 60)
    run(*arguments, "-o", folder / "whole")
    expected = results(folder / "whole")
    by_hand = [parts(folder, arguments, "given", [{}], f"{i}/3")[0] for i in range(3)]
    assert sum(map(len, by_hand)) == len(set.union(*by_hand)) == 60 and min(map(len, by_hand)) > 9
    assert results(folder / "given") == expected
    launchers = {
        "array": [{"SLURM_ARRAY_TASK_ID": str(5 + 2 * i), "SLURM_ARRAY_TASK_MIN": "5",
                   "SLURM_ARRAY_TASK_STEP": "2", "SLURM_ARRAY_TASK_COUNT": "3"} for i in range(3)],
        "srun": [{"SLURM_PROCID": str(i), "SLURM_NTASKS": "3"} for i in range(3)],
        "kubernetes": [{"JOB_COMPLETION_INDEX": str(i), "JOB_COMPLETIONS": "3"} for i in range(3)],
        "mpi": [{"OMPI_COMM_WORLD_RANK": str(i), "OMPI_COMM_WORLD_SIZE": "3"} for i in range(3)],
        "pmi": [{"PMI_RANK": str(i), "PMI_SIZE": "3"} for i in range(3)]}
    for name, variables in launchers.items():
        assert parts(folder, arguments, "whole", variables, "auto") == by_hand, name
    told = [{"JOB_COMPLETION_INDEX": str(i)} for i in range(3)]
    assert parts(folder, arguments, "whole", told, "auto/3") == by_hand
    # More photos leave the others where they were.
    more = dumps(folder, 80)
    bigger = parts(folder, more, "whole", launchers["pmi"], "auto")
    assert all(old <= new for old, new in zip(by_hand, bigger))
    for shard, env, words in (("3/3", {}, "count from 0"), ("0/0", {}, "must be I/N"),
                              ("x", {}, "must be I/N"), ("auto", {}, "auto finds no variable"),
                              ("auto", told[0], "auto/N"),
                              ("auto", {"PMI_RANK": "x", "PMI_SIZE": "2"}, "must be a number")):
        assert words in run(*arguments, "--shard", shard, status=2, env=env)[1], shard


@test
def mpirun_deals_the_photos(folder):
    if shutil.which("mpirun") is None:
        raise LeftOut("mpirun is missing")
    arguments = dumps(folder, 60)
    (folder / "dumps/0007.npy").write_text("broken")
    run(*arguments, "-o", folder / "whole", status=1)
    for ranks in (1, 2, 3):
        # What fails in one process must not end the others.
        done = subprocess.run(["mpirun", "--allow-run-as-root", "--oversubscribe", "-n", str(ranks),
                               "--mca", "orte_abort_on_non_zero_status", "0",
                               SEGMENT, *arguments, "--shard", "auto", "-o", folder / str(ranks)],
                              capture_output=True, text=True, timeout=120, check=False,
                              env=environment())
        assert done.stdout.count(" segments in ") == 59, (done.stdout, done.stderr)
        assert done.stderr.count("segment: " + str(folder / "dumps/0007.npy: ")) == 1, done.stderr
        assert results(folder / str(ranks)) == results(folder / "whole")


def on_terminal(arguments, **variables):
    """What stderr gets that is a terminal of 60 columns; stdout is a pipe."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 20, 60, 0, 0))
    with subprocess.Popen([SEGMENT, *map(str, arguments)], stdout=subprocess.DEVNULL, stderr=theirs,
                          env=environment(**({"TERM": "xterm"} | variables))) as process:
        os.close(theirs)
        text = b""
        with contextlib.suppress(OSError):  # that is how a terminal ends
            while select.select([ours], [], [], 60)[0] and (part := os.read(ours, 4096)):
                text += part
    os.close(ours)
    assert process.returncode == 0, text
    return text.decode()


@test
def a_bar_on_terminals(folder):
    arguments = [*dumps(folder, 50), "-o", folder / "out"]
    text = on_terminal(arguments)
    steps = re.findall(r"\r(\[[=> ]+\] \d+/50[^\r\x1b]*)\x1b\[K", text)
    assert len(steps) >= 2 and steps[0].endswith("] 0/50"), text
    assert re.search(r"\d+/50, [0-9.]+ photos/s, \d+ s left$", steps[-1]), steps
    assert all(len(step) < 60 for step in steps)
    assert text.endswith("done before (--force does them again)\r\n") or "50 done in" in text
    assert text.rfind("\r\x1b[K") > text.rfind("]")  # it is gone in the end
    for options, variables in (([], {"NO_COLOR": "1"}), ([], {"TERM": "dumb"}), (["-q"], {})):
        text = on_terminal([*arguments, "--force", *options], **variables)
        assert "\r\x1b" not in text and "[=" not in text, (variables, text)
        assert ("50 done in" in text) == (options != ["-q"]), text
    assert "\r" not in run(*arguments, "--force")[1]


@test
def more_than_100_megapixels(folder):
    """A PNG of 1 bit, black above, white below."""
    height, width = 10_000, 10_100
    rows = b"".join(b"\0" + (b"\xff" if y > 4000 else b"\0") * ((width + 7) // 8) for y in range(height))
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 1)), (b"IEND", b""))
    (folder / "large.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks))
    out, err = run("--json", "-s", "64", "--overlay", "none", "-o", "out", "large.png", cwd=folder)
    photo = lines(out)[0]
    assert photo["size"] == {"height": height, "width": width} and photo["labels"] >= 2
    assert photo["note"].startswith("has 10000x10100 pixels, more than 100000000, and was scaled"), photo
    assert f"large.png: {photo['note']}" in err
    again, err = run("--json", "-s", "64", "--overlay", "none", "-o", "out", "large.png", cwd=folder)
    assert lines(again)[0]["note"] == photo["note"] and "scaled down" not in err


@test
def nobody_reads(folder):
    arguments = dumps(folder, 400)
    process = start(*arguments, "-o", folder / "out")
    process.stdout.readline()
    process.stdout.close()
    err = process.stderr.read().decode()
    assert process.wait(60) == 1
    assert "nobody reads stdout; " in err, err
    assert all(name.endswith((".json", ".labels.png")) for name in names(folder / "out"))


def outcome(function):
    with tempfile.TemporaryDirectory() as folder:
        try:
            function(pathlib.Path(folder))
        except LeftOut as reason:
            return f"left out, {reason}"
        except AssertionError:
            sys.excepthook(*sys.exc_info())
            return "FAILED"
    return "ok"


def main():
    needy = (a_full_disk, mpirun_deals_the_photos)
    wanted = sys.argv[3:]
    if wanted == ["all"]:
        wanted = [function.__name__ for function in TESTS if function not in needy]
    outcomes = []
    for function in TESTS:
        if function.__name__ not in wanted:
            continue
        begin = time.monotonic()
        outcomes.append(outcome(function))
        print(f"{function.__name__}: {outcomes[-1]} ({time.monotonic() - begin:.1f} s)", flush=True)
    assert len(outcomes) == len(wanted), wanted
    if "FAILED" in outcomes:
        return 1
    return LEFT_OUT if any(text.startswith("left out") for text in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
