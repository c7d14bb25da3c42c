"""Numbers that judge a decomposition."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from ..types import Flow, Image, Video

PEAK_DB = 100.0
"""Ceiling of a peak signal-to-noise ratio, so that identical videos have a finite one."""


def psnr_db(first: Float[Tensor, "*shape"], second: Float[Tensor, "*shape"]) -> float:
    """Peak signal-to-noise ratio in dB against peak 1, at most `PEAK_DB`."""
    error = (first - second).square().mean().double()
    return float(-10 * torch.log10(error + 10 ** (-PEAK_DB / 10)))


def differences(field: Float[Tensor, "time 2 height width"]) -> tuple[Tensor, Tensor, Tensor]:
    """Mean absolute differences along x, y and t, unit of the field; zero along an axis of one cell."""
    along = (field.diff(dim=3), field.diff(dim=2), field.diff(dim=0))
    x, y, t = (part.abs().mean() if part.numel() else field.new_zeros(()) for part in along)
    return x, y, t


def displacement_tv(displacement: Flow) -> float:
    """Roughness of a deformation field (Li & Li 2025, eq. 6, with time as the published code has it).

    Returns:
        mean absolute differences of D along x, y and t, summed; D as a fraction of the frame's width (x) and
        height (y).
    """
    height, width = displacement.shape[-2:]
    frame = displacement.new_tensor([width, height]).view(1, 2, 1, 1)
    return float(sum(differences(displacement / frame)))


def roughness(image: Image) -> float:
    """Total variation of one image: mean absolute differences along x and along y, summed."""
    return float(total_variations(image))


def total_variations(images: Float[Tensor, "*image channel height width"]) -> Float[Tensor, "*image"]:
    """The `roughness` of each image."""
    x, y = (images.diff(dim=axis).abs().mean(dim=(-3, -2, -1)) for axis in (-1, -2))
    return x + y


def temporal_variance(video: Video) -> float:
    """Mean squared difference of a video to its own time average."""
    return float((video - video.mean(dim=0)).square().mean())


def change_share(video: Video) -> float:
    """Temporal variance as a share of the variance of all values about the mean colour, in [0, 1].

    0 for a video without any variance.
    """
    whole = float((video - video.mean(dim=(0, 2, 3), keepdim=True)).square().mean())
    return min(1.0, temporal_variance(video) / whole) if whole > 1e-12 else 0.0


def contrast(video: Video) -> float:
    """Root mean square of the spatial gradient, per pixel: turns a grey-level residual into pixels."""
    x, y = video.diff(dim=3), video.diff(dim=2)
    energy = sum(float(part.square().mean()) for part in (x, y) if part.numel())
    return math.sqrt(energy) + 1e-3
