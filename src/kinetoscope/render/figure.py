"""One figure that explains a unit at a glance."""

from collections.abc import Mapping
from typing import Any

import torch
from matplotlib.figure import Figure

from ..results import UnitResult
from .accents import alpha_rows, given_rows
from .changes import draw_light, draw_textures
from .colour import DEFAULT_SCALE, flow_to_rgb, scale_words
from .frames import pick, to_frame, to_frames
from .polar import draw_measured
from .sheet import (
    LINE,
    MARGIN,
    MUTED,
    NO_MOTION,
    WIDTH,
    Sheet,
    cut,
    draw_arrows,
    label_axes,
    own_defaults,
    panel_height,
    png,
    say,
)
from .words import (
    NOTHING_WORDS,
    activation_rows,
    confidence_rows,
    decibels,
    headline,
    index_rows,
    number,
    number_rows,
    share_rows,
    title_of,
)

TIMES = "\N{MULTIPLICATION SIGN}"
SHARE_COLOURS = {"coherent": "#2f6fde", "light": "#3aa17e", "jitter": "#f0a030", "residual": "#c9ccd3"}

STRIP_FRAMES = 6

_PANEL, _STRIP = 3.3, 1.58


@own_defaults()
def draw_summary(result: UnitResult, record: Mapping[str, Any], scale: float = DEFAULT_SCALE) -> bytes:
    """The figure of `summary_figure` as a PNG, 1600 pixels wide."""
    return png(summary_figure(result, record, scale))


@own_defaults()
def summary_figure(result: UnitResult, record: Mapping[str, Any], scale: float = DEFAULT_SCALE) -> Figure:
    """Draw texture, motion, reconstruction and the numbers of a unit (or of a given video).

    Args:
        result: what was found.
        record: the same as in `unit.json`; names and numbers are printed from it.
        scale: speed shown at full brightness, pixels per frame.
    """
    time, _, height, width = result.video.shape
    tuned = record.get("tuning")
    panel = panel_height(_PANEL, height, width, 2.3 if tuned is None else _PANEL, 3.6)
    strip = panel_height(_STRIP, height, width, 0.6)
    top = 1.75
    below = top + panel + 0.75
    more = len([*given_rows(result, ()), *alpha_rows(result, ())])
    page = Sheet(below + (3 + more) * (strip + 0.68) + 0.1)
    _draw_title(page, record, (time, height, width))
    draw_textures(page, result.decomposition, MARGIN, top, (_PANEL, panel))
    _draw_mean_motion(page, result, 4.1, top, panel, scale, tuned)
    _draw_slice(page, result, 10.05, top, panel)
    _draw_numbers(page, record, 12.75, top - 0.33, panel + 0.33)
    _draw_strips(page, result, record, below, strip, scale)
    _draw_shares(page, record, 11.1, below)
    draw_light(page, result.decomposition, 11.1, below + 1.85, 0.75)
    responses = _draw_activations(page, record, 11.1, below + 3.2)
    trust = _draw_trust(page, record, 11.1, responses + 0.4)
    _draw_ascent(page, result, 11.1, trust + 0.4, page.height - 0.6)
    return page.figure


def _draw_title(page: Sheet, record: Mapping[str, Any], shape: tuple[int, int, int]) -> None:
    seed, steps = record.get("seed"), record.get("steps")
    weights, objective = record.get("weights"), record.get("objective")
    facts = [
        f"objective: {objective}" if objective else "",
        f"weights: {weights}" if weights else "",
        f"seed {seed}" if seed is not None else "",
        f"{steps} steps" if steps is not None else "",
        f"{shape[0]} frames of {shape[2]} {TIMES} {shape[1]} px",
        record.get("colours") or "",
    ]
    page.title(title_of(record), cut("   ·   ".join(fact for fact in facts if fact), 150))


def _draw_mean_motion(
    page: Sheet,
    result: UnitResult,
    x: float,
    y: float,
    height: float,
    scale: float,
    tuned: Mapping[str, Any] | None,
) -> None:
    mean = result.decomposition.coherent_velocity.detach().cpu().float().mean(dim=0)
    fastest = float(torch.linalg.vector_norm(mean, dim=0).max())
    moving = fastest > NO_MOTION and result.motion.label not in NOTHING_WORDS
    note = f"longest arrow: {number(fastest)} px/frame" if moving else "coherent part, mean over time"
    page.heading(x, y - 0.33, "Motion (coherent, mean over time)", note)
    axes = page.picture(x, y, _PANEL, height, to_frame(flow_to_rgb(mean[None], scale)[0]))
    if moving:
        draw_arrows(axes, mean.numpy())
    else:
        say(axes, "no motion" if result.motion.label not in NOTHING_WORDS else "no finding")
    left = x + _PANEL + 0.5
    clipped = bool((torch.linalg.vector_norm(result.decomposition.velocity, dim=1) > scale).any())
    if tuned is None:
        _draw_wheel(page, left, y, 1.15, scale_words(scale, clipped))
    else:
        _draw_wheel(page, left, y, 0.72, scale_words(scale, clipped))
        draw_measured(page, tuned, left - 0.32, y + 1.76)


def _draw_wheel(page: Sheet, left: float, y: float, side: float, words: str) -> None:
    page.wheel(left, y + 0.3, side, 230, size=8.5)
    middle = left + side / 2
    first, second = words.replace("brightness ", "brightness\n").split("\n")
    page.text(middle, y + side + 0.78 - (0.1 if side < 1 else 0), first, 8.5, MUTED, ha="center")
    page.text(middle, y + side + 0.95 - (0.1 if side < 1 else 0), second, 8.5, ha="center")


def _draw_slice(page: Sheet, result: UnitResult, x: float, y: float, height: float) -> None:
    mean = result.decomposition.coherent_velocity.detach().cpu().float().mean(dim=(0, 2, 3))
    frames = to_frames(result.video)
    vertical = bool(mean[1].abs() > mean[0].abs() + 1e-3)  # with no direction at all, x-t
    if vertical:
        middle = frames.shape[2] // 2
        pixels, along, where = frames[:, :, middle], "y", f"column x = {middle}"
    else:
        middle = frames.shape[1] // 2
        pixels, along, where = frames[:, middle], "x", f"row y = {middle}"
    page.heading(x, y - 0.33, f"{along}-t slice of the video", f"{where}; slanted lines move")
    axes = page.axes(x, y, 2.2, height - 0.35)
    axes.imshow(pixels, interpolation="nearest", aspect="auto")
    label_axes(axes, f"{along} [px]", "t [frames]")
    axes.locator_params(integer=True, nbins=5)


def _draw_numbers(page: Sheet, record: Mapping[str, Any], x: float, y: float, height: float) -> None:
    motion, decomposition = record["motion"], record["decomposition"]
    words = cut(headline(motion), 36)
    page.text(x, y, words, 12.5 if len(words) <= 26 else 9.5, "#1b4fb3", weight="bold")
    rows = number_rows(motion, decomposition)
    pitch = min((height - 0.35) / len(rows), 0.31)
    for index, (name, value) in enumerate(rows):
        level = y + 0.42 + index * pitch
        page.text(x, level, name, 9.5, MUTED)
        page.text(WIDTH - MARGIN, level, value, 9.5, ha="right")


def _draw_strips(
    page: Sheet, result: UnitResult, record: Mapping[str, Any], y: float, height: float, scale: float
) -> None:
    velocity = result.decomposition.velocity.detach().cpu().float()
    frames = pick(result.video.shape[0], STRIP_FRAMES)
    # A velocity lies between two frames, so the last frame has none of its own.
    steps = [min(t, len(velocity) - 1) for t in frames]
    steps = sorted(set(steps))
    still = float(torch.linalg.vector_norm(velocity, dim=1).max()) <= NO_MOTION
    psnr = decibels(record["decomposition"].get("psnr_db"))
    clip = "Optimal input" if result.optimal is not None else "Video"
    flat = float(result.video.max() - result.video.min()) < 1.0 / 255.0
    rows = [
        (
            clip,
            "one flat colour" if flat else "",
            to_frames(result.video[list(frames)]),
            [f"t = {t}" for t in frames],
        ),
        (
            "Reconstruction",
            f"texture, moved, in its light (PSNR {psnr})",
            to_frames(result.decomposition.reconstruction[list(frames)]),
            [f"t = {t}" for t in frames],
        ),
        (
            "Content velocity",
            _velocity_note(record["motion"], still),
            to_frames(flow_to_rgb(velocity[steps], scale)),
            [f"t = {t} → {t + 1}" for t in steps],
        ),
    ]
    rows = [*given_rows(result, frames), *rows, *alpha_rows(result, frames)]
    for words, note, pictures, captions in rows:
        page.text(MARGIN, y - 0.1, words, 11.0, weight="bold")
        page.text(MARGIN + 1.65, y - 0.1, note, 8.5, MUTED)
        page.strip(MARGIN, y, (_STRIP, height), 0.1, pictures)
        for index, caption in enumerate(captions):
            page.text(MARGIN + index * (_STRIP + 0.1), y + height + 0.15, caption, 8.0, MUTED)
        y += height + 0.68


def _velocity_note(motion: Mapping[str, Any], still: bool) -> str:
    if motion.get("label") in NOTHING_WORDS:
        return "of noise: the unit shows nothing"
    return "no motion" if still else "from one frame to the next, jitter included; colours as in the wheel"


def _draw_shares(page: Sheet, record: Mapping[str, Any], x: float, y: float) -> None:
    page.text(x, y - 0.1, "What explains the change over time", 11.0, weight="bold")
    shares = share_rows(record["decomposition"])
    width = WIDTH - MARGIN - x
    if sum(share for _, _, share in shares) <= 0:
        page.text(x, y + 0.25, "the video does not change", 9.5, MUTED)
        return
    axes = page.axes(x, y + 0.05, width, 0.3)
    axes.set_xlim(0, max(1.0, sum(share for _, _, share in shares)))
    axes.set_axis_off()
    left = 0.0
    for index, (key, words, share) in enumerate(shares):
        axes.barh(0, share, left=left, color=SHARE_COLOURS[key], height=1.0)
        left += share
        level = y + 0.58 + 0.22 * index
        page.text(x, level, "■", 10.0, SHARE_COLOURS[key])
        page.text(x + 0.2, level, f"{words}", 9.5)
        page.text(x + 2.0, level, f"{100 * share:.0f} % of the temporal variance", 9.5, MUTED)


def _draw_activations(page: Sheet, record: Mapping[str, Any], x: float, y: float) -> float:
    """Draw one bar a response; returns where the next block may begin, inches."""
    rows = activation_rows(record.get("activation") or {})
    if not rows:
        return y
    page.text(x, y - 0.1, "The unit's response", 11.0, weight="bold")
    page.text(
        x + 1.75, y - 0.1, cut(f"objective: {record.get('objective') or 'the same for all'}", 45), 8.5, MUTED
    )
    name_width, value_width = 1.55, 0.75
    known = [value for _, value in rows if value is not None]
    low, high = min([0.0, *known]), max([0.0, *known])
    span = (high - low) or 1.0
    bar_width = WIDTH - MARGIN - x - name_width - value_width
    pitch = 0.22
    axes = page.axes(x + name_width, y, bar_width, pitch * len(rows))
    axes.set_xlim(low - 0.01 * span, low + 1.01 * span)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_axis_off()
    axes.axvline(0.0, color=LINE, linewidth=1)
    for index, (words, value) in enumerate(rows):
        level = y + (index + 0.5) * pitch
        page.text(x, level, words, 9.0, va="center")
        shown = number(value, "{:.3g}") if value is not None else "not measured"
        page.text(WIDTH - MARGIN, level, shown, 9.0, ha="right", va="center")
        if value is not None:
            axes.barh(index, value, height=0.6, color="#2f6fde" if index == 0 else "#9bb7e8")
    return y + pitch * len(rows)


def _draw_trust(page: Sheet, record: Mapping[str, Any], x: float, y: float) -> float:
    """Indices beside the agreement of seeds; returns where the next block may begin, inches."""
    left = index_rows(record.get("indices") or {})
    right = confidence_rows(record.get("confidence"))
    if not left and not right:
        return y - 0.4
    middle, pitch = x + (WIDTH - MARGIN - x) * 0.47, 0.2
    columns = ((x, middle, "What it depends on", left), (middle + 0.25, WIDTH - MARGIN, "Other seeds", right))
    for first, last, words, rows in columns:
        if rows:
            page.text(first, y - 0.05, words, 10.0, weight="bold")
        for index, (name, value) in enumerate(rows):
            page.text(first, y + 0.17 + index * pitch, name, 8.5, MUTED)
            page.text(last, y + 0.17 + index * pitch, value, 8.5, ha="right")
    return y + pitch * max(len(left), len(right))


def _draw_ascent(page: Sheet, result: UnitResult, x: float, y: float, bottom: float) -> None:
    """The objective over the steps of the optimization, where there is room for it."""
    history = result.optimal.history if result.optimal is not None else ()
    if len(history) < 2 or bottom - y < 0.8:
        return
    page.text(x, y - 0.1, "Ascent", 11.0, weight="bold")
    page.text(x + 1.75, y - 0.1, "objective on the shifted and scaled clip", 8.5, MUTED)
    axes = page.axes(x + 0.5, y + 0.05, WIDTH - MARGIN - x - 0.5, min(bottom - y, 2.0) - 0.1)
    axes.plot(range(1, len(history) + 1), history, color="#2f6fde", linewidth=1.2)
    label_axes(axes, "step")
    axes.locator_params(axis="y", nbins=4)
    for side in ("right", "top"):
        axes.spines[side].set_visible(False)
