# SPDX-License-Identifier: MIT
"""Pictures of labels, the overlay, the slider, and the notebook that shows them.

`python test_display.py` executes docs/notebook.ipynb and writes its outputs anew."""
import ast
import base64
import io
import json
import os
import sys

import numpy as np
import pytest
from conftest import ROOT, attention

import diffseg
from diffseg import display
from diffseg._picture import palette

Image = pytest.importorskip("PIL.Image")
NOTEBOOK = ROOT / "docs/notebook.ipynb"


def opened(png):
    return Image.open(io.BytesIO(png))


def test_labels_show_themselves_in_a_notebook():
    values = np.array([[0, 1, 2], [2, 2, 1]], np.int32)
    shown = opened(diffseg.Labels(values)._repr_png_())
    assert shown.size == (258, 172)  # 86 x 86 pixels a label, so that 256 are reached
    assert np.array_equal(np.asarray(shown), values.repeat(86, 0).repeat(86, 1))
    assert np.array_equal(np.asarray(shown.convert("RGB"))[::86, ::86], palette(3)[values])
    large = opened(diffseg.Labels(np.zeros((300, 20), np.int32))._repr_png_())
    assert large.size == (20, 300)


def test_more_labels_than_a_palette_has_are_coloured_too():
    values = np.arange(300, dtype=np.int32).reshape(15, 20)
    image = display.picture(values, enlarge=2)
    assert image.mode == "RGB" and image.size == (40, 30)
    assert np.array_equal(np.asarray(image)[::2, ::2], palette(300)[values])


def test_without_pillow_a_notebook_shows_the_text(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    assert diffseg.Labels(np.zeros((2, 2), np.int32))._repr_png_() is None


def test_an_overlay_is_the_same_of_every_kind_of_photo(random, tmp_path):
    pixels = random.integers(0, 256, (60, 90, 3), dtype=np.uint8)
    labels = np.repeat([[0, 1, 2]], 20, 0).astype(np.int32)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    first = np.asarray(display.overlay(pixels, diffseg.Labels(labels)))
    assert first.shape == pixels.shape
    expected = np.rint(0.55 * pixels + 0.45 * palette(3)[1])[:, 40:50]
    assert np.abs(first[:, 40:50] - expected).max() <= 1
    assert (first[:, 29:31] == 255).all() and (first[:, 28] == 0).all()  # the border of 0 and 1
    for photo in (tmp_path / "photo.png", str(tmp_path / "photo.png"), Image.fromarray(pixels),
                  pixels / np.float32(255), diffseg.Image(pixels)):
        assert np.array_equal(np.asarray(display.overlay(photo, labels)), first), type(photo)
    grey = np.asarray(display.overlay(pixels[:, :, :1], labels))
    assert grey.shape == pixels.shape


@pytest.mark.parametrize("call, words", [
    (lambda: display.picture(np.zeros((2, 2)), enlarge=1), "Labels"),
    (lambda: display.picture(np.zeros((2, 2), np.int32), enlarge=0), "enlarge must be >= 1, got 0"),
    (lambda: display.overlay(np.zeros((4, 4, 2), np.uint8), np.zeros((2, 2), np.int32)), "channels")])
def test_mistakes_are_told(call, words):
    with pytest.raises((TypeError, ValueError), match=words):
        call()


def test_a_slider_shows_what_the_stages_give(random):
    pytest.importorskip("ipywidgets")
    layers = [attention(random, 2, (12, 16)), attention(random, 2, (6, 8))]
    layers = [diffseg.Layer(layers[0], grid=(12, 16)), diffseg.Layer(layers[1], grid=(6, 8))]
    photo = random.integers(0, 256, (24, 32, 3), dtype=np.uint8)
    box = display.slider(layers, photo, thresholds=[0.5, 0.05, 0.2])
    (chosen, told), shown = box.children[0].children, box.children[1]
    assert [value for _, value in chosen.options] == [0.05, 0.2, 0.5] and chosen.value == 0.2
    maps = diffseg.Aggregate()(layers)
    similarities = diffseg.Compare(anchors=(12, 16), placement="published", ceiling=0.5)(maps)
    pictures = set()
    for threshold in (0.05, 0.5, 0.2):
        chosen.value = threshold
        labels = diffseg.Assign(size=(24, 32))(diffseg.Merge(thresholds=[threshold] * 3)(similarities))
        assert np.array_equal(np.asarray(opened(shown.value)),
                              np.asarray(display.overlay(photo, labels)))
        assert told.value == f"{labels.count()} segments"
        pictures.add(shown.value)
    assert len(pictures) > 1, "the thresholds prove nothing"
    alone = display.slider(similarities)  # up to the ceiling, labels alone
    assert [value for _, value in alone.children[0].children[0].options] == [.1, .2, .3, .4, .5]
    assert opened(alone.children[1].value).size == (256, 192)
    with pytest.raises(ValueError, match=r"at most the ceiling 0.5, got \[0.7\]"):
        display.slider(similarities, thresholds=[0.7])


def test_a_slider_without_ipywidgets_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    with pytest.raises(ImportError, match="pip install ipywidgets"):
        display.slider([])


def run_cell(code, names):
    """As a notebook does: the value of a last expression, or None."""
    tree = ast.parse(code)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, str(NOTEBOOK), "exec"), names)
    return last and eval(compile(ast.Expression(last.value), str(NOTEBOOK), "eval"), names)


def executed(notebook):
    """(cell, value) of the cells of code, run in a row beside the notebook; those that are tagged
    needs-MODULE where that is."""
    before, names = os.getcwd(), {}
    os.chdir(NOTEBOOK.parent)
    try:
        for cell in notebook["cells"]:
            needed = [tag[6:] for tag in cell["metadata"].get("tags", ()) if tag[:6] == "needs-"]
            if cell["cell_type"] == "code" and not any(map(missing, needed)):
                yield cell, run_cell("".join(cell["source"]), names)
    finally:
        os.chdir(before)


def missing(module):
    try:
        __import__(module)
    except ImportError:
        return True
    return False


def output_of(value):
    """The data of a cell's output: a picture, or the text."""
    png = getattr(value, "_repr_png_", lambda: None)()
    data = {"text/plain": [repr(value)]} if png is None else {
        "image/png": base64.b64encode(png).decode(), "text/plain": [type(value).__name__]}
    return {"data": data, "execution_count": None, "metadata": {}, "output_type": "execute_result"}


def test_the_notebook_shows_what_its_cells_give():
    if not NOTEBOOK.exists():
        pytest.skip("docs/notebook.ipynb is not at hand")
    pictures = 0
    for cell, value in executed(json.loads(NOTEBOOK.read_text())):
        stored = [output["data"] for output in cell["outputs"]]
        if "no-output" in cell["metadata"].get("tags", ()) or value is None:
            assert not stored, cell["source"]
            continue
        made = output_of(value)["data"]
        assert [set(data) for data in stored] == [set(made)], cell["source"]
        if "image/png" not in made:
            assert stored[0] == made
            continue
        one, other = (np.asarray(opened(base64.b64decode(data["image/png"])).convert("RGB")).astype(int)
                      for data in (stored[0], made))
        assert one.shape == other.shape
        assert (np.abs(one - other).max(-1) < 8).mean() > 0.99, cell["source"]
        pictures += 1
    assert pictures >= 3


if __name__ == "__main__":
    book = json.loads(NOTEBOOK.read_text())
    for number, (one_cell, result) in enumerate(executed(book)):
        silent = result is None or "no-output" in one_cell["metadata"].get("tags", ())
        one_cell["outputs"] = [] if silent else [output_of(result)]
        one_cell["execution_count"] = number + 1
        for output in one_cell["outputs"]:
            output["execution_count"] = number + 1
    NOTEBOOK.write_text(json.dumps(book, indent=1, ensure_ascii=False) + "\n")
