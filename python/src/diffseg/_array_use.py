# SPDX-License-Identifier: MIT
"""What an array is that no manifest describes, by its shape and a few of its numbers."""
from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np


@dataclasses.dataclass
class SortedArray:
    """An array and what it is taken for: "self", "cross", or "" with the reason why not."""
    array: Any
    name: str
    use: str = ""
    plausible: bool = True
    why_not: str = ""

    def pass_over(self, why: str) -> None:
        self.use, self.why_not = "", f"{self.name}: {why}"


def unbatched(array: Any) -> Any:
    """[1, heads, n, m], a batch of one, as [heads, n, m]."""
    return array[0] if array.ndim == 4 and array.shape[0] == 1 else array


def _use_of(shape: tuple[int, ...]) -> str:
    rank = len(shape)
    if 0 in shape or rank not in (2, 3, 4, 5):
        return ""
    if rank == 2:
        return "self" if shape[0] == shape[1] > 1 else ""
    if rank == 5 or (rank == 4 and shape[1] * shape[2] == shape[3]):
        return "self"
    if rank == 4 and shape[0] != 1:
        return ""
    if shape[-2] == shape[-1]:
        return "self"
    return "cross" if math.isqrt(shape[-2]) ** 2 == shape[-2] else ""


def _is_plausible(array: Any, use: str) -> bool:
    """Nothing negative, as self-attention no sum above 1, in 16 rows evenly from all. NaN is left
    to the stages, which name its place."""
    width = array.shape[3] * array.shape[4] if array.ndim == 5 else array.shape[-1]
    rows = array.size // width
    flat = array.reshape(rows, width)
    chosen = range(rows) if rows <= 16 else [index * (rows - 1) // 15 for index in range(16)]
    most = 1.05 if use == "self" else math.inf  # half precision rounds sums
    for index in chosen:
        row = np.asarray(flat[index]).astype(np.float64)
        if (row < 0).any() or row.sum() > most:
            return False
    return True


def sort_array(array: Any, name: str) -> SortedArray:
    """What `array` is; `name` is that of messages, FILE[NAME]."""
    found = SortedArray(array, name)
    if array.dtype.kind != "f" and array.dtype.name != "bfloat16":
        found.pass_over("type: no floating point numbers")
        return found
    found.use = _use_of(array.shape)
    if not found.use:
        found.pass_over(f"shape: {list(array.shape)} is no attention")
        return found
    found.plausible = _is_plausible(array, found.use)
    if found.use == "cross":
        found.array = unbatched(array)
    return found


def settle(arrays: list[SortedArray]) -> None:
    """Where some self-attention is plausible, what is not is none: its shape is chance. Where all
    is not, all is left as its shape says, and the stages refuse what they cannot read."""
    if not any(array.use == "self" and array.plausible for array in arrays):
        return
    for array in arrays:
        if array.use and not array.plausible:
            array.pass_over("rows: are negative or sum to more than 1, no attention like the "
                            "others")
