# SPDX-License-Identifier: MIT
"""Attention out of files: .npy, .npz, .safetensors, or a manifest (docs/real_attention.md)."""
from __future__ import annotations

import math
import pathlib
from collections import Counter
from typing import Any

from diffseg import _core
from diffseg._array_files import FORMATS, FileError, Files
from diffseg._array_use import SortedArray, settle, sort_array
from diffseg._manifest import Attention, Manifest, cross_layer, sequence_layer
from diffseg._photo_files import is_sidecar


def _weights_by_grid(layers: list[_core.Layer], by_side: bool) -> list[float]:
    alike = Counter(layer.queries for layer in layers)
    return [(math.sqrt(math.prod(layer.queries)) if by_side else 1.0) / alike[layer.queries]
            for layer in layers]


def _sorted_arrays(paths: list[pathlib.Path]) -> list[SortedArray]:
    files, found = Files(), []
    for path in paths:
        arrays = files.arrays(path)
        for name in arrays:
            place = f"{path}[{name}]" if name else str(path)
            try:
                found.append(sort_array(arrays[name], place))
            except ValueError as error:  # objects, which are not unpickled
                found.append(SortedArray(None, place, why_not=f"{place}: {error}"))
    settle(found)
    return found


def _by_shape(paths: list[pathlib.Path], skip: dict[str, Any]) -> Attention:
    attention, arrays = Attention(), _sorted_arrays(paths)
    for array in arrays:
        if not array.use:
            attention.passed_over.append(array.why_not)
        elif array.use == "cross":
            attention.cross.append(cross_layer(array.array, None, array.name))
        elif skip:
            attention.layers.append(sequence_layer(array.array, array.name, skip, None))
        else:
            attention.layers.append(_core.Layer(array.array, name=array.name))
    if not attention.layers:
        if len(arrays) == 1 and arrays[0].array is not None:
            _core.Layer(arrays[0].array, name=arrays[0].name)  # tells best itself what it lacks
        why = f" ({attention.passed_over[0]})" if attention.passed_over else ""
        raise FileError(f"{paths[0]}: shape: no self-attention [heads, n, n] among the arrays{why}"
                        "; export it")
    return attention


def _files_of(path: pathlib.Path) -> list[pathlib.Path]:
    if not path.is_dir():
        return [path]
    files = sorted(file for file in path.iterdir() if not file.name.startswith("."))
    manifests = [file for file in files if file.suffix == ".json" and not is_sidecar(file)]
    arrays = [file for file in files if file.suffix in FORMATS]
    if len(manifests) > 1:
        raise FileError(f"{path}: folder: holds several .json files; name one")
    if not manifests and not arrays:
        raise FileError(f"{path}: folder: holds no .npy, .npz, .safetensors or manifest; name "
                        "another")
    return manifests or arrays


def _without_what_a_preset_leaves_out(model: str, weights: list[float]) -> list[float]:
    preset = _core.model_preset(model)
    if preset.end_layer == 0 or len(weights) != preset.layers:
        return weights
    return [weight if preset.first_layer <= index < preset.end_layer else 0.0
            for index, weight in enumerate(weights)]


def _completed(attention: Attention, source: pathlib.Path) -> Attention:
    """With weights, those of layers of sum 1; refuses cross-attention of several prompts."""
    weights = attention.weights or _without_what_a_preset_leaves_out(
        attention.model, _weights_by_grid(attention.layers, True))
    attention.weights = [weight / sum(weights) for weight in weights]
    attention.cross_weights = attention.cross_weights or _weights_by_grid(attention.cross, False)
    texts = len(attention.tokens) or (attention.cross[0].keys[1] if attention.cross else 0)
    for layer in attention.cross:
        if layer.keys[1] != texts:
            raise FileError(f"{source}: tokens: cross-attention of {layer.keys[1]} tokens beside "
                            f"{texts}; they must be those of one prompt")
    return attention


def read_attention(paths: list[pathlib.Path], skip: dict[str, Any]) -> Attention:
    """The attention of one photo: a manifest, a folder, or files of arrays, whose shapes say what
    they are. `skip`: tokens that are no cells, {}: what a manifest says. Weights are proportional
    to the side of a grid and shared among its layers."""
    files = [file for path in paths for file in _files_of(path)]
    manifests = [file for file in files if file.suffix == ".json"]
    if manifests and len(files) > 1:
        raise FileError(f"{manifests[0]}: file: a manifest lists all files of a photo; give it "
                        "without other files")
    attention = Manifest.open(files[0], skip).read() if manifests else _by_shape(files, skip)
    return _completed(attention, files[0])


class _Arrays:
    """Arrays in memory instead of files."""

    def __init__(self, arrays: Any):
        self.arrays = arrays

    def read(self, path: pathlib.Path, name: str) -> Any:
        return self.arrays[name]


def attention_of(manifest: dict[str, Any], arrays: Any) -> Attention:
    """The attention that a manifest describes whose arrays, by name, are in memory."""
    place = pathlib.Path(manifest["file"])
    return _completed(Manifest(place, manifest, _Arrays(arrays), {}).read(), place)
