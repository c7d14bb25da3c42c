"""Alpha: which parts of an optimum its response rests on, from the gradients that the search takes anyway.

The response gains about g x from each place, x being the clip about mid grey and g the gradient (gradient
times input, Simonyan et al. 2014). Its size, averaged over the last steps and a small neighbourhood, is how
opaque a place is drawn.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from ..types import VideoBatch

_KEPT = 0.8
"""Share of what was noted that is left after another step."""

_AROUND = (3, 7, 7)
"""Frames, rows and columns that a place is averaged over."""

_FULL = 0.98
"""Share of the places that are less opaque than fully."""


class Alpha:
    """What is noted of each clip's gradients, step by step."""

    def __init__(self, count: int, shape: tuple[int, int, int, int]) -> None:
        """Args: count: clips. shape: of one, (C, T, H, W); steps at other sizes are passed over."""
        self._shape, self._total = shape, torch.zeros(count, *shape[1:])

    def note(self, chosen: Sequence[int], x: Tensor, gradient: Tensor) -> None:
        """Add a step: clips about mid grey and gradients, (B, C, T, H, W); `chosen` names the clips."""
        if tuple(x.shape[1:]) != self._shape:
            return
        parts = (x.detach() * gradient).sum(dim=1).abs().cpu()
        parts = parts / parts.mean(dim=(1, 2, 3), keepdim=True).clamp(min=1e-30)
        for clip, part in zip(chosen, parts, strict=True):
            self._total[clip] = _KEPT * self._total[clip] + part

    def of(self, clip: int, frames: int) -> Float[Tensor, "time 1 height width"]:
        """How much each place matters, in [0, 1]."""
        sizes = [min(size, axis - 1 + axis % 2) for size, axis in zip(_AROUND, self._shape[1:], strict=True)]
        pad = [size // 2 for size in sizes for _ in range(2)][::-1]
        around = F.pad(self._total[clip][None, None], pad, mode="replicate")
        smooth: VideoBatch = F.avg_pool3d(around, sizes, stride=1)
        full = torch.quantile(smooth.flatten()[:: max(1, smooth.numel() // 2**20)], _FULL).clamp(min=1e-30)
        return (smooth[0] / full).clamp(0, 1).transpose(0, 1).expand(frames, -1, -1, -1).contiguous()
