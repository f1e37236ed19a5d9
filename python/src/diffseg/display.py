# SPDX-License-Identifier: MIT
"""Labels to look at, in a notebook or anywhere that shows an image of Pillow.

    labels                            # a notebook shows `Labels` as a picture by itself
    overlay("cat.jpg", labels)        # the photo, tinted, with white borders
    slider(layers, "cat.jpg")         # a slider over thresholds; needs ipywidgets

Needs Pillow (`pip install "diffseg[cli]"`)."""
from __future__ import annotations

import importlib
import io
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffseg import _core, _picture

LEAST = 256  # pixels: pictures of fewer labels are enlarged in a notebook, pixel by pixel


def _values(labels: Any) -> NDArray[np.int32]:
    return (labels if isinstance(labels, _core.Labels) else _core.Labels(labels)).values


def _photo(photo: Any) -> NDArray[np.float32]:
    """[height, width, 1 or 3], 0..1, of a file, an image of Pillow, an Image or an array."""
    if isinstance(photo, (str, os.PathLike)):
        return _picture.read_photo(photo)
    if hasattr(photo, "convert"):
        photo = np.asarray(photo.convert("RGB"))
    return (photo if isinstance(photo, _core.Image) else _core.Image(photo)).values


def _png(image: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def picture(labels: Any, *, enlarge: int = 1) -> Any:
    """An image of Pillow, one colour for each label, every label `enlarge` x `enlarge` pixels.

    `labels`: Labels, or whole numbers [height, width]. The palette is that of the program: pixel
    values are the labels themselves; beyond 256 labels colours are RGB."""
    from PIL import Image
    if enlarge < 1:
        raise ValueError(f"picture: enlarge must be >= 1, got {enlarge}")
    values = _values(labels)
    count = int(values.max(initial=-1)) + 1
    image = (_picture.label_image(values) if count <= 256
             else Image.fromarray(_picture.palette(count)[values]))
    return image.resize((image.width * enlarge, image.height * enlarge), Image.Resampling.NEAREST)


def overlay(photo: Any, labels: Any) -> Any:
    """The photo as an image of Pillow, tinted by its labels, borders in white between black lines.

    `photo`: a file, an image of Pillow, an Image, or an array [height, width, 1 or 3] of 0..1 or of
    whole numbers. `labels`: Labels or whole numbers of any size, enlarged to the photo's."""
    from PIL import Image
    return Image.fromarray(_picture.overlay(_photo(photo), _values(labels)))


def _similarities(data: Any, ceiling: float) -> _core.Similarities:
    """Of layers, maps or similarities: what Merge takes."""
    if isinstance(data, _core.Similarities):
        return data
    maps = data if isinstance(data, _core.Maps) else _core.Aggregate()(data)
    anchors = (min(16, maps.grid[0]), min(16, maps.grid[1]))
    return _core.Compare(anchors=anchors, placement="published", ceiling=ceiling)(maps)


def slider(data: Any, photo: Any = None, *, thresholds: Sequence[float] = (),
           size: int | tuple[int, int] | None = None, tidy: _core.Tidy | None = None) -> Any:
    """A slider over merge thresholds with the labels that each gives: a widget for notebooks.

    `data`: layers, Maps, or Similarities, which are compared once; what a threshold gives is computed
    when it is first looked at. `photo`: as overlay() takes it; without one the labels alone are shown.
    `thresholds`: nats, > 0 (default 0.1 to 1.5 in steps of 0.1, those of Similarities up to their
    ceiling). `size`: of the labels (default the photo's, else 16 pixels a cell). `tidy`: applied to
    the labels. Errors: ImportError without ipywidgets, ValueError as the stages'."""
    try:
        ipywidgets = importlib.import_module("ipywidgets")  # has no types
    except ImportError as error:
        raise ImportError("slider: needs ipywidgets, in the notebook's environment: pip install "
                          "ipywidgets") from error
    limit = data.ceiling if isinstance(data, _core.Similarities) else np.inf
    steps = sorted(map(float, thresholds)) or [step / 10 for step in range(1, 16) if step / 10 <= limit]
    if not steps or not 0 < steps[0] <= steps[-1] <= limit:
        raise ValueError(f"slider: thresholds must be > 0 and at most the ceiling {limit:g}, got "
                         f"{list(thresholds)}")
    similarities = _similarities(data, steps[-1])
    pixels = None if photo is None else _photo(photo)
    grid = similarities.maps.grid
    extent = size or (pixels.shape[:2] if pixels is not None else (16 * grid[0], 16 * grid[1]))
    made: dict[float, tuple[bytes, str]] = {}

    def look(threshold: float) -> tuple[bytes, str]:
        if threshold not in made:
            labels = _core.Assign(size=extent)(_core.Merge(thresholds=[threshold] * 3)(similarities))
            labels = tidy(labels) if tidy else labels
            image = picture(labels) if pixels is None else overlay(pixels, labels)
            made[threshold] = _png(image), f"{labels.count()} segments"
        return made[threshold]

    chosen = ipywidgets.SelectionSlider(
        options=[(f"{step:.4g}", step) for step in steps], value=steps[len(steps) // 2],
        description="threshold", continuous_update=False)
    shown, told = ipywidgets.Image(format="png"), ipywidgets.Label()

    def show(change: Any = None) -> None:
        shown.value, told.value = look(chosen.value)

    chosen.observe(show, "value")
    show()
    return ipywidgets.VBox([ipywidgets.HBox([chosen, told]), shown])


def _repr_png(labels: _core.Labels) -> bytes | None:
    """What a notebook shows of Labels; None, and it shows the text, where Pillow is missing."""
    try:
        return _png(picture(labels, enlarge=max(1, -(-LEAST // max(1, *labels.size)))))
    except ImportError:
        return None


setattr(_core.Labels, "_repr_png_", _repr_png)
