# SPDX-License-Identifier: MIT
"""Attention out of files: .npy, .npz, .safetensors, or a manifest (docs/real_attention.md)."""
from __future__ import annotations

import dataclasses
import json
import math
import pathlib
from collections import Counter
from typing import Any

import numpy as np

from diffseg import _core

FORMATS = (".npy", ".npz", ".safetensors")
_FIELDS = {
    "": {"diffseg", "model", "prompt", "timestep", "file", "skip", "layers", "cross", "tokens"},
    "layers": {"file", "kind", "array", "query", "key", "scale", "queries", "keys", "skip",
               "weight"},
    "cross": {"file", "array", "queries", "weight"},
}


class FileError(Exception):
    """A file and what is wrong with it."""


@dataclasses.dataclass
class Attention:
    """What the files of one photo hold."""
    layers: list[_core.Layer] = dataclasses.field(default_factory=list)
    cross: list[_core.Layer] = dataclasses.field(default_factory=list)
    weights: list[float] = dataclasses.field(default_factory=list)
    cross_weights: list[float] = dataclasses.field(default_factory=list)
    tokens: list[str] = dataclasses.field(default_factory=list)
    model: str = ""


def _safetensors(path: pathlib.Path) -> dict[str, Any]:
    types = {"F16": np.float16, "F32": np.float32, "F64": np.float64, "BF16": np.uint16}
    data = np.memmap(path, dtype=np.uint8, mode="r")
    try:
        length = int(data[:8].view("<u8")[0])
        header = json.loads(bytes(data[8:8 + length]))
        arrays = {}
        for name, entry in header.items():
            if name == "__metadata__":
                continue
            begin, end = entry["data_offsets"]
            bytes_of = data[8 + length + begin:8 + length + end]
            array = bytes_of.view(types[entry["dtype"]]).reshape(entry["shape"])
            if entry["dtype"] == "BF16":  # exact: the upper half of a float
                array = (array.astype(np.uint32) << 16).view(np.float32)
            arrays[name] = np.require(array, requirements="A")  # a header may have an odd length
        return arrays
    except (KeyError, ValueError, TypeError, IndexError, UnicodeDecodeError) as error:
        raise FileError(f"{path}: header: is damaged ({error}); save it again") from error


class _Files:
    """Opens each file once."""

    def __init__(self) -> None:
        self._open: dict[pathlib.Path, Any] = {}

    def arrays(self, path: pathlib.Path) -> Any:
        """The arrays of a file by name; "" for that of a .npy."""
        if path not in self._open:
            self._open[path] = self._load(path)
        return self._open[path]

    @staticmethod
    def _load(path: pathlib.Path) -> Any:
        try:
            if path.suffix == ".npy":
                return {"": np.load(path, mmap_mode="r", allow_pickle=False)}
            if path.suffix == ".npz":
                return np.load(path, allow_pickle=False)
            if path.suffix == ".safetensors":
                return _safetensors(path)
        except FileError:
            raise
        except (OSError, ValueError, EOFError) as error:
            raise FileError(f"{path}: cannot be read ({error})") from error
        raise FileError(f"{path}: name: must end in .npy, .npz or .safetensors, or be a single "
                        "manifest (.json); save the attention as one of these")

    def read(self, path: pathlib.Path, name: str) -> Any:
        arrays = self.arrays(path)
        if name not in arrays:
            raise FileError(f"{path}: array: there is no '{name}', there are "
                            f"{', '.join(sorted(arrays)) or 'none'}")
        return arrays[name]


def _weights_by_grid(layers: list[_core.Layer], by_side: bool) -> list[float]:
    alike = Counter(layer.queries for layer in layers)
    return [(math.sqrt(math.prod(layer.queries)) if by_side else 1.0) / alike[layer.queries]
            for layer in layers]


def _cross_layer(array: Any, grid: Any, place: str) -> _core.Layer:
    if array.ndim < 3:
        raise FileError(f"{place}: shape: cross-attention is [heads, queries, tokens]; reshape it")
    return _core.Layer(array, grid=grid, keys=(1, array.shape[-1]), name=place)


class _Manifest:
    """Reads a manifest; refuses what it does not know."""

    def __init__(self, path: pathlib.Path, root: Any, files: Any, skip: dict[str, Any]):
        """`root`: what is written in `path`; `files`: who reads the arrays; `skip`: tokens that
        are no cells, {}: those of `root`."""
        self.path, self.root, self.files, self.asked = path, root, files, skip

    @classmethod
    def open(cls, path: pathlib.Path, skip: dict[str, Any]) -> _Manifest:
        try:
            return cls(path, json.loads(path.read_text(encoding="utf-8")), _Files(), skip)
        except (OSError, ValueError) as error:
            raise FileError(f"{path}: manifest: is no JSON ({error}); repair it") from error

    def refuse(self, place: str, text: str) -> FileError:
        return FileError(f"{self.path}: {place or 'manifest'}: {text}; see docs/real_attention.md")

    def check(self, entry: Any, place: str, kind: str) -> None:
        if not isinstance(entry, dict):
            raise self.refuse(place, "must be an object")
        for field in entry:
            if field not in _FIELDS[kind]:
                raise self.refuse(f"{place}.{field}".lstrip("."), "is not known here; known are "
                                  + ", ".join(sorted(_FIELDS[kind])))

    def grid(self, entry: Any, place: str, field: str) -> Any:
        value = entry.get(field)
        if value is None or (isinstance(value, list) and len(value) == 2 and all(
                isinstance(side, int) and side >= 1 for side in value)):
            return value
        raise self.refuse(f"{place}.{field}", f"must be [height, width], both >= 1, got {value}")

    def array(self, entry: Any, place: str, field: str) -> Any:
        file = entry.get("file", self.root.get("file"))
        if not file:
            raise self.refuse(f"{place}.file", "is missing, here and in the manifest itself")
        return self.files.read(self.path.parent / file, entry.get(field, ""))

    def skip(self, entry: Any, place: str) -> dict[str, Any]:
        """The tokens that are no cells: the caller's, the entry's own, or the manifest's."""
        skip = self.asked or entry.get("skip", self.root.get("skip", {}))
        if not isinstance(skip, dict) or not set(skip) <= {"first", "last", "ranges"}:
            raise self.refuse(f"{place}.skip", f"must have first, last or ranges, got {skip}")
        try:
            return {key: [(int(begin), int(end)) for begin, end in value] if key == "ranges"
                    else int(value) for key, value in skip.items() if value}
        except (TypeError, ValueError) as error:
            raise self.refuse(f"{place}.skip", f"must hold whole numbers, got {skip}") from error

    def layer(self, entry: Any, place: str) -> _core.Layer:
        grid, skip = self.grid(entry, place, "queries"), self.skip(entry, place)
        if not skip:
            return self.whole_layer(entry, place, grid)
        kind = entry.get("kind", "probabilities")
        array = self.array(entry, place, "query" if kind == "queries_keys" else "array")
        whole = self.whole_layer({**entry, "keys": [1, array.shape[-2]]}, place,
                                 (1, array.shape[-2]))
        return _core.skip_tokens(whole, grid=grid, **skip)

    def whole_layer(self, entry: Any, place: str, grid: Any) -> _core.Layer:
        kind = entry.get("kind", "probabilities")
        keys = self.grid(entry, place, "keys")
        name = f"{self.path}: {place}"
        if kind == "queries_keys":
            scale = entry.get("scale", 0)
            return _core.Layer.queries_and_keys(
                self.array(entry, place, "query"), self.array(entry, place, "key"), grid=grid,
                key_grid=keys, scale=scale, name=name)
        if kind not in ("probabilities", "scores"):
            raise self.refuse(f"{place}.kind",
                              f"must be probabilities, scores or queries_keys, got {kind}")
        return _core.Layer(self.array(entry, place, "array"), grid=grid, keys=keys, kind=kind,
                           name=name)

    def entries(self, kind: str) -> list[Any]:
        entries = self.root.get(kind, [])
        if not isinstance(entries, list):
            raise self.refuse(kind, "must be a list")
        for index, entry in enumerate(entries):
            place = f"{kind}[{index}]"
            self.check(entry, place, kind)
            if ("weight" in entry) != ("weight" in entries[0]):
                raise self.refuse(f"{place}.weight",
                                  f"must be given for all entries of {kind} or for none")
            weight = entry.get("weight", 1)
            if not isinstance(weight, (int, float)) or not (0 <= weight < math.inf):
                raise self.refuse(f"{place}.weight", f"must be a number >= 0, got {weight}")
        if entries and not any(entry.get("weight", 1) > 0 for entry in entries):
            raise self.refuse(kind, "must have a weight above 0")
        return entries

    def read(self) -> Attention:
        self.check(self.root, "", "")
        if self.root.get("diffseg") != 1:
            raise self.refuse("diffseg", "must be 1")
        attention = Attention(tokens=list(self.root.get("tokens", [])),
                              model=str(self.root.get("model", "")))
        for index, entry in enumerate(self.entries("layers")):
            attention.layers.append(self.layer(entry, f"layers[{index}]"))
            attention.weights += [entry["weight"]] if "weight" in entry else []
        for index, entry in enumerate(self.entries("cross")):
            place = f"cross[{index}]"
            attention.cross.append(_cross_layer(self.array(entry, place, "array"),
                                                self.grid(entry, place, "queries"), place))
            attention.cross_weights += [entry["weight"]] if "weight" in entry else []
        if not attention.layers:
            raise self.refuse("layers", "must list at least one layer")
        return attention


def _by_shape(paths: list[pathlib.Path], skip: dict[str, Any]) -> Attention:
    files, attention = _Files(), Attention()
    for path in paths:
        arrays = files.arrays(path)
        for name in arrays:
            array, place = arrays[name], f"{path}: {name}" if name else str(path)
            if array.ndim == 3 and array.shape[1] != array.shape[2]:
                attention.cross.append(_cross_layer(array, None, place))
            else:
                attention.layers.append(
                    _core.skip_tokens(_core.Layer(array, grid=(1, array.shape[-2]), name=place),
                                      **skip) if skip else _core.Layer(array, name=place))
    if not attention.layers:
        raise FileError(f"{paths[0]}: shape: no self-attention [heads, n, n] among the arrays; "
                        "export it")
    return attention


def _files_of(path: pathlib.Path) -> list[pathlib.Path]:
    if not path.is_dir():
        return [path]
    manifests = sorted(path.glob("*.json"))
    arrays = sorted(file for file in path.iterdir() if file.suffix in FORMATS)
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
    attention = _Manifest.open(files[0], skip).read() if manifests else _by_shape(files, skip)
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
    return _completed(_Manifest(place, manifest, _Arrays(arrays), {}).read(), place)
