# SPDX-License-Identifier: MIT
"""What `diffseg.onnx` and `diffseg.diffusers` share: photos in, and the attention of a picture out.

Nothing here needs the built extension until a recording is segmented."""
from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

if TYPE_CHECKING:
    from diffseg import _core
    from diffseg._manifest import Attention

LONGER = 512  # pixels of the longer side of labels without a photo, as the published code has it


class RecordError(ValueError):
    """A mistake of the caller's, told in words: file, rule and remedy."""


def open_photo(photo: Any) -> Any:
    """A file, an image of Pillow, or an array [height, width, 3] of bytes or 0..1 -> an image of
    Pillow, upright, red, green and blue."""
    try:
        if isinstance(photo, (str, os.PathLike)):
            with Image.open(photo) as stored:
                return ImageOps.exif_transpose(stored).convert("RGB")
        if not isinstance(photo, Image.Image):
            values: Any = np.asarray(photo)
            if values.dtype.kind == "f":
                values = np.rint(255 * np.clip(values, 0, 1))
            photo = Image.fromarray(values.astype(np.uint8))
        return photo.convert("RGB")
    except (OSError, SyntaxError, ValueError, TypeError, Image.DecompressionBombError) as error:
        name = photo if isinstance(photo, (str, os.PathLike)) else type(photo).__name__
        raise RecordError(f"{name}: is no photo that Pillow reads ({error})") from error


def fit_sides(photo: Any, longer: int, step: int) -> tuple[int, int]:
    """(height, width): the longer one `longer` pixels, the photo's proportions, multiples of `step`."""
    width, height = photo.size
    scale = longer / max(photo.size)
    return (max(step, round(height * scale / step) * step),
            max(step, round(width * scale / step) * step))


def pixels(photo: Any, sides: tuple[int, int], mean: Sequence[float],
           std: Sequence[float]) -> NDArray[np.float32]:
    """[1, 3, height, width]: (value in 0..1 - mean) / std, `sides` = (height, width)."""
    resized = photo.resize((sides[1], sides[0]), Image.Resampling.BICUBIC)
    values = np.asarray(resized, np.float32) / np.float32(255)
    values = (values - np.asarray(mean, np.float32)) / np.asarray(std, np.float32)
    return np.ascontiguousarray(values.transpose(2, 0, 1)[None])


def photo_stem(path: str) -> str:
    """The photo's name without folder and ending: its results are called so."""
    return os.path.splitext(os.path.basename(path))[0]


@contextlib.contextmanager
def whole_files(*paths: str) -> Iterator[list[str]]:
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


def _write_arrays(path: str, suffix: str, arrays: dict[str, Any]) -> None:
    if suffix == ".npz":
        with open(path, "wb") as file:
            np.savez(file, **arrays)
    else:
        from safetensors.numpy import save_file
        save_file(arrays, path)


def _stored(name: str, array: Any, half: bool) -> Any:
    """The array as it is written, float32 or float16."""
    with np.errstate(over="ignore"):
        made = np.ascontiguousarray(array, np.float16 if half else np.float32)
    if half and np.isinf(made).sum() > np.isinf(array).sum():
        raise RecordError(f"{name}: numbers beyond 65504 are no float16; leave out half")
    return made


@dataclasses.dataclass
class Recording:
    """The attention of one picture, in the memory of the CPU: made by `record`, to be segmented or
    written into files.

    `arrays` by name, and what they are, as a manifest has it (docs/real_attention.md): `entries` of
    self-attention, `cross_entries`, `tokens`: the text of each column of cross-attention. `about`:
    model, prompt, timestep. `size`: of the photo, (height, width), where there is one."""
    arrays: dict[str, NDArray[Any]]
    entries: list[dict[str, Any]]
    cross_entries: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    tokens: list[str] = dataclasses.field(default_factory=list)
    about: dict[str, Any] = dataclasses.field(default_factory=dict)
    size: tuple[int, int] | None = None

    def manifest(self, file: str) -> dict[str, Any]:
        """What PREFIX.json holds when the arrays are in `file`."""
        manifest = {"diffseg": 1, **self.about, "file": file, "layers": self.entries,
                    "cross": self.cross_entries, "tokens": self.tokens}
        return {key: value for key, value in manifest.items() if value not in ([], None)}

    @functools.cached_property
    def _attention(self) -> Attention:
        if not self.entries:
            raise RecordError("the recording is empty; that of a picture which is generated is complete "
                              "when its `with` ends")
        from diffseg._attention_files import attention_of
        return attention_of(self.manifest("recording"), self.arrays)

    @property
    def layers(self) -> list[_core.Layer]:
        """Self-attention, for Aggregate and segment; nothing is copied."""
        return self._attention.layers

    @property
    def weights(self) -> list[float]:
        """One for each layer, of sum 1: for Aggregate(weights=...)."""
        return self._attention.weights

    @property
    def cross(self) -> list[_core.Layer]:
        """Cross-attention, for AggregateCross; none of a model without."""
        return self._attention.cross

    @property
    def cross_weights(self) -> list[float]:
        """One for each layer of `cross`: for AggregateCross(weights=...)."""
        return self._attention.cross_weights

    def maps(self) -> _core.Maps:
        """The layers aggregated with their weights."""
        from diffseg import _core
        return _core.Aggregate(weights=self.weights)(self.layers)

    def segment(self, *, thresholds: Sequence[float] = (), size: int | tuple[int, int] | None = None,
                anchors: int | tuple[int, int] | None = None) -> _core.Labels:
        """DiffSeg with the published defaults, at the threshold of the model or the one that suits it.

        `thresholds`: nats, one for each iteration (default: what model_preset() knows of the model,
        else what Choose takes). `size`: of the labels (default the photo's, else the longer side 512). `anchors`: default
        16 x 16, or the grid where that is smaller. Errors: ValueError, as those of the stages."""
        from diffseg import _core
        own = _core.model_preset(self.about.get("model", "")).threshold
        steps = list(thresholds) or [own] * (3 if own else 0)
        maps = self.maps()
        most = (min(16, maps.grid[0]), min(16, maps.grid[1]))
        similarities = _core.Compare(anchors=anchors or most, placement="published",
                                     ceiling=steps[0] if steps else 1.6)(maps)
        steps = steps or [_core.Choose()(similarities).threshold] * 3
        height, width = (max(1, LONGER * side // max(maps.grid)) for side in maps.grid)
        extent = size or self.size or (height, width)
        return _core.Assign(size=extent)(_core.Merge(thresholds=steps)(similarities))

    def names(self, labels: _core.Labels, words: Sequence[str]) -> _core.Names:
        """The word of the prompt that the pixels of each label attend to most.

        Errors: ValueError where there is no cross-attention, or a word is not in the prompt."""
        from diffseg import _core
        from diffseg._nouns import find_noun, is_mark
        if not self.cross:
            raise RecordError("names: the model has no cross-attention; only UNets have")
        nouns = [find_noun(word, self.tokens) for word in words]
        for word, _, end in nouns:
            if not end:
                listed = ", ".join(token for token in self.tokens if not is_mark(token))
                raise RecordError(f"names: '{word}' is not among the tokens {listed or '(none)'}")
        name = _core.Name(nouns=nouns)
        cross = _core.AggregateCross(size=labels.size, weights=self.cross_weights,
                                     tokens=name.tokens())(self.cross)
        return name(cross, labels)

    def save(self, prefix: str, suffix: str = ".npz", half: bool = False) -> str:
        """Writes PREFIX.npz or .safetensors and the manifest PREFIX.json -> the manifest's path.

        float32, or float16 with `half`. Either both files are there whole afterwards, or neither is
        new."""
        if suffix not in (".npz", ".safetensors"):
            raise ValueError(f"suffix must be .npz or .safetensors, got {suffix!r}")
        arrays = {name: _stored(name, array, half) for name, array in self.arrays.items()}
        manifest = self.manifest(os.path.basename(prefix) + suffix)
        with whole_files(prefix + suffix, prefix + ".json") as (data, text):
            _write_arrays(data, suffix, arrays)
            with open(text, "w", encoding="utf-8") as file:
                json.dump(manifest, file, indent=1)
                file.write("\n")
        return prefix + ".json"
