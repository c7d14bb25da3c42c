"""One ascent: where its clips are, and where they go next."""

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
        even: whether local contrasts are evened out; for a single place they must not be.
    """

    x: VideoBatch
    budget: Tensor
    free: Tensor
    operator: MetricOperator
    even: bool
    mean: Tensor = field(init=False)
    energy: Tensor | float = 0.0
    count: int = 0

    def __post_init__(self) -> None:
        self.mean = torch.zeros_like(self.x)

    def direction(self, gradient: Tensor) -> Tensor:
        """Where to go next: M g with momentum, over the local root mean square of M g (9x9, each frame)."""
        up = self.operator(gradient, self.free)
        up = up / root_mean_square(up)
        energy = _local_energy(up) if self.even else up.square().mean(dim=(1, 2, 3, 4), keepdim=True)
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
        scale = self.budget / contrast(moved).clamp(min=1e-12)
        if not self.even:
            scale = torch.minimum(scale, 0.5 / _peak(moved))
        self.x = (moved * scale.clamp(max=1)).clamp(-0.5, 0.5)


def _peak(x: Tensor) -> Tensor:
    """A value that few of each clip's values are beyond, shaped to divide by; never 0."""
    largest = x.abs().amax(dim=(1, 2, 3, 4), keepdim=True).clamp(min=1e-12)
    high = (x / largest).square()
    places = (1, 2, 3, 4)
    return largest * (high.pow(4).sum(places, keepdim=True) / high.pow(3).sum(places, keepdim=True)).sqrt()


def _local_energy(up: Tensor, window: int = 9) -> Tensor:
    pad = [min(window // 2, size - 1) for size in up.shape[-2:]]
    around = F.pad(up.square().mean(dim=1), [pad[1], pad[1], pad[0], pad[0]], mode="reflect")
    return F.avg_pool2d(around, [2 * p + 1 for p in pad], 1)[:, None]
