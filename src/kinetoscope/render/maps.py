"""Feature maps beside the clip they come from: every place of a map is drawn where it looks."""

from collections.abc import Iterator, Sequence
from math import ceil, sqrt
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from ..errors import SettingInvalid
from ..units.receptive.span import Span
from ..warp import Positions, pixel_grid, sample
from .animation import Panel, Picture, draw_panels, heat_scale, resized, signed_rgb
from .frames import colour_words, pick, to_frame

SHARED, PER_MAP = "shared", "per-map"
MOST = 24
"""Maps shown at once; the arrays hold all of them."""

_PAGE = 1280
_SAMPLE = (64, 64)
"""Steps, and places along each axis, from which the scale of colours is found."""


@runtime_checkable
class Steps(Protocol):
    """What gives one tensor per moment: a tensor with time first, or an array kept on disk."""

    def __len__(self) -> int: ...

    def __getitem__(self, t: int, /) -> Tensor: ...


def map_pictures(
    clip: Steps,
    maps: Steps,
    spans: tuple[Span, Span, Span],
    names: Sequence[str],
    peaks: Sequence[float],
    *,
    scale: str = SHARED,
) -> Iterator[Picture]:
    """One picture a frame: the clip, and beside it the maps at the clip's size and moment.

    A map's value is drawn at the middle of what it sees, in between it is interpolated (in time the nearest
    step is shown); beyond the outermost middles the border value is repeated. Full colour is the value that
    99.5 % of a map's places stay below, so that a cut in the clip does not make all the rest pale.

    Args:
        clip: T frames (C, H, W) in [0, 1].
        maps: T' steps (N, H', W').
        spans: what a place of the maps sees along t, y, x.
        names: of the N maps.
        peaks: largest absolute value of each map over the whole clip.
        scale: `shared`, one colour scale for all maps, or `per-map`.

    Raises:
        SettingInvalid: no such scale.
    """
    if scale not in (SHARED, PER_MAP):
        raise SettingInvalid(f"scale is {SHARED!r} or {PER_MAP!r}, not {scale!r}")
    shown = min(len(names), MOST)
    own = _full_colours(maps, peaks[:shown])
    limits = [max(own)] * shown if scale == SHARED else own
    height, width = clip[0].shape[1:]
    positions = _positions(spans, height, width)
    columns, factor = _layout(shown + 1, height, width)
    size = (round(height * factor), round(width * factor))
    rest = "" if shown == len(names) else f"first {shown} of {len(names)} maps"
    words = "one scale for all maps" if scale == SHARED else "each map on its own scale, beside its name"
    words += "; 99.5 % of a map stay within"
    bar = "; ".join(part for part in (words, rest, colour_words(len(clip[0]))) if part)
    for t in range(len(clip)):
        step = _nearest(spans[0], t, len(maps))
        values = sample(maps[step][:shown, None], positions)[:, 0]
        panels: list[Panel] = [(f"clip, frame {t}", resized(to_frame(clip[t]), *size))]
        for name, peak, limit, map_ in zip(names, peaks, limits, values, strict=False):
            full = "" if scale == SHARED else f"\N{PLUS-MINUS SIGN}{limit:.3g}, "
            caption = f"{name}  {full}peak {peak:.3g}"
            panels.append((caption, resized(signed_rgb(map_, limit), *size)))
        yield draw_panels(panels, columns, bar=bar, scale=limits[0] if scale == SHARED else 0.0)


def _full_colours(maps: Steps, peaks: Sequence[float]) -> list[float]:
    """The value at full colour for each map: see `heat_scale`."""
    count, (steps, places) = len(peaks), _SAMPLE
    every = [max(1, size // places) for size in maps[0].shape[1:]]
    thinned = [maps[t][:count, :: every[0], :: every[1]] for t in pick(len(maps), steps)]
    values = torch.stack(thinned, dim=1)
    return [heat_scale(own) if bool(own.any()) else peak for own, peak in zip(values, peaks, strict=True)]


def _positions(spans: tuple[Span, Span, Span], height: int, width: int) -> Positions:
    """Where in a map each pixel of the clip lies, (1, 2, H, W)."""
    (y, x), grid = spans[1:], pixel_grid(height, width)
    return torch.stack([(grid[:, 0] - _middle(x)) / x.stride, (grid[:, 1] - _middle(y)) / y.stride], dim=1)


def _middle(span: Span) -> float:
    return span.start + (span.size - 1) / 2


def _nearest(span: Span, t: int, steps: int) -> int:
    return min(max(round((t - _middle(span)) / span.stride), 0), steps - 1)


def _layout(count: int, height: int, width: int) -> tuple[int, float]:
    """Columns, and the factor that enlarges or shrinks the panels, for a page a little wider than high."""
    wanted = min(count, max(2, ceil(sqrt(1.6 * count * height / width))))
    columns = min(range(max(1, wanted - 1), min(count, wanted + 1) + 1), key=lambda n: (-count % n, -n))
    return columns, min(320 / max(height, width), _PAGE / (columns * width))
