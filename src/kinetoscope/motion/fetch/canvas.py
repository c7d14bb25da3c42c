"""The texture a motion leaves: least squares, since every frame is linear in the image it samples."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from ...types import Flow, Video
from ...warp import pixel_grid, sample


class Canvas:
    """The static image's extent: the frame and a margin around it, for content that enters from outside.

    Attributes:
        margin: pixels on every side.
    """

    def __init__(self, displacement: Flow, spare: int = 6) -> None:
        self.height, self.width = displacement.shape[-2:]
        farthest = math.ceil(float(displacement.abs().max()))
        self.margin = min(farthest, max(self.height, self.width)) + spare
        self._pixels = pixel_grid(self.height, self.width, device=displacement.device) + self.margin

    def around(self, image: Tensor) -> Tensor:
        """Extend (1, C, H, W) to the canvas by its border."""
        return F.pad(image, (self.margin,) * 4, mode="replicate")

    def frame(self, canvas: Tensor) -> Tensor:
        """Cut the frame's extent, (1, C, H, W), out of a canvas."""
        rows = slice(self.margin, self.margin + self.height)
        columns = slice(self.margin, self.margin + self.width)
        return canvas[..., rows, columns]

    def render(self, canvas: Tensor, displacement: Flow) -> Video:
        """The video (T, C, H, W) that the canvas and a sampling field make (Li & Li 2025, eq. 3)."""
        return sample(canvas, self._pixels + displacement)


def fit_texture(
    video: Video, displacement: Flow, canvas: Canvas, *, smooth: float = 1e-3, iterations: int = 12
) -> Tensor:
    """The canvas that reconstructs the video best for a given displacement, by conjugate gradients.

    Args:
        video: (T, C, H, W) in [0, 1].
        displacement: D, (T, 2, H, W), pixels.
        smooth: weight of the squared differences of neighbours: fills what no frame shows.

    Returns:
        (1, C, H + 2 margin, W + 2 margin); may leave [0, 1] slightly.
    """
    start = canvas.around(video.mean(dim=0, keepdim=True))

    def slope(image: Tensor, target: Video | float) -> Tensor:
        image = image.requires_grad_()
        misfit = (canvas.render(image, displacement) - target).square().sum() / len(video)
        bumps = image.diff(dim=3).square().sum() + image.diff(dim=2).square().sum()
        return torch.autograd.grad(0.5 * misfit + 0.5 * smooth * bumps, image)[0]

    image = start
    residual = -slope(image, video)
    image = image.detach()
    direction = residual.clone()
    energy = residual.square().sum()
    for _ in range(iterations):
        curved = slope(direction, 0.0)
        direction = direction.detach()
        length = energy / ((direction * curved).sum() + 1e-20)
        image = image + length * direction
        residual = residual - length * curved
        previous, energy = energy, residual.square().sum()
        direction = residual + energy / (previous + 1e-20) * direction
    return image
