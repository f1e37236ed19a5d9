# SPDX-License-Identifier: MIT
"""The manifest: JSON beside arrays that says what they are (docs/real_attention.md)."""
from __future__ import annotations

import dataclasses
import json
import math
import os
import pathlib
from typing import Any

from diffseg import _core
from diffseg._array_files import FileError, Files
from diffseg._array_use import unbatched

_FIELDS = {
    "": {"diffseg", "model", "prompt", "timestep", "file", "skip", "layers", "cross", "tokens"},
    "layers": {"file", "kind", "array", "query", "key", "scale", "queries", "keys", "skip",
               "weight"},
    "cross": {"file", "array", "queries", "weight"},
}


@dataclasses.dataclass
class Attention:
    """What the files of one photo hold."""
    layers: list[_core.Layer] = dataclasses.field(default_factory=list)
    cross: list[_core.Layer] = dataclasses.field(default_factory=list)
    weights: list[float] = dataclasses.field(default_factory=list)
    cross_weights: list[float] = dataclasses.field(default_factory=list)
    tokens: list[str] = dataclasses.field(default_factory=list)
    model: str = ""
    passed_over: list[str] = dataclasses.field(default_factory=list)  # arrays that are none


def cross_layer(array: Any, grid: Any, place: str) -> _core.Layer:
    if array.ndim < 3:
        raise FileError(f"{place}: shape: cross-attention is [heads, queries, tokens]; reshape it")
    return _core.Layer(array, grid=grid, keys=(1, array.shape[-1]), name=place)


def sequence_layer(array: Any, place: str, skip: dict[str, Any], grid: Any,
              kind: str = "probabilities") -> _core.Layer:
    """Self-attention without the tokens that are no cells."""
    array = unbatched(array)
    if array.ndim not in (2, 3) or array.shape[-1] != array.shape[-2]:
        raise FileError(f"{place}: skip: tokens can be skipped of [heads, n, n], [1, heads, n, n] "
                        f"and [n, n], got {list(array.shape)}")
    row = (1, array.shape[-1])
    whole = _core.Layer(array, grid=row, keys=row, kind=kind, name=place)
    return _core.skip_tokens(whole, grid=grid, **skip)


class Manifest:
    """Reads a manifest; refuses what it does not know."""

    def __init__(self, path: pathlib.Path, root: Any, files: Any, skip: dict[str, Any]):
        """`root`: what is written in `path`; `files`: who reads the arrays; `skip`: tokens that
        are no cells, {}: those of `root`."""
        self.path, self.root, self.files, self.asked = path, root, files, skip

    @classmethod
    def open(cls, path: pathlib.Path, skip: dict[str, Any]) -> Manifest:
        try:
            return cls(path, json.loads(path.read_text(encoding="utf-8")), Files(), skip)
        except (OSError, ValueError, RecursionError) as error:
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
        if value is None or (isinstance(value, (list, tuple)) and len(value) == 2 and all(
                type(side) is int and side >= 1 for side in value)):
            return value
        raise self.refuse(f"{place}.{field}", f"must be [height, width], both >= 1, got {value}")

    def array(self, entry: Any, place: str, field: str) -> Any:
        file = entry.get("file", self.root.get("file"))
        if not file:
            raise self.refuse(f"{place}.file", "is missing, here and in the manifest itself")
        self.check_inside(file, f"{place}.file")
        return self.files.read(self.path.parent / file, entry.get(field, ""))

    def check_inside(self, file: str, place: str) -> None:
        """Refuses files outside the manifest's folder: that where it is named or, behind a link,
        that where it lies."""
        if not isinstance(self.files, Files):
            return  # arrays in memory
        folders = (self.path.parent.resolve(), self.path.resolve().parent)
        real = (self.path.parent / file).resolve()
        if (os.path.isabs(file) or os.path.normpath(file).split(os.sep)[0] == ".."
                or not any(real.is_relative_to(folder) for folder in folders)):
            raise self.refuse(place, "must lie in the folder of the manifest or below it, got "
                              f"{file}")

    def skip(self, entry: Any, place: str) -> dict[str, Any]:
        """The tokens that are no cells: the caller's, the entry's own, or the manifest's."""
        skip = self.asked or entry.get("skip", self.root.get("skip", {}))
        if not isinstance(skip, dict) or not set(skip) <= {"first", "last", "ranges"}:
            raise self.refuse(f"{place}.skip", f"must have first, last or ranges, got {skip}")
        numbers = [skip.get("first", 0), skip.get("last", 0)]
        ranges = skip.get("ranges", [])
        pairs = isinstance(ranges, list) and all(
            isinstance(pair, list) and len(pair) == 2 for pair in ranges)
        if not pairs or not all(type(number) is int and number >= 0 for number in
                                numbers + [number for pair in ranges for number in pair]):
            raise self.refuse(f"{place}.skip", "must hold numbers of tokens >= 0, as ranges "
                              f"[begin, end] of them, got {skip}")
        return {key: [tuple(pair) for pair in value] if key == "ranges" else value
                for key, value in skip.items() if value}

    def texts(self, entry: Any, place: str, fields: tuple[str, ...]) -> None:
        for field in fields:
            if field in entry and (not isinstance(entry[field], str) or not entry[field]):
                raise self.refuse(f"{place}.{field}".lstrip("."), "must be a text, not empty")

    def kind(self, entry: Any, place: str) -> str:
        """What the entry holds; refuses the fields of another kind."""
        self.texts(entry, place, ("file", "kind", "array", "query", "key"))
        kind = entry.get("kind", "probabilities")
        if kind not in ("probabilities", "scores", "queries_keys"):
            raise self.refuse(f"{place}.kind",
                              f"must be probabilities, scores or queries_keys, got {kind}")
        pair = kind == "queries_keys"
        for field in ("query", "key", "scale"):
            if not pair and field in entry:
                raise self.refuse(f"{place}.{field}", "belongs to the kind queries_keys")
        if pair and "array" in entry:
            raise self.refuse(f"{place}.array", "is called query and key in this kind")
        file = str(entry.get("file", self.root.get("file", "")))
        for field in ("query", "key") if pair else ("array",):
            if field not in entry and (pair or not file.endswith(".npy")):
                raise self.refuse(f"{place}.{field}", "is missing")
        scale = entry.get("scale", 1)
        if type(scale) not in (int, float) or not 0 < scale < math.inf:
            raise self.refuse(f"{place}.scale", f"must be a number > 0, got {scale}")
        return kind

    def layer(self, entry: Any, place: str) -> _core.Layer:
        kind, skip = self.kind(entry, place), self.skip(entry, place)
        grid, keys = (self.grid(entry, place, field) for field in ("queries", "keys"))
        name = f"{self.path}: {place}"
        if kind == "queries_keys":
            return self.pair(entry, place, grid, keys, skip)
        array = self.array(entry, place, "array")
        if not skip:
            return _core.Layer(array, grid=grid, keys=keys, kind=kind, name=name)
        if keys is not None and keys != grid:
            raise self.refuse(f"{place}.keys", "tokens are skipped of queries and keys alike; "
                              "leave keys out")
        return sequence_layer(array, name, skip, grid, kind)

    def pair(self, entry: Any, place: str, grid: Any, keys: Any,
             skip: dict[str, Any]) -> _core.Layer:
        """Queries and keys as one layer."""
        queries, others = (unbatched(self.array(entry, place, field)) for field in ("query", "key"))
        for array in (queries, others):
            if array.ndim not in (2, 3):
                raise self.refuse(place, "queries and keys are [heads, tokens, depth], got "
                                  f"{list(array.shape)}")
        whole = _core.Layer.queries_and_keys(
            queries, others, grid=(1, queries.shape[-2]) if skip else grid,
            key_grid=(1, others.shape[-2]) if skip else keys, scale=entry.get("scale", 0),
            name=f"{self.path}: {place}")
        return _core.skip_tokens(whole, grid=grid, **skip) if skip else whole

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
        self.texts(self.root, "", ("file", "model"))
        tokens = self.root.get("tokens", [])
        if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
            raise self.refuse("tokens", "must be a list of texts")
        attention = Attention(tokens=tokens, model=self.root.get("model", ""))
        for index, entry in enumerate(self.entries("layers")):
            attention.layers.append(self.layer(entry, f"layers[{index}]"))
            attention.weights += [entry["weight"]] if "weight" in entry else []
        for index, entry in enumerate(self.entries("cross")):
            place = f"cross[{index}]"
            self.kind(entry, place)
            grid, array = self.grid(entry, place, "queries"), self.array(entry, place, "array")
            batch = grid and array.ndim == 4 and array.shape[2] == math.prod(grid)
            attention.cross.append(cross_layer(
                unbatched(array) if batch and array.shape[1] != grid[0] else array, grid, place))
            attention.cross_weights += [entry["weight"]] if "weight" in entry else []
        if not attention.layers:
            raise self.refuse("layers", "must list at least one layer")
        return attention
