"""A layer's compass on one sheet: clips at the angles asked for, where they go, and both held together."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from matplotlib.axes import Axes

from ..results import UnitResult
from .colour import DEFAULT_SCALE, flow_to_rgb, scale_words
from .frames import to_frame
from .polar import GRATINGS, direction_square, polar_axes
from .sheet import INK, MARGIN, MUTED, WIDTH, Sheet, own_defaults, say
from .words import number

_RING, _OUTER, _INNER, _DISC = 7.4, 3.15, 1.95, 2.6
_PLOT, _TOP = 2.9, 1.75
_NUMBERS = (
    ("circular_correlation", "circular correlation", "{:.2f}"),
    ("median_error_deg", "median error", "{:.0f}°"),
    ("within_45_deg", "share within 45°", "{:.2f}"),
    ("shown_still", "go nowhere (count as 90°)", "{:d}"),
)


@dataclass(frozen=True, eq=False)
class Shown:
    """One angle: its row of `needles` in `compass.json`, and its clip with its account."""

    row: Mapping[str, Any]
    result: UnitResult


@own_defaults()
def draw_compass(
    shown: Sequence[Shown], held: Mapping[str, Any], held_out: Sequence[Sequence[float]], title: str
) -> bytes:
    """The sheet of a layer: a ring of clips for the probe, one for the control, and what comes back of each.

    Args:
        shown: all angles of both; none where the layer has no plane of direction.
        held: of `compass.json`.
        held_out: planted and read direction of each held-out clip, degrees.
        title: printed above.

    Returns:
        A PNG, 1600 pixels wide.
    """
    below = _TOP + (_RING + 0.75 if shown else 0.1)
    page = Sheet(below + _PLOT + 0.85)
    clips = held["clips"]
    page.title(
        title,
        f"linear probe of motion direction on {clips['trained_on']} planted clips, scored on "
        f"{clips['held_out']} others; 0° right, 90° up, counter-clockwise",
    )
    kinds = {kind: [each for each in shown if each.row["kind"] == kind] for kind in ("probe", "shuffled")}
    if shown:
        for kind, x, words, note in (
            ("probe", MARGIN, "The probe", "each clip at the angle asked for: middle frame; mean motion"),
            ("shuffled", 8.2, "Shuffled probes", "the control: directions dealt anew to the planted clips"),
        ):
            page.heading(x, _TOP - 0.33, words, f"{note}; arrows: where it goes, coloured as asked")
            _draw_ring(page, kinds[kind], x + _RING / 2, _TOP + 0.15 + _RING / 2)
        page.text(MARGIN, below - 0.55, f"motion: {scale_words(DEFAULT_SCALE)}", 8.5, MUTED)
    _draw_plots(page, kinds, held_out, below)
    _draw_numbers(page, held, 12.2 if shown else 4.9, below)
    return page.png()


def _draw_ring(page: Sheet, shown: Sequence[Shown], across: float, down: float) -> None:
    disc = polar_axes(page, across - _DISC / 2, down - _DISC / 2, _DISC)
    apart = 2 * math.pi / max(len(shown), 1)
    for each in shown:
        angle, velocity = math.radians(each.row["asked_deg"]), each.result.decomposition.velocity
        middle = each.result.video[len(each.result.video) // 2]
        mean = flow_to_rgb(velocity.mean(dim=0)[None], DEFAULT_SCALE)[0]
        for image, radius, most in ((middle, _OUTER, 1.05), (mean, _INNER, 0.62)):
            side = min(most, 0.7 * apart * radius)
            x, y = across + radius * math.cos(angle), down - radius * math.sin(angle)
            page.picture(x - side / 2, y - side / 2, side, side, to_frame(image))
        _arrow(disc, each.row["recovered_deg"], each.row["asked_deg"])
    if not any(each.row["recovered_deg"] is not None for each in shown):
        say(disc, "no clip moves", True)


def _arrow(disc: Axes, recovered_deg: float | None, asked_deg: float) -> None:
    """From the middle to where the clip goes, in the hue of the angle asked for."""
    if recovered_deg is None:
        return
    asked, turn = math.radians(asked_deg), math.radians(recovered_deg)
    flow = torch.tensor([math.cos(asked), -math.sin(asked)]).view(1, 2, 1, 1)
    colour = tuple(flow_to_rgb(flow, 1.0)[0, :, 0, 0].mul(0.85).tolist())
    how = {"arrowstyle": "-|>", "color": colour, "linewidth": 1.8, "shrinkA": 0, "shrinkB": 0}
    disc.annotate("", xy=(math.cos(turn), math.sin(turn)), xytext=(0, 0), arrowprops=how)


def _draw_plots(
    page: Sheet,
    kinds: Mapping[str, Sequence[Shown]],
    held_out: Sequence[Sequence[float]],
    y: float,
) -> None:
    plots = [("Held-out clips", "planted [degrees]", "read by the probe [degrees]", held_out)]
    for kind, words in (("probe", "Clips of the probe"), ("shuffled", "Clips of shuffled probes")):
        places = [(each.row["asked_deg"], each.row["recovered_deg"]) for each in kinds[kind]]
        moving = [(asked, came) for asked, came in places if came is not None]
        if places:
            plots.append((words, "asked [degrees]", "recovered [degrees]", moving))
    for index, (words, across, up, points) in enumerate(plots):
        x = MARGIN + 0.5 + 3.8 * index
        page.heading(x, y - 0.33, words, "on the line: as it should be; band: within 45°")
        plot = page.axes(x, y, _PLOT, _PLOT)
        direction_square(plot, across, up)
        small = index == 0
        for place in points:
            plot.plot(
                *place, "o", markersize=3 if small else 6, color=GRATINGS, alpha=0.5 if small else 1.0,
                markeredgewidth=0,
            )  # fmt: skip


def _draw_numbers(page: Sheet, held: Mapping[str, Any], x: float, y: float) -> None:
    probe, chance = held["probe"], held["probe"]["held_out_shuffled"]
    page.text(x, y - 0.1, "Numbers", 11.0, weight="bold")
    rows = [
        ("held-out clips:", ""),
        ("  circular correlation", number(probe["held_out"]["circular_correlation"])),
        ("  median error (chance 90°)", number(probe["held_out"]["median_error_deg"], "{:.0f}°")),
        ("  mean cosine", number(probe["held_out"]["mean_cosine"])),
        ("  mean cosine, best shuffled probe", number(max(score["mean_cosine"] for score in chance))),
    ]
    for kind, words in (("probe", "clips of the probe:"), ("shuffled", "clips of shuffled probes:")):
        came = held["recovered"][kind]
        if came is not None:
            rows.append((words, ""))
            rows += [(f"  {name}", number(came[key], pattern)) for key, name, pattern in _NUMBERS]
    for index, (name, value) in enumerate(rows):
        page.text(x, y + 0.16 + 0.215 * index, name, 9.0, MUTED if value else INK)
        page.text(min(x + 3.0, WIDTH - MARGIN), y + 0.16 + 0.215 * index, value, 9.0, ha="right")
    if not probe["knows_direction"]:
        page.text(x, y + 0.5 + 0.215 * len(rows), "No plane of direction in this layer:", 10.0, weight="bold")
        page.text(x, y + 0.72 + 0.215 * len(rows), "the probe reads none, so no clips were made.", 10.0)
