# SPDX-License-Identifier: MIT
"""One photo to its files: labels, overlay, and the sidecar that says that they are done."""
from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import os
import pathlib
import socket
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffseg import __version__
from diffseg._picture import label_image, overlay, read_photo

_OPTIONS = ("threshold", "segments", "anchors", "size", "refine", "tidy", "fit_borders", "min_area",
            "exact")
_FIRST = '{\n "diffseg_segment": '  # of every sidecar, whoever wrote it
_TEMPORARY = ".diffseg-"


def options_from(options: dict[str, Any]) -> argparse.Namespace:
    """The options of `python -m diffseg` out of keywords; a ValueError for mistakes."""
    from diffseg.__main__ import parse

    arguments = []
    for name, value in options.items():
        if name not in _OPTIONS:
            raise ValueError(f"{name} is no option here; there are {', '.join(_OPTIONS)}")
        flag = "--" + name.replace("_", "-")
        if isinstance(value, bool):
            arguments += [flag] if value else [f"--no-{flag[2:]}"] if name != "exact" else []
        elif value is not None:
            several = isinstance(value, (list, tuple))
            between = "x" if name in ("anchors", "size") else ","
            arguments.append(f"{flag}={between.join(map(str, value)) if several else value}")
    told = io.StringIO()
    try:
        with contextlib.redirect_stderr(told):
            return parse([*arguments, "photo"])
    except SystemExit:
        raise ValueError(told.getvalue().strip().split("error: ")[-1]) from None


def is_photo(path: pathlib.Path, root: pathlib.Path) -> bool:
    """True for what Pillow reads, by its suffix in any case; not for what hides, and results."""
    from PIL import Image
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in path.relative_to(root).parts)
    own = path.stem.endswith((".labels", ".overlay"))
    return (not hidden and not own and path.suffix.lower() in Image.registered_extensions()
            and path.is_file())


def is_sidecar(file: pathlib.Path) -> bool:
    """True for what a run wrote to say that a photo is done."""
    with open(file, encoding="utf-8", errors="replace") as stream:
        return stream.read(len(_FIRST)) == _FIRST


class Writer:
    """Results below a folder, each complete or not there; the sidecar last."""

    def __init__(self, root: pathlib.Path, with_overlay: bool, force: bool,
                 options: dict[str, Any], run: str) -> None:
        self.root, self.with_overlay, self.force, self.run = root, with_overlay, force, run
        told = json.dumps([__version__, with_overlay, sorted(options.items())], default=str)
        self.options = hashlib.sha256(told.encode()).hexdigest()[:16]

    def _place(self, place: str, suffix: str) -> pathlib.Path:
        file = self.root / (place + suffix)
        if self.root.absolute() not in file.absolute().parents or ".." in file.parts:
            raise ValueError(f"place: must lie below {self.root}, got {place}")
        return file

    def _sidecar(self, place: str) -> pathlib.Path:
        """NAME.json, unless somebody else's file has that name."""
        file = self._place(place, ".json")
        free = not file.exists() or is_sidecar(file)
        return file if free else self._place(place, ".segment.json")

    @staticmethod
    def source(path: str | None) -> list[dict[str, Any]]:
        """What tells whether a photo is the same as before; of arrays nothing does."""
        if path is None or not os.path.exists(path):
            return []
        status = os.stat(path)
        return [{"name": os.path.basename(path), "bytes": status.st_size,
                 "modified_ns": status.st_mtime_ns}]

    def done_before(self, place: str, sources: list[dict[str, Any]]) -> dict[str, Any] | None:
        """The sidecar of an earlier run with these options, whose results are all there."""
        try:
            known: dict[str, Any] = json.loads(self._sidecar(place).read_text(encoding="utf-8"))
            same = (sources and not self.force and known["options"] == self.options
                    and known["sources"] == sources and all(
                        self._place(place, result["suffix"]).stat().st_size == result["bytes"]
                        for result in known["results"]))
            return known if same and known["results"] else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _write(self, file: pathlib.Path, content: bytes) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        name = hashlib.sha256(file.name.encode()).hexdigest()[:16]
        part = file.with_name(
            f"{_TEMPORARY}{self.run or 'x'}-{name}-{socket.gethostname()[:32]}-{os.getpid()}.tmp")
        try:
            part.write_bytes(content)
            part.replace(file)
        finally:
            part.unlink(missing_ok=True)

    def write(self, place: str, sources: list[dict[str, Any]], told: dict[str, Any],
              photo: Any, labels: NDArray[np.int32]) -> None:
        """All results of a photo, then its sidecar."""
        from PIL import Image
        pictures = {"labels": label_image(labels)}
        if self.with_overlay:
            pictures["overlay"] = Image.fromarray(overlay(photo, labels))
        results = []
        for kind, picture in pictures.items():
            stream = io.BytesIO()
            picture.save(stream, "PNG")
            self._write(self._place(place, f".{kind}.png"), stream.getvalue())
            results.append({"kind": kind, "suffix": f".{kind}.png",
                            "bytes": len(stream.getvalue())})
        sidecar = {"diffseg_segment": 1, "version": __version__, "engine": "diffseg.ray",
                   "options": self.options, "sources": sources, "results": results, **told}
        self._write(self._sidecar(place),
                    (json.dumps(sidecar, indent=1, ensure_ascii=False) + "\n").encode())

    def files(self, place: str) -> dict[str, str]:
        return {"label_file": str(self._place(place, ".labels.png")),
                "sidecar": str(self._sidecar(place))}

    @staticmethod
    def sweep(root: pathlib.Path, run: str) -> None:
        """Removes what killed workers of this run left, and of runs that are long gone."""
        for part in root.rglob(f"{_TEMPORARY}*.tmp"):
            with contextlib.suppress(OSError):
                if part.name.startswith(f"{_TEMPORARY}{run}-") or (
                        time.time() - part.stat().st_mtime > 600):
                    part.unlink()


def _as_photo(image: NDArray[Any]) -> NDArray[np.float32]:
    """[height, width, 1 or 3] 0..1 of an array as Ray Data reads them."""
    if image.ndim == 2:
        image = image[:, :, None]
    if image.ndim != 3 or image.shape[2] not in (1, 3, 4):
        raise ValueError(f"image: must be [height, width, 1, 3 or 4], got {list(image.shape)}")
    whole = np.iinfo(image.dtype).max if image.dtype.kind == "u" else 1
    values = image.astype(np.float32) / whole
    if values.shape[2] == 4:  # over white
        values = values[:, :, :3] * values[:, :, 3:] + (1 - values[:, :, 3:])
    return values


def _segment(photo: NDArray[np.float32], options: argparse.Namespace,
             source: pathlib.Path) -> tuple[NDArray[np.int32], dict[str, Any]]:
    """The labels, and what the sidecar tells."""
    from diffseg.__main__ import Report, segment_photo

    report = Report(None, source)
    begin = time.perf_counter()
    labels = segment_photo(photo, options, report)
    counts = np.bincount(labels.values.ravel(), minlength=labels.count())
    return labels.values, {
        "ok": True, "size": list(photo.shape[:2]), "grid": list(report.grid),
        "label_size": list(labels.size), "thresholds": report.thresholds,
        "labels": labels.count(), "shares": (counts / counts.sum()).tolist(),
        "milliseconds": {"segment": 1000 * (time.perf_counter() - begin)},
        "host": socket.gethostname(), "pid": os.getpid()}


def _row(path: str | None, place: str, writer: Writer | None) -> dict[str, Any]:
    row: dict[str, Any] = {"path": path or "", "place": place, "ok": False, "error": "",
                           "skipped": False, "segments": 0}
    return row | ({"labels": np.zeros((0, 0), np.int32)} if writer is None else
                  {"label_file": "", "sidecar": ""})


def segment_file(path: str | None, image: NDArray[Any] | None, place: str | None,
                 options: argparse.Namespace, writer: Writer | None) -> dict[str, Any]:
    """The row of one photo, read from `path` where there is no `image`."""
    name = pathlib.Path(path or "").stem if place is None else place
    row = _row(path, name, writer)
    try:
        if writer is not None and not name:
            raise ValueError("place: images need the column path or place, to name their results")
        sources = Writer.source(path)
        known = writer.done_before(name, sources) if writer is not None else None
        if known is None:
            photo = read_photo(path) if image is None else _as_photo(image)
            labels, told = _segment(photo, options, pathlib.Path(path or name))
            if writer is None:
                row["labels"] = labels
            else:
                writer.write(name, sources, told, photo, labels)
        row |= {"ok": True, "skipped": known is not None,
                "segments": known["labels"] if known is not None else told["labels"]}
        return row | (writer.files(name) if writer is not None else {})
    except MemoryError:
        row["error"] = f"{path or name}: not enough memory; scale it down first"
    except (OSError, ValueError, TypeError) as error:
        row["error"] = f"{path or name}: {error}"
    return row
