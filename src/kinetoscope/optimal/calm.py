"""Calming: of all clips that keep a unit's response, the one of least variation in space, colour and
contrast.

An ascent leaves whatever did it no harm. Here the clip walks down in variation, and each step uphill is just
large enough to hold the response where it must be (gradient projection, Rosen 1960): the multiplier of the
constraint comes out of the two gradients, nothing has to be tuned to a layer's numbers.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import SettingInvalid
from ..types import VideoBatch

Measure = Callable[[VideoBatch], tuple[Tensor, Tensor]]
"""Responses (B,) to clips about mid grey, and their gradients."""

Uphill = Callable[[Tensor], Tensor]
"""A gradient turned into a direction of the ascent."""


@dataclass(frozen=True)
class CalmSettings:
    """What is calm, and how much of the response it may cost.

    Attributes:
        kept: share of the gain over mid grey that is kept; 1 switches calming off.
        share: of all steps that are spent on it.
        chroma: weight of the mean square distance from grey; 0 for a unit that wants colour.
        contrast: weight of the mean square about mid grey. Variation in space has weight 1. There is none
            over time: it would slow motion down.
        step: root mean square of a step down, in units of the clip's values, at the start.
        recover: share of what is missing in the response that the next step makes up for.
    """

    kept: float = 0.9
    share: float = 0.3
    chroma: float = 4.0
    contrast: float = 0.5
    step: float = 0.008
    recover: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.kept <= 1 or not 0 <= self.share < 1:
            raise SettingInvalid(
                f"calming keeps a share above 0 and at most 1 in less than all steps, not {self.kept} "
                f"in {self.share} of them"
            )


EDGE = 0.02
"""Difference between neighbours below which variation counts squares: such noise is smoothed away."""

_FURTHEST = 0.03
"""Largest root mean square of a step uphill."""


def variation(x: VideoBatch, settings: CalmSettings, free: Tensor) -> tuple[Tensor, Tensor]:
    """What calming lowers, (B,), and its gradient: total variation in space, distance from grey, contrast.

    Args:
        x: clips about mid grey.
        free: (B,) true where colour costs nothing.
    """
    across, down = F.pad(x.diff(dim=-1), (0, 1)), F.pad(x.diff(dim=-2), (0, 0, 0, 1))
    edge = (across.square() + down.square() + EDGE**2).sqrt()
    colour = x - x.mean(dim=1, keepdim=True)
    weight = settings.chroma * _wide(~free)
    places = tuple(range(1, x.ndim))
    cost = (edge + weight * colour.square() + settings.contrast * x.square()).mean(dim=places)
    across, down = across / edge, down / edge
    # a difference pulls at both its pixels
    slope = F.pad(across[..., :-1], (1, 0)) - across + F.pad(down[..., :-1, :], (0, 0, 1, 0)) - down
    slope = slope + 2 * weight * colour + 2 * settings.contrast * x
    return cost, slope / x[0].numel()


def calm(
    measure: Measure,
    uphill: Uphill,
    x: VideoBatch,
    least: Tensor,
    steps: int,
    settings: CalmSettings,
    free: Tensor,
    done: Callable[[Tensor], None],
) -> VideoBatch:
    """The calmest clips on the way whose responses are at least `least`; `x` where there is none.

    Args:
        measure: of clips as they are, without random transforms.
        uphill: gives a direction with a root mean square of about 1.
        x: where to start, (B, C, T, H, W) about mid grey.
        least: response that each clip keeps, (B,).
        free: (B,) true where colour costs nothing.
        done: told the responses after each step.
    """
    kept, lowest = x, torch.full_like(least, float("inf"))
    aim = least + 0.01 * least.abs()  # a little above, for the last step may fall short
    for step in range(steps):
        value, gradient = measure(x)
        cost, slope = variation(x, settings, free)
        better = (value >= least) & (cost < lowest)
        kept, lowest = torch.where(_wide(better), x, kept), torch.where(better, cost, lowest)
        done(value)
        if step == steps - 1:
            break
        fading = 1 - 0.8 * step / steps
        down = slope / root_mean_square(slope) * settings.step * fading
        up = uphill(gradient)
        gained = (gradient * up).flatten(1).sum(dim=1).clamp(min=1e-20)
        wanted = settings.recover * (aim - value) + (gradient * down).flatten(1).sum(dim=1)
        length = (wanted / gained).clamp(0, _FURTHEST)
        x = (x - down + _wide(length) * up).clamp(-0.5, 0.5)
    return kept


def root_mean_square(x: Tensor) -> Tensor:
    """Of each clip, shaped to divide it by; never 0."""
    return x.square().mean(dim=tuple(range(1, x.ndim)), keepdim=True).sqrt().clamp(min=1e-20)


def _wide(values: Tensor) -> Tensor:
    return values.view(-1, 1, 1, 1, 1)
