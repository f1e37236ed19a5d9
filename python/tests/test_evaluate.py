# SPDX-License-Identifier: MIT
"""Scores, worked by hand."""
import numpy as np
import pytest

import diffseg

TRUTH = np.array([[0, 0, 1, 1], [0, 0, 1, -1]])
PREDICTED = np.array([[0, 0, 0, 2], [0, 0, 2, 2]])


def test_tables_and_matching():
    counts = diffseg.confusion(PREDICTED, TRUTH, 2, 3)
    assert counts.tolist() == [[4, 0, 0], [1, 0, 2]] and counts.dtype == np.int64
    assert diffseg.contingency(PREDICTED, TRUTH).tolist() == [[4, 0], [1, 2]]
    classes = diffseg.match_classes(counts)
    assert (classes.true_positives, classes.false_positives, classes.false_negatives) == (
        [4, 2], [1, 0], [0, 1])
    assert classes.pixels == 7 and classes.pixel_accuracy() == pytest.approx(6 / 7)
    assert classes.ious() == pytest.approx([4 / 5, 2 / 3])
    assert classes.mean_iou() == pytest.approx((4 / 5 + 2 / 3) / 2)
    for protocol in (diffseg.per_image, diffseg.per_dataset):
        assert protocol([counts, counts]).true_positives == [8, 4]


def test_partitions_and_borders():
    scores = diffseg.score(PREDICTED, TRUTH)
    assert scores.covering == pytest.approx((4 * 4 / 5 + 3 * 2 / 3) / 7)
    pairs = 21 - (4 * 3 / 2 + 3 * 2 / 2) - (5 * 4 / 2 + 1) + 2 * (6 + 1)
    assert scores.rand_index == pytest.approx(pairs / 21)
    void = np.full_like(TRUTH, -1)
    assert diffseg.score(PREDICTED, [TRUTH, void]).covering == scores.covering
    large = diffseg.Labels(np.array([[0, 65535, 70000]]))  # no table of all ids is made
    assert diffseg.score(large, [large.values]).adjusted_rand_index == 1
    assert diffseg.contingency(large, large).tolist() == np.eye(3).tolist()
    perfect = diffseg.score(diffseg.Labels(np.abs(TRUTH)), [TRUTH, TRUTH])
    assert perfect.covering == perfect.adjusted_rand_index == pytest.approx(1)
    assert perfect.variation_of_information == pytest.approx(0)
    same = diffseg.score_boundaries(np.abs(TRUTH), np.abs(TRUTH), radius=0)
    assert (same.precision, same.recall, same.f_measure) == (1, 1, 1)


@pytest.mark.parametrize("work, words", [
    (lambda: diffseg.confusion(PREDICTED, TRUTH, 1, 3), "true labels must be below 1, got 1"),
    (lambda: diffseg.score(PREDICTED, TRUTH[:1]), "one size, got 2 x 4 and 1 x 4"),
    (lambda: diffseg.score(PREDICTED, []), "at least one truth"),
    (lambda: diffseg.score(PREDICTED, np.full_like(TRUTH, -1)), "one pixel must be annotated"),
    (lambda: diffseg.score(PREDICTED, np.ones((2, 4))), "must be whole numbers"),
    (lambda: diffseg.match_classes(np.ones((2, 2), int), "nobody"), "one of \"ignored\""),
    (lambda: diffseg.score_boundaries(PREDICTED, np.abs(TRUTH), -1), "radius"),
])
def test_bad_input_is_refused(work, words):
    with pytest.raises(ValueError, match=words):
        work()
