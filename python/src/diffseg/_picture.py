# SPDX-License-Identifier: MIT
"""Photos in, labels and overlays out."""
from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

TINT = 0.45  # share of the label's colour in a pixel
GOLDEN = (1 + 5 ** 0.5) / 2


def palette(count: int) -> NDArray[np.uint8]:
    """[count, 3] colours: hues a golden section apart, brightness in turns."""
    ids = np.arange(count)
    hue = (0.58 + ids / GOLDEN) % 1
    bright = np.where(ids % 2 == 0, 1.0, 0.7)
    turn = (hue[:, None] + np.array([3, 2, 1]) / 3) % 1
    ramp = np.clip(np.abs(turn * 6 - 3) - 1, 0, 1)
    colours: NDArray[np.uint8] = np.rint(255 * bright[:, None] * (0.15 + 0.85 * ramp)).astype(
        np.uint8)
    return colours


def _near_border(labels: NDArray[np.int32], distance: int) -> NDArray[np.bool_]:
    """Pixels of which one `distance` above, below, left or right has another label."""
    near = np.zeros(labels.shape, bool)
    for axis, extent in enumerate(labels.shape):
        for step in (-distance, distance):
            other = np.take(labels, np.clip(np.arange(extent) + step, 0, extent - 1), axis)
            near |= labels != other
    return near


def overlay(photo: NDArray[Any], labels: NDArray[np.int32]) -> NDArray[np.uint8]:
    """The photo [height, width, channels], 0..1, tinted by labels of any size; borders in white
    between black lines."""
    height, width = photo.shape[:2]
    rows = np.arange(height) * labels.shape[0] // height
    columns = np.arange(width) * labels.shape[1] // width
    under = labels[rows[:, None], columns]
    colours = palette(int(labels.max(initial=-1)) + 1)[under] / 255
    result: NDArray[np.uint8] = np.rint(
        255 * np.clip((1 - TINT) * photo[:, :, -3:] + TINT * colours, 0, 1)).astype(np.uint8)
    line = max(1, max(height, width) // 700)
    result[_near_border(under, 2 * line)] = 0
    result[_near_border(under, line)] = 255
    return result


def read_photo(path: Any) -> NDArray[np.float32]:
    """[height, width, 1 or 3] 0..1 of whatever Pillow reads, upright; alpha lets white through."""
    from PIL import Image, ImageOps
    with Image.open(path) as stored:
        upright = ImageOps.exif_transpose(stored)
        if upright.mode.startswith("I"):
            values = np.asarray(upright).astype(np.float32)[:, :, None] / 65535
            return np.clip(values, 0, 1)
        grey = upright.mode in ("1", "L", "LA")
        if upright.has_transparency_data:
            white = Image.new("RGBA", upright.size, "white")
            white.alpha_composite(upright.convert("RGBA"))
            upright = white
        values = np.asarray(upright.convert("L" if grey else "RGB"), np.float32) / 255
    return values[:, :, None] if grey else values


def label_image(labels: NDArray[np.int32]) -> Any:
    """Label ids as palette indices, 16-bit grey beyond 256 labels: an image of Pillow."""
    from PIL import Image
    count = int(labels.max(initial=-1)) + 1
    if count > 256:
        return Image.fromarray(labels.astype(np.uint16))
    image = Image.fromarray(labels.astype(np.uint8))
    image.putpalette(palette(count).ravel().tolist())
    return image
