"""Frames made smaller, and what their brightness gradients say of stripes."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from ..types import Video


def blur(video: Video, stride: int = 1) -> Float[Tensor, "time channel rows columns"]:
    """Blurred by (1, 4, 6, 4, 1)/16 along x and y; every `stride`-th pixel from the first on."""
    kernel = video.new_tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
    channels = video.shape[1]
    across = kernel.view(1, 1, 1, 5).expand(channels, -1, -1, -1)
    blurred = F.conv2d(
        F.pad(video, (2, 2, 0, 0), mode="replicate"), across, groups=channels, stride=(1, stride)
    )
    return F.conv2d(
        F.pad(blurred, (0, 0, 2, 2), mode="replicate"), across.mT, groups=channels, stride=(stride, 1)
    )


def pyramid(video: Video, coarsest: int, levels: int = 9) -> list[Tensor]:
    """The video at full, half, quarter ... resolution, `levels` at most, no side shorter than `coarsest`."""
    found = [video]
    while min(found[-1].shape[-2:]) >= 2 * coarsest and len(found) < levels:
        found.append(blur(found[-1], stride=2))
    # Interpolating between pixels blurs too: frames that are smooth already favour no sub-pixel position.
    return [blur(video), *found[1:]]


def along_stripes(video: Video, stripes: float) -> Float[Tensor, "1 2 1 1"]:
    """The direction in which a striped video's motion cannot be seen (the aperture problem).

    Args:
        stripes: ratio of the structure tensor's eigenvalues below which a video counts as striped.

    Returns:
        The unit vector along the stripes, times the root of how striped the video is: 0 where the smaller
        eigenvalue of its structure tensor is at least `stripes` of the larger one.
    """
    smooth = blur(video)
    x, y = smooth[..., :-1, :].diff(dim=3), smooth[..., :-1].diff(dim=2)
    xx, xy, yy = (x * x).mean(), (x * y).mean(), (y * y).mean()
    strengths, axes = torch.linalg.eigh(torch.stack([xx, xy, xy, yy]).view(2, 2))
    ratio = strengths[0].clamp(min=0) / strengths[1].clamp(min=1e-12)
    striped = (1 - ratio / stripes).clamp(min=0)
    return (axes[:, 0] * striped.sqrt()).view(1, 2, 1, 1)
