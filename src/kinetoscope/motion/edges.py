"""Edges of motion: each pixel takes the velocity that carries it best, and the simplest among equals.

A smooth field blurs where two motions meet. Here a pixel may take over the motion of the frame as a whole, or
the velocities found a few pixels away, where they fit clearly better than its own, looked at forward or
backward in time, whichever fits better: what is covered in the next frame was still seen in the one before.
And where the motion of the whole, or none, fits its surroundings no worse than its own, it takes that.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ..types import Flows, Velocities, Videos
from ..warp import pixel_grid, sample
from .affine import nearest_affine
from .nodes import Normalizer, over_time, smooth

Motion = tuple[Velocities, Velocities]
"""Ahead and back, (B, T-1, 2, H, W) each, pixels: content at p in frame t is at p + ahead_t(p) in frame
t+1, and content at q in frame t+1 was at q + back_t(q) in frame t."""


@dataclass(frozen=True)
class EdgeSettings:
    """How far a pixel looks for a better velocity.

    Attributes:
        reach: distances of the neighbours that are asked, pixels, one round each.
        window: of the local normalization, pixels.
        floor: of its deviation, as a share of the clip's own.
        frames: how many before and after count as well at the same place, and
        along: how many where the velocity leads; the better of both is a pixel's misfit.
        gain: a neighbour's velocity is taken where its misfit is below this share of the pixel's own, and
        apart: where it differs by so much, pixels per frame: smooth fields stay as they are.
        radius: of the window in which the simpler of two motions must fit no worse; a triangle reaches twice
            as far.
        slow: speed below which standing still is such a simpler motion, pixels per frame.
    """

    reach: tuple[int, ...] = (3, 6)
    window: float = 12.0
    floor: float = 0.15
    frames: int = 3
    along: int = 2
    gain: float = 0.8
    apart: float = 0.1
    radius: int = 2
    slow: float = 0.05


def sharpen(videos: Videos, ahead: Velocities, back: Velocities, settings: EdgeSettings) -> Motion:
    """Both fields with sharper edges, and even where nothing says that they are not.

    Args:
        videos: (B, T, C, H, W) in [0, 1].
        ahead, back: as in `Motion`.

    Returns:
        `ahead` and `back`, taken over from the same neighbours.
    """
    misfits, found = _Misfits(videos, settings), (ahead, back)
    first = best = misfits(*found)
    # what turns or grows as a whole has other velocities nearby, and no edge: departures are offered
    whole = (nearest_affine(ahead), nearest_affine(back))
    still = (torch.zeros_like(ahead), torch.zeros_like(back))
    cost_of_whole = misfits(*whole)
    wins = (cost_of_whole < settings.gain * first) & _apart(whole, found, settings)
    wins |= smooth(cost_of_whole, settings.radius) <= smooth(best, settings.radius)
    found, best = _taken(wins, whole, found), torch.where(wins, cost_of_whole, best)
    cost_of_none = misfits(*still)
    wins = smooth(cost_of_none, settings.radius) <= smooth(best, settings.radius)
    wins &= _at_frames(*(part.norm(dim=-3, keepdim=True) < settings.slow for part in found))
    found, best = _taken(wins, still, found), torch.where(wins, cost_of_none, best)
    for distance in settings.reach:
        for offered in _neighbours(found, whole, distance):
            cost = misfits(*offered)
            wins = (cost < torch.minimum(best, settings.gain * first)) & _apart(offered, found, settings)
            found, best = _taken(wins, offered, found), torch.where(wins, cost, best)
    return found


class _Misfits:
    """How badly motions carry the pixels of each clip."""

    def __init__(self, videos: Videos, settings: EdgeSettings) -> None:
        self.settings = settings
        self.frames = Normalizer(videos, settings.window, settings.floor).frames
        height, width = videos.shape[-2:]
        self.pixels = pixel_grid(height, width, device=videos.device)
        size = self.pixels.new_tensor([width - 1, height - 1])
        self.limit = size.view(1, 2, 1, 1)

    def __call__(self, ahead: Velocities, back: Velocities) -> Tensor:
        """Mean squared misfit of every pixel and frame, (B, T, 1, H, W), over frames before and after."""
        before, after = self._carried(0, 1, back), self._carried(1, 0, ahead)
        both = torch.minimum(before[:, :-1], after[:, 1:])
        # the first and the last have one neighbour only
        now = torch.cat([after[:, :1], both, before[:, -1:]], dim=1)
        weights = (1.0,) * (2 * self.settings.frames + 1)
        here = over_time(now, weights) / over_time(now.new_ones(now.shape[1], 1, 1, 1), weights)
        return torch.minimum(here, self._followed(now, ahead, back))

    def _inside(self, places: Tensor) -> Tensor:
        return ((places >= 0) & (places <= self.limit)).all(dim=-3, keepdim=True)

    def _carried(self, origin: int, target: int, field: Flows) -> Tensor:
        """Squared difference of what a field fetches from the neighbouring frame; 1 for what it lacks."""
        steps, places = field.shape[1], self.pixels + field
        there, here = (self.frames[:, first : first + steps] for first in (origin, target))
        error = (sample(there, places) - here).square().mean(dim=-3, keepdim=True).clamp(max=2)
        return torch.where(self._inside(places), error, 1.0)

    def _followed(self, misfit: Tensor, ahead: Velocities, back: Velocities) -> Tensor:
        """Mean over neighbouring frames, at the places to which the present velocity leads."""
        ahead, back = torch.cat([ahead, -back[:, -1:]], dim=1), torch.cat([-ahead[:, :1], back], dim=1)
        total, count = misfit.clone(), torch.ones_like(misfit)
        for k in range(1, min(self.settings.along, misfit.shape[1] - 1) + 1):
            now, later = slice(None, -k), slice(k, None)
            for here, there, field in ((now, later, ahead), (later, now, back)):
                places = self.pixels + k * field[:, here]
                inside = self._inside(places)
                total[:, here] += torch.where(inside, sample(misfit[:, there], places), 0.0)
                count[:, here] += inside
        return total / count


def _neighbours(found: Motion, whole: Motion, distance: int) -> Iterator[Motion]:
    """The motion seen `distance` pixels to each side, as a departure from the motion of the whole."""
    ahead, back = (one - other for one, other in zip(found, whole, strict=True))
    for x, y in ((distance, 0), (-distance, 0), (0, distance), (0, -distance)):
        yield whole[0] + _shifted(ahead, x, y), whole[1] + _shifted(back, x, y)


def _taken(wins: Tensor, offered: Motion, found: Motion) -> Motion:
    """`offered` at the frames and pixels where it wins."""
    return (
        torch.where(wins[:, :-1], offered[0], found[0]),
        torch.where(wins[:, 1:], offered[1], found[1]),
    )


def _apart(first: Motion, second: Motion, settings: EdgeSettings) -> Tensor:
    """Where two motions differ enough, at each frame."""
    ahead, back = (
        (one - other).norm(dim=-3, keepdim=True) > settings.apart
        for one, other in zip(first, second, strict=True)
    )
    return _at_frames(ahead, back)


def _at_frames(ahead: Tensor, back: Tensor) -> Tensor:
    """What holds of the steps from and to a frame, at each frame."""
    return torch.cat([ahead[:, :1], ahead[:, 1:] & back[:, :-1], back[:, -1:]], dim=1)


def _shifted(field: Tensor, x: int, y: int) -> Tensor:
    """The field as seen (x, y) pixels away; beyond the border its border is repeated."""
    height, width = field.shape[-2:]
    rows = (torch.arange(height, device=field.device) + y).clamp(0, height - 1)
    columns = (torch.arange(width, device=field.device) + x).clamp(0, width - 1)
    return field[..., rows[:, None], columns]
