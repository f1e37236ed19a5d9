# SPDX-License-Identifier: MIT
"""The published segmentor's answers, through Python."""
import numpy as np
import pytest

import diffseg
from diffseg.published import DiffSeg


def agreement(values, expected):
    return (np.asarray(values) == expected).mean()


def test_stage_by_stage(case):
    known = case.json
    maps = diffseg.Aggregate(weights=known["weight_ratio"] or [])(case.layers)
    np.testing.assert_allclose(maps.rows[case.read("aggregate_row_ids").astype(int)],
                               case.read("aggregate_rows"), atol=1e-6)
    similarities = diffseg.Compare(anchors=known["points"], placement="published",
                                   ceiling=2.0)(maps)
    if case.has("divergence_rows"):
        ids = case.read("divergence_row_ids").astype(int)
        rows = np.full((len(similarities.anchors), maps.tokens), np.inf)
        pairs = np.repeat(np.arange(len(rows)), np.diff(similarities.indptr))
        rows[pairs, similarities.indices] = similarities.data
        expected = case.read("divergence_rows")
        near = expected < 2 - 2e-4
        np.testing.assert_allclose(rows[ids][near], expected[near], atol=2e-4)
    proposals = diffseg.Merge(thresholds=known["thresholds"])(similarities)
    assert proposals.per_iteration == known["proposals_per_iteration"]
    np.testing.assert_allclose(proposals.rows, case.read("proposals"), atol=1e-6)
    if known["refine"]:
        proposals = diffseg.Refine()(proposals)
    labels = diffseg.Assign(ids="reference")(proposals)
    share = agreement(labels.values, case.read("labels"))
    print(f"{case.name}: {100 * share:.4f} % of the pixels")
    assert share >= 0.999


@pytest.mark.parametrize("kind", ["numpy", "torch"])
def test_the_published_class(case, kind):
    known = case.json
    make = np.asarray if kind == "numpy" else pytest.importorskip(
        "torch", reason="torch is missing: see docs/python.md").from_numpy
    segmentor = DiffSeg(known["thresholds"], known["refine"], known["points"])
    assert segmentor.grid.tolist() == known["anchor_grid"]
    layers = [make(layer[None]) for layer in case.layers]
    masks = segmentor.segment(*layers, weight_ratio=known["weight_ratio"])
    assert masks.shape == (1, 512, 512) and masks.dtype == np.int64
    share = agreement(masks[0], case.read("labels"))
    print(f"{case.name}: {100 * share:.4f} % of the pixels")
    assert share >= 0.999


def test_half_precision_has_the_labels_of_single(case):
    known = case.json
    if known["refine"]:
        pytest.skip("a cluster centre is far from any mask")
    stages = {"aggregate": diffseg.Aggregate(weights=known["weight_ratio"] or [], floor=1e-9),
              "compare": diffseg.Compare(anchors=known["points"], placement="published"),
              "merge": diffseg.Merge(thresholds=known["thresholds"])}
    labels = diffseg.segment(case.layers, **stages).values
    half = diffseg.segment([layer.astype(np.float16) for layer in case.layers], **stages).values
    assert agreement(half, labels) > 0.999


def test_names(case):
    known = case.json.get("semantics")
    if not known:
        pytest.skip("a case without cross-attention")
    segmentor = DiffSeg([0.9] * 3, False, 16)
    cross = segmentor.aggregate_x_weights(case.cross, weight_ratio=[1.0, 1.0, 1.0, 1.0])
    assert cross.shape == (512, 512, 77) and cross.dtype == np.float64
    pixels = np.array(known["cross_pixel_yx"])
    np.testing.assert_allclose(cross[pixels[:, 0], pixels[:, 1]], case.read("cross_pixels"),
                               atol=1e-5)
    labels = case.read("labels").astype(np.int64)
    nouns = [tuple(noun) for noun in known["nouns"]]
    assert segmentor.get_semantics(labels, cross, nouns, voting="mean") == known["mean"]
    assert segmentor.get_semantics(labels, cross, nouns) == known["majority_as_median"]
    both = segmentor.get_semantics(np.stack([labels, labels]), np.stack([cross, cross]),
                                   nouns, voting="mean")
    assert both == [known["mean"]] * 2
    assert segmentor.get_semantics(np.stack([labels]), cross[None], [nouns]) == [
        known["majority_as_median"]]
