"""How far a unit sees along each clip axis, as intervals that slide with the unit.

Araujo, Norris & Sim 2019, Computing receptive fields of convolutional neural networks, eq. 1-2, widened to
branches, dilation and upsampling.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import NamedTuple


class Span(NamedTuple):
    """What the units along one axis see: `size` positions, the first unit from `start`, each `stride` on."""

    size: int | float
    stride: int | float
    start: int | float


WHOLE = Span(inf, 0.0, 0.0)
"""The whole clip, or as much of it as the network reads."""

Axis = Span | None
"""None: unknown."""


@dataclass(frozen=True)
class TensorSpans:
    """The spans of one tensor.

    Attributes:
        spans: one per clip axis (frames, height, width).
        dims: where that axis lies in the tensor; None when it was reduced away.
    """

    spans: tuple[Axis, ...]
    dims: tuple[int | None, ...]

    def map(self, change: Callable[[Axis, int], Axis]) -> "TensorSpans":
        """Change the span of every axis that still lies in the tensor."""
        pairs = zip(self.spans, self.dims, strict=True)
        return replace(self, spans=tuple(s if d is None else change(s, d) for s, d in pairs))

    def move(self, place: Callable[[int], int | None]) -> "TensorSpans":
        """Rename the tensor dimensions."""
        return replace(self, dims=tuple(None if d is None else place(d) for d in self.dims))


def clip_spans(ndim: int) -> TensorSpans:
    """The spans of the clip itself, (B, C, T, H, W): each position sees itself."""
    return TensorSpans((Span(1, 1, 0),) * (ndim - 2), tuple(range(2, ndim)))


def unite(parts: Sequence[tuple[Axis, int]]) -> Axis:
    """The smallest span that covers all parts; each comes with its number of positions (1 is repeated)."""
    spans = [s for s, _ in parts if s is not None]
    if WHOLE in spans:
        return WHOLE
    if len(spans) < len(parts):
        return None
    last = max(n for _, n in parts) - 1
    steps = [s.stride if last == 0 or n > 1 else 0.0 for s, (_, n) in zip(spans, parts, strict=True)]
    # the width of a union of moving intervals is convex in the position: largest at one of the two ends
    widths = [
        max(s.start + i * d + s.size for s, d in zip(spans, steps, strict=True))
        - min(s.start + i * d for s, d in zip(spans, steps, strict=True))
        for i in (0, last)
    ]
    return Span(max(widths), max(steps), min(s.start for s in spans))


def slide(span: Axis, kernel: int | float, stride: int | float, dilation: int, before: int | float) -> Axis:
    """The span behind a window of `kernel` taps that moves by `stride`, starting `before` early."""
    if span is None or span == WHOLE:
        return span
    return Span(
        span.size + (kernel - 1) * dilation * span.stride,
        span.stride * stride,
        span.start - before * span.stride,
    )
