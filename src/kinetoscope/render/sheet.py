"""A figure whose parts are placed in inches, so that clips of any shape are laid out alike."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

INK, MUTED, LINE = "#1f2328", "#6b7280", "#d0d4da"

WIDTH, MARGIN = 16.0, 0.45
"""Of the sheet, inches; everything is placed in inches from its upper left corner."""


@contextmanager
def own_defaults() -> Iterator[None]:
    """Inside, and in a function that it decorates, matplotlib draws by its own defaults.

    Whatever a person's matplotlibrc or notebook has set is for that person's figures: TeX for every text, a
    tight box that cuts a sheet. Their backend stays.
    """
    with matplotlib.rc_context():
        theirs = ("backend", "interactive", "toolbar", "webagg.", "tk.")
        own = {k: value for k, value in matplotlib.rcParamsDefault.items() if not k.startswith(theirs)}
        matplotlib.rcParams.update(own)
        yield


class Sheet:
    """One figure whose axes are placed in inches from the upper left corner."""

    def __init__(self, height: float) -> None:
        self.height = height
        self.figure = Figure(figsize=(WIDTH, height), dpi=100, facecolor="white")
        FigureCanvasAgg(self.figure)

    def axes(self, x: float, y: float, width: float, height: float) -> Axes:
        """Empty axes in a box; what keeps its proportions hangs in the upper left corner."""
        box = (x / WIDTH, 1.0 - (y + height) / self.height, width / WIDTH, height / self.height)
        axes = self.figure.add_axes(box)
        axes.set_anchor("NW")
        return axes

    def text(
        self, x: float, y: float, words: str, size: float = 10.0, colour: str = INK, **more: Any
    ) -> None:
        """Print words as they are; (x, y) begins the baseline unless `va` and `ha` say otherwise."""
        # parse_math off: a layer or class may be called anything, '$' too.
        self.figure.text(
            x / WIDTH,
            1.0 - y / self.height,
            words,
            fontsize=size,
            color=colour,
            va=more.pop("va", "baseline"),
            family="DejaVu Sans",
            parse_math=False,
            **more,
        )

    def heading(self, x: float, y: float, words: str, note: str = "") -> None:
        """Bold words, and a small grey line below them."""
        self.text(x, y, words, 11.0, weight="bold")
        if note:
            self.text(x, y + 0.19, note, 8.5, MUTED)

    def picture(self, x: float, y: float, width: float, height: float, pixels: np.ndarray) -> Axes:
        """Pixels (H, W, 3), not smoothed, in a thin frame."""
        axes = self.axes(x, y, width, height)
        axes.imshow(pixels, interpolation="nearest")
        axes.set_xticks([])
        axes.set_yticks([])
        for spine in axes.spines.values():
            spine.set_color(LINE)
        return axes

    def strip(self, x: float, y: float, box: tuple[float, float], gap: float, pictures: np.ndarray) -> None:
        """Pictures (N, H, W, 3) side by side, each fitted into a box (width, height), in one axes."""
        shape = pictures.shape[1] / pictures.shape[2]
        width, height = min(box[0], box[1] / shape), min(box[1], box[0] * shape)
        length = len(pictures) * (box[0] + gap)
        axes = self.axes(x, y, length, box[1])
        for index, picture in enumerate(pictures):
            left = index * (box[0] + gap)
            extent = (left, left + width, height, 0.0)
            axes.imshow(picture, extent=extent, aspect="auto", interpolation="nearest")
            axes.add_patch(Rectangle((left, 0.0), width, height, fill=False, edgecolor=LINE, linewidth=0.8))
        axes.set_xlim(0.0, length)
        axes.set_ylim(box[1], 0.0)
        axes.set_axis_off()

    def rule(self, y: float) -> None:
        """A thin line from margin to margin."""
        level = 1.0 - y / self.height
        ends = [MARGIN / WIDTH, 1 - MARGIN / WIDTH]
        self.figure.add_artist(Line2D(ends, [level, level], color=LINE, linewidth=0.8))


def draw_arrows(axes: Axes, mean: np.ndarray, across: float = 9.0) -> None:
    """White arrows on a motion picture, `across` of them along its longer side.

    Args:
        mean: velocity (2, H, W), pixels per frame; not zero everywhere.
    """
    height, width = mean.shape[1:]
    step = max(max(height, width) / across, 1.0)
    # Centred on the frame, so that no arrow is cut at one edge only.
    xs, ys = (
        np.arange(size % step / 2 + step / 2 - 0.5, size - step / 2 + 0.01, step) for size in (width, height)
    )
    nearest = np.ix_(np.rint(ys).astype(int), np.rint(xs).astype(int))
    u, v = mean[0][nearest], mean[1][nearest]
    grid_x, grid_y = np.broadcast_arrays(xs, ys[:, None])
    axes.quiver(
        grid_x,
        grid_y,
        u,
        v,
        angles="xy",
        scale_units="xy",
        scale=float(np.hypot(*mean).max()) / (0.9 * step),
        pivot="mid",
        units="width",
        width=0.011,
        minlength=0.1,
        color="white",
        edgecolor="black",
        linewidth=0.6,
    )


def say(axes: Axes, words: str, dark_on_light: bool = False) -> None:
    """Print words in the middle of a picture that has nothing to show."""
    axes.text(
        0.5,
        0.5,
        words,
        transform=axes.transAxes,
        ha="center",
        va="center",
        fontsize=11,
        color=INK if dark_on_light else "white",
    )


def cut(words: str, length: int) -> str:
    """Untrusted words as one printable line, no longer than `length`."""
    words = "".join(letter if letter.isprintable() else " " for letter in words)
    return words if len(words) <= length else words[: length - 1] + "…"
