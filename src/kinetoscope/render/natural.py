"""Naturalness in pictures: a card for each optimal input, and all of them beside natural clips."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from torch import Tensor

from ..types import Video
from .frames import pick, to_frames
from .polar import GRATINGS, TEXTURE, key
from .sheet import INK, LINE, MARGIN, MUTED, WIDTH, Sheet, cut, label_axes, own_defaults, quiet_axes
from .words import number

NATURAL, OPTIMUM, BAND = GRATINGS, TEXTURE, "#c6d5f3"
_FRAMES, _THUMB, _PLOT, _TOP = 6, 1.12, 2.9, 1.75


@dataclass(frozen=True, eq=False)
class Drawn:
    """What a card is drawn of.

    Attributes:
        title: printed above.
        row: of `units` in `naturalness.json`.
        video, best: the optimal input, and the natural clip that the unit answers to most.
        responses: to the natural clips, (clips,).
        difference: the optimal input's spectrum less the natural one, (w, f), decibels.
        space, time: its frequencies, cycles per pixel and per frame.
    """

    title: str
    row: Mapping[str, Any]
    video: Video
    best: Video
    responses: Float[Tensor, " clip"]
    difference: Float[Tensor, "w f"]
    space: Float[Tensor, " f"]
    time: Float[Tensor, " w"]


@own_defaults()
def draw_card(drawn: Drawn) -> bytes:
    """One optimal input beside natural clips, as a PNG 1600 pixels wide."""
    page, row = Sheet(7.9), drawn.row
    page.title(
        drawn.title, f"optimal input by {row['objective']}, among {len(drawn.responses)} natural clips"
    )
    source = row["best_natural"]
    where = (
        f"{cut(str(source['file']).rpartition('/')[2], 40)}, from frame {source['start']}, {source['view']}"
    )
    for x, words, note, video in (
        (MARGIN, "Optimal input", "frames", drawn.video),
        (8.35, "The natural clip that the unit answers to most", where, drawn.best),
    ):
        page.heading(x, _TOP - 0.33, words, note)
        page.strip(x, _TOP, (_THUMB, _THUMB), 0.08, _some(video, _FRAMES))
    y = _TOP + _THUMB + 0.85
    _draw_responses(page, drawn, MARGIN + 0.35, y)
    _draw_spectrum(page, drawn, 4.75, y)
    _draw_way(page, row["way"], 8.6, y)
    _draw_numbers(page, row, 12.35, y)
    return page.png()


def _some(video: Video, count: int) -> np.ndarray:
    return to_frames(video[list(pick(len(video), count))])


def _draw_responses(page: Sheet, drawn: Drawn, x: float, y: float) -> None:
    page.heading(x, y - 0.33, "Response", "blue: natural clips; orange: the optimal input")
    plot = page.axes(x, y, _PLOT, _PLOT)
    plot.hist(drawn.responses.tolist(), bins=24, color=NATURAL)
    plot.axvline(drawn.row["response"]["value"], color=OPTIMUM, linewidth=2.5)
    label_axes(plot, "response, in the layer's own scale", "natural clips")


def _draw_spectrum(page: Sheet, drawn: Drawn, x: float, y: float) -> None:
    page.heading(x, y - 0.33, "Spectrum less the natural one", "decibels; contrast taken out")
    plot = page.axes(x, y, _PLOT - 0.55, _PLOT)
    reach = 20.0
    image = plot.imshow(
        drawn.difference.numpy(), cmap="RdBu_r", vmin=-reach, vmax=reach, origin="lower", aspect="auto"
    )
    columns, rows = range(0, len(drawn.space), 2), range(0, len(drawn.time), max(1, len(drawn.time) // 5))
    plot.set_xticks(columns, [f"{float(drawn.space[k]):.2f}" for k in columns])
    plot.set_yticks(rows, [f"{float(drawn.time[k]):.2f}" for k in rows])
    label_axes(plot, "f [cycles/px]", "w [cycles/frame]")
    bar = page.figure.colorbar(image, cax=page.axes(x + _PLOT - 0.45, y, 0.12, _PLOT))
    quiet_axes(bar.ax)


def _draw_way(page: Sheet, way: Sequence[Mapping[str, Any]], x: float, y: float) -> None:
    page.heading(x, y - 0.33, "Way through the layers", "rank correlation with natural clips' activations")
    plot, places = page.axes(x, y, _PLOT, _PLOT - 0.75), range(len(way))

    def column(name: str) -> list[float]:
        return [np.nan if layer[name] is None else layer[name] for layer in way]

    plot.fill_between(places, column("natural_low"), column("natural_high"), color=BAND, linewidth=0)
    plot.plot(places, column("natural_median"), color=NATURAL, linewidth=1.6)
    plot.plot(places, column("to_all"), "o-", color=OPTIMUM, linewidth=1.6, markersize=4)
    plot.plot(places, column("among_best"), color=INK, linewidth=1, linestyle=":")
    plot.plot(places, column("to_best"), "o--", color=OPTIMUM, linewidth=1, markersize=3)
    plot.set_ylim(min(0.0, *plot.get_ylim()), 1.0)
    plot.set_xticks(places, [cut(layer["layer"], 16) for layer in way], rotation=40, ha="right")
    label_axes(plot, "", "")
    rows = [
        (NATURAL, "natural clips, with each other; band: 5 to 95 %"),
        (OPTIMUM, "optimal input: with all; dashed: with the best"),
        (INK, "dotted: the best natural clips, with each other"),
    ]
    key(page, x, y + _PLOT + 0.28, rows, 7.5)


def _draw_numbers(page: Sheet, row: Mapping[str, Any], x: float, y: float) -> None:
    page.text(x, y - 0.1, "Numbers", 11.0, weight="bold")
    page.text(WIDTH - MARGIN - 0.75, y - 0.1, "optimal", 8.5, MUTED, ha="right")
    page.text(WIDTH - MARGIN, y - 0.1, "natural", 8.5, MUTED, ha="right")
    transfer = row["transfer"] or {}
    rows = [
        ("response", number(row["response"]["value"], "{:.3g}"), row["response"]),
        ("  over the best natural", number(row["response"]["ratio_to_best"]), None),
        ("  percentile", number(row["response"]["percentile"], "{:.0f}"), None),
        ("spectrum gap [dB]", number(row["spectrum_gap_db"]["value"], "{:.1f}"), row["spectrum_gap_db"]),
        ("at the limits", number(row["limits"]["value"]), row["limits"]),
        ("contrast", number(row["contrast"]["value"]), row["contrast"]),
        ("colour", number((row["colour"] or {}).get("value")), row["colour"]),
        ("way: share of the best", number(row["way_share"]), None),
        ("way: percentile", number(row["way_percentile"], "{:.0f}"), None),
        ("second network: percentile", number(transfer.get("percentile"), "{:.0f}"), None),
        ("  over the best natural", number(transfer.get("ratio_to_best")), None),
        ("  its unit goes along by", number(transfer.get("correlation")), None),
    ]
    for index, (name, value, among) in enumerate(rows):
        level = y + 0.2 + 0.25 * index
        page.text(x, level, name, 9.0, MUTED)
        page.text(WIDTH - MARGIN - 0.75, level, value, 9.0, ha="right")
        if among is not None:
            page.text(
                WIDTH - MARGIN, level, number(among["natural_median"], "{:.3g}"), 9.0, MUTED, ha="right"
            )


Span = tuple[float | None, float | None, float | None, float | None]
"""A number of an optimal input; 5th, 50th and 95th percentile of natural clips."""


_SPAN = ("value", "natural_low", "natural_median", "natural_high")


def _of(name: str) -> Callable[[Mapping[str, Any]], Span]:
    def span(row: Mapping[str, Any]) -> Span:
        part = row[name] or {}
        value, low, middle, high = (part.get(key) for key in _SPAN)
        return value, low, middle, high

    return span


def _response(row: Mapping[str, Any]) -> Span:
    part = row["response"]
    if not part["ratio_to_best"]:  # 0: no answer at all, and so no scale for the natural ones
        return part["ratio_to_best"], None, None, None
    best = part["value"] / part["ratio_to_best"]
    low, middle, high = (part[f"natural_{name}"] / best for name in ("low", "median", "high"))
    return part["ratio_to_best"], low, middle, high


def _way(row: Mapping[str, Any]) -> Span:
    names = ("to_all", *_SPAN[1:])
    value, low, middle, high = (float(np.mean([layer[name] for layer in row["way"]])) for name in names)
    return value, low, middle, high


def _second(row: Mapping[str, Any]) -> Span:
    known = (row["transfer"] or {}).get("percentile")
    return known, 5.0, 50.0, 95.0


MEASURES: tuple[tuple[str, str, Callable[[Mapping[str, Any]], Span]], ...] = (
    ("Response", "best natural = 1", _response),
    ("Spectrum gap", "to natural, dB", _of("spectrum_gap_db")),
    ("At the limits", "share of the values", _of("limits")),
    ("Contrast", "RMS about mid grey", _of("contrast")),
    ("Colour", "spread of the channels", _of("colour")),
    ("Way", "rank correlation", _way),
    ("Second network", "percentile", _second),
)
"""Columns of the sheet of all units: heading, what its axis is, and what it shows of a unit."""


@own_defaults()
def draw_cards(drawn: Sequence[Drawn], title: str, natural: int) -> bytes:
    """All optimal inputs, a line each: frames, and each number beside the range of natural clips.

    Args:
        drawn: what the cards are drawn of.
        title: printed above.
        natural: how many natural clips there are.

    Returns:
        A PNG, 1600 pixels wide.
    """
    tall, thumb = 0.8, 0.7
    page = Sheet(_TOP + tall * len(drawn) + 0.75)
    page.title(title, f"orange: the optimal input; blue: {natural} natural clips, median and 5 to 95 %")
    for index, each in enumerate(drawn):
        level = _TOP + tall * index
        page.strip(MARGIN, level, (thumb, thumb), 0.05, _some(each.video, 3))
        layer, _, unit = each.title.rpartition(" / ")
        page.text(MARGIN + 2.35, level + 0.3, cut(layer.rpartition(" / ")[2], 18), 9.0)
        page.text(MARGIN + 2.35, level + 0.5, cut(unit, 18), 9.0, MUTED)
    columns = [m for m in MEASURES if any(m[2](each.row)[0] is not None for each in drawn)]
    left = MARGIN + 4.0
    wide = (WIDTH - MARGIN - left) / len(columns)
    for index, (words, note, span) in enumerate(columns):
        x = left + wide * index
        page.heading(x, _TOP - 0.33, words, note)
        plot = page.axes(x, _TOP, wide - 0.25, tall * len(drawn))
        _draw_column(plot, [span(each.row) for each in drawn])
    return page.png()


def _draw_column(plot: Axes, spans: Sequence[Span]) -> None:
    for level, (value, low, middle, high) in enumerate(spans):
        plot.axhline(level, color=LINE, linewidth=0.6, zorder=0)
        if low is not None and middle is not None and high is not None:
            plot.barh(level, high - low, left=low, height=0.36, color=BAND)
            plot.plot([middle] * 2, [level - 0.18, level + 0.18], color=NATURAL, linewidth=2)
        if value is not None:
            plot.plot(value, level, "o", color=OPTIMUM, markersize=7)
    plot.set_ylim(len(spans) - 0.5, -0.5)
    plot.set_yticks([])
    quiet_axes(plot)
