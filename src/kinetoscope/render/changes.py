"""What changes beside motion, drawn: the course of light, and textures that take each other's place."""

import torch
from matplotlib.ticker import MaxNLocator

from ..results import Decomposition
from .frames import to_frame, to_frames
from .sheet import INK, MARGIN, MUTED, WIDTH, Sheet, quiet_axes, say

NO_LIGHT = 0.02
"""Change of gain or offset that is still called none."""

OFFSETS = {3: ("#c8362f", "#2f8f46", "#2f5fc8"), 1: ("#8a8f98",)}
"""Colours of the channels' offsets: red, green and blue, or grey; others are all grey."""


def draw_textures(page: Sheet, parts: Decomposition, x: float, y: float, box: tuple[float, float]) -> None:
    """The texture, or the few that take each other's place, in a box (width, height) in inches."""
    width, height = box
    if len(parts.textures) == 1:
        page.heading(x, y - 0.33, "Texture", "the one still image that is moved about")
        image = to_frame(parts.static_image)
        axes = page.picture(x, y, width, height, image)
        if int(image.max()) == int(image.min()):
            say(axes, "no texture: one flat colour", dark_on_light=int(image.max()) > 127)
        return
    lasts = parts.texture_lifetime_frames or 0.0
    page.heading(x, y - 0.33, "Textures", f"none lasts the clip: half is gone after {lasts:.1f} frames")
    shape = parts.textures.shape[-2] / parts.textures.shape[-1]
    across = max(range(1, len(parts.textures) + 1), key=lambda n: _side(n, parts, box, shape))
    side = _side(across, parts, box, shape)
    for index, image in enumerate(to_frames(parts.textures)):
        left, top = x + (index % across) * (side + 0.08), y + (index // across) * (side * shape + 0.22)
        page.picture(left, top + 0.16, side, side * shape, image)
        page.text(left, top + 0.12, f"t = {parts.texture_times[index]}", 8.0, MUTED)


def _side(across: int, parts: Decomposition, box: tuple[float, float], shape: float) -> float:
    """Width of each picture, inches, when so many stand in a row."""
    down = -(-len(parts.textures) // across)
    return min((box[0] + 0.08) / across - 0.08, (box[1] / down - 0.22) / shape)


def draw_light(page: Sheet, parts: Decomposition, x: float, y: float, height: float) -> None:
    """Gain and offset over time, means over the frame; the band is where nine tenths of the places lie."""
    page.text(x, y - 0.1, "Light over time", 11.0, weight="bold")
    gain, offset = (part.detach().cpu().float() for part in (parts.light_gain, parts.light_offset))
    swing = max(float((gain - 1).abs().max()), float(offset.abs().max()))
    if swing <= NO_LIGHT:
        page.text(x, y + 0.2, "does not change", 9.5, MUTED)
        return
    page.text(x + 1.42, y - 0.1, "frame by frame: contrast, a factor; brightness, added", 8.0, MUTED)
    wide = (WIDTH - MARGIN - x) / 2 - 0.5
    colours = OFFSETS.get(offset.shape[1], ("#8a8f98",) * offset.shape[1])
    for left, rows, tints in ((x + 0.3, gain, (INK,)), (x + wide + 1.0, offset, colours)):
        axes = page.axes(left, y + 0.05, wide, height)
        for channel, tint in zip(rows.unbind(dim=1), tints, strict=True):
            low, middle, high = channel.flatten(1).quantile(torch.tensor([0.05, 0.5, 0.95]), dim=1)
            axes.fill_between(range(len(low)), low.numpy(), high.numpy(), color=tint, alpha=0.15, linewidth=0)
            axes.plot(middle.numpy(), color=tint, linewidth=1.4)
        quiet_axes(axes)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
        axes.yaxis.set_major_locator(MaxNLocator(nbins=4))
