"""Pictures of kernels that move: curves over the steps, paths, strips, distributions."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from torch import Tensor

from .sheet import INK, LINE, MARGIN, MUTED, WIDTH, Sheet, cut, own_defaults, quiet_axes

Steps = Float[Tensor, "4 step channel"]
"""Scale, turning (degrees, clockwise on screen), shift along x and y (pixels, right and down)."""

CONTENT, SAMPLING = "#2f6fde", "#9aa0a8"
START, END = "#1f4fd8", "#d62728"
STRIPS = 64
"""At most so many kernels are shown as strips."""

NAMES = (
    "scale",
    "rotation [deg], clockwise +",
    "shift x [px], right +",
    "shift y [px], down +",
)
_ROW = 1.45


@own_defaults()
def draw_curves(
    title: str,
    channels: Sequence[int],
    content: Steps,
    sampling: Steps,
    path: Float[Tensor, "slice 2 channel"],
    kernel: tuple[int, int],
) -> bytes:
    """Per channel the four parameters over the steps and the path of the content's middle, as a PNG.

    Args:
        title: names model and layer.
        channels: numbers of the channels given, for their captions.
        content: the motion that is seen, drawn as lines.
        sampling: the parameters as learned, drawn broken.
        path: pixels from the middle, slice by slice, of the content that starts there.
        kernel: (h, w), pixels.
    """
    top = 1.75
    page = Sheet(top + _ROW * len(channels) + 0.3)
    page.title(title, rule=0)
    page.text(MARGIN, 0.84, "━", 12.0, CONTENT)
    page.text(MARGIN + 0.35, 0.84, "content: how what the kernel shows moves on from slice to slice")
    page.text(MARGIN + 5.9, 0.84, "╌", 12.0, SAMPLING)
    page.text(
        MARGIN + 6.25,
        0.84,
        "sampling: its inverse, the parameters s, r, t as learned (where a slice fetches from the last one)",
    )
    page.rule(1.05)
    page.text(MARGIN, 1.5, "channel", 9.0, MUTED)
    for column, name in enumerate(NAMES):
        page.text(1.35 + 2.9 * column, 1.5, name, 10.5, weight="bold")
    page.text(13.0, 1.5, "path of the content [px]", 10.5, weight="bold")
    limits = [limits_of(content[index], sampling[index], float(index == 0)) for index in range(4)]
    reach = 1.08 * max(float(path.abs().max()), *((size - 1) / 2 + 0.5 for size in kernel))
    for row, channel in enumerate(channels):
        level = top + _ROW * row
        page.text(MARGIN, level + 0.6, f"{channel}", 12.0, weight="bold")
        for index in range(4):
            axes = page.axes(1.35 + 2.9 * index, level, 2.4, _ROW - 0.4)
            draw_steps(axes, content[index, :, row], sampling[index, :, row], float(index == 0))
            axes.set_ylim(*limits[index])
            quiet_axes(axes, 7, length=2, labelbottom=row == len(channels) - 1)
        draw_path(page.axes(13.0, level, _ROW - 0.25, _ROW - 0.25), path[:, :, row].numpy(), kernel, reach)
    page.text(1.35, page.height - 0.08, "step from slice to slice", 9.0, MUTED)
    for line, (mark, colour, words) in enumerate(
        (("●", START, "start"), ("●", END, "end"), ("□", MUTED, "kernel"))
    ):
        page.text(14.55, top + 0.3 + 0.22 * line, mark, 11.0, colour)
        page.text(14.75, top + 0.3 + 0.22 * line, words, 9.0)
    return page.png()


@own_defaults()
def draw_distributions(title: str, layers: Mapping[str, Steps]) -> bytes:
    """How scale, turning and shift of the content are distributed in the model and its layers, as a PNG.

    The axes are the same in all rows; what lies beyond them is counted at their ends (Ras2020, Figs. 4, 5).

    Args:
        title: names the model.
        layers: the content's motion by layer.
    """
    flat = {name: steps.flatten(1) for name, steps in layers.items()}
    rows = {"all layers": torch.cat(list(flat.values()), dim=1), **flat}
    whole = rows["all layers"]
    reach = [_reach(whole[:1] - 1), _reach(whole[1:2]), _reach(whole[2:])]
    top, height = 1.75, 1.25
    page = Sheet(top + (height + 0.4) * len(rows) + 0.2)
    page.title(title, rule=0)
    page.text(
        MARGIN,
        0.84,
        "content: how what the kernels show moves on from slice to slice (the inverse of the sampling, the "
        "parameters as learned). What lies beyond an axis is counted at its end; rows differ in height",
    )
    page.rule(1.05)
    for x, name in ((2.0, NAMES[0]), (7.8, NAMES[1]), (13.6, "shift [px], right, down")):
        page.text(x, 1.5, name, 10.5, weight="bold")
    for row, (name, values) in enumerate(rows.items()):
        level, last = top + (height + 0.4) * row, row == len(rows) - 1
        page.text(MARGIN, level + 0.4, cut(name, 18), 10.5, weight="bold" if row == 0 else "normal")
        page.text(MARGIN, level + 0.62, f"{values.shape[1]} steps", 8.5, MUTED)
        for index, x in ((0, 2.0), (1, 7.8)):
            axes = page.axes(x, level, 5.2, height)
            middle, extent = float(index == 0), reach[index]
            edges = np.linspace(middle - extent, middle + extent, 61)
            axes.hist(np.clip(values[index].numpy(), edges[0], edges[-1]), bins=edges.tolist(), color=CONTENT)
            axes.axvline(middle, color=INK, linewidth=0.6)
            axes.set_yticks([])
            quiet_axes(axes, 7, length=2, labelbottom=last)
        axes = page.axes(13.6, level, height, height)
        x_px, y_px = (np.clip(v.numpy(), -reach[2], reach[2]) for v in values[2:])
        axes.hist2d(x_px, y_px, bins=np.linspace(-reach[2], reach[2], 42), norm="log", vmin=0.2, cmap="Blues")
        axes.invert_yaxis()
        axes.axvline(0, color=INK, linewidth=0.4)
        axes.axhline(0, color=INK, linewidth=0.4)
        quiet_axes(axes, 7, length=2, labelbottom=last)
    return page.png()


@own_defaults()
def draw_strips(title: str, kernels: Float[Tensor, "out channel depth height width"]) -> bytes:
    """Kernels as strips over time, the slice that meets the earliest frame first, as a PNG.

    Each kernel has its own contrast, grey is zero. Kernels of three input channels are in colour, others
    shown as the mean over their channels. At most `STRIPS` kernels are shown.
    """
    shown = kernels[:STRIPS].detach().cpu().float()
    if shown.shape[1] != 3:
        shown = shown.mean(dim=1, keepdim=True).expand(-1, 3, -1, -1, -1)
    peak = shown.abs().amax(dim=(1, 2, 3, 4), keepdim=True).clamp(min=torch.finfo(shown.dtype).tiny)
    pixels = (0.5 + 0.5 * shown / peak).permute(0, 2, 3, 4, 1).numpy()
    depth, height, width = pixels.shape[1:4]
    columns = 4
    box = (WIDTH - 2 * MARGIN) / columns
    cell = min((box - 0.75) / depth - 0.05, 0.9)
    tall = cell * height / width
    rows = -(-len(pixels) // columns)
    page = Sheet(1.45 + rows * (tall + 0.12) + 0.2)
    page.title(title, rule=0)
    more = f"; the first {STRIPS} of {len(kernels)}" if len(kernels) > STRIPS else ""
    page.text(
        MARGIN,
        0.84,
        f"slices over time, earliest frame left{more}; grey is zero. What moves along a strip is content: "
        "the motion the kernel answers to",
    )
    page.rule(1.05)
    for index, strip in enumerate(pixels):
        x = MARGIN + index % columns * box
        y = 1.25 + index // columns * (tall + 0.12)
        page.text(x, y + tall / 2, str(index), 9.0, va="center")
        page.strip(x + 0.45, y, (cell, tall), 0.05, strip)
    return page.png()


def draw_steps(axes: Axes, content: Tensor, sampling: Tensor, identity: float) -> None:
    """One parameter over the steps: the content's as a line, as learned broken."""
    for values, colour, style in ((sampling, SAMPLING, "--"), (content, CONTENT, "-")):
        axes.plot(range(len(values)), values.numpy(), color=colour, ls=style, marker="o", markersize=3)
    axes.axhline(identity, color=LINE, linewidth=0.8, zorder=0)
    axes.set_xlim(-0.3, len(content) - 0.7)
    axes.set_xticks(range(len(content)))


def draw_path(axes: Axes, path: np.ndarray, kernel: tuple[int, int], reach: float) -> None:
    """The way of the content's middle in the kernel, blue to red; both axes reach so many pixels."""
    height, width = kernel
    axes.add_patch(Rectangle((-width / 2, -height / 2), width, height, fill=False, edgecolor=LINE))
    axes.plot(path[:, 0], path[:, 1], color=MUTED, linewidth=1.2)
    axes.plot(*path[0], "o", color=START, markersize=5)
    axes.plot(*path[-1], "o", color=END, markersize=5)
    axes.set_xlim(-reach, reach)
    axes.set_ylim(reach, -reach)  # y points down
    axes.set_aspect("equal")
    quiet_axes(axes, 7, length=2, labelbottom=True)


def limits_of(content: Tensor, sampling: Tensor, middle: float) -> tuple[float, float]:
    """An axis for both, with the identity in its middle."""
    reach = 1.1 * max(float((values - middle).abs().max()) for values in (content, sampling))
    return middle - max(reach, 0.05), middle + max(reach, 0.05)


def _reach(values: Tensor) -> float:
    """Half an axis: beyond it lies one value in two hundred."""
    return max(1.05 * float(np.quantile(values.abs().numpy(), 0.995)), 1e-3)
