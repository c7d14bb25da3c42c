"""Frames made smaller, and what their brightness gradients say of stripes."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from ..types import Videos
from ..warp import by_image
from .clips import CLIP


def blur(video: Videos, stride: int = 1) -> Float[Tensor, "*clip time channel rows columns"]:
    """Blurred by (1, 4, 6, 4, 1)/16 along x and y; every `stride`-th pixel from the first on."""
    kernel = video.new_tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
    channels = video.shape[-3]
    across = kernel.view(1, 1, 1, 5).expand(channels, -1, -1, -1)

    def blurred(images: Tensor) -> Tensor:
        images = F.pad(images, (2, 2, 0, 0), mode="replicate")
        images = F.conv2d(images, across, groups=channels, stride=(1, stride))
        images = F.pad(images, (0, 0, 2, 2), mode="replicate")
        return F.conv2d(images, across.mT, groups=channels, stride=(stride, 1))

    return by_image(blurred, video)


def pyramid(video: Videos, coarsest: int, levels: int = 9) -> list[Tensor]:
    """The video at full, half, quarter ... resolution, `levels` at most, no side shorter than `coarsest`."""
    found = [video]
    while min(found[-1].shape[-2:]) >= 2 * coarsest and len(found) < levels:
        found.append(blur(found[-1], stride=2))
    # Interpolating between pixels blurs too: frames that are smooth already favour no sub-pixel position.
    return [blur(video), *found[1:]]


def along_stripes(video: Videos, stripes: float) -> Float[Tensor, "*clip 1 2 1 1"]:
    """The direction in which a striped video's motion cannot be seen (the aperture problem).

    Args:
        stripes: ratio of the structure tensor's eigenvalues below which a video counts as striped.

    Returns:
        The unit vector along the stripes, times the root of how striped the video is: 0 where the smaller
        eigenvalue of its structure tensor is at least `stripes` of the larger one.
    """
    smooth = blur(video)
    x, y = smooth[..., :-1, :].diff(dim=-1), smooth[..., :-1].diff(dim=-2)
    xx, xy, yy = ((one * other).mean(dim=CLIP) for one, other in ((x, x), (x, y), (y, y)))
    strengths, axes = torch.linalg.eigh(torch.stack([xx, xy, xy, yy], dim=-1).unflatten(-1, (2, 2)))
    ratio = strengths[..., :1].clamp(min=0) / strengths[..., 1:].clamp(min=1e-12)
    striped = (1 - ratio / stripes).clamp(min=0)
    return (axes[..., 0] * striped.sqrt())[..., None, :, None, None]
