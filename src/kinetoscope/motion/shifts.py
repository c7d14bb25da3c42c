"""Exhaustive search for where content came from: whole pixels of small pictures, both near and far."""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from ..warp import by_image
from .nodes import over_time, smooth

NEAREST = 0.06
"""Cost of looking one pixel further, as a share of a place's mean misfit: on stripes the nearest one wins."""

OVER_TIME = (1.0, 2.0, 3.0, 2.0, 1.0)
"""How much each step and its neighbours in time count."""


def nearest_match(
    frames: Float[Tensor, "*clip time channel height width"], reach: int, radius: int = 3
) -> Float[Tensor, "*clip _ 2 height width"]:
    """The whole-pixel step back that fits best around each place, nearer ones first among equals.

    Args:
        frames: normalized, at least two.
        reach: how far is looked, pixels along x and y.
        radius: of the window over which misfits are averaged, pixels; a triangle reaches twice as far.

    Returns:
        (..., T-1, 2, H, W), pixels of these frames: content at q in frame t+1 was at q + result_t(q) in
        frame t.
    """
    height, width = frames.shape[-2:]
    before, after = frames[..., :-1, :, :, :], frames[..., 1:, :, :, :]
    before = by_image(lambda images: F.pad(images, (reach,) * 4, mode="replicate"), before)
    inside = F.pad(frames.new_ones(1, 1, height, width), (reach,) * 4)
    span = range(-reach, reach + 1)
    steps = [(x, y) for y in span for x in span]
    costs = []
    for x, y in steps:
        window = (..., slice(reach + y, reach + y + height), slice(reach + x, reach + x + width))
        seen = inside[window]
        error = (before[window] - after).square().mean(dim=-3, keepdim=True).clamp(max=2) * seen
        share = smooth(seen, radius)
        near = smooth(error, radius) / share.clamp(min=0.2) + 2.0 * (share < 0.2)
        whole = error.sum(dim=(-2, -1), keepdim=True) / seen.sum()
        costs.append(near + 0.5 * whole)
    cost = torch.cat(costs, dim=-3)
    present = over_time(cost.new_ones(cost.shape[-4], 1, 1, 1), OVER_TIME)
    cost = over_time(cost, OVER_TIME) / present
    far = cost.new_tensor([math.hypot(*step) for step in steps]).view(1, -1, 1, 1)
    cost = cost + NEAREST * far * cost.mean(dim=-3, keepdim=True)
    return cost.new_tensor(steps)[cost.argmin(dim=-3)].movedim(-1, -3)
