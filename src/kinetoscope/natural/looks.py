"""What a clip looks like in numbers that natural clips have too: spectrum, contrast, colour, limits."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ..metric import log_amplitudes
from ..types import Video

LIMIT = 0.02
"""Distance from black and white within which a value lies at the limits."""

DECIBELS = 20 / math.log(10)
FLOOR = math.log(1 / 255 / math.sqrt(12))
"""Log amplitude of what rounding to 8 bits adds; what is fainter says nothing."""


@dataclass(frozen=True, eq=False)
class Look:
    """One clip.

    Attributes:
        profile: amplitudes over bins of frequency in space and time, decibels about their mean.
        limits: share of the values within 0.02 of black or white, in [0, 1].
        contrast: root mean square about mid grey, in [0, 0.5].
        colour: mean of the largest less the smallest channel, in [0, 1]; None for a single channel.
    """

    profile: Float[Tensor, " bin"]
    limits: float
    contrast: float
    colour: float | None


def look_at(video: Video) -> Look:
    """Measure one clip, (T, C, H, W) in [0, 1]."""
    return Look(
        profile=profile_of(video),
        limits=float(((video < LIMIT) | (video > 1 - LIMIT)).float().mean()),
        contrast=float((video - 0.5).square().mean().sqrt()),
        colour=float((video.amax(dim=1) - video.amin(dim=1)).mean()) if video.shape[1] > 1 else None,
    )


def profile_of(video: Video) -> Float[Tensor, " bin"]:
    """Amplitudes of the grey clip's cosine transform, in decibels about their mean.

    Bins are rings of spatial frequency from 1/16 to 1/2 cycle per pixel, each at every temporal frequency; a
    clip's contrast takes no part, only its shape over (f, w).
    """
    about = video.double() - video.double().mean(dim=(0, 2, 3), keepdim=True)
    levels = log_amplitudes(about)[2].clamp(min=FLOOR) * DECIBELS
    return levels - levels.mean()


def bins_of(video: Video) -> Float[Tensor, "2 bin"]:
    """Spatial frequency (cycles per pixel) and temporal frequency (cycles per frame) of the bins."""
    return log_amplitudes(video.double())[:2].sqrt()


def gap_db(profile: Float[Tensor, " bin"], natural: Float[Tensor, "clip bin"]) -> float:
    """Root mean square difference between a profile and the mean of natural ones, decibels."""
    return float((profile - natural.mean(dim=0)).square().mean().sqrt())


def natural_gaps(profiles: Float[Tensor, "clip bin"], files: list[int]) -> list[float]:
    """The same for each natural clip, against clips of other files; of all where there is one file only."""
    place = torch.tensor(files)
    several = len(set(files)) > 1
    return [
        gap_db(profile, profiles[place != file] if several else profiles)
        for profile, file in zip(profiles, files, strict=True)
    ]
