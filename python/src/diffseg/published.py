# SPDX-License-Identifier: MIT
"""The class of the published code, answered by this library.

Code written for `segmentor.DiffSeg` of github.com/google/diffseg runs unchanged: numpy arrays, torch
tensors or anything with DLPack go in, numpy arrays of the same shapes and types come out. Its grid is
64 x 64 cells, its masks have 512 x 512 pixels. What goes wrong there is right here: a single
threshold, half precision, names of a batch, nouns without attention."""
from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffseg import _core

SIDE = 64  # cells along the grid
PIXELS = 512  # along a mask


def _side(tokens: int) -> int:
    side = math.isqrt(tokens)
    if side * side != tokens:
        raise ValueError(f"DiffSeg: attention must be that of a square, got {tokens} queries")
    return side


class DiffSeg:
    """DiffSeg with the settings of the published code.

    kl_threshold: nats, one for each iteration, or one number for a single iteration; refine: KMeans
    over all maps; num_points: anchors along a side, 2..64."""

    def __init__(self, kl_threshold: float | Iterable[float], refine: bool, num_points: int) -> None:
        self.grid = self.generate_sampling_grid(num_points)
        self.kl_threshold: NDArray[np.float64] = np.atleast_1d(
            np.asarray(kl_threshold, dtype=np.float64))
        self.refine = refine

    @staticmethod
    def generate_sampling_grid(num_of_points: int) -> NDArray[np.int64]:
        """[points * points, 2] row and column of each anchor."""
        if not 2 <= num_of_points <= SIDE:
            raise ValueError(f"DiffSeg: num_points must be in 2..{SIDE}, got {num_of_points}")
        step = (SIDE - 1) // (num_of_points - 1)
        start = (SIDE - 1 - step * (num_of_points - 1)) // 2
        line = start + step * np.arange(num_of_points)
        rows, columns = np.meshgrid(line, line, indexing="ij")
        return np.stack([rows.ravel(), columns.ravel()], axis=-1)

    @staticmethod
    def get_weight_ratio(weight_list: Sequence[Any]) -> NDArray[np.float64]:
        """[layers] weights proportional to the sides of the layers, of sum 1."""
        sides = np.array([_side(int(weights.shape[-2])) for weights in weight_list], dtype=float)
        return sides / sides.sum()

    get_weight_rato = get_weight_ratio  # as the published code spells it

    def _maps(self, weight_list: Sequence[Any], weight_ratio: Any) -> tuple[_core.Maps, float]:
        """Maps of sum 1, and the sum that the published code would give them: that of the ratios."""
        ratio = self.get_weight_ratio(weight_list) if weight_ratio is None else np.asarray(
            weight_ratio, dtype=float)
        total = float(ratio.sum())
        weights = ratio / total if total > 0 else ratio  # which the library refuses
        return _core.Aggregate(grid=SIDE, weights=weights)(list(weight_list)), total

    def aggregate_weights(self, weight_list: Sequence[Any],
                          weight_ratio: Any = None) -> NDArray[np.float64]:
        """Layers [heads, n * n, n * n] of one image -> maps [64, 64, 64, 64], whose sum is that of
        the ratios, 1 by default."""
        maps, total = self._maps(weight_list, weight_ratio)
        return total * maps.rows.astype(np.float64).reshape(SIDE, SIDE, SIDE, SIDE)

    def aggregate_x_weights(self, weight_list: Sequence[Any],
                            weight_ratio: Any = None) -> NDArray[np.float64]:
        """Cross-attention [heads, n * n, tokens] of an image -> [512, 512, tokens]; with a batch in
        front of each, [batch, heads, n * n, tokens], [batch, 512, 512, tokens]."""
        if len(weight_list[0].shape) == 4:
            return np.stack([self.aggregate_x_weights(image, weight_ratio)
                             for image in zip(*weight_list)])
        ratio = self.get_weight_ratio(weight_list) if weight_ratio is None else weight_ratio
        maps = _core.AggregateCross(size=PIXELS, weights=[float(weight) for weight in ratio])(
            list(weight_list))
        return maps.values.T.astype(np.float64).reshape(PIXELS, PIXELS, -1)

    def generate_masks(self, attns: Any, kl_threshold: Any = None,
                       grid: Any = None) -> NDArray[np.int64]:
        """Maps [64, 64, 64, 64] -> the mask [512, 512]: index of a proposal by pixel; thresholds and
        grid of the constructor where none are given."""
        rows = np.asarray(attns, dtype=np.float64).reshape(SIDE * SIDE, SIDE * SIDE)
        total = float(rows.sum() / len(rows))
        maps = _core.Maps(SIDE, (rows / total).astype(np.float32))
        thresholds = self.kl_threshold if kl_threshold is None else kl_threshold
        return self._masks(maps, total, thresholds, self.grid if grid is None else grid)

    def _masks(self, maps: _core.Maps, total: float, kl_threshold: Any,
               grid: Any) -> NDArray[np.int64]:
        # Divergences grow with the sum of the maps.
        thresholds = [float(threshold) / total for threshold in np.atleast_1d(kl_threshold)]
        points = math.isqrt(len(grid))
        if not thresholds:
            raise ValueError("DiffSeg: kl_threshold must hold at least one number")
        if not np.array_equal(grid, self.generate_sampling_grid(points)):
            raise ValueError("DiffSeg: grid must be one of generate_sampling_grid()")
        compare = _core.Compare(anchors=points, placement="published", ceiling=thresholds[0])
        proposals = _core.Merge(thresholds=thresholds)(compare(maps))
        if self.refine:
            proposals = _core.Refine()(proposals)
        labels = _core.Assign(size=PIXELS, ids="reference")(proposals)
        return labels.values.astype(np.int64)

    def segment(self, weight_64: Any, weight_32: Any, weight_16: Any, weight_8: Any,
                weight_ratio: Any = None) -> NDArray[np.int64]:
        """Batches of layers [batch, heads, n * n, n * n] -> masks [batch, 512, 512]."""
        levels = (weight_64, weight_32, weight_16, weight_8)
        if len({len(level) for level in levels}) != 1:
            raise ValueError("DiffSeg: all layers must be of as many images, got "
                             + ", ".join(str(len(level)) for level in levels))
        masks = [self._masks(*self._maps(image, weight_ratio), self.kl_threshold, self.grid)
                 for image in zip(*levels)]
        return np.stack(masks) if masks else np.empty((0, PIXELS, PIXELS), np.int64)

    def get_semantics(self, pred: Any, x_weight: Any, nouns: Sequence[Any],
                      voting: str = "majority") -> Any:
        """Mask [512, 512] and cross-attention [512, 512, tokens] -> {word: its labels}.

        nouns: (index, word) each, counted without the start mark; voting: "majority", which is the
        median of the pixels' noun indices, or "mean". Batches of masks, of cross-attention and, if
        they differ, lists of nouns give a list."""
        pred, x_weight = np.asarray(pred), np.asarray(x_weight)
        if x_weight.ndim == 4:
            shared = bool(nouns) and isinstance(nouns[0][1], str)
            if len(pred) != len(x_weight) or not (shared or len(nouns) == len(pred)):
                raise ValueError("DiffSeg: masks, cross-attention and nouns must be of as many "
                                 f"images, got {len(pred)}, {len(x_weight)} and {len(nouns)}")
            return [self.get_semantics(mask, weights, nouns if shared else nouns[index], voting)
                    for index, (mask, weights) in enumerate(zip(pred, x_weight))]
        if voting not in ("majority", "mean"):
            raise ValueError(f"DiffSeg: voting must be 'majority' or 'mean', got {voting!r}")
        return _named(pred.reshape(x_weight.shape[:2]), x_weight, nouns, voting)


def _named(pred: Any, x_weight: Any, nouns: Sequence[Any],
           voting: str) -> defaultdict[str, list[int]]:
    words = [(str(word), int(index) + 1, int(index) + 2) for index, word in nouns]
    policy = "mean" if voting == "mean" else "reference_median"
    name = _core.Name(nouns=words, policy=policy)
    tokens = name.tokens()
    if tokens and tokens[-1] >= x_weight.shape[2]:
        raise ValueError(f"DiffSeg: nouns must be within the {x_weight.shape[2] - 1} tokens behind "
                         f"the start mark, got {tokens[-1] - 1}")
    values = np.moveaxis(x_weight[:, :, tokens], 2, 0).reshape(len(tokens), -1)
    maps = _core.CrossMaps(pred.shape, tokens, values.astype(np.float32))
    found, compact = np.unique(pred, return_inverse=True)
    names = name(maps, compact.reshape(pred.shape).astype(np.int32))
    result: defaultdict[str, list[int]] = defaultdict(list)
    for label, noun in enumerate(names.nouns):
        if words:
            result[words[max(noun, 0)][0]].append(int(found[label]))
    return result
