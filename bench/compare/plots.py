#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Draws what benchmarks measured.

plots.py study RESULTS PICTURE   time against agreement, of what diffseg_study --json wrote
plots.py speed RESULTS PICTURE   times as bars, of what compare_pipeline.py --chart wrote

RESULTS is JSON, PICTURE an SVG: the same bytes for the same results and the same matplotlib. Makes
its own virtual environment (matplotlib) beside the temporary files of the system, or in
DIFFSEG_COMPARE_VENV, and keeps it. --smoke: in the environment that is there, exit 77 without
matplotlib.
"""
from __future__ import annotations

import argparse
import json
import pathlib
import sys
from typing import TYPE_CHECKING, Any

sys.dont_write_bytecode = True  # nothing appears in the source tree
from harness import enter_environment  # noqa: E402

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Json = dict[str, Any]

SETTINGS = {
    "svg.fonttype": "none", "svg.hashsalt": "diffseg", "figure.dpi": 72,  # a pixel is a point
    "font.size": 9, "axes.titlesize": 11, "axes.titleweight": "bold", "axes.titlelocation": "left",
    "axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True,
    "axes.grid": True, "grid.color": "#e4e4e4", "text.color": "#222222"}
WIDTH = 690  # points
LABEL_SIZE = 8.5
# Dark enough to be read on white, and told apart by anyone together with the markers.
COLOURS = ["#000000", "#0072b2", "#d55e00", "#008060", "#a0408f", "#8a6d00", "#3b6fd4", "#c0392b",
           "#5d6d7e", "#1f7a8c", "#b03060"]
MARKERS = "*osD^vpPXhd"
SOURCES = {"attention": "attention stacks with the shapes of Stable Diffusion 1.5",
           "photos": "photos through the model-free front end",
           "trained": "photos through a trained vision transformer"}


def new_figure(height: float) -> Figure:
    """A white sheet, so that it reads the same on light and dark pages."""
    from matplotlib.figure import Figure
    return Figure(figsize=(WIDTH / 72, height / 72), facecolor="white")


def frame(figure: Figure, left: float, top: float, right: float, bottom: float) -> Axes:
    """Axes between edges in points from the upper left corner."""
    width, height = 72 * figure.get_size_inches()
    return figure.add_axes((left / width, 1 - bottom / height, (right - left) / width,
                            (bottom - top) / height))


def footnote(figure: Figure, text: str) -> None:
    figure.text(12 / WIDTH, 8 / (72 * figure.get_figheight()), text, size=8, color="#666666")


def shared(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Of each of [..., 4] boxes (left, bottom, right, top) the area that the [n, 4] others cover."""
    import numpy as np
    low = np.maximum(boxes[..., None, :2], others[:, :2])
    high = np.minimum(boxes[..., None, 2:], others[:, 2:])
    return np.clip(high - low, 0, None).prod(axis=-1).sum(axis=-1)


def around(centres: np.ndarray, size: tuple[float, float] | float) -> np.ndarray:
    """[..., 4] boxes of a size about [..., 2] centres."""
    import numpy as np
    half = np.broadcast_to(np.asarray(size) / 2, centres.shape)
    return np.concatenate([centres - half, centres + half], axis=-1)


def place_labels(points: np.ndarray, sizes: np.ndarray, sheet: np.ndarray) -> np.ndarray:
    """[n, 2] centres of labels of these sizes, each near its point: they and the lines to their
    points cover no other label, line or point where there is room. All in points; sheet: a box to
    stay inside."""
    import numpy as np
    angles = np.arange(16) * np.pi / 8
    directions = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    distances = np.arange(7, 70, 6.0)
    steps = np.linspace(0.2, 1, 8)[:, None]  # the line in small boxes
    centres = np.empty_like(points)
    placed = np.zeros((len(points), 1 + len(steps), 4))  # label and line, empty at first
    crowded = np.argsort(-shared(around(points, 60), around(points, 9)), kind="stable")
    for i in np.tile(crowded, 3):  # again, now that the later ones have a place
        candidates = (points[i] +
                      directions * (distances[:, None, None] + sizes[i] / 2)).reshape(-1, 2)
        labels = around(candidates, sizes[i])
        ends = np.clip(points[i], labels[:, :2], labels[:, 2:])
        lines = around(points[i] + steps * (ends - points[i])[:, None], 2)
        others = np.delete(points, i, axis=0)
        taken = np.concatenate([np.delete(placed, i, axis=0).reshape(-1, 4), around(others, 9)])
        cost = (np.repeat(distances, len(angles)) +
                50 * (sizes[i].prod() - shared(labels, sheet[None])) +
                20 * shared(labels, taken) + shared(labels, around(others, 22)) / 8 +
                20 * shared(lines, taken).sum(axis=-1))
        best = cost.argmin()
        centres[i] = candidates[best]
        placed[i] = np.concatenate([labels[best, None], lines[best]])
    return centres


def label_of(row: Json) -> str:
    """Settings that do not say themselves what they change follow the name of their group."""
    alone = row["group"] in ("preset", "refine", "numbers", "photo")
    return row["way"] if alone else f"{row['group']} {row['way']}"


def label_points(axes: Axes, rows: list[Json], styles: dict[str, Json]) -> None:
    import numpy as np
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath
    fonts = [FontProperties(size=LABEL_SIZE, weight="bold" if row["group"] == "preset" else None)
             for row in rows]
    sizes = [(TextPath((0, 0), label_of(row), prop=font).get_extents().width + 3, LABEL_SIZE + 1)
             for row, font in zip(rows, fonts)]
    points = axes.transData.transform([(row["ratio"], row["adjusted_rand"]) for row in rows])
    centres = place_labels(points, np.array(sizes), axes.bbox.extents)
    for row, font, size, point, centre in zip(rows, fonts, sizes, points, centres):
        gap = np.hypot(*np.maximum(np.abs(centre - point) - np.array(size) / 2, 0))
        line = {"arrowstyle": "-", "color": "#999999", "linewidth": 0.6, "shrinkA": 0, "shrinkB": 4}
        axes.annotate(label_of(row), (row["ratio"], row["adjusted_rand"]), centre - point,
                      textcoords="offset points", ha="center", va="center", fontproperties=font,
                      color=styles[row["group"]]["color"], arrowprops=line if gap > 9 else None)


def draw_panel(axes: Axes, rows: list[Json], styles: dict[str, Json]) -> None:
    """One source: agreement along time, a point for each setting."""
    from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter
    axes.set(title=f"{rows[0]['cases']} {SOURCES[rows[0]['source']]}", xscale="log",
             xlabel="time / time of the group's exact way (logarithmic; left is faster)",
             ylabel="agreement with the exact labels (ARI)")
    ratios = [row["ratio"] for row in rows]
    axes.set_xlim(min(0.5, *ratios) / 1.3, max(2, *ratios) * 1.3)
    axes.set_ylim(min(0.5, *(row["adjusted_rand"] for row in rows)) - 0.06, 1.15)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_yticks([tenth / 10 for tenth in range(11) if tenth / 10 > axes.get_ylim()[0]])
    axes.axvline(1, color="#aaaaaa", linewidth=0.8, linestyle="--", zorder=1)
    for row in rows:
        axes.plot(row["ratio"], row["adjusted_rand"], **styles[row["group"]])
    label_points(axes, rows, styles)


def draw_study(study: Json) -> Figure:
    """A panel for each source, and what the groups compare with."""
    from matplotlib.lines import Line2D
    exact = {row["group"]: row["exact"] for row in study["rows"]}
    styles = {group: {"marker": marker, "color": colour, "linestyle": "none",
                      "markersize": 12 if group == "preset" else 6, "markeredgewidth": 0}
              for group, colour, marker in zip(exact, COLOURS, MARKERS)}
    settings = [row for row in study["rows"] if not row["is_exact"]]
    panels = [[row for row in settings if row["source"] == source] for source in SOURCES]
    panels = [panel for panel in panels if panel]
    panel_height, lines = 360, (len(exact) + 1) // 2
    figure = new_figure(panel_height * len(panels) + 14 * lines + 22)
    for number, panel in enumerate(panels):
        top = panel_height * number + 28
        draw_panel(frame(figure, 50, top, WIDTH - 12, top + panel_height - 70), panel, styles)
    figure.legend([Line2D([], [], **(styles[group] | {"markersize": 7})) for group in exact],
                  [f"{group}: 1 = {text}" for group, text in exact.items()], ncols=2,
                  labelcolor="linecolor", loc="lower left", frameon=False, fontsize=LABEL_SIZE,
                  bbox_to_anchor=(4 / WIDTH, 20 / (72 * figure.get_figheight())))
    footnote(figure, f"Medians over cases. {study['machine']}, {study['threads']} threads, "
                     f"{study['rounds']} rounds")
    return figure


def time_text(milliseconds: float, _: object = None) -> str:
    return f"{milliseconds / 1000:.3g} s" if milliseconds >= 1000 else f"{milliseconds:.3g} ms"


def draw_speed(speed: Json) -> Figure:
    """Horizontal bars; ours stand out."""
    from matplotlib.ticker import FuncFormatter, NullLocator
    names = [row["name"] for row in speed["rows"]]
    times = [row["ms"] for row in speed["rows"]]
    ours = [name.startswith("diffseg") for name in names]
    bottom = 40 + 28 * len(names)
    figure = new_figure(bottom + 62)
    axes = frame(figure, 180, 34, WIDTH - 60, bottom)
    bars = axes.barh(names, times, 0.65, color=["#0072b2" if own else "#9aa5b1" for own in ours])
    texts = axes.bar_label(bars, [time_text(spent) for spent in times], padding=5, size=10)
    for label, text, own in zip(axes.get_yticklabels(), texts, ours):
        label.set(size=10, weight="bold" if own else "normal")
        text.set_weight("bold" if own else "normal")
    axes.set(xscale="log", xlim=(min(times) / 2, max(times) * 1.1), xlabel="time (logarithmic)")
    axes.set_title(speed["title"], x=(12 - 180) / (WIDTH - 240))
    axes.xaxis.set_major_formatter(FuncFormatter(time_text))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)
    footnote(figure, f"{speed['machine']}: {speed['command']}")
    return figure


PICTURES = {"study": (draw_study, "Time and agreement of the approximations"),
            "speed": (draw_speed, "Time from attention to labels beside PyTorch")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=PICTURES)
    parser.add_argument("results", type=pathlib.Path)
    parser.add_argument("picture", type=pathlib.Path)
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    results = json.loads(options.results.read_text())
    enter_environment(["matplotlib"], make=not options.smoke)
    try:
        import matplotlib
    except ImportError as error:
        print(f"skipped: {error}")
        sys.exit(77)
    draw, title = PICTURES[options.kind]
    with matplotlib.rc_context(SETTINGS):
        draw(results).savefig(options.picture, format="svg",
                              metadata={"Title": title, "Date": None})


if __name__ == "__main__":
    main()
