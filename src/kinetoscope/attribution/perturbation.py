"""The part of space-time, of a volume that is fixed, that keeps a unit's response: extremal perturbations.

Fong, Patrick & Vedaldi 2019 for images, Li et al. 2021 for video: a smooth mask between clip and baseline is
optimized. There a penalty pulls it to its volume; here the level at which a smooth field is cut holds it
exactly.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from ..types import VideoBatch

Mask = Float[Tensor, "time height width"]
"""How much of the clip is seen, 0 (the baseline) to 1 (the clip)."""

FRAMES, PARTS = 2, 8
"""Frames between the knots of the field, and how many times the frame's shorter side holds their distance in
space; in between the field is linear."""

RATE, HARDENING = 0.2, 8.0
"""Adam's rate, in units of the field, and how much harder the mask's edge is at the end than at the start."""

WIDEST = 0.5
"""Volume of the first step: the mask shrinks to what is asked for over the first half of the steps."""

_FARTHEST = 12.0
# of a logit from the level: beyond, float32 holds no order among places


def extremal_mask(
    respond: Callable[[Tensor], Tensor],
    clip: VideoBatch,
    baseline: VideoBatch,
    *,
    volume: float,
    steps: int,
) -> Mask:
    """The smooth mask of this volume through which the clip gets the largest response.

    Args:
        respond: clips (B, C, T, H, W) to responses (B,).
        clip, baseline: (1, C, T, H, W).
        volume: mean of the mask, above 0 and below 1.
        steps: of the ascent.
    """
    size = tuple(clip.shape[2:])
    cell = max(1.0, min(size[1:]) / PARTS)
    knots = [max(2, round(n / apart) + 1) for n, apart in zip(size, (FRAMES, cell, cell), strict=True)]
    field = torch.zeros(1, 1, *knots, device=clip.device, requires_grad=True)
    ascent = torch.optim.Adam([field], lr=RATE, maximize=True)
    for step in range(steps):
        done = step / steps
        held = max(volume, WIDEST ** (1 - min(1.0, 2 * done)) * volume ** min(1.0, 2 * done))
        mask = _cut(_spread(field, size), held, HARDENING**done)
        (field.grad,) = torch.autograd.grad(respond(masked(clip, baseline, mask)).sum(), field)
        field.grad.nan_to_num_()
        ascent.step()
    return _cut(_spread(field.detach(), size), volume, HARDENING)


def masked(clip: VideoBatch, baseline: VideoBatch, mask: Mask) -> VideoBatch:
    """The clip where the mask is 1, the baseline where it is 0."""
    return baseline + mask * (clip - baseline)


def _spread(field: Tensor, size: tuple[int, ...]) -> Mask:
    return F.interpolate(field, size=size, mode="trilinear", align_corners=True)[0, 0]


def _cut(values: Mask, volume: float, hardness: float) -> Mask:
    """A logistic step of the field at the level that gives the mask its mean, with the level's gradient."""
    still = values.detach().double()
    span = float(still.amax() - still.amin())
    hardness = min(hardness, _FARTHEST / max(span, 1e-12))
    beyond = 30 / hardness
    low, high = float(still.amin()) - beyond, float(still.amax()) + beyond
    for _ in range(50):
        level = (low + high) / 2
        if float((hardness * (still - level)).sigmoid().mean()) > volume:
            low = level
        else:
            high = level
    soft = (hardness * (still - level)).sigmoid()
    slopes = (soft * (1 - soft)).to(values)
    moved = (slopes * (values - values.detach())).sum() / slopes.sum().clamp(
        min=1e-30
    )  # zero, but for its slope
    return (hardness * (values - level - moved)).sigmoid()
