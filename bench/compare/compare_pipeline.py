#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The way from attention to labels beside PyTorch, on the same tensors, in turns.

compare_pipeline.py PEER [PHOTOS]
  PEER    the program pipeline_peer
  PHOTOS  a photo, or a folder of photos: four of them at the shapes of SD 1.5, the first one also
          at those of other models; none: the golden case coffee only

  (a)  published.py, the published algorithm with all its passes
  (b)  products.py, the same answer as fast as PyTorch's operations give it
  ours with one thread and all, every result in new memory and in that of the last call

and what no program can do without. Makes its own virtual environment (numpy, torch,
opencv-python-headless; 6 GB, as the torch of PyPI brings its CUDA libraries) beside the temporary
files of the system, or in DIFFSEG_COMPARE_VENV, and keeps it. Options: --rounds N (7), --photos N
(4), --trained MANIFEST: queries and keys on a square grid that export_onnx.py wrote, more than one if
given again, --threads N (2), --seconds N (12) for the anchors of (a) and for the rounds of each case but
the first, --chart FILE: the first case as JSON for plots.py, --smoke: one tiny case in the
environment that is there, exit 77 without torch. Ends with 1 when labels agree on less than 99.9 %
of the pixels; a missed goal is only reported.
"""
import argparse
import dataclasses
import json
import os
import pathlib
import platform
import sys
import tempfile

sys.dont_write_bytecode = True  # nothing appears in the source tree
from harness import (Peer, Stopwatch, enter_environment, in_turns, median,  # noqa: E402
                     prepare, ratio, set_threads, timed)
from pipeline_cases import cases, photo_files, smoke_cases  # noqa: E402

PACKAGES = ["numpy", "torch", "opencv-python-headless"]
STAGES = ["Aggregate", "Compare", "Merge", "Assign"]


@dataclasses.dataclass
class Goal:
    """A ratio to reach, and one to aim for."""
    least: float
    aim: float

    def judge(self, value):
        sign = 1 if self.aim > self.least else -1
        reached = [sign * value >= sign * limit for limit in (self.least, self.aim)]
        return f"{value:.3g} " + ("aim met" if reached[1] else "met" if reached[0] else "MISSED")


GOALS = {"(a) / ours": Goal(400, 1000), "(b) / ours": Goal(12, 25), "ours / one read": Goal(4, 2)}
ASSIGN_GOAL = Goal(30, 100)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("peer", type=pathlib.Path)
    parser.add_argument("photos_path", type=pathlib.Path, nargs="?")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--photos", type=int, default=4)
    parser.add_argument("--trained", type=pathlib.Path, action="append", default=[])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=12)
    parser.add_argument("--chart", type=pathlib.Path)
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    set_threads(options.threads)
    return options


def load_layers(folder):
    """Copies in this process's memory, as a model would have left them there."""
    import numpy as np
    import torch
    files = sorted(folder.glob("layer_*.npy"))
    return [torch.from_numpy(np.load(file, mmap_mode="c")).clone() for file in files]


def anchor_ids(side, count):
    """Tokens of count x count anchors, cell-centred as the library's."""
    import torch
    places = ((2 * torch.arange(count) + 1) * side - count) // (2 * count)
    return (places[:, None] * side + places).ravel()


def agreement(left, right):
    return float((left == right).mean())


class Sides:
    """One case in the hands of all sides."""

    def __init__(self, case, program, work, threads):
        import torch
        self.case, self.work, self.threads = case, work, threads
        folder = work / "layers"
        folder.mkdir()
        if callable(case.make):
            case.make(folder)
        else:
            prepare(program, *case.make, folder)
        self.layers = load_layers(folder)
        options = case.options
        self.peer = Peer(program, "serve", folder, str(options.anchors), str(options.floor),
                         *map(str, options.thresholds))
        self.peer("matched 1")  # answers once all is read
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
        tokens = self.layers[0].shape[1]
        self.ids = anchor_ids(round(tokens ** 0.5), options.anchors)
        self.maps = torch.empty(tokens, tokens)  # of (b), used again as ours are
        self.stages = {stage: [] for stage in STAGES}  # of (b), milliseconds of every round

    def products(self):
        """One run of (b): milliseconds, and what it found."""
        import products
        watch = Stopwatch()
        found = products.segment(self.layers, self.ids, self.case.options, watch, self.maps)
        for stage in STAGES:
            self.stages[stage].append(watch.milliseconds[stage])
        return sum(watch.milliseconds.values()), found

    def published(self, others, seconds):
        """One run of (a): milliseconds of each stage, labels, how many anchors were compared."""
        import published
        watch = Stopwatch()
        labels, done = published.segment(self.layers, self.ids, self.case.options, watch, others,
                                         seconds)
        spent = watch.milliseconds
        scale = len(self.ids) / done
        spent["Compare"] *= scale
        spent["Merge"] += spent.pop("means") * scale
        return spent, labels.numpy(), done

    def labels(self):
        import numpy as np
        file = self.work / "labels.npy"
        self.peer(f"write_labels 0 {file}")
        return np.load(file)

    def calls(self):
        """What runs in turns."""
        every = (self.threads, 1)
        commands = [f"segment {n}" for n in every] + [f"segment_again {n}" for n in every]
        commands += [f"read {self.threads}", f"product {self.threads}"]
        commands += [f"{stage} {n}" for n in every for stage in STAGES]
        calls = {command: lambda command=command: self.peer(command) for command in commands}
        return {"products": self.products, **calls}

    def describe(self):
        grids = "/".join(str(round(layer.shape[1] ** 0.5)) for layer in self.layers)
        heads = "/".join(str(layer.shape[0]) for layer in self.layers)
        size = sum(layer.numel() * layer.element_size() for layer in self.layers) / 1e6
        pairs = len(self.ids) * len(self.maps)
        matched, evaluated = (self.peer(command)[1] for command in ("matched 1", "evaluated 1"))
        return (f"grids {grids}, heads {heads}, {size:.0f} MB; {100 * matched / pairs:.1f} % of "
                f"{len(self.ids)} x {len(self.maps)} pairs match, {100 * evaluated / pairs:.1f} % "
                f"were evaluated")


def row(*cells):
    print("| " + " | ".join(cells) + " |")


def header(*cells):
    row(*cells)
    print("|" + "---|" * len(cells))


def spread(values, between=" | "):
    return f"{values[0]:.2f}{between}{values[1]:.2f}..{values[2]:.2f}"


def print_stages(sides, times, published):
    """The table of one case: stages, then the whole."""
    threads = sides.threads
    header("ms", "(a)", "(b)", "ours, 1 thread", f"ours, {threads} threads", "(a) / ours",
           "(b) / ours", "quartiles")

    def line(name, slow, fast, command):
        one, all_threads = times[f"{command} 1"], times[f"{command} {threads}"]
        row(name, f"{slow:.0f}", f"{median(fast):.1f}", f"{median(one):.2f}",
            f"{median(all_threads):.2f}", f"{slow / median(all_threads):.0f}",
            spread(ratio(fast, all_threads)))

    for stage in STAGES:
        line(stage, published[stage], sides.stages[stage][1:], stage)
    whole = sum(published.values())
    line("whole, in new memory", whole, times["products"], "segment")
    line("whole, memory used again", whole, times["products"], "segment_again")


def print_floors(sides, times, results):
    """What no program can do without: reading the input, and the pairs no bound decides."""
    threads = sides.threads
    again, read = times[f"segment_again {threads}"], times[f"read {threads}"]
    rate = results[f"product {threads}"] / median(times[f"product {threads}"])
    pairs = sides.peer("evaluated 1")[1] * len(sides.maps) * 3 / rate
    maps = times[f"Aggregate {threads}"]
    print(f"\none read of the input: {median(read):.1f} ms; ours / it "
          f"{spread(ratio(again, read), ', ')}; Aggregate / it {spread(ratio(maps, read), ', ')}")
    print(f"3 operations a term of the evaluated pairs at the rate of Eigen's products "
          f"({rate / 1e6:.0f} G multiply-adds/s): {pairs:.1f} ms")


def reached(sides, times, published, command):
    """The ratios of GOALS."""
    ours = times[f"{command} {sides.threads}"]
    return {"(a) / ours": sum(published.values()) / median(ours),
            "(b) / ours": ratio(times["products"], ours)[0],
            "ours / one read": ratio(ours, times[f"read {sides.threads}"])[0]}


def check_labels(labels, others):
    """Whether all agree on 99.9 % of the pixels."""
    import numpy as np
    found = {name: agreement(labels, other) for name, other in others.items()}
    print(f"\n{len(np.unique(labels))} labels; equal pixels: " +
          ", ".join(f"{name} {100 * value:.3f} %" for name, value in found.items()))
    if min(found.values()) >= 0.999:
        return True
    print("WRONG: labels differ")
    return False


def write_chart(file, sides, times, published):
    """One case as the input of plots.py."""
    threads = sides.threads
    bars = {"published algorithm (PyTorch)": sum(published.values()),
            "matrix products (PyTorch)": median(times["products"]),
            "diffseg, 1 thread": median(times["segment_again 1"]),
            f"diffseg, {threads} threads": median(times[f"segment_again {threads}"]),
            "one read of the attention": median(times[f"read {threads}"])}
    file.write_text(json.dumps({
        "title": f"Attention to labels: {sides.case.name}", "machine": machine(threads),
        "command": "cmake --build build/bench --target compare_pipeline",
        "rows": [{"name": name, "ms": spent} for name, spent in bars.items()]}, indent=1))


def compare_case(case, program, work, options, summary):
    """Returns whether the labels are right."""
    import numpy as np
    sides = Sides(case, program, work, options.threads)
    print(f"\n### {case.name}\n\n{sides.describe()}", flush=True)
    times, results = in_turns(sides.calls(), options.rounds, options.seconds)
    fast_labels, proposals = results["products"]
    seconds = float("inf") if case.whole else options.seconds
    published, slow_labels, done = sides.published(proposals, seconds)
    others = {"(a)": slow_labels, "(b)": fast_labels.numpy()}
    if case.golden:
        others["published"] = np.load(case.golden)
    right = check_labels(sides.labels(), others)
    if done < len(sides.ids):
        print(f"(a) compared {done} of {len(sides.ids)} anchors, scaled; the other proposals are "
              f"those of (b)")
    print(f"{len(times['products'])} rounds\n")
    print_stages(sides, times, published)
    print_floors(sides, times, results)
    for name, command in (("new memory", "segment"), ("used again", "segment_again")):
        summary.append((case.name, name, reached(sides, times, published, command)))
    if case.assign:
        right &= compare_assign(sides, options)
    if options.chart and not options.chart.exists():
        write_chart(options.chart, sides, times, published)
    sides.peer.close()
    return right


def compare_assign(sides, options):
    """Assign alone."""
    import numpy as np
    import products
    import published
    import torch
    file, size, threads = sides.work / "proposals.npy", sides.case.options.size, options.threads
    sides.peer(f"write_proposals {sides.case.assign} {file}")
    rows = torch.from_numpy(np.load(file))
    times, results = in_turns({
        "interpolate + argmax": lambda: timed(lambda: published.assign(rows, size)),
        "the same, channels last": lambda: timed(lambda: products.assign(rows, size)),
        "ours, 1 thread": lambda: sides.peer("Assign 1"),
        f"ours, {threads} threads": lambda: sides.peer(f"Assign {threads}")}, 5 * options.rounds)
    ours = times[f"ours, {threads} threads"]
    print(f"\n### Assign, {size} x {size} pixels, {len(rows)} proposals\n")
    header("", "ms", "it / ours", "quartiles", "goal")
    for name, spent in times.items():
        goal = f">= {ASSIGN_GOAL.least}, aim {ASSIGN_GOAL.aim}: "
        goal += ASSIGN_GOAL.judge(ratio(spent, ours)[0])
        row(name, f"{median(spent):.3f}", spread(ratio(spent, ours)),
            goal if name == "interpolate + argmax" else "")
    plain = results["interpolate + argmax"].numpy()
    return check_labels(sides.labels(), {
        "interpolate + argmax": plain,
        "channels last": results["the same, channels last"].numpy()})


def print_summary(summary, threads):
    print(f"\n### The goals, {threads} threads\n")
    header("case", "ours", *(f"{name}: {'>=' if goal.aim > goal.least else '<='} {goal.least}, aim "
                             f"{goal.aim}" for name, goal in GOALS.items()))
    for name, memory, ratios in summary:
        row(name, memory, *(goal.judge(ratios[key]) for key, goal in GOALS.items()))


def machine(threads):
    cpu = [line.split(":")[1].strip() for line in open("/proc/cpuinfo") if "model name" in line]
    return f"{len(cpu)} x {cpu[0] if cpu else platform.machine()}, {threads} threads"


def print_versions(program, threads):
    import numpy
    import torch
    print(f"torch {torch.__version__} ({torch.backends.cpu.get_cpu_capability()}), numpy "
          f"{numpy.__version__}, Python {platform.python_version()}; ours: "
          f"{prepare(program, 'version').strip()}")
    print(f"{machine(threads)}, OMP_WAIT_POLICY={os.environ['OMP_WAIT_POLICY']}")


def main():
    options = arguments()
    enter_environment(PACKAGES, make=not options.smoke)
    try:
        import torch
    except ImportError as error:
        print(f"skipped: {error}")
        sys.exit(77)
    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)  # as ours, in every thread
    if options.chart:
        options.chart.unlink(missing_ok=True)
    print_versions(options.peer, options.threads)
    right, summary = True, []
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        files = photo_files(options.photos_path, options.photos)
        for case in smoke_cases() if options.smoke else cases(files, work,
                                                                         options.trained):
            right &= compare_case(case, options.peer, work, options, summary)
    print_summary(summary, options.threads)
    sys.exit(0 if right else 1)


if __name__ == "__main__":
    main()
