# SPDX-License-Identifier: MIT
"""Many photos on a cluster: Ray Data over a pool of segmenters, one thread each.

    from diffseg.ray import segment_photos

    done = segment_photos("photos", "out", threshold="auto")    # a Dataset, a row for each photo
    done.filter(lambda row: not row["ok"]).take_all()           # what failed, and why

A worker that dies is replaced and its photos are done again; a second run does what is left."""
from __future__ import annotations

import pathlib
import uuid
from collections.abc import Iterable
from typing import Any

import numpy as np

from diffseg import _core
from diffseg._photo_files import Writer, is_photo, options_from, segment_file


class Segmenter:
    """What `Dataset.map_batches` calls in an actor of its own: batches with the column "path" of
    photos that all machines see, or "image" of arrays [height, width, channels], uint8 or 0..1.

    With `output` the rows have files in it: NAME.labels.png, NAME.overlay.png where `overlay` is
    true, and NAME.json, written last, that tells what was done; NAME is the column "place" if there
    is one, else the name of "path". Without, they have the labels in the column "labels", int32.
    A photo that fails is a row with "ok" false and the reason in "error"; the others go on.
    Options are those of `python -m diffseg`: threshold, segments, anchors, size, refine, tidy,
    fit_borders, min_area and exact."""

    def __init__(self, output: str | pathlib.Path | None = None, *, overlay: bool = False,
                 force: bool = False, run: str = "", **options: Any) -> None:
        self.options = options_from(options)
        self.writer = None if output is None else Writer(
            pathlib.Path(output), overlay, force, options, run)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        paths, images = batch.get("path"), batch.get("image")
        if paths is None and images is None:
            raise ValueError("Segmenter: a batch must have the column path or image, got "
                             + ", ".join(batch))
        rows = []
        with _core.ThreadLimit(1):
            for index in range(len(paths if paths is not None else images)):
                path = None if paths is None else str(paths[index])
                rows.append(segment_file(
                    path, None if images is None else np.asarray(images[index]),
                    str(batch["place"][index]) if "place" in batch else None, self.options,
                    self.writer))
        return _columns(rows)


def _columns(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """A column for each field; labels may differ in size."""
    columns: dict[str, Any] = {}
    for name in rows[0] if rows else ():
        values = [row[name] for row in rows]
        if name == "labels":
            columns[name] = np.empty(len(values), object)
            columns[name][:] = values
        else:
            columns[name] = np.array(values)
    return columns


def _cores() -> int:
    """Of the cluster, which is this machine alone where none was joined."""
    import ray

    if not ray.is_initialized():
        ray.init()
    return max(1, int(ray.cluster_resources().get("CPU", 1)))


def segment_dataset(dataset: Any, output: str | pathlib.Path | None = None, *,
                    actors: int | None = None, batch_size: int = 4, **options: Any) -> Any:
    """The rows of `dataset`, paths or images, segmented when they are asked for: a Dataset of what
    `Segmenter` says. `actors`: so many of one core each, None: as many as the cluster has cores."""
    import ray

    options_from({name: value for name, value in options.items()
                  if name not in ("overlay", "force", "run")})  # refuses mistakes here, not there
    if output is not None:
        output = pathlib.Path(output).absolute()
    pool = (1, _cores()) if actors is None else (actors, actors)
    return dataset.map_batches(
        Segmenter, fn_constructor_kwargs={"output": output, **options}, batch_size=batch_size,
        num_cpus=1, compute=ray.data.ActorPoolStrategy(min_size=pool[0], max_size=pool[1]))


def _places(photos: Any) -> list[dict[str, str]]:
    """The photos and the names of their results; folders are read with their sub-folders."""
    given = [photos] if isinstance(photos, (str, pathlib.Path)) else photos
    rows: dict[str, str] = {}
    for item in given:
        root = pathlib.Path(item).absolute()
        found = sorted(root.rglob("*")) if root.is_dir() else [root]
        for path in found:
            place = str((path.relative_to(root) if root.is_dir() else
                         pathlib.Path(path.name)).with_suffix(""))
            if root.is_dir() and not is_photo(path, root):
                continue
            if rows.setdefault(place, str(path)) != str(path):
                raise ValueError(f"segment_photos: {path} and {rows[place]} would have the same "
                                 f"results {place}.labels.png; give them apart")
    return [{"path": path, "place": place} for place, path in rows.items()]


def segment_photos(photos: str | pathlib.Path | Iterable[str | pathlib.Path],
                   output: str | pathlib.Path, *, actors: int | None = None, **options: Any) -> Any:
    """Segments a folder with its sub-folders, or files, into `output`, which all machines see, and
    returns when all is done: a Dataset with a row for each photo. What an earlier run has done with
    the same options is not done again, unless `force` is true."""
    import ray

    rows = _places(photos)
    if not rows:
        raise ValueError(f"segment_photos: there is no photo in {photos}; give files or their "
                         "folder")
    output, run = pathlib.Path(output).absolute(), uuid.uuid4().hex[:12]
    output.mkdir(parents=True, exist_ok=True)
    blocks = min(len(rows), max(32, 8 * _cores()))
    dataset = ray.data.from_items(rows, override_num_blocks=blocks)
    try:
        return segment_dataset(dataset, output, actors=actors, run=run, **options).materialize()
    finally:
        Writer.sweep(output, run)
