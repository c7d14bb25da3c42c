"""Small random shifts and scalings in t, y and x: what survives them is no trick of single pixels.

All are centred: a shift is as likely forward as back and a scaling keeps the middle of the clip, so that
nothing drifts. Each is linear interpolation along one axis, with the border repeated.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import SettingInvalid
from ..schedule import cosine
from ..types import VideoBatch
from ..warp import interpolation_matrix


@dataclass(frozen=True)
class TransformSettings:
    """Ranges of the random transforms.

    Attributes:
        shift: largest shift along t, y, x, in frames and pixels.
        scale: smallest scaling factor along t, y, x; the largest is its reciprocal.
        final: share of both left at the last step, reached along half a cosine; 1 keeps them constant.
    """

    shift: tuple[float, float, float] = (1.5, 4.0, 4.0)
    scale: tuple[float, float, float] = (0.9, 0.9, 0.9)
    final: float = 0.1

    def __post_init__(self) -> None:
        if min(self.shift) < 0:
            raise SettingInvalid(f"shift is how far a clip may move, at least 0, not {self.shift}")
        if not all(0 < low <= 1 for low in self.scale):
            raise SettingInvalid(f"scale is the smallest factor, above 0 and at most 1, not {self.scale}")
        if not 0 <= self.final <= 1:
            raise SettingInvalid(f"final is the share left at the end, 0 to 1, not {self.final}")


Draws = Float[Tensor, "steps 2 3"]


def draw(settings: TransformSettings, steps: int, generator: torch.Generator) -> Draws:
    """Shifts (row 0, frames or pixels) and scaling factors (row 1) along t, y, x for every step."""
    uniform = torch.rand(steps, 2, 3, generator=generator) * 2 - 1
    uniform *= torch.tensor([cosine(step, steps, settings.final) for step in range(steps)]).view(-1, 1, 1)
    shifts = uniform[:, 0] * torch.tensor(settings.shift)
    scales = torch.tensor(settings.scale) ** uniform[:, 1]
    return torch.stack([shifts, scales], dim=1)


def axis_matrix(size: int, shift: Tensor, scale: Tensor) -> Float[Tensor, "size size"]:
    """Content moved by `shift` cells and enlarged by `scale` about the middle of an axis."""
    middle = (size - 1) / 2
    cells = torch.arange(size, dtype=torch.float32, device=shift.device)
    return interpolation_matrix(middle + (cells - middle - shift) / scale, size)


def transform(clips: VideoBatch, draws: Float[Tensor, "batch 2 3"]) -> VideoBatch:
    """Shift and scale each clip by its own draw.

    Args:
        clips: (B, C, T, H, W).
        draws: per clip, as one step of `draw`.
    """
    frames, height, width = clips.shape[2:]
    moved = []
    for clip, (shift, scale) in zip(clips, draws, strict=True):
        over_t, over_y, over_x = (
            axis_matrix(size, shift[axis], scale[axis]) for axis, size in enumerate((frames, height, width))
        )
        across = over_y @ (clip @ over_x.mT)
        moved.append((over_t @ across.flatten(2)).view_as(clip))
    return torch.stack(moved)
