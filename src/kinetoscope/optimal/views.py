"""Random looks *into* a clip: what is strong at every zoom is one large object, no tiling of small pieces."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import SettingInvalid
from ..types import VideoBatch
from ..warp import interpolation_matrix, pixel_grid, sample


@dataclass(frozen=True)
class ViewSettings:
    """Ranges of the random looks.

    Attributes:
        zoom: smallest and largest magnification, drawn evenly in its logarithm; it never fades.
        shift: largest shift, as a share of the side.
        turn: largest turn, degrees.
        slip: largest shift in time, frames.
        final: share of shift, turn and slip left at the last step.
    """

    zoom: tuple[float, float] = (0.9, 1.8)
    shift: float = 0.12
    turn: float = 8.0
    slip: float = 2.0
    final: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.zoom[0] <= self.zoom[1]:
            raise SettingInvalid(f"zoom is the smallest and largest magnification, above 0, not {self.zoom}")
        if min(self.shift, self.turn, self.slip) < 0 or not 0 <= self.final <= 1:
            raise SettingInvalid(
                "shift, turn and slip of a look are at least 0 and final is 0 to 1, not "
                f"{self.shift}, {self.turn}, {self.slip} and {self.final}"
            )


Looks = Float[Tensor, "batch 5"]
"""Per clip: log zoom, shift over x and y (shares of the side), turn (radians), slip (frames)."""


def draw_looks(settings: ViewSettings, amount: float, generators: Sequence[torch.Generator]) -> Looks:
    """One look for each clip; `amount` scales all but the zoom."""
    uniform = torch.stack([torch.rand(5, generator=generator) for generator in generators]) * 2 - 1
    low, high = map(math.log, settings.zoom)
    reach = torch.tensor([settings.shift, settings.shift, math.radians(settings.turn), settings.slip])
    zoom = low + (high - low) * (uniform[:, :1] + 1) / 2
    return torch.cat([zoom, amount * reach * uniform[:, 1:]], dim=1)


def look_into(clips: VideoBatch, looks: Looks) -> VideoBatch:
    """Each clip (B, C, T, H, W) as one look sees it; beyond its borders and ends it is mirrored.

    Mirrored in time, not held: an end, which a network sees through half as many windows, takes its turn
    inside.
    """
    return torch.stack([_look(clip, *look) for clip, look in zip(clips, looks.to(clips), strict=True)])


def _look(clip: Tensor, zoom: Tensor, across: Tensor, down: Tensor, turn: Tensor, slip: Tensor) -> Tensor:
    frames, height, width = clip.shape[1:]
    centre = clip.new_tensor([(width - 1) / 2, (height - 1) / 2]).view(1, 2, 1, 1)
    x, y = (pixel_grid(height, width, device=clip.device, dtype=clip.dtype) - centre)[0] / zoom.exp()
    turned = torch.stack([turn.cos() * x - turn.sin() * y, turn.sin() * x + turn.cos() * y])[None]
    at = centre + turned + torch.stack([across * width, down * height]).view(1, 2, 1, 1)
    seen = sample(
        clip.transpose(0, 1), torch.cat([_mirrored(at[:, :1], width), _mirrored(at[:, 1:], height)], 1)
    )
    times = _mirrored(torch.arange(frames, device=clip.device) - slip, frames)
    return (interpolation_matrix(times, frames).to(seen) @ seen.flatten(1)).view_as(seen).transpose(0, 1)


def _mirrored(at: Tensor, size: int) -> Tensor:
    """Positions along an axis, folded back at its first and last cell."""
    last = size - 1
    return (last - (last - at.abs()).abs()).clamp(0, last)
