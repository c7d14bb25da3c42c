"""Pictures of what a unit answers to: a panel per unit, and a sheet per layer."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Ellipse, Rectangle

from .polar import GRATINGS, PLAIDS, SHOWN, TEXTURE, draw_curve, draw_preferred, draw_shown, key, polar_axes
from .sheet import INK, LINE, MARGIN, MUTED, WIDTH, Sheet, cut, label_axes, own_defaults, say
from .words import number

TIMES = "\N{MULTIPLICATION SIGN}"
_TOP, _SIDE = 1.75, 3.1


@own_defaults()
def draw_panel(
    row: Mapping[str, Any], arrays: Mapping[str, np.ndarray], axes: Mapping[str, Any], title: str
) -> bytes:
    """One unit: direction curve, speed against wavelength, time course, receptive field, kinds of stimuli.

    Args:
        row: of `tuning.json`.
        arrays: of `responses.safetensors`, this unit's part of each.
        axes: as in `tuning.json`.
        title: printed above.

    Returns:
        A PNG, 1600 pixels wide.
    """
    kinds = sorted(row["responses"].items(), key=lambda item: -item[1]["response"])
    page = Sheet(_TOP + _SIDE + 0.95 + max(0.24 * len(kinds), 4.4) + 0.45)
    _draw_head(page, row, title)
    _draw_direction(page, row, arrays, axes, MARGIN, _TOP)
    _draw_heat(page, row, arrays, axes, 4.35, _TOP)
    _draw_course(page, arrays, 8.5, _TOP)
    _draw_field(page, row, arrays, 12.6, _TOP)
    below = _TOP + _SIDE + 0.95
    _draw_kinds(page, row, kinds, MARGIN, below)
    _draw_numbers(page, row, 9.2, below)
    return page.png()


def _draw_head(page: Sheet, row: Mapping[str, Any], title: str) -> None:
    page.title(title, rule=0)
    best = f"answers most to: {row['best_stimulus']} (contrast {number(row['best_contrast'])})"
    page.text(MARGIN, 0.83, cut(best, 130), 10.0, MUTED)
    if row.get("beaten_by"):
        page.text(
            WIDTH - MARGIN, 0.83, "this beats the optimal input", 10.0, "#b3261e", ha="right", weight="bold"
        )
    page.rule(1.02)


def _draw_direction(
    page: Sheet,
    row: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
    axes: Mapping[str, Any],
    x: float,
    y: float,
) -> None:
    page.heading(x, y - 0.33, "Direction", "answers, largest at the rim; spokes: vector sum, long as dsi")
    disc = polar_axes(page, x, y, _SIDE)
    place = optimum_cell(row, axes)
    rows = [(GRATINGS, f"gratings, dsi {number(row['dsi'])}")]
    if place is not None:
        plaids = arrays["plaids"].mean(axis=1)
        draw_curve(disc, plaids.tolist(), PLAIDS, dashed=True)
        rows.append((PLAIDS, f"plaids: {((row['plaids'] or {}).get('class') or 'no answer')}"))
        draw_curve(disc, arrays["gratings"][place].mean(axis=1).tolist(), GRATINGS)
        draw_preferred(disc, row["preferred_direction_deg"], row["dsi"], GRATINGS)
    if "texture" in row:
        draw_curve(disc, arrays["own_texture"].tolist(), TEXTURE)
        draw_preferred(disc, row["texture"]["preferred_direction_deg"], row["texture"]["dsi"], TEXTURE)
        draw_shown(disc, row["shown"]["direction_deg"])
        rows.append((TEXTURE, f"own texture, dsi {number(row['texture']['dsi'])}"))
        shown = row["shown"]["direction_deg"]
        rows.append((SHOWN, "arrow: as shown" if shown is not None else "ring: shown still"))
    half = (len(rows) + 1) // 2
    key(page, x, y + _SIDE + 0.2, rows[:half])
    key(page, x + 1.75, y + _SIDE + 0.2, rows[half:])


def optimum_cell(row: Mapping[str, Any], axes: Mapping[str, Any]) -> int | None:
    """Where the unit's best moving grating stands among the pairs of wavelength and speed."""
    if row["moving_grating"] is None:
        return None
    pairs = [tuple(pair) for pair in axes["wavelength_speed"]]
    return pairs.index(tuple(row["moving_grating"][:2]))


def _draw_heat(
    page: Sheet,
    row: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
    axes: Mapping[str, Any],
    x: float,
    y: float,
) -> None:
    page.heading(
        x, y - 0.33, "Speed against wavelength", "gratings in the best direction; share of the largest"
    )
    wavelengths, pairs = list(axes["wavelengths_px"]), [tuple(pair) for pair in axes["wavelength_speed"]]
    speeds = sorted({speed for _, speed in pairs})
    table = np.full((len(speeds) + 1, len(wavelengths)), np.nan)
    if row["moving_grating"] is None:
        say(page.picture(x, y, _SIDE, _SIDE - 0.3, np.ones((4, 4, 3))), "no answer to gratings", True)
        return
    direction = list(axes["directions_deg"]).index(row["moving_grating"][2])
    still = arrays["static_gratings"].mean(axis=2)
    table[0] = still[:, direction % still.shape[1]]
    for (wavelength, speed), answers in zip(pairs, arrays["gratings"], strict=True):
        table[1 + speeds.index(speed), wavelengths.index(wavelength)] = answers[direction].mean()
    top = np.nanmax(table)
    plot = page.axes(x + 0.55, y, _SIDE - 0.35, _SIDE - 0.42)
    plot.set_facecolor("#eef0f3")
    plot.imshow(
        np.clip(table / (top if top > 0 else 1), 0, 1),
        cmap="viridis",
        vmin=0,
        vmax=1,
        origin="lower",
        aspect="auto",
    )
    plot.set_xticks(range(len(wavelengths)), [f"{w:g}" for w in wavelengths])
    plot.set_yticks(range(len(speeds) + 1), ["0", *(f"{s:g}" for s in speeds)])
    label_axes(plot, "wavelength [px]", "speed [px/frame]")
    best = (wavelengths.index(row["moving_grating"][0]), 1 + speeds.index(row["moving_grating"][1]))
    plot.add_patch(
        Rectangle((best[0] - 0.5, best[1] - 0.5), 1, 1, fill=False, edgecolor="#e0861a", linewidth=2)
    )
    tuned = (row["speed_tuning"] or {}).get("class")
    words = {"speed": "keeps its speed", "temporal_frequency": "keeps its temporal frequency"}
    page.text(x + 0.55, y + _SIDE + 0.2, words.get(str(tuned), "neither speed nor frequency kept"), 8.5)
    page.text(x + 0.55, y + _SIDE + 0.38, "grey: stripes too fast to be told", 8.5, MUTED)


def _draw_course(page: Sheet, arrays: Mapping[str, np.ndarray], x: float, y: float) -> None:
    page.heading(x, y - 0.33, "Over time", "mean positive part over the map's places, at each of its steps")
    course, flashes = arrays["courses"], arrays["flashes"]
    plot = page.axes(x + 0.5, y, _SIDE - 0.1, _SIDE - 0.42)
    if course.shape[-1] > 1:
        steps = range(course.shape[-1])
        plot.plot(steps, course[0], color=GRATINGS, linewidth=1.6)
        plot.plot(steps, course[1], color=GRATINGS, linewidth=1.2, linestyle="--")
        plot.plot(steps, flashes[0], color=TEXTURE, linewidth=1.2)
        plot.plot(steps, flashes[1], color=INK, linewidth=1.2)
        plot.axvline((course.shape[-1] - 1) / 2, color=LINE, linewidth=1)
        label_axes(plot, "step of the map", "positive part")
    else:
        names = ("best", "opposite", "flash on", "flash off")
        values = [course[0, 0], course[1, 0], flashes[0, 0], flashes[1, 0]]
        plot.bar(range(4), values, color=(GRATINGS, "#9bb7e8", TEXTURE, INK), width=0.6)
        plot.axhline(0, color=LINE, linewidth=1)
        plot.set_xticks(range(4), names)
        label_axes(plot, "one number for the clip", "answer")
    key(page, x + 0.5, y + _SIDE + 0.2, [(GRATINGS, "best grating (dashed: opposite)")])
    key(page, x + 0.5, y + _SIDE + 0.38, [(TEXTURE, "flash on")])
    key(page, x + 1.5, y + _SIDE + 0.38, [(INK, "flash off, at the grey line")])


def _draw_field(
    page: Sheet, row: Mapping[str, Any], arrays: Mapping[str, np.ndarray], x: float, y: float
) -> None:
    field, power = row["receptive_field"], arrays["receptive_fields"]
    page.heading(x, y - 0.33, "Receptive field", "gradient power; orange: Gaussian, half height")
    top = float(power.max())
    shade = np.sqrt(power / top) if top > 0 else np.zeros_like(power)
    picture = np.repeat((1 - 0.85 * shade)[..., None], 3, axis=2)
    axes = page.picture(x, y, _SIDE - 0.3, _SIDE - 0.42, picture)
    if field is None:
        say(axes, "no gradient", True)
        return
    width, height = field["size_px"]
    centre = tuple(field["centre_px"])
    # the picture's y runs down, angles run up
    axes.add_patch(
        Ellipse(
            centre, width, height, angle=-field["angle_deg"], fill=False, edgecolor=TEXTURE, linewidth=1.6
        )
    )
    words = "theory: all of the frame"
    if field["theoretical"] is not None:
        _, (up, down), (left, right) = field["theoretical"]
        axes.add_patch(
            Rectangle(
                (left - 0.5, up - 0.5), right - left, down - up, fill=False, edgecolor=GRATINGS, linewidth=1.2
            )
        )
        words = f"blue: what geometry allows, {right - left} {TIMES} {down - up} px"
        _zoom(axes, power.shape, (up, down, left, right))
    page.text(x, y + _SIDE + 0.2, f"{number(width, '{:.1f}')} {TIMES} {number(height, '{:.1f}')} px", 8.5)
    page.text(x, y + _SIDE + 0.38, words, 8.5, MUTED)


def _zoom(axes: Axes, extent: tuple[int, ...], box: tuple[int, int, int, int]) -> None:
    """Show the part of the frame that geometry allows, where that is much less than the frame; else all."""
    up, down, left, right = box
    side = max(down - up, right - left) * 1.4
    if side > 0.7 * min(extent):
        side, middle = float(max(extent)), ((extent[1] - 1) / 2, (extent[0] - 1) / 2)
    else:
        middle = ((left + right - 1) / 2, (up + down - 1) / 2)
        axes.text(
            0.98, 0.02, "part of the frame", transform=axes.transAxes, fontsize=8, color=MUTED, ha="right"
        )
    axes.set_xlim(middle[0] - side / 2, middle[0] + side / 2)
    axes.set_ylim(middle[1] + side / 2, middle[1] - side / 2)


def _draw_kinds(
    page: Sheet, row: Mapping[str, Any], kinds: Sequence[tuple[str, Mapping[str, Any]]], x: float, y: float
) -> None:
    page.text(x, y - 0.1, "Best of each kind", 11.0, weight="bold")
    page.text(x + 1.6, y - 0.1, "answer beyond that to grey; the line is the optimal input", 8.5, MUTED)
    optimum = row.get("optimum_response")
    values = [entry["response"] for _, entry in kinds]
    low, high = min([0.0, *values]), max([0.0, *values, optimum or 0.0])
    axes = page.axes(x + 1.75, y + 0.05, 2.6, 0.24 * len(kinds))
    axes.set_axis_off()
    axes.set_xlim(low, low + 1.02 * ((high - low) or 1))
    axes.set_ylim(len(kinds) - 0.5, -0.5)
    for index, (kind, entry) in enumerate(kinds):
        level = y + 0.05 + 0.24 * (index + 0.5)
        page.text(x, level, kind, 9.0, va="center")
        axes.barh(index, entry["response"], height=0.6, color="#2f6fde" if index == 0 else "#9bb7e8")
        page.text(x + 4.5, level, number(entry["response"], "{:.3g}"), 9.0, va="center")
        page.text(
            x + 5.1, level, cut(entry["stimulus"].removeprefix(f"{kind}, "), 46), 8.5, MUTED, va="center"
        )
    if optimum is not None:
        axes.axvline(optimum, color="#b3261e", linewidth=1.5)


def _draw_numbers(page: Sheet, row: Mapping[str, Any], x: float, y: float) -> None:
    page.text(x, y - 0.1, "Numbers", 11.0, weight="bold")
    speed, plaids, flash = row["speed_tuning"] or {}, row["plaids"] or {}, row["flash_latency_frames"]
    field = row["receptive_field"] or {}
    left = [
        ("preferred direction", number(row["preferred_direction_deg"], "{:.0f}°")),
        ("preferred speed", number(row["preferred_speed_px_per_frame"], unit="px/frame")),
        ("wavelength", number(row["preferred_wavelength_px"], "{:g}", "px")),
        ("temporal frequency", number(row["preferred_temporal_frequency_per_frame"], "{:.3f}", "/frame")),
        ("dsi", number(row["dsi"])),
        ("dsi, grey not taken away", number(row["dsi_with_grey"])),
        ("osi", number(row["osi"])),
        ("(pref - null) / (pref + null)", number(row["direction_index"])),
        ("half width at half height", number(row["tuning_width_deg"], "{:.0f}°")),
        ("p of the direction", number(row["p"], "{:.3f}")),
        ("F1 / F0", number(row["f1_f0"])),
        ("half contrast", number(row["contrast_half"])),
    ]
    right = [
        ("speed, partial r", number(speed.get("speed_partial"))),
        ("temporal frequency, partial r", number(speed.get("temporal_frequency_partial"))),
        ("pattern, partial r", number(plaids.get("pattern_partial"))),
        ("component, partial r", number(plaids.get("component_partial"))),
        ("1/f noise: direction", number(row["noise"]["preferred_direction_deg"], "{:.0f}°")),
        ("1/f noise: dsi", number(row["noise"]["dsi"])),
        ("latency, receptive field", number(field.get("latency_frames"), "{:.1f}", "frames")),
        ("latency, flash on", number(flash["on"], "{:.1f}", "frames")),
        ("latency, flash off", number(flash["off"], "{:.1f}", "frames")),
        ("answer to grey", number(row["response_to_grey"], "{:.3g}")),
    ]
    if "shown" in row:
        right += [
            ("shown", f"{row['shown']['label']}, {number(row['shown']['direction_deg'], '{:.0f}°')}"),
            ("off gratings", number(row["error_deg"]["gratings"], "{:.0f}°")),
            ("off own texture", number(row["error_deg"]["texture"], "{:.0f}°")),
            ("answer to the optimal input", number(row["optimum_response"], "{:.3g}")),
        ]
    for column, rows in ((x, left), (x + 3.25, right)):
        for index, (name, value) in enumerate(rows):
            page.text(column, y + 0.2 + 0.28 * index, name, 9.0, MUTED)
            page.text(column + 3.0, y + 0.2 + 0.28 * index, cut(value, 22), 9.0, ha="right")
