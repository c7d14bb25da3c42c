"""Pictures of channels beside the motion in their parameters: what excites them, and whether both agree."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from torch import Tensor

from ..types import Image, Video
from .attribution import overlay_frames
from .frames import as_rgb, pick, to_frame
from .sheet import INK, LINE, MARGIN, MUTED, WIDTH, Sheet, cut, own_defaults, quiet_axes
from .temporal import CONTENT, END, NAMES, START, Steps, draw_path, draw_steps, limits_of

FOUND = "#e07b00"
_FRAMES = 5


@dataclass(frozen=True)
class ChannelPictures:
    """One row of `draw_channels`: a channel's pictures.

    Attributes:
        channel: index.
        still: the image that excites it most when all frames show it, (C, H, W) in [0, 1].
        frame: number of the frame of a clip that excites it most; None without a clip.
        picture: that frame, (C, H, W) in [0, 1].
        gradient: there, (H, W), >= 0.
    """

    channel: int
    still: Image
    frame: int | None = None
    picture: Image | None = None
    gradient: Float[Tensor, "height width"] | None = None


@dataclass(frozen=True)
class ChannelVelocities:
    """One row of `draw_agreement`: a channel's velocities, pixels per frame, x right and y down.

    Attributes:
        channel: index.
        kernel: (in, D, h, w).
        optimum: the optimal input, (T, C, H, W) in [0, 1].
        content: read from the parameters.
        found: mean velocity of the optimal input; None where nothing was found.
        words: what to say about them.
    """

    channel: int
    kernel: Float[Tensor, "input depth rows columns"]
    optimum: Video
    content: Float[Tensor, "2"]
    found: Float[Tensor, "2"] | None
    words: str


@own_defaults()
def draw_channels(
    title: str,
    rows: Sequence[ChannelPictures],
    content: Steps,
    sampling: Steps,
    path: Float[Tensor, "slice 2 channel"],
    kernel: tuple[int, int],
) -> bytes:
    """For each channel its most active frame, gradient, still optimum, parameters and path, as a PNG.

    The arrangement of Ras2020, Fig. 3. Arguments as for `temporal.draw_curves`, one channel a row.
    """
    top, tall = 1.75, 1.75
    clips = rows[0].picture is not None
    height, width = rows[0].still.shape[1:]
    box = min(tall - 0.2, 2.2 * height / width)
    wide = box * width / height
    page = Sheet(top + tall * len(rows) + 0.3)
    page.title(title, rule=0)
    page.text(
        MARGIN,
        0.84,
        "gradient: red where the response rests on the frame.  Still optimum: one image, in all frames.  "
        "Curves over the steps: content as a line, sampling (as learned) broken.  Path: content, blue to red",
    )
    page.rule(1.05)
    names = ["most active frame", "gradient", "still optimum"] if clips else ["still optimum"]
    for column, name in enumerate(names):
        page.text(1.0 + column * (wide + 0.1), 1.5, name, 9.5, weight="bold")
    left = 1.0 + len(names) * (wide + 0.1) + 0.35
    span = (14.05 - left) / 4
    for column, name in enumerate(NAMES):
        page.text(left + span * column, 1.5, name.partition(",")[0], 9.5, weight="bold")
    page.text(14.3, 1.5, "path [px]", 9.5, weight="bold")
    limits = [limits_of(content[index], sampling[index], float(index == 0)) for index in range(4)]
    reach = 1.08 * max(float(path.abs().max()), *((size - 1) / 2 + 0.5 for size in kernel))
    for row, shown in enumerate(rows):
        level = top + tall * row
        page.text(MARGIN, level + 0.5, str(shown.channel), 12.0, weight="bold")
        for column, picture in enumerate(_pictures(shown)):
            page.picture(1.0 + column * (wide + 0.1), level, wide, box, picture)
        if shown.frame is not None:
            page.text(MARGIN, level + 0.75, f"frame {shown.frame}", 7.5, MUTED)
        for index in range(4):
            axes = page.axes(left + span * index, level, span - 0.45, tall - 0.55)
            draw_steps(axes, content[index, :, row], sampling[index, :, row], float(index == 0))
            axes.set_ylim(*limits[index])
            quiet_axes(axes, 7, length=2, labelbottom=True)
        draw_path(page.axes(14.3, level, 1.25, 1.25), path[:, :, row].numpy(), kernel, reach)
    return page.png()


def _pictures(channel: ChannelPictures) -> list[np.ndarray]:
    shown = [to_frame(as_rgb(channel.still[None])[0])]
    if channel.picture is not None and channel.gradient is not None:
        peak = float(channel.gradient.max()) or 1.0
        overlay = overlay_frames(channel.picture[None], channel.gradient[None], peak)
        shown = [to_frame(as_rgb(channel.picture[None])[0]), *overlay, *shown]
    return shown


@own_defaults()
def draw_agreement(
    title: str, rows: Sequence[ChannelVelocities], correlation: float | None, why: str = ""
) -> bytes:
    """Velocities in the parameters and of the optimal inputs, channel by channel and together, as a PNG.

    Args:
        title: names model and layer.
        rows: the channels.
        correlation: over channels; None where it is undefined.
        why: it is undefined.
    """
    top, tall = 1.75, 1.3
    page = Sheet(max(top + tall * len(rows), top + 6.5) + 0.2)
    page.title(title, rule=0)
    page.text(MARGIN, 0.84, "\N{BOX DRAWINGS HEAVY HORIZONTAL}", 12.0, CONTENT)
    page.text(MARGIN + 0.35, 0.84, "content velocity in the parameters")
    page.text(MARGIN + 3.6, 0.84, "\N{BOX DRAWINGS HEAVY HORIZONTAL}", 12.0, FOUND)
    page.text(MARGIN + 3.95, 0.84, "mean velocity of the optimal input; pixels of the clip per frame")
    page.rule(1.05)
    for x, name in ((1.0, "kernel over time"), (4.3, "optimal input over time"), (10.15, "velocities")):
        page.text(x, 1.5, name, 10.5, weight="bold")
    vectors = [vector for row in rows for vector in (row.content, row.found) if vector is not None]
    reach = 1.15 * max(float(torch.stack(vectors).abs().max()), 0.1)
    for index, row in enumerate(rows):
        level = top + tall * index
        page.text(MARGIN, level + 0.45, str(row.channel), 12.0, weight="bold")
        page.text(1.0, level + tall - 0.22, row.words, 8.5, MUTED)
        page.strip(1.0, level, (0.55, tall - 0.4), 0.05, _slices(row.kernel))
        frames = row.optimum[list(pick(len(row.optimum), _FRAMES))]
        page.strip(4.3, level, (1.1, tall - 0.4), 0.05, np.stack([to_frame(f) for f in as_rgb(frames)]))
        axes = page.axes(10.15, level, tall - 0.2, tall - 0.2)
        for vector, colour, broad in ((row.content, CONTENT, 4.5), (row.found, FOUND, 2.2)):
            if vector is not None:
                _arrow(axes, vector, colour, broad)
        _square(axes, reach)
        quiet_axes(axes, 7, length=2, labelbottom=False)
    _draw_scatter(page, rows, reach, top)
    page.text(12.1, top + 6.05, "correlation, x and y together:", 10.5, weight="bold")
    words = f"{correlation:.2f}" if correlation is not None else f"undefined: {why}"
    page.text(12.1, top + 6.3, words, 10.5)
    return page.png()


def _draw_scatter(page: Sheet, rows: Sequence[ChannelVelocities], reach: float, top: float) -> None:
    for index, name in enumerate(("x, right +", "y, down +")):
        axes = page.axes(12.5, top + 2.95 * index, 2.4, 2.4)
        axes.plot([-reach, reach], [-reach, reach], color=LINE, linewidth=1.0, zorder=0)
        for row in rows:
            if row.found is not None:
                spot = float(row.content[index]), float(row.found[index])
                axes.plot(*spot, "o", color=INK, markersize=4)
                axes.annotate(str(row.channel), spot, (3, 3), textcoords="offset points", fontsize=7)
        axes.set_xlim(-reach, reach)
        axes.set_ylim(-reach, reach)
        axes.set_xlabel(f"{name}: in the parameters", fontsize=8, labelpad=1)
        axes.set_ylabel("of the optimal input", fontsize=8, labelpad=1)
        quiet_axes(axes, 7, length=2, labelbottom=True)


def _arrow(axes: Axes, vector: Float[Tensor, "2"], colour: str, broad: float) -> None:
    x, y = vector.tolist()
    axes.plot([0, x], [0, y], color=colour, linewidth=broad, solid_capstyle="round")
    axes.plot(x, y, "o", color=colour, markersize=broad + 3)


def _square(axes: Axes, reach: float) -> None:
    axes.axhline(0, color=LINE, linewidth=0.6, zorder=0)
    axes.axvline(0, color=LINE, linewidth=0.6, zorder=0)
    axes.set_xlim(-reach, reach)
    axes.set_ylim(reach, -reach)  # y points down
    axes.set_xticks([])
    axes.set_yticks([])


def _slices(kernel: Float[Tensor, "input depth rows columns"]) -> np.ndarray:
    """Slices, grey where the kernel is zero; in colour for three input channels, else their mean."""
    shown = kernel.detach().cpu().float()
    shown = (shown if len(shown) == 3 else shown.mean(dim=0, keepdim=True)).expand(3, -1, -1, -1)
    return (0.5 + 0.5 * shown / shown.abs().max().clamp(min=1e-12)).permute(1, 2, 3, 0).numpy()


@own_defaults()
def draw_directions(
    title: str,
    classes: Sequence[tuple[str, float, Sequence[int], Sequence[float]]],
    path: Float[Tensor, "slice 2 channel"],
    kernels: Float[Tensor, "channel 1 depth height width"],
) -> bytes:
    """For each class of translation the channels it uses most: their paths beside its direction, as a PNG.

    Args:
        title: of the sheet.
        classes: name, direction in degrees (0 right, 90 up), channels and their shares, the largest first.
        path: as in `draw_curves`.
        kernels: of all channels, shown as strips.
    """
    rows, tall, box = -(-len(classes) // 2), 3.3, WIDTH / 2
    page = Sheet(1.5 + rows * tall)
    page.title(title, rule=0)
    words = "grey: the class's direction; lines: paths of its channels [px], blue to red, wide when used much"
    page.text(MARGIN, 0.84, words)
    page.rule(1.05)
    reach = 1.1 * float(path[:, :, sorted({c for shown in classes for c in shown[2]})].abs().max())
    for index, (name, wanted, channels, shares) in enumerate(classes):
        x, y = MARGIN + index % 2 * box, 1.5 + index // 2 * tall
        page.text(x, y, cut(name, 30), 12.0, weight="bold")
        axes = page.axes(x, y + 0.15, tall - 0.75, tall - 0.75)
        angle = np.deg2rad(wanted)
        axes.plot([0, reach * np.cos(angle)], [0, -reach * np.sin(angle)], color=LINE, linewidth=9, zorder=0)
        for channel, share in zip(channels, shares, strict=True):
            places = path[:, :, channel].numpy()
            axes.plot(places[:, 0], places[:, 1], color=MUTED, linewidth=1 + 8 * share)
            axes.plot(*places[-1], "o", color=END, markersize=4 + 8 * share)
        axes.plot(0, 0, "o", color=START, markersize=7)
        axes.set_xlim(-reach, reach)
        axes.set_ylim(reach, -reach)  # y points down
        quiet_axes(axes, 7, length=2, labelbottom=True)
        for row, (channel, share) in enumerate(zip(channels, shares, strict=True)):
            strip = kernels[channel, 0].numpy()
            grey = 0.5 + 0.5 * strip / np.abs(strip).max()
            level = y + 0.2 + 0.65 * row
            page.text(x + 2.8, level + 0.3, f"{channel}: {share:.0%}", 9.5, va="center")
            page.strip(x + 3.7, level, (0.58, 0.58), 0.05, np.repeat(grey[..., None], 3, axis=-1))
    return page.png()
