# SPDX-License-Identifier: MIT
"""`diffseg.onnx`: attention of a small random transformer, beside numpy's of the same weights. The
models are those of tests/python/onnx_test.py, which tests the script over the same module."""
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT

import diffseg

for needed in ("PIL", "onnx", "onnxruntime"):
    pytest.importorskip(needed)
if not (ROOT / "tests/python/onnx_test.py").exists():
    pytest.skip("the models of tests/python are not at hand", allow_module_level=True)
sys.path.insert(0, str(ROOT / "tests/python"))
import onnx_test as models  # noqa: E402
from PIL import Image  # noqa: E402

import diffseg.onnx  # noqa: E402

GRID = (16, 24)
SIDES = (16 * models.PATCH, 24 * models.PATCH)
KINDS = [models.SCALED, models.DIVIDED]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("onnx")


@pytest.fixture(scope="module")
def photo(folder):
    models.make_photo(folder / "photo.png", 300, 200)
    return folder / "photo.png"


@pytest.fixture(scope="module")
def vit(folder):
    """(file, weights) of two layers behind a class token."""
    return models.make_vit(str(folder / "vit.onnx"), KINDS)


@pytest.fixture(scope="module")
def mean(vit, photo):
    """[T, T] mean over heads and layers, by numpy."""
    found = models.numpy_attention(Image.open(photo), SIDES, KINDS, vit[1])
    return np.mean(found, axis=(0, 1))


@pytest.mark.parametrize("kind, form", [(None, "queries_keys"), ("scores", "scores"),
                                        ("mean", None)])
def test_a_recording_is_segmented_at_once(vit, photo, mean, kind, form):
    recording = diffseg.onnx.record(vit[0], photo, size=max(SIDES), kind=kind)
    assert [entry.get("kind") for entry in recording.entries] == [form] * len(recording.layers)
    assert len(recording.layers) == (1 if kind == "mean" else 2)
    assert sum(recording.weights) == pytest.approx(1) and recording.size == (200, 300)
    maps = recording.maps()
    assert maps.grid == GRID and np.abs(maps.rows - mean).max() < 1e-4 * mean.max() + 1e-5
    labels = recording.segment(thresholds=models.THRESHOLDS)
    numbers = diffseg.Layer(mean[None].astype(np.float32), grid=GRID)
    expected = diffseg.segment(
        [numbers], compare=diffseg.Compare(anchors=(16, 16), placement="published"),
        merge=diffseg.Merge(thresholds=models.THRESHOLDS), assign=diffseg.Assign(size=(200, 300)))
    assert labels.size == (200, 300) and labels.count() > 2
    assert (labels.values == expected.values).mean() > 0.999
    assert recording.segment(size=64, anchors=4).size == (64, 64)


def test_a_saved_recording_is_what_the_program_reads(vit, photo, tmp_path):
    recording = diffseg.onnx.record(vit[0], photo, size=SIDES)
    manifest = recording.save(str(tmp_path / "cat"))
    assert pathlib.Path(manifest).name == "cat.json"
    subprocess.run([sys.executable, "-m", "diffseg", "--exact", "--attention", manifest, "--image",
                    photo, "-t", "0.5", "-o", tmp_path], check=True, stdout=subprocess.DEVNULL)
    labels = np.asarray(Image.open(tmp_path / "cat.labels.png"))
    assert np.array_equal(labels, recording.segment(thresholds=[0.5] * 3).values)
    half = recording.save(str(tmp_path / "half"), half=True)
    assert np.load(pathlib.Path(half).with_suffix(".npz"))["q_0"].dtype == np.float16


def test_photos_come_as_they_are(vit, photo):
    model = diffseg.onnx.Model(vit[0], size=SIDES, layers=[1])
    with Image.open(photo) as opened:
        pixels = np.asarray(opened)
        first = diffseg.onnx.record(model, opened)
    assert list(first.arrays) == ["q_1", "k_1"]
    for other in (photo, str(photo), pixels, pixels / np.float32(255)):
        again = diffseg.onnx.record(model, other)
        assert np.array_equal(again.arrays["q_1"], first.arrays["q_1"]), type(other)
    assert model.record(pixels[:100]).size == (100, 300)


def test_the_preset_brings_layers_and_threshold(folder, photo):
    twelve, _ = models.make_vit(str(folder / "twelve.onnx"), [models.DIVIDED] * 12)
    recording = diffseg.onnx.record(twelve, photo, size=(64, 96), preset="dinov2")
    assert list(recording.arrays) == [f"{part}_{index}" for index in (6, 7, 8) for part in "qk"]
    assert np.array_equal(recording.segment().values, recording.segment(thresholds=[0.3] * 3).values)
    assert not np.array_equal(recording.segment().values, recording.segment(thresholds=[2.0]).values)


@pytest.mark.parametrize("options, words", [
    ({"kind": "queries"}, "kind: must be one of queries_keys, scores, mean, got queries"),
    ({"layers": "1-9"}, "layers: the model has layers 0 to 1, got 1-9"),
    ({"layers": "x"}, "layers: must be all, or as 6-8 or 2,5-7, got x"),
    ({"size": (60, 96)}, "multiples of the patch of 8 pixels, got 60 x 96"),
    ({"skip": 2}, "385 tokens for 128 x 192 pixels are no grid"),
    ({"patch": 0, "std": (1, 1, 0)}, "std not 0")])
def test_mistakes_are_told(vit, photo, options, words):
    with pytest.raises(ValueError, match=words):
        diffseg.onnx.record(vit[0], photo, **{"size": SIDES} | options)


def test_what_is_no_model_or_photo_is_told(vit, photo):
    with pytest.raises(ValueError, match="photo.png: is no ONNX model that can be read"):
        diffseg.onnx.record(photo, photo)
    model = diffseg.onnx.Model(vit[0], size=SIDES)
    with pytest.raises(ValueError, match="vit.onnx: is no photo"):
        model.record(vit[0])
    with pytest.raises(ValueError, match="a Model has its options already, got skip"):
        diffseg.onnx.record(model, photo, skip=1)
    with pytest.raises(ValueError, match="no cross-attention"):
        recording = model.record(photo)
        recording.names(recording.segment(), ["cat"])
    with pytest.raises(ValueError, match="suffix must be .npz or .safetensors, got '.pt'"):
        recording.save("cat", ".pt")


def test_the_blocks_of_the_page_run(folder, photo, random, monkeypatch):
    """Those of docs/python.md that test_pages.py leaves out: they need a model."""
    twelve, _ = models.make_vit(str(folder / "dinov2.onnx"), [models.DIVIDED] * 12)
    (folder / "cat.jpg").write_bytes(photo.read_bytes())
    monkeypatch.chdir(folder)
    names = {"chain": diffseg.Aggregate() | diffseg.Compare(anchors=8)}
    blocks = re.findall(r"needs: transformer -->\n```python\n(.*?)```",
                        (ROOT / "docs/python.md").read_text(), re.S)
    assert len(blocks) == 1
    exec(compile(blocks[0].replace('preset="dinov2"', 'preset="dinov2", size=96'), "python.md", "exec"),
         names)
    assert names["labels"].size == (200, 300) and (folder / "cat.json").exists()
