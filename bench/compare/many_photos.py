# SPDX-License-Identifier: MIT
"""A folder of photos from end to end.

many_photos.py rate SEGMENT PHOTOS [--count N]
    photos a second, peak memory and the shares of the time, of N photos (those of the folder, again
    and again under new names).
many_photos.py behaviour PHOTOS NAME=COMMAND ... [--count N]
    what programs do about broken photos, second runs, interruptions and equal names. Each COMMAND is
    run as it stands, with {in} and {out} for folders and {photos} for the photos of {in}.
"""
import argparse
import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time

PHOTOS = (".jpg", ".jpeg", ".png")
PARTS = {"read photo": "reading", "Affinity": "front end", "FitBorders": "borders",
         "encode results": "writing", "write results": "writing"}


def find_photos(folder):
    return sorted(path for path in pathlib.Path(folder).iterdir()
                  if path.suffix.lower() in PHOTOS and ".truth" not in path.name)


def link_photos(sources, count, folder):
    """`count` links to the photos, in turns, under names of their own."""
    folder.mkdir()
    for i in range(count):
        source = sources[i % len(sources)].resolve()
        (folder / f"photo_{i:04}{source.suffix}").symlink_to(source)
    return sorted(folder.iterdir())


def measured(command):
    """Seconds, peak bytes and what it told on stderr."""
    begin = time.perf_counter()
    with tempfile.TemporaryFile("w+") as told:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=told)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - begin
        told.seek(0)
        text = told.read()
    if process.returncode != 0:
        sys.exit(f"{command[0]} ended with {process.returncode}:\n{text}")
    return seconds, usage.ru_maxrss * 1024, text


def shares(profile):
    """Share of the time of each part, out of the rows of the profile that are in no other."""
    times = dict.fromkeys([*PARTS.values(), "pipeline"], 0.0)
    for name, milliseconds in re.findall(r"^(\S.*?) {2,}\d+ +([\d.]+) ", profile, re.M):
        times[PARTS.get(name, "pipeline")] += float(milliseconds)
    return {part: spent / sum(times.values()) for part, spent in times.items()}


def rate(arguments):
    several = "--jobs" in subprocess.run([arguments.segment, "--help"], text=True,
                                         stdout=subprocess.PIPE).stdout
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        photos = link_photos(find_photos(arguments.photos), arguments.count, scratch / "in")
        print(f"{len(photos)} photos, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
        print("| jobs | photos/s | peak memory | reading | front end | pipeline | borders | writing |")
        print("|---|---|---|---|---|---|---|---|")
        for jobs in ["1", str(os.cpu_count())] if several else ["-"]:
            out = scratch / f"out{jobs}"
            options = ["--jobs", jobs] if several else []
            seconds, peak, profile = measured([arguments.segment, "--profile", *options, "-o", out,
                                               *photos])
            part = shares(profile)
            columns = [jobs, f"{len(photos) / seconds:.2f}", f"{peak / 1e6:.0f} MB"]
            columns += [f"{100 * part[name]:.0f} %" for name in
                        ["reading", "front end", "pipeline", "borders", "writing"]]
            print("|", " | ".join(columns), "|", flush=True)


class Trial:
    """One program on one folder of photos."""

    def __init__(self, command, scratch, sources, count):
        self.command, self.folder, self.out = command, scratch / "in", scratch / "out"
        link_photos(sources, count, self.folder)
        self.out.mkdir()

    def start(self):
        places = {"{in}": [str(self.folder)], "{out}": [str(self.out)],
                  "{photos}": [str(path) for path in sorted(self.folder.iterdir())]}
        words = [word for part in shlex.split(self.command) for word in places.get(part, [part])]
        return subprocess.Popen(words, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def run(self):
        process = self.start()
        text = process.communicate()[0]
        return process.returncode, text

    def results(self):
        """When each photo's results were last written."""
        done = {}
        for path in self.out.rglob("*"):
            stem = re.match(r"[^.]+", path.relative_to(self.out).parts[0])[0]
            if path.is_file() and not path.name.endswith(".tmp"):
                done[stem] = max(done.get(stem, 0), path.stat().st_mtime_ns)
        return done

    def count_files(self):
        return sum(path.is_file() for path in self.out.rglob("*"))

    def interrupt(self, number):
        """Sends the signal when half of the photos are done; exit status and seconds to the end."""
        half = len(list(self.folder.iterdir())) // 2
        process = self.start()
        while len(self.results()) < half and process.poll() is None:
            time.sleep(0.01)
        begin = time.perf_counter()
        process.send_signal(number)
        process.communicate()
        return process.returncode, time.perf_counter() - begin

    def rerun(self):
        """Exit status, and how many of the photos that were done are done again."""
        before = self.results()
        code, _ = self.run()
        after = self.results()
        again = sum(after.get(stem) != when for stem, when in before.items())
        return f"exit {code}, {again} of {len(before)} done ones done again, {len(after)} results in all"


def broken(trial):
    photo = sorted(trial.folder.iterdir())[1]
    cut = photo.read_bytes()[:2000]
    photo.unlink()
    photo.write_bytes(cut)
    code, text = trial.run()
    named = "named" if photo.name in text else "not named"
    others = len(trial.results().keys() - {photo.stem})
    return f"exit {code}, {named}, {others} of {len(list(trial.folder.iterdir())) - 1} others done"


def second_run(trial):
    trial.run()
    return trial.rerun()


def stopped(trial, number):
    code, seconds = trial.interrupt(number)
    left = [path.name for path in trial.out.rglob("*") if path.name.endswith(".tmp")]
    return (f"exit {code} after {seconds:.1f} s, {len(left)} temporary files left; then "
            + trial.rerun())


def changed(trial):
    trial.run()
    first, other = sorted(trial.folder.iterdir())[:2]
    before = trial.results()
    photo = other.read_bytes()
    first.unlink()
    first.write_bytes(photo)
    code, _ = trial.run()
    redone = trial.results()[first.stem] != before[first.stem]
    return f"exit {code}, {'done again' if redone else 'not done again'}"


def equal_names(trial):
    photos = sorted(trial.folder.iterdir())
    for photo in photos[1:]:
        photo.unlink()
    trial.run()
    alone = trial.count_files()
    photos[0].with_suffix(".jpeg").symlink_to(photos[0].resolve())
    trial.out = trial.out.with_name("other")
    trial.out.mkdir()
    code, _ = trial.run()
    return f"exit {code}, results of {trial.count_files() / alone:g} photos"


TRIALS = {
    "one of them is cut off": broken,
    "run twice": second_run,
    "interrupted (SIGINT), run again": lambda trial: stopped(trial, signal.SIGINT),
    "killed (SIGKILL), run again": lambda trial: stopped(trial, signal.SIGKILL),
    "a photo replaced by another, run again": changed,
    "a.jpg beside a.jpeg": equal_names,
}


def behaviour(arguments):
    sources = find_photos(arguments.photos)
    programs = dict(program.split("=", 1) for program in arguments.programs)
    print(f"| {arguments.count} photos |", " | ".join(programs), "|")
    print("|---|" + "---|" * len(programs))
    for title, trial in TRIALS.items():
        cells = []
        for command in programs.values():
            with tempfile.TemporaryDirectory() as scratch:
                cells.append(trial(Trial(command, pathlib.Path(scratch), sources, arguments.count)))
        print(f"| {title} |", " | ".join(cells), "|", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("rate")
    one.add_argument("segment", type=os.path.abspath)
    one.add_argument("photos")
    one.add_argument("--count", type=int, default=200)
    one.set_defaults(run=rate)
    two = commands.add_parser("behaviour")
    two.add_argument("photos")
    two.add_argument("programs", nargs="+", metavar="NAME=COMMAND")
    two.add_argument("--count", type=int, default=8)
    two.set_defaults(run=behaviour)
    arguments = parser.parse_args()
    arguments.run(arguments)


main()
