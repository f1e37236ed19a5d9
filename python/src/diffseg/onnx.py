# SPDX-License-Identifier: MIT
"""The self-attention of any ONNX vision transformer for photos.

    recording = diffseg.onnx.record("vit.onnx", "cat.jpg", preset="dinov2")
    labels = recording.segment()            # or recording.layers, recording.save("cat")

Finds the soft-maxes of self-attention by the shape of the graph, runs it with ONNX Runtime and leaves
out class and register tokens. Needs onnx, onnxruntime and pillow; docs/real_attention.md explains the
choices."""
from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffseg import _onnx_graph
from diffseg._recording import (Recording, RecordError, fit_sides, open_photo, photo_stem,
                                pixels)

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
KINDS = ("queries_keys", "scores", "mean")
TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64}
EXTRA = (0, 1, 2, 4, 5)  # class, class and distilled, four registers, class and four registers
# By the manifest's "model": the layers to take, of how many.
PRESETS = {"dinov2": (6, 8, 12)}


def choose_layers(layers: str | Sequence[int] | None, preset: str | None, count: int) -> list[int]:
    """Indices, counted from 0, of "all", "6-8", "2,5-7" or a sequence; the preset's where None."""
    if layers is None and preset in PRESETS:
        first, last, of = PRESETS[preset]
        first, end = first * count // of, (last + 1) * count // of
        return list(range(first, max(first + 1, end)))
    if layers in (None, "all"):
        return list(range(count))
    chosen: list[int] = []
    for part in layers.split(",") if isinstance(layers, str) else map(str, layers or ()):
        ends = part.split("-")
        if len(ends) > 2 or not all(end.isdigit() for end in ends):
            raise RecordError(f"layers: must be all, or as 6-8 or 2,5-7, got {layers}")
        chosen += range(int(ends[0]), int(ends[-1]) + 1)
    if not chosen or max(chosen) >= count:
        raise RecordError(f"layers: the model has layers 0 to {count - 1}, got {layers}")
    return sorted(set(chosen))


def grid_of(tokens: int, sides: tuple[int, int], patch: int | None,
            skip: int | None) -> tuple[tuple[int, int], int]:
    """-> (rows, columns) and the number of tokens in front of the cells."""
    patches = range(2, min(sides) + 1) if patch is None else [patch << level for level in range(4)]
    fits = []
    for side in patches:
        extra = tokens - (sides[0] // side) * (sides[1] // side)
        divides = sides[0] % side == 0 and sides[1] % side == 0
        if divides and (extra == skip if skip is not None else extra in EXTRA):
            fits.append(((sides[0] // side, sides[1] // side), extra))
    if len(fits) == 1 or (fits and patch is not None):
        return fits[0]
    found = f"{tokens} tokens for {sides[0]} x {sides[1]} pixels"
    if fits:
        raise RecordError(f"{found} have several grids; give the side of one, patch")
    if patch is None:
        raise RecordError(f"{found} are no grid of square patches, with or without {EXTRA} tokens in "
                          "front; give the side of a patch and these tokens, patch and skip")
    if sides[0] % patch or sides[1] % patch:
        raise RecordError(f"the photo's sides must be multiples of the patch of {patch} pixels, got "
                          f"{sides[0]} x {sides[1]}; see size and patch")
    cells = (sides[0] // patch) * (sides[1] // patch)
    raise RecordError(f"{found} are no grid: patches of {patch} pixels are {cells} cells; give the "
                      "tokens in front with the option skip, or another patch (attention in windows "
                      "has no grid)")


class Model:
    """An ONNX vision transformer, ready for photos of any size that it takes.

    `preset`: what recordings call the model ("model"); "dinov2" takes its layers 6-8 of 12 (default: the
    file's name). `layers`: "all", "6-8", "2,5-7" or indices, from 0 (default: the preset's, or all).
    `kind`: "queries_keys", "scores" or "mean" over heads and layers (default: queries and keys where they
    are all there is between their product and the soft-max, else scores). `size`: of the photo as the
    model gets it, the longer side or (height, width), pixels (default: the model's own, or else 518).
    `patch`: side of a patch in pixels (default: from the graph). `skip`: class and register tokens in
    front (default: what the grid leaves over, 0, 1, 2, 4 or 5). `mean`, `std`: colours are (value in 0..1
    - mean) / std (default: ImageNet's). Errors: ValueError that names file, rule and remedy."""

    def __init__(self, path: str | os.PathLike[str], *, preset: str | None = None,
                 layers: str | Sequence[int] | None = None, kind: str | None = None,
                 size: int | tuple[int, int] | None = None, patch: int | None = None,
                 skip: int | None = None, mean: Sequence[float] = IMAGENET[0],
                 std: Sequence[float] = IMAGENET[1]):
        if kind not in (None, *KINDS):
            raise RecordError(f"kind: must be one of {', '.join(KINDS)}, got {kind}")
        if (patch or 1) < 1 or (skip or 0) < 0 or len(mean) != 3 or len(std) != 3 or 0 in std:
            raise RecordError("patch must be >= 1, skip >= 0, mean and std three numbers, std not 0")
        self.path, self.preset, self.kind, self.size = os.fspath(path), preset, kind, size
        self.skip, self.mean, self.std, self.wanted = skip, mean, std, layers
        model = _onnx_graph.load_model(self.path)
        self.image, dims = _onnx_graph.image_input(self.path, model)
        self.channels_last = dims[1] != 3 and dims[3] == 3
        axes = (1, 2) if self.channels_last else (2, 3)
        self.own_sides = tuple(dims[axis] for axis in axes)
        self.patch = patch or _onnx_graph.find_patch(model, self.image)
        self.attention = _onnx_graph.find_attention(model, self.image)
        if not self.attention:
            _onnx_graph.refuse_without_attention(self.path, model)
        self.runner = _onnx_graph.Runner(self.path, model, self.image)
        if size:
            self.runner.free_size(axes)
        self.session: Any = None
        self.layers: list[tuple[int, Any]] = []

    def sides(self, photo: Any) -> tuple[int, int]:
        """What the photo is resized to, (height, width): asked for, the model's own, or 518."""
        if isinstance(self.size, tuple):
            return self.size
        if not self.size and all(self.own_sides):
            return self.own_sides[0], self.own_sides[1]
        if not self.patch:
            raise RecordError(f"{self.path}: the side of a patch is not to be seen in the graph; "
                              "give it, patch")
        return fit_sides(photo, self.size or 518, self.patch)

    def record(self, photo: Any) -> Recording:
        """The self-attention that the model has on `photo`: a file, an image of Pillow, or an array
        [height, width, 3] of bytes or 0..1."""
        image = open_photo(photo)
        arrays, entries = describe(self.layers_of(image), self.kind == "mean")
        name = self.preset or photo_stem(self.path)
        return Recording(arrays, entries, about={"model": name}, size=(image.height, image.width))

    def run(self, session: Any, outputs: list[str], photo: Any,
            sides: tuple[int, int]) -> dict[str, Any]:
        """{name: array}."""
        values = pixels(photo, sides, self.mean, self.std)
        values = values.transpose(0, 2, 3, 1) if self.channels_last else values
        inputs = session.get_inputs()
        others = [value.name for value in inputs if value.name != self.image]
        if others or inputs[0].type not in TYPES:
            raise RecordError(f"{self.path}: must need nothing but a photo of floating-point numbers, "
                              f"wants {', '.join(others) or inputs[0].type}")
        try:
            found = session.run(outputs, {self.image: values.astype(TYPES[inputs[0].type])})
        except Exception as error:  # onnxruntime's own kinds
            raise RecordError(
                f"{self.path}: does not run on {sides[0]} x {sides[1]} pixels; many graphs take only "
                "the size that they were exported with, see the option size "
                f"({_onnx_graph.brief(error)})") from error
        return dict(zip(outputs, found))

    def prepare(self, photo: Any, sides: tuple[int, int]) -> None:
        """Looks at the attention of a first photo, chooses layers, and makes the session for them."""
        names = [layer.scores for layer in self.attention]
        shapes = ["shape_of_" + name for name in names]
        found = self.run(self.runner.session([], names), shapes, photo, sides)
        square = []
        for layer, name in zip(self.attention, shapes):
            shape = found[name]
            if len(shape) < 2 or layer.axis not in (-1, len(shape) - 1) or shape[-1] != shape[-2]:
                continue
            square.append(layer)
        if not square:
            raise RecordError(f"{self.path}: none of its {len(names)} soft-maxes is token x token, got "
                              f"{', '.join(str(list(found[name])) for name in shapes[:4])}")
        chosen = choose_layers(self.wanted, self.preset, len(square))
        self.layers = [(index, self.as_kind(index, square[index])) for index in chosen]
        tensors = {name: None for _, layer in self.layers for name in tensors_of(layer)}
        self.session = self.runner.session(list(tensors))

    def as_kind(self, index: int, layer: Any) -> Any:
        """The layer as the option kind wants it: with query and key, or by its scores alone."""
        if self.kind == "scores":
            return layer._replace(query="", key="")
        if self.kind == "queries_keys" and not layer.query:
            raise RecordError(f"{self.path}: in layer {index} more than a factor stands between the "
                              "queries and keys and their soft-max (a bias, a mask, a fused product); "
                              "use kind scores or mean")
        return layer

    def layers_of(self, photo: Any) -> list[tuple[int, tuple[int, int], dict[str, Any]]]:
        """(index, grid, arrays) of the layers asked for; arrays: {"query", "key", "scale"}, or
        {"scores"}, each [heads, cells, ...]."""
        sides = self.sides(photo)
        if self.session is None:
            self.prepare(photo, sides)
        outputs = [value.name for value in self.session.get_outputs()]
        tensors = self.run(self.session, outputs, photo, sides)
        return [(index, *self.cut(index, layer, tensors, sides)) for index, layer in self.layers]

    def cut(self, index: int, layer: Any, tensors: dict[str, Any],
            sides: tuple[int, int]) -> tuple[tuple[int, int], dict[str, Any]]:
        """The layer's grid and arrays, without the tokens that are no cells."""
        name = layer.query or layer.scores
        shape = tensors[name].shape
        if len(shape) > 3 and math.prod(shape[:-3]) != 1:
            raise RecordError(f"{self.path}: layer {index} has more than [1, heads, n, n], got "
                              f"{list(shape)}; attention in windows is not supported")
        grid, skip = grid_of(shape[-2], sides, self.patch, self.skip)

        def stack(array: Any) -> Any:
            return array.reshape(-1, *array.shape[-2:])

        if not layer.query:
            return grid, {"scores": stack(tensors[name])[:, skip:, skip:]}
        scale = 1.0
        for kind, factor in layer.factors:
            if tensors[factor].size != 1:
                raise RecordError(f"{self.path}: layer {index} has a scale for each head; use kind "
                                  "scores or mean")
            scale *= float(tensors[factor].item()) ** (1 if kind == "Mul" else -1)
        key = np.ascontiguousarray(stack(tensors[layer.key])[..., skip:].swapaxes(1, 2))
        return grid, {"query": stack(tensors[layer.query])[:, skip:], "key": key, "scale": scale}


def tensors_of(layer: Any) -> list[str]:
    """What has to be computed of a layer."""
    if not layer.query:
        return [layer.scores]
    return [layer.query, layer.key] + [factor for _, factor in layer.factors]


def probabilities(arrays: dict[str, Any]) -> Iterator[NDArray[np.float32]]:
    """[heads, cells, cells] of sum 1, one head after the other."""
    for head in range(len(arrays["scores" if "scores" in arrays else "query"])):
        if "scores" in arrays:
            scores = arrays["scores"][head].astype(np.float32)
        else:
            query, key = (arrays[name][head].astype(np.float32) for name in ("query", "key"))
            scores = np.float32(arrays["scale"]) * query @ key.T
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        yield scores / scores.sum(-1, keepdims=True)


def describe(layers: list[tuple[int, tuple[int, int], dict[str, Any]]],
             mean: bool) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """`layers` as layers_of() returns them -> the arrays by name, and the manifest's layers."""
    arrays: dict[str, Any] = {}
    entries: list[dict[str, Any]] = []
    if mean:
        for grid in dict.fromkeys(grid for _, grid, _ in layers):
            own = [found for _, at, found in layers if at == grid]
            means = [sum(probabilities(found)) / len(next(iter(found.values()))) for found in own]
            name = f"self_{grid[0]}x{grid[1]}"
            arrays[name] = (sum(means) / len(means))[None]
            entries.append({"array": name, "queries": list(grid)})
        return arrays, entries
    for index, grid, found in layers:
        if "scores" in found:
            arrays[f"scores_{index}"] = found["scores"]
            entry = {"kind": "scores", "array": f"scores_{index}"}
        else:
            arrays |= {f"q_{index}": found["query"], f"k_{index}": found["key"]}
            entry = {"kind": "queries_keys", "query": f"q_{index}", "key": f"k_{index}",
                     "scale": found["scale"]}
        entries.append({**entry, "queries": list(grid)})
    return arrays, entries


def record(model: str | os.PathLike[str] | Model, photo: Any, **options: Any) -> Recording:
    """The self-attention of an ONNX vision transformer for a photo.

    `model`: a file, or a Model, which is kept for many photos; `photo`: a file, an image of Pillow, or
    an array [height, width, 3] of bytes or 0..1; `options` as Model has them. Errors: ValueError."""
    if isinstance(model, Model):
        if options:
            raise RecordError(f"record: a Model has its options already, got {', '.join(options)}")
        return model.record(photo)
    return Model(model, **options).record(photo)
