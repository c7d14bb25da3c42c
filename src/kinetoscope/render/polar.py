"""Direction curves within a ring of the colours of motion pictures, and the arrow that a picture shows."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.patches import Circle

from .colour import flow_to_rgb
from .sheet import INK, LINE, MUTED, Sheet, cut, label_axes
from .words import number

GRATINGS, TEXTURE, PLAIDS, SHOWN = "#2f6fde", "#e0861a", "#3aa17e", "#1f2328"


def polar_axes(page: Sheet, x: float, y: float, side: float) -> Axes:
    """A disc of radius 1 with a ring of hues around it; 0 degrees right, 90 up."""
    axes = page.axes(x, y, side, side)
    axes.set_xlim(-1.32, 1.32)
    axes.set_ylim(-1.32, 1.32)
    axes.set_axis_off()
    angles = np.radians(np.arange(0, 360, 4))
    flow = torch.tensor(np.stack([np.cos(angles), -np.sin(angles)]), dtype=torch.float32)
    hues = flow_to_rgb(flow[None, :, None], 1.0)[0, :, 0].T.numpy()
    ring = [
        [(1.07 * math.cos(a + side), 1.07 * math.sin(a + side)) for side in (-0.04, 0.04)] for a in angles
    ]
    axes.add_collection(LineCollection(ring, colors=hues, linewidths=3))
    for radius in (0.5, 1.0):
        axes.add_patch(Circle((0, 0), radius, fill=False, edgecolor=LINE, linewidth=0.8))
    axes.plot([-1, 1], [0, 0], color=LINE, linewidth=0.8)
    axes.plot([0, 0], [-1, 1], color=LINE, linewidth=0.8)
    for words, (at_x, at_y) in {
        "0°": (1.22, 0),
        "90°": (0, 1.22),
        "180°": (-1.24, 0),
        "270°": (0, -1.22),
    }.items():
        axes.text(at_x, at_y, words, ha="center", va="center", fontsize=7.5, color=MUTED)
    return axes


def direction_square(plot: Axes, across: str, up: str) -> None:
    """Two directions against each other, degrees; the line is where they agree, the band is 45 wide."""
    line = np.array([-20.0, 380.0])
    for turn in (-360, 0, 360):
        plot.fill_between(line, line + turn - 45, line + turn + 45, color="#eef0f3", linewidth=0)
        plot.plot(line, line + turn, color=LINE, linewidth=1)
    plot.set_xlim(-20, 380)
    plot.set_ylim(-20, 380)
    plot.set_xticks(range(0, 361, 90))
    plot.set_yticks(range(0, 361, 90))
    label_axes(plot, across, up)


def draw_curve(axes: Axes, values: Sequence[float], colour: str, dashed: bool = False) -> None:
    """Answers to evenly spaced directions from 0 on, the largest at the rim; what is below 0 lies at 0."""
    radii = np.clip(np.asarray(values, dtype=float), 0, None)
    if not np.isfinite(radii).all() or radii.max() <= 0:
        return
    radii = np.append(radii, radii[0]) / radii.max()
    angles = np.linspace(0, 2 * math.pi, len(radii))
    x, y = radii * np.cos(angles), radii * np.sin(angles)
    axes.plot(x, y, color=colour, linewidth=1.6, linestyle="--" if dashed else "-")
    axes.fill(x, y, color=colour, alpha=0.1, linewidth=0)


def draw_preferred(axes: Axes, direction_deg: float | None, selectivity: float | None, colour: str) -> None:
    """A spoke as long as the direction selectivity, ending in a dot."""
    if direction_deg is None or selectivity is None:
        return
    angle = math.radians(direction_deg)
    x, y = selectivity * math.cos(angle), selectivity * math.sin(angle)
    axes.plot([0, x], [0, y], color=colour, linewidth=2.2)
    axes.plot([x], [y], marker="o", color=colour, markersize=4)


def draw_shown(axes: Axes, direction_deg: float | None) -> None:
    """The direction that the picture shows, as an arrow to the rim; a ring in the middle where it stands."""
    if direction_deg is None:
        axes.add_patch(Circle((0, 0), 0.09, fill=False, edgecolor=SHOWN, linewidth=1.6))
        return
    angle = math.radians(direction_deg)
    tip = (math.cos(angle), math.sin(angle))
    how = {"arrowstyle": "-|>", "color": SHOWN, "linewidth": 1.6, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", xy=tip, xytext=(0, 0), arrowprops=how)


def key(page: Sheet, x: float, y: float, rows: Sequence[tuple[str, str]], size: float = 8.5) -> None:
    """What the colours mean, a line each: colour, words."""
    for index, (colour, words) in enumerate(rows):
        page.text(x, y + 0.18 * index, "■", size, colour)
        page.text(x + 0.17, y + 0.18 * index, words, size, INK)


def draw_measured(page: Sheet, tuned: Mapping[str, Any], x: float, y: float) -> None:
    """What was measured beside what a picture shows, small: both direction curves and the shown arrow.

    Args:
        tuned: `gratings` and `texture`, answers to evenly spaced directions; `preferred_direction_deg` and
            `dsi` of each under the same names in `numbers`; `shown_deg`; `beaten_by`.
    """
    disc = polar_axes(page, x, y, 1.62)
    rows = []
    for name, colour, words in (("gratings", GRATINGS, "gratings"), ("texture", TEXTURE, "texture")):
        numbers = tuned["numbers"][name]
        draw_curve(disc, tuned[name], colour)
        draw_preferred(disc, numbers["preferred_direction_deg"], numbers["dsi"], colour)
        rows.append((colour, f"{words} {number(numbers['preferred_direction_deg'], '{:.0f}°')}"))
    draw_shown(disc, tuned["shown_deg"])
    for index, (colour, words) in enumerate(rows):
        page.text(x + 0.95 * index - 0.05, y + 1.74, "■", 7.0, colour)
        page.text(x + 0.95 * index + 0.08, y + 1.74, words, 7.5)
    if tuned["beaten_by"]:
        page.text(x - 0.05, y + 1.9, cut(f"beaten by {tuned['beaten_by']}", 40), 7.5, "#b3261e")
