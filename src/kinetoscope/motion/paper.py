"""The paper's formulation, as its equations state it (Li & Li 2025, eq. 1-9)."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ..types import Flow, Image, Video
from ..warp import pixel_grid, sample
from .metrics import differences


@dataclass(frozen=True)
class PaperSettings:
    """The published choices.

    Attributes:
        steps: Adam steps.
        rate: Adam's step size.
        deformation, smoothness, similarity: weights of eq. 6, 7 and 8.
        spread: standard deviation of the normal start (image: grey levels; D: fractions of the frame).
    """

    steps: int = 2000
    rate: float = 0.1
    deformation: float = 1.0
    smoothness: float = 1.0
    similarity: float = 1.0
    spread: float = 0.01


def fit_fields(video: Video, settings: PaperSettings, seed: int) -> tuple[Image, Flow, Video]:
    """Fit one image and an independent field per frame.

    Args:
        video: (T, C, H, W) in [0, 1].
        seed: draws the initial image and fields.

    Returns:
        The image (C, H, W) clipped to [0, 1], D (T, 2, H, W) in pixels, and the reconstruction (T, C, H, W).
    """
    frames, channels, height, width = video.shape
    generator = torch.Generator().manual_seed(seed)
    frame = video.new_tensor([width, height]).view(1, 2, 1, 1)
    image = torch.randn(1, channels, height, width, generator=generator).to(video) * settings.spread
    fractions = torch.randn(frames, 2, height, width, generator=generator).to(video) * settings.spread
    image.requires_grad_()
    fractions.requires_grad_()
    pixels = pixel_grid(height, width, device=video.device)
    optimizer = torch.optim.Adam([image, fractions], lr=settings.rate)
    for _ in range(settings.steps):
        reconstruction = (sample(image, pixels + fractions * frame) - video).square().mean()
        loss = reconstruction + consistency(image, fractions, video[:1], settings)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        image = image.clamp(0, 1)
        displacement = fractions.detach() * frame
        return image[0].detach(), displacement, sample(image, pixels + displacement)


def consistency(
    image: Float[Tensor, "1 channel height width"],
    fractions: Float[Tensor, "time 2 height width"],
    first: Float[Tensor, "1 channel height width"],
    weights: PaperSettings,
) -> Float[Tensor, ""]:
    """The weighted sum of eq. 6, 7 and 8: the field is smooth, so is the image, and it shows the first frame.

    Args:
        image: I, (1, C, H, W).
        fractions: D as a fraction of the frame, (T, 2, H, W).
        first: the video's first frame, (1, C, H, W).
        weights: of the three.
    """
    smoothness = image.diff(dim=3).abs().mean() + image.diff(dim=2).abs().mean()
    return (
        weights.deformation * sum(differences(fractions))
        + weights.smoothness * smoothness
        + weights.similarity * (image - first).square().mean()
    )
