"""Small displacements on top of the coherent motion, found together with the texture.

The loss is the paper's (Li & Li 2025, eq. 5-9) with two changes. The fit enters by its logarithm, so that a
weight on roughness states an exchange rate: what a rougher field must buy in decibels. And the roughness
weight grows over the first part of the fit, so that a field may first travel and then settle.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ...schedule import cosine
from ...types import Flow, Video
from ...warp import resize_field
from ..metrics import contrast, differences
from .canvas import Canvas


@dataclass(frozen=True)
class FieldSettings:
    """How the jitter and the final texture are found.

    Attributes:
        steps: Adam steps.
        rate: Adam's greatest step size for displacements, pixels.
        portion: no step is larger than this share of what is to be found: the error that the coherent motion
            leaves, as pixels of displacement (`contrast`).
        texture_rate: Adam's greatest step size for the texture, grey levels in [0, 1]; shrinks alike.
        betas: decay rates of Adam's averages; so few steps leave no time for long memories.
        scales: the field is a sum of grids so many times coarser than the frame, coarsest first.
        roughness: weight of the mean absolute differences of the jitter along x, y and t, pixels (eq. 6).
        settling: share of the steps over which that weight grows from zero.
        smoothness: weight of the mean absolute differences of the texture's neighbours (eq. 7).
        similarity: weight of the texture's squared difference to the first frame (eq. 8).
        floor: squared error below which a better fit is worth nothing.
    """

    steps: int = 50
    rate: float = 0.4
    portion: float = 0.5
    texture_rate: float = 0.06
    betas: tuple[float, float] = (0.8, 0.95)
    scales: tuple[int, ...] = (8, 2, 1)
    roughness: float = 1.5
    settling: float = 0.5
    smoothness: float = 0.25
    similarity: float = 0.13
    floor: float = 3e-4


def fit_fields(
    video: Video, coherent: Flow, texture: Tensor, canvas: Canvas, error: float, settings: FieldSettings
) -> tuple[Flow, Tensor]:
    """Improve the texture and add a small displacement per frame.

    Args:
        video: (T, C, H, W) in [0, 1].
        coherent: displacement of the coherent motion, (T, 2, H, W), pixels; left as it is.
        texture: canvas to start from.
        canvas: its extent.
        error: mean squared error that `coherent` and `texture` leave.

    Returns:
        The jitter (T, 2, H, W), pixels, to be added to `coherent`, and the texture canvas.
    """
    frames, _, height, width = video.shape
    texture = texture.clone().requires_grad_()
    grids = [
        video.new_zeros(frames, 2, (height - 1) // scale + 1, (width - 1) // scale + 1).requires_grad_()
        for scale in settings.scales
    ]
    groups = [{"params": [texture]}, {"params": grids}]
    optimizer = torch.optim.Adam(groups, betas=settings.betas, fused=True)
    rate_share = min(1.0, settings.portion * math.sqrt(error) / contrast(video) / settings.rate)
    rates = (settings.texture_rate * rate_share, settings.rate * rate_share)

    def jitter() -> Tensor:
        field = grids[0]
        for finer in grids[1:]:  # from grid to grid: a third of the cost of resizing each to the frame
            field = resize_field(field, *finer.shape[-2:]) + finer
        return resize_field(field, height, width)

    for step in range(settings.steps):
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * cosine(step, settings.steps)
        field = jitter()
        misfit = F.mse_loss(canvas.render(texture, coherent + field), video)
        likeness = (canvas.frame(texture) - video[:1]).square().mean()
        rough = sum(differences(field))
        weight = settings.roughness * min(1.0, step / (settings.settling * settings.steps))
        scale = misfit.detach() + settings.floor
        bumpy = texture.diff(dim=3).abs().mean() + texture.diff(dim=2).abs().mean()
        loss = (
            (misfit + settings.floor).log()
            + weight * rough
            + settings.smoothness * bumpy
            + settings.similarity * likeness / scale
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        return jitter(), texture.detach()
