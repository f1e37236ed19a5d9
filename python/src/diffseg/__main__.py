# SPDX-License-Identifier: MIT
"""`python -m diffseg`: what the program `segment` does, with photos of any format Pillow reads."""
from __future__ import annotations

import argparse
import dataclasses
import hashlib
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
from diffseg._array_files import FileError
from diffseg._attention_files import read_attention
from diffseg._manifest import Attention
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
    """One an iteration; auto: none."""
    if text == "auto":
        return []
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


def _sweep(text: str) -> list[float]:
    try:
        low, high, step = (float(part) for part in text.split(":"))
        steps = math.floor((high - low) / step * (1 + 1e-9) + 1e-9)
    except (ValueError, ZeroDivisionError, OverflowError):
        low = step = steps = -1
    if not (low > 0 and step > 0 and 0 <= steps < 1000):
        raise argparse.ArgumentTypeError(
            f"must be LOW:HIGH:STEP, at most 1000 thresholds, got '{text}'")
    return [low + index * step for index in range(int(steps) + 1)]


def _count(text: str) -> int:
    if not re.fullmatch(r"\d{1,9}", text):
        raise argparse.ArgumentTypeError(f"must be a whole number >= 0, got '{text}'")
    return int(text)


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
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument(
        "-t", "--threshold", type=_thresholds, metavar="auto|TAU[,TAU...]",
        help="divergence below which maps merge, in nats; one for all three iterations or a list "
        "with one an iteration; smaller: more segments. auto: what suits the photo (default 1.3; "
        "of attention its model's, else auto)")
    chosen.add_argument("--segments", type=_count, default=0, metavar="K",
                        help="choose the threshold that gives so many segments, or nearly")
    add("--sweep", type=_sweep, default=[], metavar="LO:HI:STEP",
        help="also print, for each of these thresholds, segments, the share of the information "
        "they keep, their entropy and the score that auto goes by")
    add("-a", "--anchors", type=_size, metavar="N|HxW",
        help="grid of anchors (default one for every 4x4 cells, 16x16 on a square photo; of "
        "attention 16x16)")
    add("-s", "--size", type=_size, metavar="N|HxW",
        help="size of the label PNG (default the photo's, else 512)")
    add("--attention", nargs="+", type=path, default=[], metavar="FILE|DIR",
        help="attention of one photo: a manifest, a folder, or .npy, .npz and .safetensors files")
    add("--image", type=path, metavar="PHOTO",
        help="the photo of the attention, for its size and overlay")
    add("--skip-first", type=_count, default=0, metavar="N",
        help="leave out so many tokens in front of the image's: 1 for a class token, 5 with four "
        "registers (default what the manifest says, else 0)")
    add("--skip-last", type=_count, default=0, metavar="N",
        help="leave out so many tokens behind the image's, as text")
    add("--sinks", type=_share, metavar="SHARE",
        help="leave out keys that get more than this share of a layer's attention, and 8 times an "
        "even share (default none; 0.1 finds sinks)")
    add("--names", type=_nouns, default=[], metavar="WORD[=FIRST[-LAST]],...",
        help="name the segments by cross-attention; columns count from the first token, 0")
    add("--refine", action=argparse.BooleanOptionalAction,
        help="cluster the maps around the proposals (default on; of attention off)")
    add("--tidy", action=argparse.BooleanOptionalAction,
        help="make each connected region a segment, give small ones away (default on; of attention "
        "off)")
    add("--fit-borders", action=argparse.BooleanOptionalAction,
        help="fit the borders to the photo, where the label PNG has its size (default as --tidy)")
    add("--min-area", type=_share, default=0.01, metavar="SHARE",
        help="least share of the photo that a tidy segment has (default 0.01)")
    add("--exact", action="store_true",
        help="DiffSeg and nothing more: --no-refine --no-tidy --no-fit-borders")
    add("-o", "--output", type=path, default=path(), metavar="DIR",
        help="folder of the results, made when missing (default: here)")
    add("-j", "--json", action="store_true", help="print JSON lines on stdout: an object a photo, then a summary of all")
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
    if not modelled and any((options.image, options.names, options.skip_first, options.skip_last,
                             options.sinks is not None)):
        parser.error("--image, --names, --skip-first, --skip-last and --sinks need --attention")
    options.by_model = modelled and options.threshold is None and not options.segments
    if options.threshold is None:
        options.threshold = [] if modelled or options.segments else [1.3] * 3
    for step in ("refine", "tidy"):
        asked = getattr(options, step)
        setattr(options, step, False if options.exact else asked if asked is not None
                else not modelled)
    if options.fit_borders is None:
        options.fit_borders = options.tidy
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
    thresholds: list[float] = dataclasses.field(default_factory=list)
    sweep: list[_core.SweepPoint] = dataclasses.field(default_factory=list)
    hint: str = ""
    names: list[tuple[str, list[int]]] = dataclasses.field(default_factory=list)
    milliseconds: dict[str, float] = dataclasses.field(default_factory=dict)
    files: dict[str, pathlib.Path] = dataclasses.field(default_factory=dict)


def _finish(proposals: _core.Proposals, size: tuple[int, int],
            options: argparse.Namespace) -> _core.Labels:
    if options.refine:
        proposals = _core.RefineProjected()(proposals)
    labels = _core.Assign(size=options.size or size)(proposals)
    return _core.Tidy(min_area=options.min_area, split=True)(labels) if options.tidy else labels


def _fit(labels: _core.Labels, photo: Any, options: argparse.Namespace) -> _core.Labels:
    if photo is None or photo.shape[:2] != labels.size or not options.fit_borders:
        return labels
    fitted = _core.FitBorders()(labels, photo)
    return _core.Tidy(min_area=options.min_area, split=True)(fitted) if options.tidy else fitted


def _segment_maps(maps: _core.Maps, compare: _core.Compare, thresholds: list[float],
                  size: tuple[int, int], options: argparse.Namespace,
                  report: Report) -> _core.Labels:
    """`thresholds`: one an iteration; empty: chosen for these maps."""
    ceiling = max((thresholds[:1] or [1.6]) + options.sweep[-1:])
    # The stand-in's maps lose more of what they tell to few segments than a model's do.
    price = 0.22 if options.attention else 0.34
    similarities = compare.replace(ceiling=ceiling)(maps)
    if options.sweep:
        report.sweep = _core.Sweep(thresholds=options.sweep, lambda_=price)(similarities)
    if not thresholds:
        choose = _core.Choose(segments=options.segments, lambda_=price)
        best = choose(similarities, lambda found: _finish(found, size, options).count())
        thresholds = [best.threshold] * 3
    proposals = _core.Merge(thresholds=thresholds)(similarities)
    report.grid, report.proposals = maps.grid, proposals.per_iteration
    report.thresholds = thresholds
    labels = _finish(proposals, size, options)
    if labels.count() == 1 and options.segments != 1:
        chosen = not options.threshold and not options.by_model
        report.hint = (f"one segment in all, at the threshold {thresholds[0]:.9g}; "
                       + ("" if chosen else "try --threshold auto or a lower one; ")
                       + "--segments K asks for K segments, --sweep 0.1:1.5:0.1 shows what others "
                       "give")
    return labels


def segment_photo(photo: Any, options: argparse.Namespace, report: Report) -> _core.Labels:
    """The labels of a photo, whatever its stand-in for attention makes of it."""
    maps = _core.Aggregate()(_core.Affinity()(photo))
    anchors = options.anchors or tuple(side // 4 for side in maps.grid)
    labels = _segment_maps(maps, _core.Compare(anchors=anchors), options.threshold,
                           photo.shape[:2], options, report)
    return _fit(labels, photo, options)


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
    skip = {"first": options.skip_first, "last": options.skip_last}
    attention = read_attention(options.attention, skip if any(skip.values()) else {})
    for reason in attention.passed_over:
        print(f"diffseg: passed over {reason}", file=sys.stderr)
    nouns = _nouns_of(attention, options)
    layers = attention.layers
    if options.sinks is not None:
        layers = [_core.leave_out_sinks(layer, options.sinks) for layer in layers]
    maps = _core.Aggregate(weights=attention.weights)(layers)
    longer = max(maps.grid)
    size = photo.shape[:2] if photo is not None else tuple(
        max(1, 512 * side // longer) for side in maps.grid)
    compare = _core.Compare(anchors=options.anchors or tuple(min(16, side) for side in maps.grid),
                            placement="published")
    known = _core.model_preset(attention.model).threshold if options.by_model else 0
    labels = _segment_maps(maps, compare, [known] * 3 if known else options.threshold, size,
                           options, report)
    labels = _fit(labels, photo, options)
    if nouns:
        name = _core.Name(nouns=nouns)
        cross = _core.AggregateCross(size=labels.size, weights=attention.cross_weights,
                                     tokens=name.tokens())(attention.cross)
        report.names = name(cross, labels).groups
    return labels


def _write(file: pathlib.Path, save: Any) -> None:
    """The whole file or none of it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    name = hashlib.sha256(file.name.encode()).hexdigest()[:16]  # it may be as long as names can be
    part = file.with_name(f".diffseg-{name}-{os.getpid()}.tmp")
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
    segment = _segment_attention if options.attention else segment_photo
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
    if report.hint:
        print(f"diffseg: {report.source}: {report.hint}", file=sys.stderr)


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
        _tell(report, options)
    return reports


_FIGURES = ("threshold", "segments", "information", "entropy", "score")


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
               "thresholds": report.thresholds, "labels": len(report.shares),
               "shares": report.shares,
               "proposals": report.proposals}
    if report.names:
        result["names"] = [{"word": word, "labels": labels} for word, labels in report.names]
    if report.sweep:
        result["sweep"] = [{name: getattr(point, name) for name in _FIGURES}
                           for point in report.sweep]
    if report.hint:
        result["hint"] = report.hint
    return result | {"milliseconds": report.milliseconds,
                     "files": {name: str(file) for name, file in report.files.items()}}


def _tell(report: Report, options: argparse.Namespace) -> None:
    """A photo as it is done."""
    if options.json:
        print(json.dumps(_json_of(report, options)), flush=True)
        return
    if report.error:
        return
    height, width = report.size or report.label_size
    print(f"{report.source}: {height}x{width}, {len(report.shares)} segments in "
          f"{report.milliseconds['segment']:.0f} ms -> "
          + ", ".join(map(str, report.files.values())))
    for word, labels in report.names:
        print(f"  {word}:", *labels)
    if report.sweep:
        print("  threshold  segments  information  entropy   score")
    for point in report.sweep:
        print(f"{point.threshold:11.3f}{point.segments:10}{point.information:13.3f}"
              f"{point.entropy:9.3f}{point.score:8.3f}")


def _print_summary(reports: list[Report], options: argparse.Namespace, seconds: float) -> None:
    wanted = (options.threshold or ({"segments": options.segments} if options.segments else
                                    "model" if options.by_model else "auto"))
    failures = [{"name": str(report.source), "error": report.error}
                for report in reports if report.error]
    print(json.dumps({"summary": {
        "thresholds": wanted, "photos": len(reports), "done": len(reports) - len(failures),
        "skipped": 0, "failed": len(failures), "left": 0, "seconds": seconds,
        "failures": failures}}))


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
    begin = time.perf_counter()
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
    if options.json:
        _print_summary(reports, options, time.perf_counter() - begin)
    return 1 if any(failed) else 0


if __name__ == "__main__":
    sys.exit(main())
