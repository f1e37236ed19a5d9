#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""segment() of the Python package beside DiffSeg in plain numpy, on random shapes.

whole.py [--cases N] [--seed S]

Needs numpy and the package diffseg (`pip install .`); 10,000 cases take some minutes. The plain
program is that of the exported attention (tests/python/numpy_diffseg.py), in double; the package
works in float32. A case is undecided, and counted so, when thresholds 0.02 % lower or higher give
other proposals; a pixel, when its two largest proposals are within 1e-5 of each other. Exit status
1: a case differs, its seed is printed.
"""
import argparse
import pathlib
import sys

import numpy as np

import diffseg

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "python"))
import numpy_diffseg as plain  # noqa: E402

NEAR = 2e-4  # of a threshold


def random_case(random):
    """Layers [heads, queries, keys] by grid, the working grid, anchors, thresholds, label size."""
    coarse = (int(random.integers(2, 5)), int(random.integers(2, 5)))
    factors = [1, 2, 3][:int(random.integers(1, 4))]
    layers = {}
    for factor in factors:
        own = (coarse[0] * factor, coarse[1] * factor)
        cells = own[0] * own[1]
        if cells > 150 or (factor == 3 and 2 in factors):
            continue  # repeats are whole numbers of cells
        heads = int(random.choice([1, 2, 5, 128 if cells <= 16 else 3]))
        rows = np.exp(random.uniform(0, 2) * random.standard_normal((heads, cells, cells)))
        place = random.integers(0, 3, cells)
        rows *= np.where(place[:, None] == place[None, :], random.uniform(1, 30), 1)
        layers[own] = (rows / rows.sum(2, keepdims=True)).astype(np.float32)
    grid = max(layers, key=lambda own: own[0] * own[1])
    anchors = int(random.integers(2, min(grid) + 1))
    thresholds = [float(random.uniform(0.02, 1.5))] * int(random.integers(1, 4))
    size = tuple(int(side) for side in random.integers(1, 80, 2))
    return layers, grid, anchors, thresholds, size


def decided(maps, points, thresholds):
    """The proposals, or None where rounding may decide."""
    exact = plain.merge(maps, points, thresholds)
    for factor in (1 - NEAR, 1 + NEAR):
        other = plain.merge(maps, points, [threshold * factor for threshold in thresholds])
        if other.shape != exact.shape or np.abs(other - exact).max() > 1e-12:
            return None
    return exact


def run(seed):
    """(pixels that differ, pixels undecided), or None for an undecided case."""
    random = np.random.default_rng(seed)
    layers, grid, anchors, thresholds, size = random_case(random)
    means = {own: rows.astype(float).mean(0) for own, rows in layers.items()}
    maps = plain.aggregate(means, grid)
    proposals = decided(maps, plain.anchors(grid, anchors), thresholds)
    if proposals is None:
        return None
    tensors = [rows.reshape(len(rows), *own, *own) for own, rows in layers.items()]
    labels = diffseg.segment(
        tensors,
        compare=diffseg.Compare(anchors=(anchors, anchors), placement="published"),
        merge=diffseg.Merge(thresholds=thresholds),
        assign=diffseg.Assign(size=size, ids="reference"))
    if len(labels.proposals) != len(proposals):
        raise AssertionError(f"{len(labels.proposals)} proposals, plainly {len(proposals)}")
    planes = plain.enlarge(proposals, grid, size)
    own = np.take_along_axis(planes, np.asarray(labels.values)[None], 0)[0]
    most = planes.max(0)
    near = (np.sort(planes, 0)[-2] > most * (1 - 1e-5)) if len(planes) > 1 else most < 0
    return int(((own < most * (1 - 1e-5))).sum()), int(near.sum()), most.size


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--cases", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    undecided = pixels = near = 0
    for seed in range(options.seed, options.seed + options.cases):
        try:
            found = run(seed)
        except Exception as error:
            print(f"seed {seed}: {error}")
            return 1
        if found is None:
            undecided += 1
            continue
        if found[0] > 0:
            print(f"seed {seed}: {found[0]} of {found[2]} pixels differ")
            return 1
        near += found[1]
        pixels += found[2]
    print(f"seeds {options.seed} .. {options.seed + options.cases - 1}: {options.cases} cases, "
          f"{undecided} undecided, {pixels} pixels alike, {near} of them undecided")
    return 0


if __name__ == "__main__":
    sys.exit(main())
