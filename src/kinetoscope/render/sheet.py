"""A figure whose parts are placed in inches, so that clips of any shape are laid out alike."""

import io
import warnings
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

from .colour import printable, wheel_rgba

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

    def title(self, words: str, facts: str = "", rule: float = 1.02) -> None:
        """The sheet's name in large letters, a grey line of facts below it, and a rule; 0: no rule."""
        self.text(MARGIN, 0.5, cut(words, 95), 17.0, weight="bold")
        if facts:
            self.text(MARGIN, 0.83, facts, 10.0, MUTED)
        if rule:
            self.rule(rule)

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

    def wheel(self, x: float, y: float, side: float, pixels: int, size: float = 0.0) -> None:
        """The colour wheel of motion, in so many pixels; its four directions where letters have a size."""
        axes = self.axes(x, y, side, side)
        axes.imshow(wheel_rgba(pixels))
        axes.set_axis_off()
        if size:
            middle = x + side / 2
            self.text(middle, y - 0.06, "up 90°", size, ha="center")
            self.text(middle, y + side + 0.16, "down 270°", size, ha="center")
            self.text(x - 0.06, y + side / 2, "left\n180°", size, ha="right", va="center")
            self.text(x + side + 0.06, y + side / 2, "right\n0°", size, ha="left", va="center")

    def png(self) -> bytes:
        """The sheet as a picture, 1600 pixels wide."""
        return png(self.figure)

    def rule(self, y: float) -> None:
        """A thin line from margin to margin."""
        level = 1.0 - y / self.height
        ends = [MARGIN / WIDTH, 1 - MARGIN / WIDTH]
        self.figure.add_artist(Line2D(ends, [level, level], color=LINE, linewidth=0.8))


def png(figure: Figure) -> bytes:
    """A figure as the bytes of a picture, 100 pixels per inch."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # A class name in a script the font lacks shows as boxes; that is no reason to alarm.
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from font")
        figure.savefig(buffer, format="png", dpi=100)
    return buffer.getvalue()


def panel_height(width: float, rows: int, columns: int, least: float = 0.0, most: float = 2.0) -> float:
    """How tall a panel of that width is drawn, inches: as its picture is shaped, within limits."""
    return min(max(width * (rows / columns), least), most)


def label_axes(axes: Axes, across: str = "", up: str = "") -> None:
    """Name both axes, small, in the sheet's colours."""
    axes.set_xlabel(across, fontsize=9, color=INK)
    axes.set_ylabel(up, fontsize=9, color=INK)
    quiet_axes(axes)


def quiet_axes(axes: Axes, size: float = 8, **ticks: Any) -> None:
    """Small grey ticks and frames."""
    axes.tick_params(labelsize=size, colors=MUTED, **ticks)
    for spine in axes.spines.values():
        spine.set_color(LINE)


NO_MOTION = 0.02
"""Largest speed, pixels per frame, that is still called no motion."""


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
    words = printable(words)
    return words if len(words) <= length else words[: length - 1] + "…"
