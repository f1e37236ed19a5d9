# SPDX-License-Identifier: MIT
"""DiffSeg in PyTorch, as fast as its plain operations go on a processor: coarse attention enlarged
once per coarse query, divergences and means as matrix products, pieces that stay in the cache,
large results in memory that is there already. Layers are [heads, n * n, n * n], finest grid first.

Of what was tried, these were fastest: adding head by head (torch.sum takes twice as long, several
times for half precision), enlarging attention as two products (three times as fast as interpolate),
products of pieces whose logarithms are still in the cache (a fifth off), and the arg max along the
innermost axis, on channels last (four times).
"""
import functools

import torch
import torch.nn.functional as functional

PIECE = 256  # maps whose logarithms are taken at a time


def side(tokens):
    return round(tokens ** 0.5)


@functools.lru_cache
def line_weights(coarse, fine):
    """[coarse, fine] bilinear, half-pixel centres."""
    units = torch.eye(coarse)[:, None]
    return functional.interpolate(units, fine, mode="linear")[:, 0]


def enlarge(maps, fine):
    """[K, n * n] -> [K, fine * fine]."""
    coarse = side(maps.shape[1])
    weights = line_weights(coarse, fine)
    wide = (maps.view(-1, coarse) @ weights).view(-1, coarse, fine)
    return (weights.T @ wide).view(len(maps), -1)


def head_sums(layer, first=0, last=None):
    """[rows, keys] the sum over heads, in single precision."""
    total = layer[0, first:last].to(torch.float32, copy=True)
    for head in layer[1:, first:last]:
        total += head
    return total


def add_repeated(rows, coarse, lines, grid):
    """Adds the maps of a coarser query grid, [below, below, T], to those of `lines` lines of a
    finer one, in place."""
    tall, wide, tokens = coarse.shape
    blocks = rows.view(tall, lines // tall, wide, grid // wide, tokens)
    blocks += coarse.view(tall, 1, wide, 1, tokens)


def coarse_maps(layers, weights, fine):
    """The weighted sum of layers on the query grid of the finest of them, [n, n, T]."""
    total = None
    for layer, weight in reversed(list(zip(layers, weights))):
        grid = side(layer.shape[1])
        rows = head_sums(layer)
        sums = line_weights(grid, fine).sum(1)  # that of a map after enlarging, from before it
        rows *= (weight / (rows @ torch.outer(sums, sums).ravel()))[:, None]
        rows = enlarge(rows, fine)
        if total is not None:
            add_repeated(rows, total, grid, grid)
        total = rows.view(grid, grid, -1)
    return total


def aggregate(layers, floor, maps):
    """Into maps [T, T]."""
    finest = layers[0]
    tokens = finest.shape[1]
    fine = side(tokens)
    sides = [side(layer.shape[1]) for layer in layers]
    weights = [value / sum(sides) for value in sides]
    coarse = coarse_maps(layers[1:], weights[1:], fine)
    lines = 1 if coarse is None else fine // len(coarse)  # as many as read the same coarse maps
    for line in range(0, fine, lines):
        part = slice(line * fine, (line + lines) * fine)
        rows = head_sums(finest, part.start, part.stop)
        rows *= (weights[0] / rows.sum(1))[:, None]
        if coarse is not None:
            add_repeated(rows, coarse[line // lines:line // lines + 1], lines, fine)
        if floor * tokens > 1e-7:  # adds visible mass
            rows.clamp_min_(floor)
            rows /= rows.sum(1, keepdim=True)
        torch.clamp_min(rows, floor, out=maps[part])
    return maps


def entropies(maps, logs):
    return torch.bmm(maps[:, None], logs[:, :, None])[:, 0, 0]


def divergences(maps, ids):
    """[maps, anchors]: 2 D(p, q) = p.ln p + q.ln q - p.ln q - q.ln p."""
    anchors = maps[ids]
    logs = anchors.log()
    own = entropies(anchors, logs)
    columns, log_columns = anchors.T.contiguous(), logs.T.contiguous()
    result = torch.empty(len(maps), len(anchors))
    for first in range(0, len(maps), PIECE):
        piece, out = maps[first:first + PIECE], result[first:first + PIECE]
        logs = piece.log()
        torch.mm(logs, columns, out=out).addmm_(piece, log_columns)
        out.neg_().add_(entropies(piece, logs)[:, None]).add_(own).mul_(0.5)
    return result


def means(members, rows):
    """The mean of the rows of every set; members [sets, rows], 0 or 1."""
    members = members.float()
    return (members @ rows).div_(members.sum(1, keepdim=True))


def merge_again(rows, threshold):
    """One later iteration: the greedy walk along the rows."""
    close = (divergences(rows, torch.arange(len(rows))) < threshold).T.fill_diagonal_(True)
    walk = close.numpy()
    taken, kept = ~walk[0] & walk[0], []
    for index, matches in enumerate(walk):
        if not taken[index]:
            kept.append(index)
            taken |= matches
    return means(close[kept], rows)


def assign(rows, size):
    """[size, size] indices of rows."""
    grid = side(rows.shape[1])
    planes = rows.view(1, -1, grid, grid).contiguous(memory_format=torch.channels_last)
    large = functional.interpolate(planes, (size, size), mode="bilinear")
    return large[0].permute(1, 2, 0).max(-1).indices


def segment(layers, ids, options, watch, maps):
    """-> labels [size, size], and the proposals of iteration 0."""
    with watch("Aggregate"):
        aggregate(layers, options.floor, maps)
    with watch("Compare"):
        matches = (divergences(maps, ids) < options.thresholds[0]).T
    with watch("Merge"):
        first = rows = means(matches, maps)
        for threshold in options.thresholds[1:]:
            rows = merge_again(rows, threshold)
    with watch("Assign"):
        labels = assign(rows, options.size)
    return labels, first
