"""How far what was recovered is from what was planted. Each states its best and its worst value."""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..types import Image, Velocity

NO_DRIFT = 0.05
"""Length of a mean velocity, pixels per frame, below which it has no direction worth comparing."""

Where = Bool[Tensor, "#step 1 height width"]


def endpoint_errors(found: Velocity, truth: Velocity) -> Float[Tensor, "step 1 height width"]:
    """Length of the difference, pixels per frame; 0 is best, without bound (Baker et al. 2011)."""
    return (found - truth).norm(dim=1, keepdim=True)


def angular_errors_deg(found: Velocity, truth: Velocity) -> Float[Tensor, "step 1 height width"]:
    """Angle between (u_x, u_y, 1) and the truth's, degrees in [0, 180); 0 is best (Barron et al. 1994).

    Defined for still pixels too; large speeds count less than in the end-point error.
    """
    found, truth = (torch.cat([u, torch.ones_like(u[:, :1])], dim=1).double() for u in (found, truth))
    sine, cosine = torch.linalg.cross(found, truth, dim=1).norm(dim=1), (found * truth).sum(dim=1)
    return torch.rad2deg(torch.atan2(sine, cosine))[:, None].float()


def direction_error_deg(found: Float[Tensor, "2"], truth: Float[Tensor, "2"]) -> float | None:
    """Angle between two mean velocities, degrees in [0, 180]; 0 is best.

    None where the truth has no direction; 90, no better than chance, where only the found one has none.
    """
    if float(truth.norm()) < NO_DRIFT:
        return None
    if float(found.norm()) < 1e-6:
        return 90.0
    sine = found[0] * truth[1] - found[1] * truth[0]
    return abs(math.degrees(math.atan2(float(sine), float((found * truth).sum()))))


def speed_ratio(found: Velocity, truth: Velocity, where: Where | None = None) -> float | None:
    """How much of the true velocity came back: sum u.u* / sum u*.u*.

    1 is best; 0: nothing of it; 0.5: half the speed; negative: the other way. None where the truth is still.
    """
    mask = 1.0 if where is None else where
    power = float((truth * truth * mask).sum())
    return float((found * truth * mask).sum()) / power if power > 1e-9 else None


def shifted_correlation(found: Image, truth: Image, reach: int = 4) -> float | None:
    """Pearson correlation of two images of one size at the best whole-pixel shift up to `reach`.

    What a shift of the texture changes, a constant added to D undoes: that much is not determined. 1 is best,
    about 0 for unrelated textures, -1 for the negative. None where either is flat.
    """
    height, width = truth.shape[-2:]
    core = found[..., reach : height - reach, reach : width - reach]
    scores = []
    for y in range(2 * reach + 1):
        for x in range(2 * reach + 1):
            other = truth[..., y : y + core.shape[-2], x : x + core.shape[-1]]
            scores.append(_cosine(core - core.mean(), other - other.mean()))
    known = [score for score in scores if score is not None]
    return max(known) if known else None


def spectrum_correlation(found: Image, truth: Image) -> float | None:
    """Cosine between the amplitude spectra of two images of one size, grey, without mean, windowed.

    Allowed to differ: phases, that is position, contrast sign, and where stripes break off. 1 is best, 0 is
    worst: nothing in common. None where either is flat.
    """
    height, width = truth.shape[-2:]
    window = torch.hann_window(height, periodic=False)[:, None] * torch.hann_window(width, periodic=False)

    def amplitudes(image: Image) -> Tensor:
        image = image.float().mean(dim=0)
        return torch.fft.rfft2((image - image.mean()) * window).abs()

    return _cosine(amplitudes(found), amplitudes(truth))


def _cosine(first: Tensor, second: Tensor) -> float | None:
    length = float(first.norm() * second.norm())
    return float((first * second).sum()) / length if length > 1e-6 * first.numel() else None


@dataclass(frozen=True)
class Spread:
    """Several measurements in three numbers; `count` of them."""

    least: float
    median: float
    greatest: float
    count: int


def spread(values: Sequence[float | None]) -> Spread | None:
    """Least, median and greatest of what is known; None when nothing is."""
    known = sorted(value for value in values if value is not None)
    if not known:
        return None
    middle = len(known) // 2
    median = known[middle] if len(known) % 2 else (known[middle - 1] + known[middle]) / 2
    return Spread(known[0], median, known[-1], len(known))


RESAMPLES = 1000
"""Drawings with replacement of which an interval is made."""


def interval(
    groups: Sequence[Sequence[float]], statistic: Callable[[Sequence[Sequence[float]]], float | None]
) -> tuple[float, float] | None:
    """95 % bootstrap interval (percentiles) of a number of several groups, each drawn anew by itself.

    Args:
        groups: measurements, such as one list per layer.
        statistic: the number; None where it is not defined, which drawings leave out.

    Returns:
        Its 2.5th and 97.5th percentile over `RESAMPLES` drawings; None where it is never defined.
    """
    dice = random.Random(0)
    drawn = [
        value
        for _ in range(RESAMPLES)
        if (value := statistic([dice.choices(group, k=len(group)) for group in groups if group])) is not None
    ]
    if not drawn:
        return None
    drawn.sort()
    return drawn[round(0.025 * (len(drawn) - 1))], drawn[round(0.975 * (len(drawn) - 1))]
