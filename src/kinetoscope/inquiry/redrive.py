"""Re-drive: the unit's response to its optimum, and to what is left without texture, motion or order."""

from collections.abc import Mapping

import torch
from torch import Tensor

from ..optimal.objective import Forward, Objective
from ..results import Decomposition
from ..types import Video
from ..warp import interpolation_matrix

SHUFFLES = 4
"""Orders of the frames whose responses are averaged as `shuffled`."""

INDICES = ("reconstruction_kept", "motion_dependence", "direction_index", "colour_dependence")
"""Keys of `derived_indices`."""

RESOLUTION = 1e-6
"""Difference between responses, as a share of the largest of them, that is rounding and no difference."""


def redrive(
    forward: Forward, objective: Objective, video: Video, decomposition: Decomposition, start: Video
) -> dict[str, float]:
    """The unit's response, same objective and no random transforms, to its optimum and what was made of it.

    Args:
        forward: clips in [0, 1], (B, C, T, H, W), to the layer's output.
        objective: what was maximized.
        video: the optimal input, (T, C, H, W).
        decomposition: of `video`.
        start: the clip the optimization started from, (T, C, H, W).

    Returns:
        `optimal`; `random_input`, the response to `start`; `reconstruction`; `static_only`, the texture in
        every frame; `flat_colour`, the optimum's mean colour in every pixel; `reversed`; `shuffled`, the mean
        over `SHUFFLES` orders that are the same for all units; `slowed` and `sped_up` by two (see `retime`);
        `grey`, the optimum without its colour.
    """
    clips = {
        "optimal": [video],
        "random_input": [start.to(video)],
        "reconstruction": [decomposition.reconstruction],
        "static_only": [decomposition.static_image.expand_as(video)],
        "flat_colour": [video.mean(dim=(0, 2, 3), keepdim=True).expand_as(video)],
        "reversed": [video.flip(0)],
        "shuffled": [video[order] for order in shuffled_orders(len(video))],
        "slowed": [retime(video, 0.5)],
        "sped_up": [retime(video, 2.0)],
        "grey": [without_colour(video)],
    }
    with torch.no_grad():
        # one clip at a time: the optimization needed no more memory than that
        return {
            name: sum(float(objective(forward(clip.transpose(0, 1)[None]))) for clip in made) / len(made)
            for name, made in clips.items()
        }


def without_colour(video: Video) -> Video:
    """The clip in grey: each pixel the mean of its channels; of one channel, the clip itself."""
    return video.mean(dim=1, keepdim=True).expand_as(video)


def retime(video: Video, speed: float) -> Video:
    """Play a clip faster or slower about its middle, frames interpolated linearly.

    Slowed, the clip's middle part fills all frames. Sped up it is over early on both sides: its first and
    last frame are held, as everywhere beyond a border.

    Args:
        video: (T, C, H, W).
        speed: 2 plays twice as fast; below 0 runs backwards.
    """
    frames = len(video)
    middle = (frames - 1) / 2
    times = middle + speed * (torch.arange(frames, device=video.device, dtype=video.dtype) - middle)
    return (interpolation_matrix(times, frames) @ video.flatten(1)).view_as(video)


def shuffled_orders(frames: int) -> list[Tensor]:
    """`SHUFFLES` random orders of at least two frames, none of them the clip's own; always the same ones."""
    generator = torch.Generator().manual_seed(0)
    orders: list[Tensor] = []
    while len(orders) < SHUFFLES:
        order = torch.randperm(frames, generator=generator)
        if not torch.equal(order, torch.arange(frames)):
            orders.append(order)
    return orders


def derived_indices(activation: Mapping[str, float]) -> dict[str, float | None]:
    """What the responses say about motion, in numbers that neither the layer's scale nor its offset changes.

    The gain of a clip is its response less that of the random input.

    Args:
        activation: from `redrive`.

    Returns:
        `reconstruction_kept`: the reconstruction's gain as a share of the optimum's; 1 when texture and
        motion tell all, above 1 when they drive the unit even better.
        `motion_dependence`: one less the standing texture's share, in [0, 1]: 1 when all is lost without
        change over time, 0 when the texture alone does as well.
        `direction_index`: (f - b) / (|f| + |b|) of the gains forward f and backward b, in [-1, 1]: 1 when
        only forward drives the unit, 0 when both do alike, below 0 when backward drives it more.
        `colour_dependence`: one less the share that the optimum without its colour has, in [0, 1]: 1 when all
            is
        lost in grey, 0 when colour is decoration; above a half, colour is what the unit wants.
        All are None for a unit that gains nothing.
    """
    names = ("optimal", "reconstruction", "static_only", "reversed", "grey")
    rest = activation["random_input"]
    optimal, reconstruction, static, backward, grey = (activation[name] - rest for name in names)
    if not optimal > RESOLUTION * largest(activation):
        return dict.fromkeys(INDICES)
    return {
        "reconstruction_kept": reconstruction / optimal,
        "motion_dependence": min(max(1 - static / optimal, 0.0), 1.0),
        "direction_index": (optimal - backward) / (optimal + abs(backward)),
        "colour_dependence": min(max(1 - grey / optimal, 0.0), 1.0),
    }


def largest(activation: Mapping[str, float]) -> float:
    """The largest absolute response; NaN counts as infinite."""
    return max(abs(value) if value == value else float("inf") for value in activation.values())
