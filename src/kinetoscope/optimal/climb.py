"""One ascent: where its clips are, and where they go next."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from ..metric import MetricOperator
from ..stimuli import contrast
from ..types import VideoBatch
from .calm import root_mean_square


@dataclass
class Climb:
    """Clips on their way up, and what the direction of the next step depends on.

    Attributes:
        x: (B, C, T, H, W) about mid grey.
        budget: (B, 1, 1, 1, 1), the contrast each may have.
        free: (B,) true where colours are not weighed.
        energy_of: of a direction, what it is divided by the root of: `local_energy` evens local contrasts
            out, `frame_energy` those of frames; for a single place `clip_energy`, none.
        matte: (B, 1, T, H, W), a mask under which the clip is seen and its contrast counted; None: none.
        weights: (1, 1, T, H, W), of mean square 1, under which contrast is counted where parts of the clip
            are not free; None: all are.
    """

    x: VideoBatch
    budget: Tensor
    free: Tensor
    operator: MetricOperator
    energy_of: Callable[[Tensor], Tensor]
    matte: Tensor | None = None
    weights: Tensor | None = None
    mean: Tensor = field(init=False)
    energy: Tensor | float = 0.0
    count: int = 0

    def __post_init__(self) -> None:
        self.mean = torch.zeros_like(self.x)

    @property
    def shown(self) -> VideoBatch:
        """The clips as they are seen, about mid grey."""
        return self.under_matte(self.x)

    def under_matte(self, x: VideoBatch) -> VideoBatch:
        """Clips about mid grey where the matte leaves them."""
        return x if self.matte is None else x * self.matte

    def direction(self, gradient: Tensor) -> Tensor:
        """Where to go next: M g with momentum, over the root mean square of M g that counts."""
        up = self.operator(gradient, self.free)
        up = up / root_mean_square(up)
        energy = self.energy_of(up)
        self.count += 1
        self.mean = 0.5 * self.mean + 0.5 * up
        self.energy = 0.9 * self.energy + 0.1 * energy
        size = (self.energy / (1 - 0.9**self.count)).sqrt()
        return self.mean / (1 - 0.5**self.count) / (size + 1e-3)

    def move(self, direction: Tensor, share: float) -> None:
        """Go `share` of the contrast budget that way, then back to the budget and into [0, 1].

        The clip of a single place is small in a large frame, and black and white are its budget: cut off
        there it would no longer be the best of its norm.
        """
        moved = self.x + share * self.budget * direction
        counted = self.under_matte(moved)
        counted = counted if self.weights is None else counted * self.weights
        scale = self.budget / contrast(counted).clamp(min=1e-12)
        if self.energy_of is clip_energy:
            scale = torch.minimum(scale, 0.5 / _peak(moved))
        self.x = (moved * scale.clamp(max=1)).clamp(-0.5, 0.5)


def _peak(x: Tensor) -> Tensor:
    """A value that few of each clip's values are beyond, shaped to divide by; never 0."""
    largest = x.abs().amax(dim=(1, 2, 3, 4), keepdim=True).clamp(min=1e-12)
    high = (x / largest).square()
    places = (1, 2, 3, 4)
    return largest * (high.pow(4).sum(places, keepdim=True) / high.pow(3).sum(places, keepdim=True)).sqrt()


def local_energy(up: Tensor, window: int = 9) -> Tensor:
    """Mean square around each place, 9x9, of each frame."""
    pad = [min(window // 2, size - 1) for size in up.shape[-2:]]
    around = F.pad(up.square().mean(dim=1), [pad[1], pad[1], pad[0], pad[0]], mode="reflect")
    rows, columns = (2 * p + 1 for p in pad)  # one axis after the other: 18 sums a place instead of 81
    return F.avg_pool2d(F.avg_pool2d(around, (rows, 1), 1), (1, columns), 1)[:, None]


def frame_energy(up: Tensor) -> Tensor:
    """Mean square of each frame."""
    return up.square().mean(dim=(1, 3, 4), keepdim=True)


def clip_energy(up: Tensor) -> Tensor:
    """Mean square of each clip."""
    return up.square().mean(dim=(1, 2, 3, 4), keepdim=True)


def faint_noise(operator: MetricOperator, generators: Sequence[torch.Generator]) -> VideoBatch:
    """Faint natural noise, about mid grey."""
    noise = torch.stack([torch.randn(operator.shape, generator=generator) for generator in generators])
    start = operator(noise.to(operator.device))
    return 0.01 * start / root_mean_square(start)
