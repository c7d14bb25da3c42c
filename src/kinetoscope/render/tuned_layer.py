"""A layer's tuning on one sheet: what its units prefer, and how well their pictures agree with it."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes

from .polar import GRATINGS, TEXTURE, direction_square, key
from .sheet import INK, MARGIN, MUTED, WIDTH, Sheet, cut, label_axes, own_defaults, say
from .words import number

_SIDE, _TOP = 3.2, 1.75
PREFERS = 0.3
"""Dsi from which a unit counts as preferring a direction."""

AGREED = (
    ("units", "units that prefer a direction", "{:d}"),
    ("median_error_deg", "median error", "{:.1f}°"),
    ("within_45_deg", "share within 45°", "{:.2f}"),
    ("circular_correlation", "circular correlation", "{:.2f}"),
    ("speed_correlation", "rank correlation of speeds", "{:.2f}"),
    ("shown_still", "of these shown still (count as 90°)", "{:d}"),
    ("without_preference", "units without a preference", "{:d}"),
    ("of_these_shown_moving", "of these shown moving", "{:d}"),
)


@own_defaults()
def draw_layer(rows: Sequence[Mapping[str, Any]], agreement: Mapping[str, Any] | None, title: str) -> bytes:
    """Histograms of direction, speed and dsi; shown against measured direction where pictures were compared.

    Args:
        rows: `units` of `tuning.json`.
        agreement: of `tuning.json`.
        title: printed above.

    Returns:
        A PNG, 1600 pixels wide.
    """
    page = Sheet(_TOP + _SIDE + (0.95 if agreement is None else _SIDE + 2.1))
    preferring = sum((row["dsi"] or 0.0) >= PREFERS for row in rows)
    silent = sum(row["dsi"] is None for row in rows)
    facts = f"{len(rows)} units; {preferring} prefer a direction (dsi {PREFERS:g} or more)"
    page.title(title, facts + (f"; {silent} answer no grating" if silent else ""))
    _histograms(page, rows)
    if agreement is not None:
        _compared(page, rows, agreement, _TOP + _SIDE + 1.3)
    return page.png()


@own_defaults()
def draw_layers(layers: Sequence[Mapping[str, Any]], title: str) -> bytes:
    """Shown against measured direction, one layer below the other.

    Args:
        layers: from shallow to deep: `layer`, `units` and `agreement`, as in its `tuning.json`.
        title: printed above.
    """
    pitch = _SIDE + 1.75
    page = Sheet(1.3 + pitch * len(layers))
    page.title(title, rule=0.75)
    for index, layer in enumerate(layers):
        top = 1.15 + pitch * index
        page.text(MARGIN, top, cut(layer["layer"], 90), 13.0, "#1b4fb3", weight="bold")
        _compared(page, layer["units"], layer["agreement"], top + 0.65)
    return page.png()


def _compared(
    page: Sheet, rows: Sequence[Mapping[str, Any]], agreement: Mapping[str, Any], below: float
) -> None:
    for x, name, words, colour in (
        (MARGIN, "gratings", "by gratings", GRATINGS),
        (4.45, "texture", "by the unit's own texture", TEXTURE),
    ):
        note = f"{words}; band: within 45°; pale: dsi < {PREFERS:g}"
        page.heading(x, below - 0.33, "Shown against measured", note)
        _scatter(page.axes(x + 0.5, below, _SIDE, _SIDE), rows, name, colour)
    _agreement_table(page, agreement, 9.0, below)


def _histograms(page: Sheet, rows: Sequence[Mapping[str, Any]]) -> None:
    def known(name: str, least: float = 0.0) -> list[float]:
        return [row[name] for row in rows if row[name] is not None and (row["dsi"] or 0.0) >= least]

    speeds = known("preferred_speed_px_per_frame")
    kinds = sorted(set(speeds))
    plots = [page.axes(MARGIN + 0.5 + 5.2 * k, _TOP, 4.2, _SIDE - 0.3) for k in range(3)]
    directions = [
        known("preferred_direction_deg", PREFERS),
        [row["preferred_direction_deg"] for row in rows if row["dsi"] is not None and row["dsi"] < PREFERS],
    ]
    bins = [45 * k - 22.5 for k in range(9)]
    turned = [[(angle + 22.5) % 360 - 22.5 for angle in part] for part in directions]
    plots[0].hist(turned, bins=bins, stacked=True, color=(GRATINGS, "#c6d5f3"), rwidth=0.9)
    plots[0].set_xticks(range(0, 360, 45))
    plots[1].bar(range(len(kinds)), [speeds.count(kind) for kind in kinds], color=GRATINGS, width=0.8)
    plots[1].set_xticks(range(len(kinds)), [f"{kind:g}" for kind in kinds])
    plots[2].hist(known("dsi"), bins=[k / 20 for k in range(21)], color=GRATINGS, rwidth=0.9)
    plots[2].axvline(PREFERS, color=INK, linewidth=1, linestyle="--")
    words = (
        ("Preferred direction", "of gratings; pale: units with dsi below 0.3", "degrees; 0 right, 90 up"),
        ("Preferred speed", "of gratings; 0: a standing one", "px/frame"),
        ("Direction selectivity", "dsi of gratings", "dsi"),
    )
    for k, (plot, (heading, note, across)) in enumerate(zip(plots, words, strict=True)):
        page.heading(MARGIN + 5.2 * k, _TOP - 0.33, heading, note)
        label_axes(plot, across, "units")
        plot.locator_params(axis="y", integer=True)


def _scatter(plot: Axes, rows: Sequence[Mapping[str, Any]], name: str, colour: str) -> None:
    direction_square(plot, "measured [degrees]", "shown [degrees]")
    some = False
    for row in rows:
        if "shown" not in row or row["shown"]["direction_deg"] is None:
            continue
        measured = row if name == "gratings" else row["texture"]
        if measured["preferred_direction_deg"] is None:
            continue
        some, prefers = True, measured["dsi"] >= PREFERS
        place = (measured["preferred_direction_deg"], row["shown"]["direction_deg"])
        plot.plot(
            *place, marker="o", markersize=6, color=colour, alpha=1.0 if prefers else 0.25, markeredgewidth=0
        )
        if prefers and row["error_deg"][name] > 45:
            plot.annotate(str(row["unit"]), place, (4, 3), textcoords="offset points", fontsize=8, color=INK)
    if not some:
        say(plot, "nothing shown moves", True)


def _agreement_table(page: Sheet, agreement: Mapping[str, Any], x: float, y: float) -> None:
    page.text(x, y - 0.14, "Agreement", 11.0, weight="bold")
    for column, name in ((WIDTH - 2.2, "gratings"), (WIDTH - MARGIN, "texture")):
        page.text(column, y + 0.15, {"texture": "own texture"}.get(name, name), 9.5, MUTED, ha="right")
        for index, (field, _, pattern) in enumerate(AGREED):
            value = number(agreement[name][field], pattern)
            page.text(column, y + 0.5 + 0.3 * index, value, 9.5, ha="right")
    for index, (_, words, _) in enumerate(AGREED):
        page.text(x, y + 0.5 + 0.3 * index, words, 9.5, MUTED)
    key(page, x, y + 0.6 + 0.3 * len(AGREED), [(INK, "numbers in the plots: units more than 45° off")])
