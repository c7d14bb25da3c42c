"""Which part of a clip each place of a layer's map sees."""

from collections.abc import Sequence
from math import ceil, floor

import torch
from torch import nn

from ..failures import meta_first
from ..tap import tap
from .span import WHOLE, Axis
from .tracker import SpanTracker

Box = tuple[tuple[int, int], ...]
"""Per axis (frames, rows, columns) the first position and the one behind the last."""


def layer_spans(model: nn.Module, layer: str, shape: tuple[int, int, int, int]) -> tuple[Axis, ...]:
    """What the places of a layer's map see along (t, y, x): size, stride and where the first one starts.

    Args:
        model: any module; it comes back as it was.
        layer: dotted name.
        shape: of a clip, (C, T, H, W).

    Returns:
        A span per axis; `WHOLE` where a place sees all of the clip, None where that is unknown.

    Raises:
        LayerNotFound, ClipTooSmall: as their names say.
    """
    return meta_first(lambda device: _spans(model, layer, shape, device), model, shape)


def _spans(
    model: nn.Module, layer: str, shape: tuple[int, int, int, int], device: str | None
) -> tuple[Axis, ...]:
    tracker = SpanTracker()
    with tap(model, layer, device=device) as forward, torch.inference_mode():
        clip = torch.zeros(1, *shape)
        with tracker:
            tracker.begin(clip)
            return tracker.spans(forward(clip))


def field_box(spans: Sequence[Axis], position: Sequence[int], extent: Sequence[int]) -> Box:
    """The part of a clip that one place of a map sees.

    Args:
        spans: from `layer_spans`.
        position: (t, y, x) in the map.
        extent: (T, H, W) of the clip; the box is cut there, padding being no part of the clip.
    """
    box = []
    for span, place, size in zip(spans, position, extent, strict=True):
        if span is None or span == WHOLE:
            box.append((0, size))
            continue
        start = span.start + place * span.stride
        first, end = max(0, floor(start)), min(size, ceil(start + span.size))
        # a field wholly in the padding still gets the pixel next to it
        box.append((min(first, size - 1), max(end, 1)))
    return tuple(box)
