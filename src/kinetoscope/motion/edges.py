"""Edges of motion: each pixel takes the velocity of the neighbour that carries it best.

A smooth field blurs where two motions meet. Here a pixel may take over the velocities found a few pixels
away, where they fit its surroundings clearly better than its own, looked at forward or backward in time,
whichever
fits better: what is covered in the next frame was still seen in the one before.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..types import Flow, Velocity, Video
from ..warp import pixel_grid, sample
from .affine import nearest_affine
from .nodes import Normalizer, over_time, smooth


@dataclass(frozen=True)
class EdgeSettings:
    """How far a pixel looks for a better velocity.

    Attributes:
        reach: distances of the neighbours that are asked, pixels, one round each.
        window: of the local normalization, pixels.
        floor: of its deviation, as a share of the clip's own.
        radius: of the window over which misfits are averaged, pixels; a triangle reaches twice as far.
        frames: how many before and after count as well.
        gain: a neighbour's velocity is taken where its misfit is below this share of the pixel's own, and
        apart: where it differs by so much, pixels per frame: smooth fields stay as they are.
    """

    reach: tuple[int, ...] = (3, 6)
    window: float = 12.0
    floor: float = 0.15
    radius: int = 0
    frames: int = 3
    gain: float = 0.8
    apart: float = 0.1


def sharpen(
    video: Video, ahead: Velocity, back: Velocity, settings: EdgeSettings
) -> tuple[Velocity, Velocity]:
    """Both fields with sharper edges.

    Args:
        video: (T, C, H, W) in [0, 1].
        ahead: content at p in frame t is at p + ahead_t(p) in frame t+1, (T-1, 2, H, W), pixels.
        back: content at q in frame t+1 was at q + back_t(q) in frame t, likewise.

    Returns:
        `ahead` and `back`, taken over from the same neighbours.
    """
    frames = Normalizer(video, settings.window, settings.floor).frames
    pixels = pixel_grid(*video.shape[2:], device=video.device)
    limit = pixels.new_tensor([video.shape[3] - 1, video.shape[2] - 1]).view(1, 2, 1, 1)

    def misfit(there: Tensor, here: Tensor, field: Flow) -> Tensor:
        places = pixels + field
        inside = ((places >= 0) & (places <= limit)).all(dim=1, keepdim=True)
        error = (sample(there, places) - here).square().mean(dim=1, keepdim=True).clamp(max=2)
        return smooth(torch.where(inside, error, 1.0), settings.radius)

    def cost(forward: Velocity, backward: Velocity) -> Tensor:
        """Of velocities at each frame; the first and the last have one neighbour only."""
        before, after = misfit(frames[:-1], frames[1:], backward), misfit(frames[1:], frames[:-1], forward)
        both = torch.minimum(before[:-1], after[1:])
        least = torch.cat([after[:1], both, before[-1:]])
        return over_time(least, (1.0,) * (2 * settings.frames + 1))

    first = best = cost(ahead, back)
    # what turns or grows as a whole has other velocities nearby, and no edge: departures are offered
    whole = (nearest_affine(ahead), nearest_affine(back))
    found, origin = (ahead, back), (ahead, back)
    for distance in settings.reach:
        origin = found
        for x, y in ((distance, 0), (-distance, 0), (0, distance), (0, -distance)):
            offered = (
                whole[0] + _shifted(origin[0] - whole[0], x, y),
                whole[1] + _shifted(origin[1] - whole[1], x, y),
            )
            price = cost(*offered)
            wins = (price < torch.minimum(best, settings.gain * first)) & _apart(offered, found, settings)
            best = torch.where(wins, price, best)
            found = (
                torch.where(wins[:-1], offered[0], found[0]),
                torch.where(wins[1:], offered[1], found[1]),
            )
    return found


def _apart(first: tuple[Tensor, Tensor], second: tuple[Tensor, Tensor], settings: EdgeSettings) -> Tensor:
    """Where two motions, ahead and back, differ enough, at each frame."""
    ahead, back = (
        (one - other).norm(dim=1, keepdim=True) > settings.apart
        for one, other in zip(first, second, strict=True)
    )
    return torch.cat([ahead[:1], ahead[1:] & back[:-1], back[-1:]])


def _shifted(field: Tensor, x: int, y: int) -> Tensor:
    """The field as seen (x, y) pixels away; beyond the border its border is repeated."""
    height, width = field.shape[-2:]
    rows = (torch.arange(height, device=field.device) + y).clamp(0, height - 1)
    columns = (torch.arange(width, device=field.device) + x).clamp(0, width - 1)
    return field[..., rows[:, None], columns]
