"""Figures of the evaluation: errors per family, fields beside the truth, and motion by depth."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from torch import Tensor

from .colour import flow_to_rgb, scale_words
from .frames import to_frame
from .sheet import INK, LINE, MARGIN, MUTED, WIDTH, Sheet, own_defaults

Row = Mapping[str, Any]
Fields = Mapping[str, Mapping[str, Float[Tensor, "2 _ _"]]]
"""Per case, the time averages to be drawn beside each other: the truth's first, then each formulation's."""

COLOURS = {
    "layered": "#2f6fde",
    "fetch": "#f0a030",
    "paper": "#b03a5b",
    "dis": "#3aa17e",
    "farneback": "#8a8f98",
}
WORDS = {
    "truth": "planted",
    "layered": "layered (default)",
    "fetch": "fetched pixels",
    "paper": "paper's formulation",
    "dis": "DIS flow",
    "farneback": "Farnebäck's flow",
}
_SCALE = 1.0
"""Speed shown at full brightness, pixels per frame: turning is slow near the middle, and should be seen."""

_LEAST_ERROR = 1e-3
"""Errors are drawn from here up: a logarithm has no zero."""


@own_defaults()
def draw_planted(rows: Sequence[Row], fields: Fields) -> bytes:
    """Errors of every family, example fields, and how far content was said to travel, as a PNG.

    Args:
        rows: of `planted.json`.
        fields: time-averaged velocities (2, H, W), pixels per frame, by case and formulation.
    """
    families = list(dict.fromkeys((row["planted"], row["family"]) for row in rows))
    top, line = 1.35, 0.3
    charts = line * len(families) + 0.7
    below = top + charts + 0.75
    page = Sheet(below + 6 * 1.65 + 0.7)
    facts = "dot: median; bar: least to greatest over cases and seeds; left is better"
    page.title("What was planted, and what came back", facts)
    _draw_errors(page, rows, families, top, charts)
    _draw_fields(page, fields, below)
    _draw_paths(page, rows, 11.6, below + 0.1)
    return page.png()


def _draw_errors(
    page: Sheet, rows: Sequence[Row], families: Sequence[tuple[str, str]], top: float, height: float
) -> None:
    panels = (
        ("endpoint_px", "end-point error, px/frame (log)", 3.1, 5.4),
        ("direction_deg", "direction error, degrees", 8.8, 3.2),
        ("speed_ratio", "speed ratio (1 is best)", 12.3, 3.2),
    )
    for key, title, left, width in panels:
        axes = page.axes(left, top, width, height - 0.45)
        for place, (planted, family) in enumerate(families):
            for shift, (formulation, colour) in zip(
                (-0.3, -0.15, 0.0, 0.15, 0.3), COLOURS.items(), strict=True
            ):
                values = [
                    row["errors"][key]
                    for row in rows
                    if (row["planted"], row["family"], row["formulation"]) == (planted, family, formulation)
                    and row["errors"][key] is not None
                ]
                if values:
                    _draw_range(axes, np.array(values), place + shift, colour, log=key == "endpoint_px")
        names = [f"{planted}: {family}" if left < 4 else "" for planted, family in families]
        _quiet(axes)
        axes.set_yticks(range(len(families)), names, fontsize=9)
        axes.set_ylim(len(families) - 0.5, -0.5)
        for place in range(len(families)):
            axes.axhline(place + 0.5, color=LINE, linewidth=0.5)
        axes.set_xlabel(title, fontsize=9)
        if key == "endpoint_px":
            axes.set_xscale("log")
            axes.set_xlim(_LEAST_ERROR * 0.8, None)
        if key == "direction_deg":
            axes.set_xlim(-3, 183)
            axes.set_xticks([0, 45, 90, 135, 180])
        if key == "speed_ratio":
            axes.axvline(1.0, color=INK, linewidth=0.8)
            axes.set_xlim(-0.35, 1.35)
    for index, (formulation, colour) in enumerate(COLOURS.items()):
        page.text(6.2 + 1.95 * index, 0.7, f"● {WORDS[formulation]}", 10.5, colour, weight="bold")


def _draw_range(axes: Axes, values: np.ndarray, place: float, colour: str, *, log: bool) -> None:
    shown = np.maximum(values, _LEAST_ERROR) if log else values
    axes.plot([shown.min(), shown.max()], [place, place], color=colour, linewidth=1.6, alpha=0.55)
    axes.plot([np.median(shown)], [place], "o", color=colour, markersize=5)


def _quiet(axes: Axes) -> None:
    axes.tick_params(labelsize=8)
    for spine in axes.spines.values():
        spine.set_color(LINE)


def _draw_fields(page: Sheet, fields: Fields, top: float) -> None:
    page.heading(
        MARGIN, top - 0.25, "Velocity, mean over time", f"{scale_words(_SCALE, clipped=True)}; seed 0"
    )
    box, gap, left = (1.65, 1.2), 0.12, 1.3
    kinds = list(WORDS)
    for column, (case, pictures) in enumerate(list(fields.items())[:5]):
        x = left + column * (box[0] + gap)
        for line, kind in enumerate(kinds):
            if kind not in pictures:
                continue
            y = top + 0.35 + line * 1.65
            page.picture(x, y, *box, to_frame(flow_to_rgb(pictures[kind][None], _SCALE)[0]))
        page.text(x, top + 0.25, case, 9.0)
    for line, kind in enumerate(kinds):
        page.text(MARGIN, top + 0.95 + line * 1.65, WORDS[kind].replace(" ", "\n", 1), 9.0, MUTED)
    page.wheel(10.3, top + 0.4, 0.9, 180)
    page.text(10.75, top + 0.35, "up", 8.5, ha="center")
    page.text(10.75, top + 1.45, "right is red", 8.5, ha="center")


def _draw_paths(page: Sheet, rows: Sequence[Row], x: float, top: float) -> None:
    """Mean distance travelled along the truth against time: a drift rises evenly, a free field jumps back."""
    for index, family in enumerate(("translation", "grating, 8 px")):
        chosen = [row for row in rows if row["family"] == family and row["seed"] == 0]
        if not chosen:
            continue
        y = top + 0.35 + index * 3.25
        first = [row for row in chosen if row["name"] == chosen[0]["name"]]
        page.heading(x, y - 0.3, f"{family}: {chosen[0]['name']}", "distance travelled, px, against frame")
        axes = page.axes(x, y, WIDTH - MARGIN - x, 2.3)
        truth = np.array(first[0]["truth_path"])
        unit = truth[-1] / max(float(np.hypot(*truth[-1])), 1e-9)
        axes.plot(truth @ unit, color=INK, linewidth=3.5, alpha=0.25)
        for row in first:
            path = np.array(row["result_path"]) @ unit
            axes.plot(path, color=COLOURS[row["formulation"]], linewidth=1.6)
        _quiet(axes)
    page.text(x, top + 6.4, "grey band: planted", 9.0, MUTED)


DEPTH_PANELS = (
    ("mean_speed_px_per_frame", "mean speed, px/frame"),
    ("coherence", "coherence"),
    ("patch_px", "patches of one direction, px"),
    ("directions", "distinct directions, of 8"),
)


@own_defaults()
def draw_depth(rows: Sequence[Row], title: str) -> bytes:
    """One panel per measure as a PNG: layers from shallow to deep, a dot per unit, a bar at the median."""
    layers = list(dict.fromkeys(row["layer"] for row in rows))
    page = Sheet(5.6)
    page.title(title, "a dot per unit, a bar at the median; layers from shallow to deep")
    for index, (key, words) in enumerate(DEPTH_PANELS):
        left, width = 0.75 + 3.85 * index, 3.2
        page.heading(left, 1.4, words)
        axes = page.axes(left, 1.6, width, 3.0)
        for place, layer in enumerate(layers):
            values = [row[key] for row in rows if row["layer"] == layer and row[key] is not None]
            if not values:
                continue
            spread = np.linspace(-0.22, 0.22, len(values)) if len(values) > 1 else np.zeros(1)
            axes.plot(place + spread, values, "o", color="#2f6fde", markersize=4, alpha=0.6)
            axes.plot([place - 0.32, place + 0.32], [float(np.median(values))] * 2, color=INK, linewidth=2)
        _quiet(axes)
        axes.set_xticks(range(len(layers)), layers, rotation=45, ha="right", fontsize=8)
        axes.set_xlim(-0.5, len(layers) - 0.5)
        axes.set_ylim(bottom=0)
    return page.png()
