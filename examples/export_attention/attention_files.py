# SPDX-License-Identifier: MIT
"""What the exporters of this folder share: photos in, and arrays with their manifest out."""
import contextlib
import json
import os

import numpy
from PIL import Image, ImageOps


class ExportError(Exception):
    """A mistake of the caller's, told in words: file, rule and remedy."""


def read_photo(path):
    """-> a PIL image, upright, red, green and blue."""
    try:
        with Image.open(path) as photo:
            return ImageOps.exif_transpose(photo).convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ExportError(f"{path}: is no photo that Pillow reads ({error})") from error


def fit_sides(photo, longer, step):
    """-> (height, width): the longer one `longer` pixels, the photo's proportions, multiples of
    `step`."""
    width, height = photo.size
    scale = longer / max(photo.size)
    return tuple(max(step, round(side * scale / step) * step) for side in (height, width))


def pixels(photo, sides, mean, std):
    """-> [1, 3, height, width] float32: (value in 0..1 - mean) / std, `sides` = (height, width)."""
    resized = photo.resize((sides[1], sides[0]), Image.Resampling.BICUBIC)
    values = numpy.asarray(resized, numpy.float32) / 255
    values = (values - numpy.float32(mean)) / numpy.float32(std)
    return numpy.ascontiguousarray(values.transpose(2, 0, 1)[None])


def photo_stem(path):
    """The photo's name without folder and ending: its results are called so."""
    return os.path.splitext(os.path.basename(path))[0]


@contextlib.contextmanager
def whole_files(*paths):
    """Temporary names beside `paths`; they take the names at the end, or vanish on an error."""
    parts = [f"{path}.part" for path in paths]
    try:
        yield parts
        for part, path in zip(parts, paths):
            os.replace(part, path)
    finally:
        for part in parts:
            if os.path.exists(part):
                os.remove(part)


def write_arrays(path, suffix, arrays):
    """The arrays by name into `path`, as .npz or .safetensors by `suffix`."""
    if suffix == ".npz":
        with open(path, "wb") as file:
            numpy.savez(file, **arrays)
    else:
        from safetensors.numpy import save_file
        save_file(arrays, path)


def write_attention(prefix, arrays, layers, cross=(), tokens=(), suffix=".npz", **about):
    """Writes PREFIX.npz or .safetensors and the manifest PREFIX.json -> the manifest's path.

    `arrays` by name; `layers`, `cross` and `tokens` as the manifest has them
    (docs/real_attention.md); `about`: model, prompt, timestep. Either both files are there whole
    afterwards, or neither is new.
    """
    if suffix not in (".npz", ".safetensors"):
        raise ValueError(f"suffix must be .npz or .safetensors, got {suffix!r}")
    manifest = {"diffseg": 1, **about, "file": os.path.basename(prefix) + suffix,
                "layers": list(layers), "cross": list(cross), "tokens": list(tokens)}
    manifest = {key: value for key, value in manifest.items() if value not in ([], None)}
    with whole_files(prefix + suffix, prefix + ".json") as (data, text):
        write_arrays(data, suffix, arrays)
        with open(text, "w", encoding="utf-8") as file:
            json.dump(manifest, file, indent=1)
            file.write("\n")
    return prefix + ".json"
