#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The answers of DiffSeg for the trained attention in tests/files/trained, in double precision.

trained_answers.py [FOLDER]

Shares no code with the library: the formulas of the paper (Tian et al., arXiv 2308.12469), written
out in numpy. Each folder with a case.json gets answers.json, map_rows.npy, map_checks.npy,
divergence_rows.npy, proposals.npy and labels.npy, always the same bytes. To be run by whoever
changes the attention or a case.json; needs numpy alone.
"""
import json
import pathlib
import sys

import numpy as np


def attention(folder, case):
    """[tokens, tokens] mean over heads, tokens that are no cells left out, every row of sum 1."""
    skip = case["skip_first"]
    if (folder / "mean.npy").exists():
        heads = np.load(folder / "mean.npy").astype(np.float64)[:, skip:, skip:]
        heads /= heads.sum(axis=2, keepdims=True)
    else:
        stored = np.load(folder / "attention.npz")
        query, key = (stored[name].astype(np.float64)[:, skip:] for name in ("query", "key"))
        scores = np.einsum("hqd,hkd->hqk", query, key, optimize=False) / np.sqrt(query.shape[2])
        heads = np.exp(scores - scores.max(axis=2, keepdims=True))
        heads /= heads.sum(axis=2, keepdims=True)
    return heads.mean(axis=0)


def make_maps(rows, floor):
    """Numbers below the floor become the floor; rows sum to 1."""
    rows = np.maximum(rows / rows.sum(axis=1, keepdims=True), floor)
    return rows / rows.sum(axis=1, keepdims=True)


def anchor_axis(cells, points, placement):
    """Where the anchors of one side sit."""
    if placement == "published":
        step = (cells - 1) // (points - 1)
        start = (cells - 1 - step * (points - 1)) // 2
        return [start + step * k for k in range(points)]
    return [((2 * k + 1) * cells - points) // (2 * points) for k in range(points)]


def divergences(some, others):
    """[some, others] half the sum of both Kullback-Leibler divergences, nats."""
    logs = np.log(others)
    result = np.empty((len(some), len(others)))
    for row, (p, log_p) in enumerate(zip(some, np.log(some))):
        result[row] = ((p - others) * (log_p - logs)).sum(axis=1) / 2
    return result


def merge(maps, anchors, thresholds):
    """Proposals, their number after each iteration, matches of the first, and how close it was."""
    first = divergences(maps[anchors], maps)
    margins = [np.abs(first - thresholds[0]).min()]
    proposals = np.array([maps[row < thresholds[0]].mean(axis=0) for row in first])
    counts = [len(proposals)]
    for threshold in thresholds[1:]:
        between = divergences(proposals, proposals)
        margins.append(np.abs(between - threshold).min())
        taken = np.zeros(len(proposals), bool)
        merged = []
        for row in range(len(proposals)):
            if taken[row]:
                continue
            close = between[row] < threshold
            taken |= close
            merged.append(proposals[close].mean(axis=0))
        proposals = np.array(merged)
        counts.append(len(proposals))
    return proposals, counts, int((first < thresholds[0]).sum()), margins


def enlarge(values, size):
    """Bilinear over the last axis, half-pixel centres, clamped at the ends."""
    cells = values.shape[-1]
    at = np.clip((np.arange(size) + 0.5) * cells / size - 0.5, 0, cells - 1)
    low = np.minimum(np.floor(at).astype(int), cells - 1)
    high = np.minimum(low + 1, cells - 1)
    part = at - low
    return values[..., low] * (1 - part) + values[..., high] * part


def label(proposals, grid, size):
    """The first proposal of the largest number at each pixel."""
    values = enlarge(proposals.reshape(-1, *grid), size[1])
    values = enlarge(values.swapaxes(1, 2), size[0]).swapaxes(1, 2)
    return values.argmax(axis=0)


def answer(folder):
    case = json.loads((folder / "case.json").read_text())
    height, width = case["grid"]
    maps = make_maps(attention(folder, case), case["floor"])
    assert maps.shape == (height * width, height * width), maps.shape
    ys = anchor_axis(height, case["anchors"][0], case["placement"])
    xs = anchor_axis(width, case["anchors"][1], case["placement"])
    anchors = [y * width + x for y in ys for x in xs]
    proposals, counts, matched, margins = merge(maps, anchors, case["thresholds"])
    labels = label(proposals, (height, width), case["label_size"])

    rows = case["map_rows"]
    cell = np.arange(height * width)
    checks = np.stack([(maps * np.log(maps)).sum(axis=1), maps @ (cell // width),
                       maps @ (cell % width), maps.max(axis=1)], axis=1)
    ids = case["divergence_rows"]
    np.save(folder / "map_rows.npy", maps[rows].astype(np.float32))
    np.save(folder / "map_checks.npy", checks)
    np.save(folder / "divergence_rows.npy",
            divergences(maps[anchors][ids], maps).astype(np.float32))
    np.save(folder / "proposals.npy", proposals.astype(np.float32))
    np.save(folder / "labels.npy", labels.astype(np.uint8))
    found = {"anchors": anchors, "matched_pairs": matched, "proposals_per_iteration": counts,
             "labels": len(np.unique(labels))}
    (folder / "answers.json").write_text(json.dumps(found) + "\n")
    print(folder.name, matched, "of", len(anchors) * len(maps), "pairs, proposals", counts,
          "labels", found["labels"], "nearest to a threshold", [f"{m:.1e}" for m in margins],
          "least number", maps.min())


def main():
    here = pathlib.Path(__file__).resolve().parent
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else here.parent / "files" / "trained"
    for case in sorted(root.glob("*/case.json")):
        answer(case.parent)


main()
