# SPDX-License-Identifier: MIT
"""DiffSeg in PyTorch as the paper (arXiv 2308.12469) and its notebook go about it: every layer
enlarged to the working grid and repeated there, every divergence from scratch, one pass over the
memory for each operation. Written from their description. Layers are [heads, n * n, n * n].
"""
import time

import torch
import torch.nn.functional as functional


def side(tokens):
    return round(tokens ** 0.5)


def aggregate(layers, floor):
    """-> maps [N, N, N, N]: queries, keys."""
    sides = [side(layer.shape[1]) for layer in layers]
    fine = max(sides)
    maps = torch.zeros(fine, fine, fine, fine)
    for layer, grid in zip(layers, sides):
        mean = layer.float().mean(0).view(grid * grid, 1, grid, grid)
        keys = functional.interpolate(mean, (fine, fine), mode="bilinear")
        keys = keys / keys.sum((2, 3), keepdim=True)
        keys = keys.view(grid, grid, fine, fine)
        repeated = keys.repeat_interleave(fine // grid, 0).repeat_interleave(fine // grid, 1)
        maps += grid / sum(sides) * repeated
    maps = maps.clamp(min=floor)
    if floor * fine * fine > 1e-7:  # adds visible mass
        maps = maps / maps.sum((2, 3), keepdim=True)
    return maps


def divergences(anchors, maps):
    """[anchors, maps]: the mean of both KL divergences of all pairs; whole maps, [.., T]."""
    quotient = anchors[:, None].log() - maps[None].log()
    forward = (anchors[:, None] * quotient).sum(-1)
    backward = -(maps[None] * quotient).sum(-1)
    return (forward + backward) / 2


def merge_again(rows, threshold):
    """One later iteration: the greedy walk along the proposals."""
    matched = torch.zeros(len(rows), dtype=torch.bool)
    proposals = []
    for index in range(len(rows)):
        if not matched[index]:
            matches = divergences(rows[index:index + 1], rows)[0] < threshold
            proposals.append(rows[matches].mean(0))
            matched |= matches
    return torch.stack(proposals)


def assign(rows, size):
    """[size, size] indices of proposals."""
    grid = side(rows.shape[1])
    planes = rows.view(1, -1, grid, grid)
    return functional.interpolate(planes, (size, size), mode="bilinear")[0].argmax(0)


def segment(layers, ids, options, watch, others, seconds):
    """-> labels [size, size], and how many anchors were compared: after `seconds` the proposals of
    the remaining ones are taken from `others` [anchors, T]. Few at a time are fastest."""
    with watch("Aggregate"):
        maps = aggregate(layers, options.floor)
    maps = maps.view(maps.shape[0] * maps.shape[1], -1)
    rows = others.clone()
    batch = max(1, 4 * 4096 ** 2 // maps.numel())
    begin, done = time.perf_counter(), 0
    for some in torch.randperm(len(ids), generator=torch.Generator().manual_seed(1)).split(batch):
        if time.perf_counter() - begin > seconds:
            break
        with watch("Compare"):
            matches = divergences(maps[ids[some]], maps) < options.thresholds[0]
        with watch("means"):
            for anchor, matched in zip(some, matches):
                rows[anchor] = maps[matched].mean(0)
        done += len(some)
    with watch("Merge"):
        for threshold in options.thresholds[1:]:
            rows = merge_again(rows, threshold)
    with watch("Assign"):
        labels = assign(rows, options.size)
    return labels, done
