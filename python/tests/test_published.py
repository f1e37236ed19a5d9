# SPDX-License-Identifier: MIT
"""The class of the published code: its arithmetic by an independent model, and its known faults."""
import numpy as np
import pytest

import diffseg
from conftest import attention
from diffseg.published import DiffSeg

SIDES = (64, 32, 16, 8)


@pytest.fixture(scope="module")
def layers():
    random = np.random.default_rng(5)
    return [attention(random, 1, (side, side), sharp=20) for side in SIDES]


def enlarged(rows, side):
    """[rows, n, n] -> [rows, side, side], bilinear, half-pixel centres."""
    n = rows.shape[-1]
    source = np.clip((np.arange(side) + 0.5) * n / side - 0.5, 0, n - 1)
    low = np.minimum(source.astype(int), n - 2)
    share = source - low
    weights = np.zeros((side, n))
    weights[np.arange(side), low] = 1 - share
    weights[np.arange(side), low + 1] += share
    return weights @ rows @ weights.T


def model_of_aggregate(layers, ratio):
    maps = 0
    for layer, weight in zip(layers, ratio):
        side = round(layer.shape[-1] ** 0.5)
        rows = enlarged(layer.mean(0, dtype=float).reshape(-1, side, side), 64)
        rows /= rows.sum((1, 2), keepdims=True)
        grid = rows.reshape(side, side, 64, 64)
        maps = maps + weight * grid.repeat(64 // side, 0).repeat(64 // side, 1)
    return maps


@pytest.mark.parametrize("ratio", [None, [1.0, 1.0, 1.0, 1.0], [0.4, 0.3, 0.2, 0.1]])
def test_aggregate_weights_are_those_of_the_formula(layers, ratio):
    maps = DiffSeg([0.9], False, 16).aggregate_weights(layers, ratio)
    weights = ratio or np.array(SIDES) / sum(SIDES)
    assert maps.shape == (64, 64, 64, 64) and maps.dtype == np.float64
    np.testing.assert_allclose(maps, model_of_aggregate(layers, weights), atol=1e-6)


def test_ratios_that_do_not_sum_to_one_scale_the_divergence_as_published(layers):
    """Divergences are proportional to the sum of the maps: 4 times the ratio, 4 times the threshold."""
    ratio = np.array([0.4, 0.3, 0.2, 0.1])
    batch = [layer[None] for layer in layers]
    plain = DiffSeg([0.5, 0.5], False, 8).segment(*batch, weight_ratio=ratio)
    scaled = DiffSeg([2.0, 2.0], False, 8).segment(*batch, weight_ratio=4 * ratio)
    unscaled = DiffSeg([0.5, 0.5], False, 8).segment(*batch, weight_ratio=4 * ratio)
    assert np.array_equal(plain, scaled)
    assert not np.array_equal(plain, unscaled)


def test_masks_of_maps_are_those_of_layers(layers):
    segmentor = DiffSeg([0.5, 0.5], False, 8)
    batch = [layer[None] for layer in layers]
    maps = segmentor.aggregate_weights(layers)
    masks = segmentor.generate_masks(maps, segmentor.kl_threshold, segmentor.grid)
    assert (masks == segmentor.segment(*batch)[0]).mean() > 0.999
    with pytest.raises(ValueError, match="grid must be one of"):
        segmentor.generate_masks(maps, [0.5], segmentor.grid[::-1])


def test_batches_single_thresholds_and_half_precision(layers):
    """The published class crashes for one threshold, and half precision makes it NaN."""
    twice = [np.stack([layer, np.roll(layer, 3, 1)]) for layer in layers]
    for threshold in ([0.5], 0.5, np.array([0.5])):
        masks = DiffSeg(threshold, False, 8).segment(*twice)
        assert masks.shape == (2, 512, 512) and not np.array_equal(masks[0], masks[1])
    half = DiffSeg([0.5], True, 8).segment(*[layer.astype(np.float16) for layer in twice])
    assert half.shape == (2, 512, 512) and half.max() > 0


def test_names_of_batches_and_of_nouns_without_attention():
    random = np.random.default_rng(3)
    segmentor = DiffSeg([0.9], False, 16)
    cross = [np.stack([attention(random, 2, (8, 8), (1, 6))] * 2)]
    maps = segmentor.aggregate_x_weights(cross)
    assert maps.shape == (2, 512, 512, 6)
    pred = np.zeros((2, 512, 512), np.int64)
    pred[1, 256:] = 7
    maps[..., 3] = 0  # the published code divides by its norm
    nouns = [(2, "nothing"), (0, "sky")]
    assert segmentor.get_semantics(pred, maps, nouns, voting="mean") == [{"sky": [0]},
                                                                         {"sky": [0, 7]}]
    with pytest.raises(ValueError, match="of as many images, got 1 and 2 and|got 1, 2 and 2"):
        segmentor.get_semantics(pred[:1], maps, nouns)
    with pytest.raises(ValueError, match="nouns must be within the 5 tokens"):
        segmentor.get_semantics(pred[0], maps[0], [(5, "cat")])
    with pytest.raises(ValueError, match="voting must be"):
        segmentor.get_semantics(pred[0], maps[0], nouns, voting="all")


@pytest.mark.parametrize("work, words", [
    (lambda layers: DiffSeg([0.9], False, 65), "num_points must be in 2..64, got 65"),
    (lambda layers: DiffSeg([], False, 16).segment(*layers), "kl_threshold must hold"),
    (lambda layers: DiffSeg([0.9], False, 16).segment(*layers[:3], layers[3][:0]),
     "of as many images, got 1, 1, 1, 0"),
    (lambda layers: DiffSeg([0.9], False, 16).segment(*layers, weight_ratio=[0, 0, 0, 0]),
     "weights"),
    (lambda layers: DiffSeg([0.9], False, 16).get_weight_ratio([np.ones((1, 5, 5))]),
     "must be that of a square, got 5"),
])
def test_mistakes_are_sentences(layers, work, words):
    with pytest.raises(ValueError, match=words):
        work([layer[None] for layer in layers])


def test_the_library_itself_is_behind_it(layers):
    labels = diffseg.segment(layers, compare=diffseg.Compare(anchors=8, placement="published"),
                             merge=diffseg.Merge(thresholds=[0.5, 0.5]),
                             assign=diffseg.Assign(ids="reference"))
    masks = DiffSeg([0.5, 0.5], False, 8).segment(*[layer[None] for layer in layers])
    assert (masks[0] == labels.values).mean() > 0.9999
