# SPDX-License-Identifier: MIT
"""DiffSeg in plain numpy, in double: what the exported attention must give."""
import struct
import zlib

import numpy as np


def bilinear(coarse, fine):
    """[fine, coarse]: half-pixel centres, clamped."""
    at = np.clip((np.arange(fine) + 0.5) * coarse / fine - 0.5, 0, coarse - 1)
    low = np.floor(at).astype(int)
    weights = np.zeros((fine, coarse))
    weights[np.arange(fine), low] += 1 - (at - low)
    weights[np.arange(fine), np.minimum(low + 1, coarse - 1)] += at - low
    return weights


def enlarge(maps, coarse, fine):
    """[n, coarse cells] -> [n, fine rows, fine columns]."""
    planes = maps.reshape(-1, *coarse)
    return np.einsum("yh,nhw,xw->nyx", bilinear(coarse[0], fine[0]), planes,
                     bilinear(coarse[1], fine[1]), optimize=True)


def aggregate(means, grid):
    total = np.zeros((grid[0] * grid[1],) * 2)
    weights = {own: np.sqrt(own[0] * own[1]) for own in means}
    for own, mean in means.items():
        rows = enlarge(mean, own, grid).reshape(len(mean), -1)
        rows /= rows.sum(1, keepdims=True)
        rows = rows.reshape(*own, -1)
        rows = rows.repeat(grid[0] // own[0], 0).repeat(grid[1] // own[1], 1)
        total += weights[own] / sum(weights.values()) * rows.reshape(total.shape)
    total = np.maximum(total, 1e-30)
    return total / total.sum(1, keepdims=True)


def divergences(some, others):
    logs = np.log(others)
    return np.array([0.5 * ((row - others) * (np.log(row) - logs)).sum(1) for row in some])


def anchors(grid, count):
    def positions(side):
        step = (side - 1) // (count - 1)
        return (side - 1 - step * (count - 1)) // 2 + step * np.arange(count)

    return (positions(grid[0])[:, None] * grid[1] + positions(grid[1])).ravel()


def merge(maps, points, thresholds):
    close = divergences(maps[points], maps) < thresholds[0]
    proposals = close @ maps / close.sum(1, keepdims=True)
    for threshold in thresholds[1:]:
        close = divergences(proposals, proposals) < threshold
        matched = np.zeros(len(proposals), bool)
        merged = []
        for i, row in enumerate(close):
            if not matched[i]:
                merged.append(proposals[row].mean(0))
                matched |= row
        proposals = np.array(merged)
    return proposals


def segment_by_numpy(means, grid, size, thresholds):
    proposals = merge(aggregate(means, grid), anchors(grid, 8), thresholds)
    winners = enlarge(proposals, grid, size).argmax(0)
    return np.unique(winners, return_inverse=True)[1].reshape(size), len(proposals)


def read_labels(path):
    """The palette indices of a PNG whose rows are stored as they are or less the row above."""
    with open(path, "rb") as file:
        data = file.read()
    width, height = struct.unpack(">II", data[16:24])
    packed, at = b"", 8
    while at < len(data):
        length = struct.unpack(">I", data[at:at + 4])[0]
        if data[at + 4:at + 8] == b"IDAT":
            packed += data[at + 8:at + 8 + length]
        at += length + 12
    rows = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(height, width + 1)
    assert set(rows[:, 0]) <= {0, 2}, "rows are filtered by more than the row above"
    labels = rows[:, 1:].copy()
    for y in range(1, height):
        if rows[y, 0] == 2:
            labels[y] += labels[y - 1]
    return labels.astype(int)
