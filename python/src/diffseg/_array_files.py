# SPDX-License-Identifier: MIT
"""Arrays by file and name, whatever the format of the file."""
from __future__ import annotations

import json
import pathlib
from typing import Any

import numpy as np

FORMATS = (".npy", ".npz", ".safetensors")


class FileError(Exception):
    """A file and what is wrong with it."""


_TYPES = {"F16": "<f2", "F32": "<f4", "F64": "<f8", "BF16": "<u2", "BOOL": "?",
          "I8": "i1", "I16": "<i2", "I32": "<i4", "I64": "<i8",
          "U8": "u1", "U16": "<u2", "U32": "<u4", "U64": "<u8"}


def _safetensors(path: pathlib.Path) -> dict[str, Any]:
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
            # Of types that numpy lacks, the bytes.
            array = bytes_of.view(_TYPES.get(entry["dtype"], "u1"))
            array = array.reshape(entry["shape"] if entry["dtype"] in _TYPES else -1)
            if entry["dtype"] == "BF16":  # exact: the upper half of a float
                array = (array.astype(np.uint32) << 16).view(np.float32)
            arrays[name] = np.require(array, requirements="A")  # a header may have an odd length
        return arrays
    except (KeyError, ValueError, TypeError, IndexError, UnicodeDecodeError) as error:
        raise FileError(f"{path}: header: is damaged ({error}); save it again") from error


class Files:
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
