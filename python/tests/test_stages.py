# SPDX-License-Identifier: MIT
"""Stages and nouns: options are those of C++, views are where the numbers are, copies are equal."""
import copy
import gc
import inspect
import keyword
import pickle
import re

import numpy as np
import pytest

import diffseg
from conftest import ROOT, attention

HEADERS = {
    "Affinity": "photo/affinity", "DownsamplePhoto": "photo/downsample",
    "Downsample": "attention/downsample", "Aggregate": "attention/aggregate",
    "AggregateCross": "attention/aggregate_cross", "Compare": "merge/compare",
    "Merge": "merge/merge", "Sweep": "merge/sweep", "Choose": "merge/choose",
    "Refine": "merge/refine", "RefineProjected": "merge/refine_projected",
    "Sharpen": "attention/sharpen", "Assign": "labels/assign", "Tidy": "labels/tidy",
    "FitBorders": "labels/fit_borders", "Name": "labels/name",
    "SegmentOptions": "segment",
}


def cpp_options(name):
    """{field: its default as C++ writes it} of the aggregate, in order; None: the type's own."""
    path = ROOT / "include/diffseg" / (HEADERS[name] + ".hpp")
    if not path.exists():
        pytest.skip("the headers are not at hand")
    body = re.search(rf"\nstruct {name} {{\n(.*?)\n}};", path.read_text(), re.S)[1]
    body = re.split(r"\n private:", body)[0]
    body = re.sub(r"//.*", "", body)
    while re.search(r"\{[^{}=]*\n[^{}]*\}", body):  # bodies of functions and nested types
        body = re.sub(r"\{[^{}=]*\n[^{}]*\}", ";", body)
    fields = {}
    for line in re.findall(r"^  ((?!using|enum|struct|static|template)[\w:<>]+(?: [\w:<>]+)*) "
                           r"(\w+)(?: = ([^;()]*|\{[^;]*\}))?;", body, re.M):
        if line[0].split()[0] not in ("return", "Workspace", "const"):
            fields[line[1] + "_" * keyword.iskeyword(line[1])] = line[2] or None
    return fields


def as_python(text):
    """A default as C++ writes it, as Python has it."""
    if text in (None, "{}"):
        return None
    if "::" in text:
        return text.split("::")[-1]
    if text.startswith("{"):
        return tuple(float(number) for number in text.strip("{}").split(","))
    return {"true": True, "false": False}.get(text, None if not re.match(r"[\d.]", text)
                                              else float(text))


@pytest.mark.parametrize("name", HEADERS)
def test_options_and_their_defaults_are_those_of_the_aggregate(name):
    """A new field in C++ that Python lacks fails here."""
    stage = getattr(diffseg, name)()
    fields = cpp_options(name)
    assert fields, "no field was found in the header"
    for field, text in fields.items():
        value, expected = getattr(stage, field), as_python(text)
        if expected is None:
            assert value in ([], (0, 0), 0, False) or not isinstance(value, (list, tuple, int))
            continue
        assert (tuple(value) if isinstance(value, list) else value) == expected, field
    bound = [key for key, kept in vars(type(stage)).items() if type(kept).__name__ == "property"]
    assert sorted(bound) == sorted(fields)


STAGES = [diffseg.Aggregate(floor=1e-9, weights=[0.5, 0.5], grid=8),
          diffseg.Compare(anchors=(3, 4), placement="published", fit=True),
          diffseg.Merge(thresholds=(1, 0.5)), diffseg.RefineProjected(seed=7, mode="minibatch"),
          diffseg.Assign(size=33, ids="reference"), diffseg.Tidy(split=True, max_labels=9),
          diffseg.Name(nouns=[("cat", 2, 4)], policy="mean"), diffseg.Affinity(cells=64),
          diffseg.SegmentOptions.fast(), diffseg.AggregateCross(tokens=[3, 1])]


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: type(stage).__name__)
def test_stages_are_values(stage):
    for other in (copy.copy(stage), copy.deepcopy(stage), pickle.loads(pickle.dumps(stage)),
                  eval(repr(stage), vars(diffseg)), stage.replace()):
        assert other == stage and hash(other) == hash(stage) and repr(other) == repr(stage)
    assert stage != type(stage)() and stage != 3
    assert type(stage).__module__ == "diffseg"


def test_options_are_read_only_and_replaced():
    merge = diffseg.Merge()
    with pytest.raises(AttributeError):
        merge.thresholds = [1.0]
    merge.thresholds.append(5.0)  # a list of its own
    assert merge.thresholds == [0.9, 0.9, 0.9]
    assert merge.replace(thresholds=[1]).thresholds == [1.0]
    options = diffseg.SegmentOptions.balanced().replace(memory_budget=5)
    assert (options.aggregate.shrink, options.memory_budget) == (2, 5)


@pytest.mark.parametrize("make, error, words", [
    (lambda: diffseg.Compare(anchor=3), TypeError,
     "Compare: there is no option 'anchor', there are anchors, placement, ceiling, fit"),
    (lambda: diffseg.Compare(anchors="16"), TypeError,
     r"Compare: anchors must be a whole number or \(height, width\), got '16'"),
    (lambda: diffseg.Compare(anchors=(1, 2, 3)), TypeError, "Compare: anchors must be"),
    (lambda: diffseg.Compare(fit=1), TypeError, "Compare: fit must be bool, got 1"),
    (lambda: diffseg.Compare(placement="middle"), ValueError,
     'placement must be one of "cell_centred", "published", got'),
    (lambda: diffseg.Merge(thresholds=0.9), TypeError, "thresholds must be a list of float, got 0.9"),
    (lambda: diffseg.Merge(thresholds="0.9"), TypeError, "thresholds must be"),
    (lambda: diffseg.Affinity(cells=2 ** 70), TypeError, "cells must be int, got 118"),
    (lambda: diffseg.SegmentOptions(merge=diffseg.Compare()), TypeError,
     "SegmentOptions: merge must be Merge, got Compare"),
    (lambda: diffseg.Name(nouns=["cat"]), TypeError, "nouns must be"),
    (lambda: diffseg.Merge() | 3, TypeError, "must stand on both sides, got 3"),
])
def test_bad_options_are_refused_in_a_sentence(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_the_library_refuses_values_in_its_own_words(random):
    layers = [attention(random, 1, (4, 4))]
    maps = diffseg.Aggregate()(layers)
    for work, words in [
            (lambda: diffseg.Merge(thresholds=[])(diffseg.Compare(anchors=2)(maps)),
             "Merge: thresholds must not be empty"),
            (lambda: diffseg.Compare()(maps), "Compare: anchors must be within 1 x 1 .. 4 x 4"),
            (lambda: diffseg.Aggregate(weights=[0.5])(layers), "Aggregate: weights"),
            (lambda: diffseg.Assign(size=0), None),
            (lambda: diffseg.segment(layers, compare=diffseg.Compare(anchors=2), memory_budget=9),
             "segment: memory_budget must be at least"),
            (lambda: diffseg.Maps((2, 2), np.ones((3, 3), np.float32)), r"Maps: rows must be \[T x T\]"),
            (lambda: diffseg.Affinity()(np.full((8, 8, 3), 2.0)), "numbers must be in 0..1, got 2"),
            (lambda: diffseg.Image(np.ones((8, 8, 4))), "1 or 3 channels, got 4"),
            (lambda: diffseg.Labels(np.ones((2, 2))), "whole numbers"),
            (lambda: diffseg.Tidy()(np.array([[0, -1]])), "labels must be in 0..0, got -1")]:
        if words is None:
            work()  # a stage is refused when it works, not when it is made
            continue
        with pytest.raises(ValueError, match=words):
            work()


def chain(layers):
    maps = diffseg.Aggregate()(layers)
    similarities = diffseg.Compare(anchors=(4, 3), ceiling=1.5)(maps)
    proposals = diffseg.Merge(thresholds=[0.8, 0.8])(similarities)
    return maps, similarities, proposals, diffseg.Assign(size=(40, 30))(proposals)


def test_stages_in_a_row_are_segment_and_a_pipeline(random):
    layers = [attention(random, 2, (8, 6)), attention(random, 1, (4, 3))]
    layers = [diffseg.Layer(layers[0], grid=(8, 6)), diffseg.Layer(layers[1], grid=(4, 3))]
    expected = chain(layers)[-1]
    stages = {"compare": diffseg.Compare(anchors=(4, 3)), "assign": diffseg.Assign(size=(40, 30)),
              "merge": diffseg.Merge(thresholds=[0.8, 0.8])}
    for labels in (diffseg.segment(layers, **stages),
                   diffseg.segment(iter(layers), diffseg.SegmentOptions(**stages)),
                   (diffseg.Aggregate() | stages["compare"] | stages["merge"]
                    | (lambda proposals: stages["assign"](proposals)))(layers),
                   ((lambda values: values) | diffseg.Aggregate() | stages["compare"].replace(
                       ceiling=2) | stages["merge"] | stages["assign"])(layers)):
        assert np.array_equal(labels.values, expected.values)
        assert labels.proposals == expected.proposals


def test_storage_that_serves_again_changes_nothing_that_was_handed_out(random):
    options = diffseg.SegmentOptions(compare=diffseg.Compare(anchors=3),
                                     assign=diffseg.Assign(size=32))
    images = [[attention(random, 2, (8, 8))] for _ in range(3)]
    kept, workspace, seen = diffseg.Segmentation(), diffseg.Workspace(), []
    for image in images:
        labels = diffseg.segment(image, options, out=kept)
        seen.append((labels, kept.maps, kept.similarities, kept.proposals, labels.values))
    for image, (labels, maps, similarities, proposals, values) in zip(images, seen):
        alone = diffseg.Aggregate()(image, workspace)
        assert np.array_equal(maps.rows, alone.rows)
        assert np.array_equal(similarities.data,
                              options.compare.replace(ceiling=0.9)(alone, workspace).data)
        assert np.array_equal(values, diffseg.segment(image, options).values)
        assert np.array_equal(options.assign(proposals).values, values)
    memory = diffseg.segment_memory(images[0], options)
    assert memory.maps == 4 * 64 ** 2 and memory.total() > memory.maps


def test_a_stream_has_the_bits_of_aggregate(random):
    layers = [attention(random, 2, (8, 8)), attention(random, 1, (4, 4))]
    stream = diffseg.AggregateStream(8)
    for _ in range(2):
        for layer in layers:
            stream.add(layer)
        assert stream.count == 2
        assert np.array_equal(stream.finish().rows, diffseg.Aggregate()(layers).rows)
    with pytest.raises(ValueError, match="layers must be added before finish"):
        stream.finish()
    stream.add(layers[0], weight=1.0)
    with pytest.raises(ValueError, match="for all layers or for none"):
        stream.add(layers[1])
    stream.clear()


def test_divergences_are_those_of_the_formula_as_compressed_rows(random):
    sparse = pytest.importorskip("scipy.sparse")
    maps, similarities, _, _ = chain([diffseg.Layer(attention(random, 2, (8, 6)), grid=(8, 6))])
    matrix = sparse.csr_array((similarities.data, similarities.indices, similarities.indptr),
                              similarities.shape)
    rows = maps.rows.astype(float)
    p, q = rows[similarities.anchors][:, None], rows[None]
    expected = ((p - q) * (np.log(p) - np.log(q))).sum(-1) / 2
    dense = matrix.toarray()
    stored = np.zeros(dense.shape, bool)
    stored[np.repeat(np.arange(len(dense)), np.diff(similarities.indptr)), similarities.indices] = 1
    assert stored[expected < 1.5 - 1e-4].all() and not stored[expected > 1.5 + 1e-4].any()
    np.testing.assert_allclose(dense[stored], expected[stored], atol=2e-4)
    assert not np.shares_memory(matrix.data, similarities.data.copy())
    assert matrix.data.__array_interface__["data"] == similarities.data.__array_interface__["data"]


def views_of(nouns):
    maps, similarities, proposals, labels = nouns
    return {(noun, name): getattr(noun, name) for noun, names in [
        (maps, ["rows"]), (similarities, ["data", "indices", "indptr", "anchors"]),
        (proposals, ["rows"]), (labels, ["values"])] for name in names}


def test_views_lie_where_the_numbers_are_and_outlive_their_nouns(random):
    nouns = chain([diffseg.Layer(attention(random, 2, (8, 6)), grid=(8, 6))])
    for (noun, name), view in views_of(nouns).items():
        assert np.shares_memory(view, getattr(noun, name)), name
        assert not view.flags.writeable and not view.flags.owndata
        with pytest.raises(ValueError, match="read-only"):
            view[...] = 0
    views = {name: (view, view.copy()) for (_, name), view in views_of(nouns).items()}
    del nouns, noun, view
    gc.collect()
    np.ones(10 ** 6)  # what is freed may be given to somebody else
    for view, before in views.values():
        assert np.array_equal(view, before)


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy,
                                   lambda noun: pickle.loads(pickle.dumps(noun))])
def test_nouns_can_be_copied_and_pickled(random, again):
    nouns = chain([diffseg.Layer(attention(random, 2, (8, 6)), grid=(8, 6))])
    for (noun, name), view in views_of(nouns).items():
        assert np.array_equal(getattr(again(noun), name), view), name
    _, similarities, proposals, labels = map(again, nouns)
    merged = diffseg.Merge(thresholds=[0.8, 0.8])(similarities)
    assert (merged.anchors, merged.row_counts) == (proposals.anchors, proposals.row_counts)
    assert merged.per_iteration == proposals.per_iteration and len(merged) == len(proposals)
    assert labels.proposals == nouns[-1].proposals and labels.count() == nouns[-1].count()
    photo = diffseg.Image(random.random((5, 7, 3)))
    assert np.array_equal(again(photo).values, photo.values)
    cross = diffseg.AggregateCross(size=(4, 6), tokens=[2, 0])(attention(random, 2, (4, 4), (1, 5)))
    assert np.array_equal(again(cross).values, cross.values) and again(cross).tokens == [0, 2]
    names = diffseg.Name(nouns=[("a", 0, 1), ("b", 2, 3)])(cross, np.zeros((4, 6), int))
    assert again(names).groups == names.groups and again(names).nouns == names.nouns


def test_similarities_that_contradict_themselves_are_refused(random):
    maps = diffseg.Aggregate()([attention(random, 1, (2, 2))])
    assert diffseg.Similarities(maps, [0], 1.0, [0, 2], [0, 3], [0.0, 0.5]).shape == (1, 4)
    for indptr, indices, words in [([0, 3], [0, 3], "indptr must rise"), ([0, 2], [3, 0], "must rise"),
                                   ([0, 2], [0, 4], "within 0 .. 3, got 4"),
                                   ([0], [], "one for each anchor")]:
        with pytest.raises(ValueError, match=words):
            diffseg.Similarities(maps, [0], 1.0, indptr, indices, [0.0] * len(indices))
    with pytest.raises(ValueError, match="anchors must be cells 0 .. 3, got 4"):
        diffseg.Similarities(maps, [4], 1.0, [0, 1], [0], [0.0])


def test_labels_are_an_array(random):
    values = random.integers(0, 5, (6, 4)).astype(np.uint8)
    labels = diffseg.Labels(values)
    assert np.array_equal(np.asarray(labels), values) and np.asarray(labels).dtype == np.int32
    assert np.shares_memory(np.asarray(labels), labels.values)
    assert np.asarray(labels, dtype=np.int64).dtype == np.int64
    mine = np.array(labels)
    mine[0, 0] = 9
    assert labels.values[0, 0] == values[0, 0]


def test_photos_of_every_type(random):
    eighth = random.integers(0, 256, (16, 24, 3), np.uint8)
    expected = diffseg.Image(eighth).values
    assert np.array_equal(expected, eighth.astype(np.float32) / 255)
    assert np.array_equal(diffseg.Image(eighth.astype(np.uint16) * 257).values, expected)
    assert np.array_equal(diffseg.Image(expected[:, ::-1]).values, expected[:, ::-1])  # strides
    grey = diffseg.Image(eighth[:, :, 0])
    assert (grey.size, grey.channels) == ((16, 24), 1)
    small = diffseg.DownsamplePhoto(size=(8, 12))(eighth)
    np.testing.assert_allclose(small.values, expected.reshape(8, 2, 12, 2, 3).mean((1, 3)), atol=1e-6)
    affinity = diffseg.Affinity(cells=256)
    layers = affinity(eighth)
    assert layers[0].queries == affinity.grid_for((16, 24))
    coarse = diffseg.Downsample(size=4)(layers)
    assert coarse[0].queries == (4, 4)
    assert diffseg.Downsample(size=2)(diffseg.Aggregate()(coarse)).grid == (2, 2)


def test_tidy_and_refine_are_the_stages(random):
    checks = np.indices((8, 8)).sum(0) % 2
    assert diffseg.Tidy(min_area=0)(checks).count() == 2
    assert diffseg.Tidy(min_area=0, split=True)(checks).count() == 64
    assert diffseg.Tidy(min_area=0, split=True, max_labels=3)(checks).count() == 3
    _, _, proposals, _ = chain([diffseg.Layer(attention(random, 2, (8, 6)), grid=(8, 6))])
    refined = diffseg.Refine()(proposals)
    assert sum(refined.row_counts) == 48
    np.testing.assert_allclose(
        diffseg.RefineProjected(components=48)(proposals).rows, refined.rows, atol=1e-6)
    mine = diffseg.Proposals(refined.maps, refined.rows[::-1])
    assert np.array_equal(diffseg.Assign(size=9)(mine).values,
                          diffseg.Assign(size=9)(mine).values)
    assert mine.row_counts == [1] * len(refined)


def test_every_public_name_is_documented():
    for name in diffseg.__all__:
        thing = getattr(diffseg, name)
        assert inspect.getdoc(thing), name
        if isinstance(thing, type):
            assert thing.__module__ == "diffseg", name
