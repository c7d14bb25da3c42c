"""What counted in a clip: laid over it, as the only lit part of it, and as curves."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from matplotlib.axes import Axes
from torch import Tensor

from ..types import Video
from .animation import Picture, draw_panels, heat_scale
from .frames import as_rgb, enlarge, to_frame, view_factor
from .sheet import INK, LINE, MARGIN, MUTED, WIDTH, Sheet, cut, own_defaults, panel_height

Heat = Float[Tensor, "time height width"]

_FOR, _AGAINST = (torch.tensor(rgb)[:, None, None] for rgb in ((0.9, 0.05, 0.1), (0.1, 0.3, 0.95)))
_DIM = 0.2
_STRIP = 8
_SOFT = 16
"""Focus is softened over the frame's shorter side divided by this."""
_COLOURS = {"insertion": "#2f6fde", "deletion": "#d1542c"}


@dataclass(frozen=True)
class MeanCurve:
    """Responses along an insertion or a deletion, on average over a clip's windows.

    Attributes:
        fractions: share of space-time changed.
        levels: response, 0 for the baseline and 1 (or -1, where it responds less) for the clip.
        area: under the curve.
    """

    fractions: tuple[float, ...]
    levels: tuple[float, ...]
    area: float


def overlay_frames(video: Video, map_: Heat, scale: float) -> Iterator[Picture]:
    """The clip in dark grey, and over it what counted: red for, blue against; the more, the less transparent.

    Args:
        video: (T, C, H, W) in [0, 1].
        map_: (T, H, W), signed or not.
        scale: the value shown at full colour.
    """
    for frame, heat in zip(as_rgb(video), map_, strict=True):
        grey = frame.mean(dim=0, keepdim=True).expand(3, -1, -1) * 0.6
        strength = (heat.abs() / scale).clamp(0.0, 1.0)
        colour = torch.where(heat > 0, _FOR, _AGAINST)
        yield to_frame(grey + (colour - grey) * strength)


def softened(map_: Heat) -> Heat:
    """What counted, for or against, averaged over a sixteenth of the frame: places rather than pixels."""
    wide = 2 * (min(map_.shape[1:]) // (2 * _SOFT)) + 1
    mean = F.avg_pool2d(map_.abs()[:, None], wide, 1, wide // 2, count_include_pad=False)
    return mean[:, 0]


def focus_frames(video: Video, map_: Heat, scale: float) -> Iterator[Picture]:
    """The clip, dark but where something counted (for or against)."""
    for frame, heat in zip(as_rgb(video), map_, strict=True):
        light = (heat.abs() / scale).clamp(0.0, 1.0).sqrt()
        yield to_frame(frame * (_DIM + (1.0 - _DIM) * light))


def overlay_pictures(video: Video, map_: Heat, title: str) -> Iterator[Picture]:
    """One picture a frame: the clip, and beside it the overlay under `title`."""
    scale, factor = heat_scale(map_), view_factor(*video.shape[2:])
    words = _legend(map_, scale)
    for t, overlay in enumerate(overlay_frames(video, map_, scale)):
        pictures = enlarge(np.stack([to_frame(as_rgb(video)[t]), overlay]), factor)
        panels = [(f"clip, frame {t}", pictures[0]), (title, pictures[1])]
        yield draw_panels(panels, 2, bar=words)


def _legend(map_: Heat, scale: float) -> str:
    if not bool(map_.any()):
        return "nothing counted: zero everywhere"
    if bool((map_ < 0).any()):
        return f"red for, blue against; full colour at \N{PLUS-MINUS SIGN}{scale:.2g}, 99.5 % stay within"
    return f"red counts; full colour at {scale:.2g}, 99.5 % stay below"


def focus_pictures(video: Video, map_: Heat) -> Iterator[Picture]:
    """One picture a frame: the dimmed clip, enlarged."""
    soft, factor = softened(map_), view_factor(*video.shape[2:])
    for frame in focus_frames(video, soft, heat_scale(soft)):
        yield enlarge(frame[None], factor)[0]


@own_defaults()
def draw_attribution(
    video: Video,
    map_: Heat,
    importance: Sequence[float],
    paths: dict[str, MeanCurve],
    *,
    title: str,
    facts: str,
) -> bytes:
    """One figure (PNG): frames, overlay and focus in a strip, frame importance, insertion and deletion.

    The strip shows the most important frame of each eighth of the clip.

    Args:
        video: (T, C, H, W) in [0, 1].
        map_: (T, H, W).
        importance: each frame's share, T numbers.
        paths: `insertion` and `deletion`, as far as there are any.
        title, facts: printed above.
    """
    shown = leading_frames(importance, _STRIP)
    box = (WIDTH - 2 * MARGIN - 1.3) / _STRIP
    height = panel_height(box, *video.shape[2:])
    page = Sheet(1.5 + 3 * (height + 0.12) + 3.6)
    page.title(title, cut(facts, 160), rule=0)
    scale, soft = heat_scale(map_), softened(map_)
    page.text(MARGIN, 1.05, f"attribution: {_legend(map_, scale)}", 10.0, MUTED)
    rows = {
        "clip": np.stack([to_frame(frame) for frame in as_rgb(video)[shown]]),
        "attribution": np.stack([*overlay_frames(video[shown], map_[shown], scale)]),
        "focus": np.stack([*focus_frames(video[shown], soft[shown], heat_scale(soft))]),
    }
    y = 1.5
    for t, place in enumerate(shown):
        page.text(MARGIN + 1.3 + t * box, y - 0.06, f"frame {place}", 8.5, MUTED)
    for name, pictures in rows.items():
        page.text(MARGIN, y + 0.2, name, 10.0, va="top")
        page.strip(MARGIN + 1.3, y, (box - 0.08, height), 0.08, pictures)
        y += height + 0.12
    y += 0.75
    page.heading(MARGIN, y - 0.33, "Frame importance", "share of the absolute attribution; dashed: all alike")
    _draw_importance(page.axes(MARGIN + 0.5, y, 8.2, 2.1), importance)
    page.heading(
        10.2, y - 0.33, "Insertion and deletion", "response: 0 = mean colour, 1 or \N{MINUS SIGN}1 = the clip"
    )
    _draw_paths(page.axes(10.6, y, 4.9, 2.1), paths)
    return page.png()


def leading_frames(importance: Sequence[float], count: int) -> list[int]:
    """The most important frame of each of `count` equal parts of a clip; of a shorter clip, every frame."""
    frames = len(importance)
    parts = min(count, frames)
    edges = pairwise(round(part * frames / parts) for part in range(parts + 1))
    return [max(range(low, high), key=importance.__getitem__) for low, high in edges]


def _draw_importance(axes: Axes, importance: Sequence[float]) -> None:
    axes.plot(range(len(importance)), importance, color=INK, linewidth=1.4)
    axes.axhline(1.0 / len(importance), color=MUTED, linewidth=0.8, linestyle="--")
    axes.set_xlim(0, max(1, len(importance) - 1))
    axes.set_ylim(0, None)
    axes.set_xlabel("frame", fontsize=9)
    _plain(axes)


def _draw_paths(axes: Axes, paths: dict[str, MeanCurve]) -> None:
    for name, path in paths.items():
        label = f"{name}, area {path.area:.2f}"
        axes.plot(path.fractions, path.levels, color=_COLOURS[name], linewidth=1.6, label=label)
    axes.set_xlim(0, 1)
    axes.set_xlabel("share of space-time put in or taken out, most important first", fontsize=9)
    if paths:
        axes.legend(fontsize=9, frameon=False, loc="best")
    else:
        axes.text(0.5, 0.5, "clip and mean colour\nget the same response", ha="center", va="center")
    _plain(axes)


def _plain(axes: Axes) -> None:
    axes.tick_params(labelsize=8.5)
    axes.grid(color=LINE, linewidth=0.6)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
