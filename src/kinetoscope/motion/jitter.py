"""Small displacements on top of the coherent motion, found together with the texture.

The loss is the paper's (Li & Li 2025, eq. 5-9) with two changes. The fit enters by its logarithm, so that a
weight on roughness states an exchange rate: what a rougher field must buy in decibels. And the roughness
weight grows during the fit, so that a field may first travel and then settle.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..schedule import cosine
from ..types import Flow, Video
from ..warp import resize_field
from .metrics import differences
from .texture import Canvas


@dataclass(frozen=True)
class JitterSettings:
    """How the jitter and the final texture are found.

    Attributes:
        steps: Adam steps.
        rate: Adam's step size for displacements, pixels.
        texture_rate: Adam's step size for the texture, grey levels in [0, 1].
        scales: the field is a sum of grids so many times coarser than the frame.
        roughness: weight of the mean absolute differences of the jitter along x, y and t, pixels (eq. 6).
        smoothness: weight of the mean absolute differences of the texture's neighbours (eq. 7).
        similarity: weight of the texture's squared difference to the first frame (eq. 8).
        floor: squared error below which a better fit is worth nothing.
    """

    steps: int = 120
    rate: float = 0.15
    texture_rate: float = 0.02
    scales: tuple[int, ...] = (8, 4, 2, 1)
    roughness: float = 1.5
    smoothness: float = 0.25
    similarity: float = 0.13
    floor: float = 3e-4


def estimate_jitter(
    video: Video, coherent: Flow, texture: Tensor, canvas: Canvas, settings: JitterSettings
) -> tuple[Flow, Tensor]:
    """Improve the texture and add a small displacement per frame.

    Args:
        video: (T, C, H, W) in [0, 1].
        coherent: displacement of the coherent motion, (T, 2, H, W), pixels; left as it is.
        texture: canvas to start from.

    Returns:
        The jitter (T, 2, H, W), pixels, to be added to `coherent`, and the texture canvas.
    """
    frames, _, height, width = video.shape
    texture = texture.clone().requires_grad_()
    grids = [
        video.new_zeros(frames, 2, (height - 1) // scale + 1, (width - 1) // scale + 1).requires_grad_()
        for scale in settings.scales
    ]
    optimizer = torch.optim.Adam([{"params": [texture]}, {"params": grids}], betas=(0.9, 0.99))
    rates = (settings.texture_rate, settings.rate)

    def jitter() -> Tensor:
        return torch.stack([resize_field(grid, height, width) for grid in grids]).sum(dim=0)

    for step in range(settings.steps):
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * cosine(step, settings.steps)
        field = jitter()
        error = (canvas.render(texture, coherent + field) - video).square().mean()
        likeness = (canvas.frame(texture) - video[:1]).square().mean()
        rough = sum(differences(field))
        weight = settings.roughness * min(1.0, 2 * step / settings.steps)
        scale = error.detach() + settings.floor
        bumpy = texture.diff(dim=3).abs().mean() + texture.diff(dim=2).abs().mean()
        loss = (
            (error + settings.floor).log()
            + weight * rough
            + settings.smoothness * bumpy
            + settings.similarity * likeness / scale
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        return jitter(), texture.detach()
