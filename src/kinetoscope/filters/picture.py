"""A unit as it is seen in a map below it, and where in that map it lies."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Picture:
    """A unit as seen in some map below it.

    Attributes:
        values: (C, ...), one axis per axis of the map.
        corner: position of the first value in the map; it may lie outside.
        stride: how far the picture moves when its unit moves by one; 0 for units without a map.
        gain: sum of the weights that one unit's worth of pooling was spread with, see `substitute`.
        framed: whether what lies outside the map is cut off.
    """

    values: Tensor
    corner: tuple[int, ...]
    stride: tuple[int, ...]
    gain: float
    framed: bool

    def moved(self, values: Tensor, stride: Sequence[int], shift: Sequence[int]) -> "Picture":
        """With the values it has in the map below, where places here are `stride` apart, moved by `shift`."""
        corner = tuple(c * s + o for c, s, o in zip(self.corner, stride, shift, strict=True))
        pace = tuple(p * s for p, s in zip(self.stride, stride, strict=True))
        return replace(self, values=values, corner=corner, stride=pace)

    def inside(self, sizes: Sequence[int]) -> "Picture":
        """The part that lies inside a map."""
        ends = (c + n for c, n in zip(self.corner, self.values.shape[1:], strict=True))
        low = tuple(max(c, 0) for c in self.corner)
        high = [min(end, size) for end, size in zip(ends, sizes, strict=True)]
        return replace(self, values=self._window(low, high), corner=low)

    def whole(self, shape: tuple[int, ...]) -> "Picture":
        """On all of its map, of shape (B, C, ...); from here on its place is fixed."""
        low, high = (0,) * (len(shape) - 2), shape[2:]
        return replace(self, values=self._window(low, high), corner=low, framed=True)

    def joined(self, other: "Picture") -> "Picture":
        """The sum with another in the same map."""
        low = tuple(map(min, self.corner, other.corner))
        ends = ([c + n for c, n in zip(p.corner, p.values.shape[1:], strict=True)] for p in (self, other))
        high = list(map(max, *ends))
        return Picture(
            self._window(low, high) + other._window(low, high),
            low,
            tuple(map(max, self.stride, other.stride)),
            max(self.gain, other.gain),
            self.framed or other.framed,
        )

    def _window(self, low: Sequence[int], high: Sequence[int]) -> Tensor:
        """The values between two positions of the map, zero where the picture does not reach."""
        pads: list[int] = []
        for corner, n, a, b in zip(self.corner, self.values.shape[1:], low, high, strict=True):
            pads = [corner - a, b - corner - n, *pads]  # negative ones cut
        return F.pad(self.values, pads)
