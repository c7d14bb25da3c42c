"""Kernels as strips over time and as animations: blue below zero, white at zero, red above."""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float
from PIL import Image as PillowImage
from PIL import ImageDraw
from torch import Tensor

from .animation import Panel, Picture, draw_panels, draw_ramp, resized, signed_rgb, size_within
from .colour import CHALK, FAINT, PAPER, font
from .frames import to_frame

Weights = Float[Tensor, "filter channel depth rows columns"]

MOST = 48
"""Kernels drawn at once; the arrays hold all of them."""

CHANNELS = 4
"""Of kernels with many input channels, so many of the most energetic are drawn."""

VISIBLE = 0.25
"""Of the layer's scale: a kernel whose largest weight is below that share is hardly seen on it."""

_CELL, _GAP, _LABEL, _HEAD = 44, 4, 150, 64
_RGB = ("red", "green", "blue")


def colour_picture(step: Float[Tensor, "3 rows columns"], scale: float) -> Picture:
    """What a kernel on RGB wants at one step: mid grey is zero, brighter is wanted, darker is not."""
    return to_frame(0.5 + step / (2.0 * scale))


def kernel_scales(weights: Weights, largest: float, per_kernel: bool | None = None) -> list[float]:
    """The absolute weight at full colour, for each kernel.

    Args:
        weights: (N, C, D, h, w).
        largest: absolute weight of the whole layer.
        per_kernel: whether each has its own; None: where with the layer's one would be nearly invisible.
    """
    peaks = weights.abs().amax(dim=(1, 2, 3, 4)).tolist()
    if per_kernel is None:
        per_kernel = any(0 < peak < VISIBLE * largest for peak in peaks[:MOST])
    return [(peak if per_kernel else largest) or 1.0 for peak in peaks]


def draw_kernels(
    weights: Weights,
    scale: float | Sequence[float],
    names: Sequence[str],
    notes: Sequence[str],
    title: str = "",
) -> Picture:
    """Kernels in rows; in a row the input channels, and in each channel the steps from left to right.

    RGB kernels start with a colour picture of each step; of many channels the most energetic are drawn.

    Args:
        weights: (N, C, D, h, w).
        scale: the absolute weight at full colour, of all or of each.
        names, notes: a short line each, left of a row.
        title: what all of them belong to, printed above.
    """
    shown = weights[:MOST]
    scales = [scale] * len(weights) if isinstance(scale, float) else scale
    depth, rgb = shown.shape[2], shown.shape[1] == 3
    blocks = min(shown.shape[1], CHANNELS) + rgb
    block = depth * (_CELL + 1) + 3 * _GAP
    size = (_LABEL + blocks * block + _GAP, _HEAD + len(shown) * (_CELL + _GAP) + 40)
    page = PillowImage.new("RGB", (max(size[0], 420), size[1]), PAPER)
    draw = ImageDraw.Draw(page)
    draw.text((6, 14), title, CHALK, font(12), anchor="lm")
    for column, name in enumerate(_heads(shown.shape[1])):
        draw.text((_LABEL + column * block, 36), name, CHALK, font(12), anchor="lm")
        for t in range(depth):
            x = _LABEL + column * block + t * (_CELL + 1) + _CELL // 2
            draw.text((x, _HEAD - 12), f"t {t}", FAINT, font(10), anchor="mm")
    for row, kernel in enumerate(shown):
        y = _HEAD + row * (_CELL + _GAP)
        draw.text((6, y + 14), names[row], CHALK, font(12), anchor="lm")
        draw.text((6, y + 31), notes[row], FAINT, font(10), anchor="lm")
        for column, (caption, steps) in enumerate(_strips(kernel, scales[row])):
            x = _LABEL + column * block
            for t, picture in enumerate(steps):
                cell = PillowImage.fromarray(resized(picture, *size_within(picture, _CELL), smooth=False))
                page.paste(cell, (x + t * (_CELL + 1), y))
            if caption:
                draw.text((x + 2, y + 7), caption, (20, 20, 20), font(9), anchor="lm")
    rest = "" if len(shown) == len(weights) else f"; first {len(shown)} of {len(weights)} kernels"
    _legend(page, draw, scales, rest)
    return np.asarray(page)


def _heads(channels: int) -> list[str]:
    if channels == 3:
        return ["colour", *_RGB]
    if channels <= CHANNELS:
        return [f"channel {n}" for n in range(channels)]
    return [f"{place} energetic channel" for place in ("most", "2nd most", "3rd most", "4th most")]


def _strips(kernel: Tensor, scale: float) -> Iterator[tuple[str, list[Picture]]]:
    """The blocks of one row: a caption for each, and its pictures."""
    channels = kernel.shape[0]
    if channels == 3:
        yield "", [colour_picture(step, scale) for step in kernel.unbind(1)]
    order = list(range(channels))
    if channels > CHANNELS:
        order = kernel.square().sum(dim=(1, 2, 3)).argsort(descending=True)[:CHANNELS].tolist()
    for channel in order:
        caption = f"{channel}" if channels > CHANNELS else ""
        yield caption, [signed_rgb(step, scale) for step in kernel[channel]]


def _legend(page: PillowImage.Image, draw: ImageDraw.ImageDraw, scales: Sequence[float], rest: str) -> None:
    y, one = page.height - 20, len(set(scales)) == 1
    full = f"{scales[0]:.3g}" if one else "full"
    draw.text((54, y), f"\N{MINUS SIGN}{full}", CHALK, font(12), anchor="rm")
    draw_ramp(page, draw, 60, y, f"+{full}")
    words = "one scale for the layer" if one else "each kernel at its own scale"
    draw.text((240, y), f"{words}{rest}", FAINT, font(12), anchor="lm")


def kernel_pictures(
    weights: Weights, scale: float | Sequence[float], names: Sequence[str], title: str = ""
) -> Iterator[Picture]:
    """One picture a step: every kernel's colour picture (RGB), or its most energetic channel.

    Args:
        weights: (N, C, D, h, w).
        scale: the absolute weight at full colour, of all or of each.
        names: of the kernels, short.
        title: what all of them belong to, printed below.
    """
    shown = weights[:MOST]
    rgb = shown.shape[1] == 3
    strongest = shown.square().sum(dim=(2, 3, 4)).argmax(dim=1).tolist()
    scales = [scale] * len(weights) if isinstance(scale, float) else scale
    columns, one = max(1, min(len(shown), 8)), len(set(scales)) == 1
    for t in range(shown.shape[2]):
        panels: list[Panel] = []
        for name, kernel, channel, most in zip(names, shown, strongest, scales, strict=False):
            picture = colour_picture(kernel[:, t], most) if rgb else signed_rgb(kernel[channel, t], most)
            height, width = size_within(picture, _CELL)
            panels.append((name, resized(picture, 2 * height, 2 * width, smooth=False)))
        at = f"\N{PLUS-MINUS SIGN}{scales[0]:.3g}" if one else "each at its own scale"
        full = f"mid grey is zero, full colour {at}"
        words = (
            full if rgb else "each kernel's most energetic channel" + ("" if one else ", at its own scale")
        )
        bar = "; ".join(part for part in (f"t {t}", words, title) if part)
        yield draw_panels(panels, columns, bar=bar, scale=0.0 if rgb or not one else scales[0])
