#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What Python costs: the package beside the same call in C++, on the golden case coffee at the shapes
of SD 1.5 (8 heads, f32, 573 MB), in turns.

compare_python.py PEER
  PEER    the program pipeline_peer

Runs in the Python that has the package, with torch if it is there (else numpy): tensors in, a numpy
array of labels out. Then a batch of images by one Python thread and by two, each with one thread of
its own; and, with torch, diffseg.published.DiffSeg beside published.py, the same algorithm in PyTorch.
Options: --rounds N (15), --images N (16), --threads N (2), --seconds N (12) for the anchors of
published.py. Ends with 1 when the labels are not those of C++; a missed goal is only reported."""
import argparse
import concurrent.futures
import pathlib
import platform
import sys
import tempfile

sys.dont_write_bytecode = True  # nothing appears in the source tree
from harness import (Peer, Stopwatch, in_turns, median, prepare, ratio,  # noqa: E402
                     set_threads, timed)
from pipeline_cases import Options  # noqa: E402


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("peer", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=12)
    return parser.parse_args()


def read_layers(folder):
    """Tensors in memory of this process: torch's, where it is there."""
    import numpy as np
    layers = [np.load(file) for file in sorted(folder.glob("layer_*.npy"))]
    try:
        import torch
    except ImportError:
        return layers, "numpy"
    return [torch.from_numpy(layer) for layer in layers], "torch"


def report(name, above, below, goal):
    value, low, high = ratio(above, below)
    print(f"| {name} | {median(above):.1f} / {median(below):.1f} | {value:.3f} | "
          f"{low:.3f}..{high:.3f} | {goal} |")


def main():
    options = arguments()
    set_threads(options.threads)
    import diffseg
    with tempfile.TemporaryDirectory() as work:
        folder = pathlib.Path(work)
        prepare(options.peer, "coffee", "f32", folder)
        layers, kind = read_layers(folder)
        peer = Peer(options.peer, "serve", folder, "16", "1e-30", "0.9", "0.9", "0.9")
        peer("matched 1")
        kept = diffseg.Segmentation()
        calls = {
            "C++, new memory": lambda: peer(f"segment {options.threads}"),
            "Python, new memory": lambda: timed(lambda: diffseg.segment(layers).values),
            "C++, memory used again": lambda: peer(f"segment_again {options.threads}"),
            "Python, memory used again":
                lambda: timed(lambda: diffseg.segment(layers, out=kept).values),
        }
        times, results = in_turns(calls, options.rounds)
        peer(f"write_labels 0 {folder / 'labels.npy'}")
        import numpy as np
        expected = np.load(folder / "labels.npy")
        peer.close()

    labels = diffseg.segment(layers)
    found = np.array(labels.proposals)[labels.values]
    print(f"{platform.processor() or platform.machine()}, {options.threads} threads, {kind}, build "
          f"{diffseg.show_config('dicts')['variant']}; labels equal to those of C++ on "
          f"{100 * (found == expected).mean():.4f} % of the pixels")
    print("| A / B | A / B, ms | ratio | quartiles | goal |\n|---|---|---|---|---|")
    for memory in ("new memory", "memory used again"):
        report(f"Python / C++, {memory}", times[f"Python, {memory}"], times[f"C++, {memory}"],
               "<= 1.05")
    batch(layers, options)
    if kind == "torch":
        queries_and_keys()
        published_class(layers, options)
    return 0 if (found == expected).mean() > 0.999 else 1


def batch(layers, options):
    """Images by one Python thread and by two, one thread of the library each."""
    import diffseg

    def work(count):
        kept = diffseg.Segmentation()
        with diffseg.ThreadLimit(1):
            for _ in range(count):
                diffseg.segment(layers, out=kept)

    def by(threads):
        with concurrent.futures.ThreadPoolExecutor(threads) as pool:
            list(pool.map(work, [options.images // threads] * threads))

    times, _ = in_turns({count: lambda count=count: timed(lambda: by(count)) for count in (1, 2)}, 3)
    report(f"{options.images} images by one Python thread / by two", times[1], times[2], ">= 1.8")


def queries_and_keys():
    """Attention that is made on the way, beside PyTorch's products alone, and with soft-max and mean:
    72 heads of 4096 tokens and 64 numbers in half precision, which PyTorch widens once."""
    import torch
    import diffseg
    heads, tokens, depth = 72, 4096, 64
    torch.manual_seed(0)
    queries, keys = (torch.randn(heads, tokens, depth).half() for _ in range(2))
    layer = diffseg.Layer.queries_and_keys(queries, keys)
    workspace = diffseg.Workspace()
    wide = [(q.float() * depth ** -0.5, k.float().T.contiguous()) for q, k in zip(queries, keys)]
    scores, mean = torch.empty(tokens, tokens), torch.empty(tokens, tokens)

    def products():
        for q, k in wide:
            torch.mm(q, k, out=scores)

    def attention():
        mean.zero_()
        for q, k in wide:
            torch.mm(q, k, out=scores)
            mean.add_(torch.softmax(scores, -1), alpha=1 / heads)

    calls = {"ours": lambda: diffseg.Aggregate()([layer], workspace), "products": products,
             "attention": attention}
    times, results = in_turns(
        {name: lambda call=call: timed(call) for name, call in calls.items()}, 3)
    error = float((torch.from_numpy(results["ours"].rows.copy()) - mean).abs().max())
    name = f"Aggregate of queries and keys, 72 x 4096 x 64, f16 (off by {error:.1e}) /"
    report(f"{name} PyTorch's products", times["ours"], times["products"], "<= 1.4")
    report(f"{name} its products, soft-max and mean", times["ours"], times["attention"], "<= 0.6")


def published_class(layers, options):
    """The drop-in beside the algorithm as published, whose anchors are scaled up from some."""
    import numpy as np
    import torch
    import published
    from diffseg import Aggregate, Compare, Merge
    from diffseg.published import DiffSeg
    settings, watch = Options(), Stopwatch()
    segmentor = DiffSeg(settings.thresholds, False, settings.anchors)
    mine, masks = timed(lambda: segmentor.segment(*[layer[None] for layer in layers]))
    compare = Compare(anchors=settings.anchors, placement="published")
    others = Merge(thresholds=settings.thresholds[:1])(compare(Aggregate()(layers))).rows
    ids = torch.from_numpy(segmentor.grid[:, 0] * 64 + segmentor.grid[:, 1])
    labels, done = published.segment(layers, ids, settings, watch, torch.from_numpy(others.copy()),
                                     options.seconds)
    spent = watch.milliseconds
    scale = len(ids) / done
    whole = sum(spent.values()) + (scale - 1) * (spent["Compare"] + spent["means"])
    print(f"| published.py / published.DiffSeg ({done} of {len(ids)} anchors compared; labels equal "
          f"on {100 * (masks[0] == np.asarray(labels)).mean():.4f} %) | {whole:.0f} / {mine:.1f} | "
          f"{whole / mine:.0f} | | |")


if __name__ == "__main__":
    sys.exit(main())
