# SPDX-License-Identifier: MIT
"""`python -m diffseg`: what the program `segment` does, with photos of any format Pillow reads."""
from __future__ import annotations

import argparse
import dataclasses
import json
import math
import os
import pathlib
import re
import sys
import time
from typing import Any

import numpy as np

from diffseg import __version__, _core
from diffseg._attention_files import Attention, FileError, read_attention
from diffseg._nouns import find_noun, is_mark
from diffseg._picture import label_image, overlay, read_photo

DESCRIPTION = """Splits photos into segments with DiffSeg. Photos have no diffusion attention: a
stand-in made of colour, texture and position takes its place, unless --attention gives files with
that of a model (docs/real_attention.md). NAME.labels.png holds the label ids as palette indices
(16-bit grey beyond 256 labels), NAME.overlay.png the tinted photo."""
STATUS = """Exit status: 0 done, 1 a photo or an output failed (the others were still processed),
2 usage."""


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([1-9]\d*)(?:x([1-9]\d*))?", text)
    size = match and (int(match[1]), int(match[2] or match[1]))
    if not size or size[0] * size[1] > 100_000_000:
        raise argparse.ArgumentTypeError(
            f"must be N or HEIGHTxWIDTH, at least 1 and at most 100000000 in all, got '{text}'")
    return size


def _thresholds(text: str) -> list[float]:
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = [math.nan]
    if not all(0 < value < math.inf for value in values):
        raise argparse.ArgumentTypeError(f"must be numbers > 0, got {text}")
    return values * 3 if len(values) == 1 else values


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = math.nan
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"must be in 0..1, got '{text}'")
    return share


def _nouns(text: str) -> list[tuple[str, int, int]]:
    """(word, first column, column behind the last), 0 where none is given."""
    nouns = []
    for part in text.split(","):
        match = re.fullmatch(r"([^=]+)(?:=(\d{1,8})(?:-(\d{1,8}))?)?", part)
        first = int(match[2] or 0) if match else 0
        last = int(match[3] or first) if match else -1
        if not match or last < first:
            raise argparse.ArgumentTypeError(
                f"must be WORD, WORD=COLUMN or WORD=FIRST-LAST, got '{part}'")
        nouns.append((match[1], first, last + 1 if match[2] else 0))
    return nouns


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m diffseg", description=DESCRIPTION, epilog=STATUS)
    add, path = parser.add_argument, pathlib.Path
    add("photos", nargs="*", type=path, metavar="PHOTO", help="files of any format Pillow reads")
    add("-t", "--threshold", type=_thresholds, metavar="TAU[,TAU...]",
        help="divergence below which maps merge, in nats; one for all three iterations or a list "
        "with one an iteration (default 1.3, of attention 0.9; smaller: more segments)")
    add("-a", "--anchors", type=_size, metavar="N|HxW",
        help="grid of anchors (default one for every 4x4 cells, 16x16 on a square photo; of "
        "attention 16x16)")
    add("-s", "--size", type=_size, metavar="N|HxW",
        help="size of the label PNG (default the photo's, else 512)")
    add("--attention", nargs="+", type=path, default=[], metavar="FILE|DIR",
        help="attention of one photo: a manifest, a folder, or .npy, .npz and .safetensors files")
    add("--image", type=path, metavar="PHOTO",
        help="the photo of the attention, for its size and overlay")
    add("--names", type=_nouns, default=[], metavar="WORD[=FIRST[-LAST]],...",
        help="name the segments by cross-attention; columns count from the first token, 0")
    add("--refine", action=argparse.BooleanOptionalAction,
        help="cluster the maps around the proposals (default on; of attention off)")
    add("--tidy", action=argparse.BooleanOptionalAction,
        help="make each connected region a segment, give small ones away (default on; of attention "
        "off)")
    add("--min-area", type=_share, default=0.01, metavar="SHARE",
        help="least share of the photo that a tidy segment has (default 0.01)")
    add("--exact", action="store_true",
        help="DiffSeg and nothing more: --no-refine --no-tidy")
    add("-o", "--output", type=path, default=path(), metavar="DIR",
        help="folder of the results, made when missing (default: here)")
    add("-j", "--json", action="store_true", help="print a JSON summary on stdout")
    add("-p", "--profile", action="store_true",
        help="print the time of each stage and the bottleneck on stderr")
    add("--trace", type=path, metavar="FILE", help="write a Chrome trace")
    add("--version", action="version", version=f"diffseg {__version__}")
    return parser


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The options, complete: attention has DiffSeg's own defaults."""
    parser = _parser()
    options = parser.parse_args(arguments)
    modelled = bool(options.attention)
    if modelled and options.photos:
        parser.error(f"--attention takes the place of photos; give '{options.photos[0]}' as "
                     "--image")
    if not modelled and not options.photos:
        parser.error("give photos, or --attention")
    if not modelled and (options.image or options.names):
        parser.error("--image and --names need --attention")
    options.threshold = options.threshold or [0.9 if modelled else 1.3] * 3
    for step in ("refine", "tidy"):
        asked = getattr(options, step)
        setattr(options, step, False if options.exact else asked if asked is not None
                else not modelled)
    return options


@dataclasses.dataclass
class Report:
    """What became of one photo."""
    photo: pathlib.Path | None
    source: pathlib.Path
    error: str = ""
    size: tuple[int, int] | None = None
    grid: tuple[int, int] = (0, 0)
    label_size: tuple[int, int] = (0, 0)
    shares: list[float] = dataclasses.field(default_factory=list)
    proposals: list[int] = dataclasses.field(default_factory=list)
    names: list[tuple[str, list[int]]] = dataclasses.field(default_factory=list)
    milliseconds: dict[str, float] = dataclasses.field(default_factory=dict)
    files: dict[str, pathlib.Path] = dataclasses.field(default_factory=dict)


def _segment_maps(maps: _core.Maps, compare: _core.Compare, size: tuple[int, int],
                  options: argparse.Namespace, report: Report) -> _core.Labels:
    proposals = _core.Merge(thresholds=options.threshold)(compare(maps))
    report.grid, report.proposals = maps.grid, proposals.per_iteration
    if options.refine:
        proposals = _core.RefineProjected()(proposals)
    labels = _core.Assign(size=options.size or size)(proposals)
    return _core.Tidy(min_area=options.min_area, split=True)(labels) if options.tidy else labels


def _segment_photo(photo: Any, options: argparse.Namespace, report: Report) -> _core.Labels:
    maps = _core.Aggregate()(_core.Affinity()(photo))
    anchors = options.anchors or tuple(side // 4 for side in maps.grid)
    compare = _core.Compare(anchors=anchors, ceiling=options.threshold[0])
    return _segment_maps(maps, compare, photo.shape[:2], options, report)


def _nouns_of(attention: Attention, options: argparse.Namespace) -> list[tuple[str, int, int]]:
    """The wanted nouns with their columns."""
    file, tokens = options.attention[0], attention.tokens
    columns = attention.cross[0].keys[1] if attention.cross else 0
    if options.names and not columns:
        raise FileError(f"{file}: cross: --names needs cross-attention, there is none; export it")
    nouns = []
    for word, begin, end in options.names:
        if not end and not tokens:
            raise FileError(f"{file}: tokens: are not known; give the columns, as in --names "
                            f"{word}=5")
        noun = (word, begin, end) if end else find_noun(word, tokens)
        if not noun[2]:
            listed = ", ".join(token for token in tokens if not is_mark(token))
            raise FileError(f"{file}: tokens: '{word}' is not among {listed}; give one of them")
        if noun[2] > columns:
            raise FileError(f"{file}: cross: '{word}' is to be column {noun[2] - 1} of "
                            f"0..{columns - 1}")
        nouns.append(noun)
    return nouns


def _segment_attention(photo: Any, options: argparse.Namespace, report: Report) -> _core.Labels:
    attention = read_attention(options.attention)
    nouns = _nouns_of(attention, options)
    maps = _core.Aggregate(weights=attention.weights)(attention.layers)
    longer = max(maps.grid)
    size = photo.shape[:2] if photo is not None else tuple(
        max(1, 512 * side // longer) for side in maps.grid)
    compare = _core.Compare(anchors=options.anchors or tuple(min(16, side) for side in maps.grid),
                            placement="published", ceiling=options.threshold[0])
    labels = _segment_maps(maps, compare, size, options, report)
    if nouns:
        name = _core.Name(nouns=nouns)
        cross = _core.AggregateCross(size=labels.size, weights=attention.cross_weights,
                                     tokens=name.tokens())(attention.cross)
        report.names = name(cross, labels).groups
    return labels


def _write(file: pathlib.Path, save: Any) -> None:
    """The whole file or none of it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(file.name + f".{os.getpid()}.tmp")
    try:
        save(part)
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


def _claim(report: Report, options: argparse.Namespace, taken: set[pathlib.Path]) -> None:
    """Sets where the results go; refuses a place that holds an input or a result of this run."""
    source = report.source.resolve()
    stem = source.name if source.is_dir() else source.stem
    report.files = {"labels": options.output / f"{stem}.labels.png"}
    if report.photo:
        report.files["overlay"] = options.output / f"{stem}.overlay.png"
    for file in report.files.values():
        if file.resolve() in taken:
            raise FileError(f"{report.source}: its result {file} would replace another file of "
                            "this run; choose another --output")
        taken.add(file.resolve())


def _process(report: Report, options: argparse.Namespace, taken: set[pathlib.Path]) -> None:
    clock = [time.perf_counter()]
    def lap(name: str) -> None:
        clock.append(time.perf_counter())
        report.milliseconds[name] = 1000 * (clock[-1] - clock[-2])

    photo = read_photo(report.photo) if report.photo else None
    _claim(report, options, taken)
    lap("read")
    segment = _segment_attention if options.attention else _segment_photo
    labels = segment(photo, options, report)
    lap("segment")
    values = labels.values
    report.size = photo.shape[:2] if photo is not None else None
    report.label_size = labels.size
    report.shares = (np.bincount(values.ravel(), minlength=labels.count()) / values.size).tolist()
    _write(report.files["labels"], lambda file: label_image(values).save(file, "PNG"))
    if photo is not None:
        from PIL import Image
        picture = Image.fromarray(overlay(photo, values))
        _write(report.files["overlay"], lambda file: picture.save(file, "PNG"))
    lap("write")


def _guarded(name: str, work: Any) -> str:
    """Runs `work`; a failure is told on stderr and returned."""
    try:
        work()
        return ""
    except MemoryError:
        text = f"{name}: not enough memory; scale it down first"
    except ImportError as error:
        text = f"{name}: {error}; pip install pillow"
    except (FileError, OSError, ValueError, TypeError) as error:
        text = str(error) if str(error).startswith(name) else f"{name}: {error}"
    print(f"diffseg: {text}", file=sys.stderr)
    return text


def _run(options: argparse.Namespace) -> list[Report]:
    reports = ([Report(options.image, options.attention[0])] if options.attention
               else [Report(photo, photo) for photo in options.photos])
    taken = {report.photo.resolve() for report in reports if report.photo}
    for report in reports:
        report.error = _guarded(str(report.source),
                                lambda report=report: _process(report, options, taken))
    return reports


def _json_of(report: Report, options: argparse.Namespace) -> dict[str, Any]:
    def sides(size: tuple[int, int]) -> dict[str, int]:
        return {"height": size[0], "width": size[1]}

    result: dict[str, Any] = {"photo": str(report.photo)} if report.photo else {}
    if options.attention:
        result["attention"] = [str(path) for path in options.attention]
    result["ok"] = not report.error
    if report.error:
        return result | {"error": report.error}
    if report.size:
        result["size"] = sides(report.size)
    result |= {"grid": sides(report.grid), "label_size": sides(report.label_size),
               "labels": len(report.shares), "shares": report.shares,
               "proposals": report.proposals}
    if report.names:
        result["names"] = [{"word": word, "labels": labels} for word, labels in report.names]
    return result | {"milliseconds": report.milliseconds,
                     "files": {name: str(file) for name, file in report.files.items()}}


def _print(reports: list[Report], options: argparse.Namespace) -> None:
    if options.json:
        print(json.dumps({"thresholds": options.threshold,
                          "photos": [_json_of(report, options) for report in reports]}, indent=2))
        return
    for report in reports:
        if report.error:
            continue
        height, width = report.size or report.label_size
        print(f"{report.source}: {height}x{width}, {len(report.shares)} segments in "
              f"{report.milliseconds['segment']:.0f} ms -> "
              + ", ".join(map(str, report.files.values())))
        for word, labels in report.names:
            print(f"  {word}:", *labels)


def _print_profile(rows: list[_core.ProfileRow]) -> None:
    print(f"{'stage':28}{'calls':>6}{'ms':>11}{'MB':>11}{'share':>9}", file=sys.stderr)
    for row in rows:
        print(f"{'  ' * row.depth + row.stage:28}{row.calls:6}{row.milliseconds:11.2f}"
              f"{row.bytes / 1e6:11.1f}{100 * row.share:8.1f}%", file=sys.stderr)
    top = [row for row in rows if row.depth == 0]
    if top:
        slowest = max(top, key=lambda row: row.milliseconds)
        print(f"Bottleneck: {slowest.stage}, {100 * slowest.share:.0f} % of "
              f"{sum(row.milliseconds for row in top):.1f} ms.", file=sys.stderr)


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line; the exit status."""
    options = parse(arguments)
    try:
        with _core.Profile() as profile:
            reports = _run(options)
    except KeyboardInterrupt:
        return 130
    if options.profile:
        _print_profile(profile.rows())
    failed = [report.error for report in reports]
    if options.trace:
        failed.append(_guarded(str(options.trace), lambda: _write(
            options.trace, lambda file: file.write_text(profile.trace()))))
    _print(reports, options)
    return 1 if any(failed) else 0


if __name__ == "__main__":
    sys.exit(main())
