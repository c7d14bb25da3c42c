"""Where and when a unit looks: the power of its gradient, and a Gaussian fitted to it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ..units.receptive.fields import Box
from ..units.tap import Forward
from ..warp import pixel_grid
from .listen import Shown

Power = Float[Tensor, "time height width"]
"""Mean square of the gradient of one place's answer with respect to each pixel."""

FULL_WIDTH = 2 * math.sqrt(2 * math.log(2))
"""Full width at half height of a Gaussian of deviation 1."""

NOISE = 0.1
"""Deviation of the noise on which gratings lie, so that no pixel is left out for its grey."""


WIDEST = 10.0
"""Deviation of a fitted Gaussian at most, in sides of the frame."""


@dataclass(frozen=True)
class Field:
    """The receptive field of the place in the middle of a unit's map.

    Attributes:
        centre_px: (x, y) of the Gaussian fitted to the power summed over time.
        size_px: its full widths at half height, the larger first.
        angle_deg: of the larger one, in [0, 180).
        fit: share of the power's variance over space that the Gaussian explains.
        centre_frame: mean time of the power; `duration_frames`: its deviation over time, as a full width.
        latency_frames: from there to the last frame that the place can see.
        theoretical: (frames, rows, columns) from geometry, each the first and the one behind the last; None
            where that is not known.
    """

    centre_px: tuple[float, float]
    size_px: tuple[float, float]
    angle_deg: float
    fit: float
    centre_frame: float
    duration_frames: float
    latency_frames: float
    theoretical: Box | None


def gradient_power(
    forward: Forward, shown: Sequence[Shown], generator: torch.Generator, noise: float = NOISE
) -> Power:
    """How strongly each pixel moves the answer at the middle of a unit's map, over stimuli that drive it.

    Args:
        forward: gives one unit's output; of several, their sum counts.
        shown: such as gratings that the unit answers to; each is shown in noise.
        noise: its deviation.
    """
    clips = torch.stack([each.clip() for each in shown])
    clips = 0.5 + clips + noise * torch.randn(clips.shape, generator=generator)
    total = torch.zeros(clips.shape[2:])
    for clip in clips.split(1):
        asked = clip.clone().requires_grad_()
        answer = forward(asked)
        for size in answer.shape[2:]:
            answer = answer[:, :, size // 2]
        (gradient,) = torch.autograd.grad(answer.sum(), asked)
        total += torch.nan_to_num(gradient[0]).square().sum(dim=0).cpu()
    return total / len(clips)


def fitted(power: Power, theoretical: Box | None) -> Field | None:
    """The field in numbers; None where the gradient is zero everywhere."""
    if not float(power.sum()) > 0:
        return None
    over_time, over_space = power.sum(dim=(1, 2)).double(), power.sum(dim=0).double()
    frames = torch.arange(len(over_time)).double()
    share = over_time / over_time.sum()
    middle = float((share * frames).sum())
    spread = math.sqrt(float((share * (frames - middle) ** 2).sum()))
    last = (theoretical[0][1] if theoretical else len(frames)) - 1
    centre, covariance, fit = fit_gaussian(over_space / over_space.max())
    lengths, axes = torch.linalg.eigh(covariance)
    x, y = axes[:, 1].tolist()
    minor, major = (FULL_WIDTH * math.sqrt(max(0.0, float(length))) for length in lengths)
    return Field(
        centre_px=(float(centre[0]), float(centre[1])),
        size_px=(major, minor),
        angle_deg=math.degrees(math.atan2(-y, x)) % 180,
        fit=fit,
        centre_frame=middle,
        duration_frames=FULL_WIDTH * spread,
        latency_frames=last - middle,
        theoretical=theoretical,
    )


def fit_gaussian(
    surface: Float[Tensor, "height width"], steps: int = 40
) -> tuple[Float[Tensor, "2"], Float[Tensor, "2 2"], float]:
    """Least squares fit of one Gaussian by damped Gauss-Newton steps, begun at the surface's moments.

    Returns:
        Centre (x, y), covariance (2, 2), both in pixels, and the share of the surface's variance explained.
    """
    places = pixel_grid(*surface.shape, dtype=torch.float64)[0].flatten(1)
    values = surface.double().flatten()
    numbers, damping = _moments(places, values), 1e-3
    shape, slopes = _gaussian(numbers, places)
    error = (shape - values).square().sum()
    for _ in range(steps):
        square = slopes @ slopes.T
        square = square + damping * torch.diag(square.diagonal().clamp(min=1e-12))
        tried = numbers - torch.linalg.solve(square, slopes @ (shape - values))
        new_shape, new_slopes = _gaussian(tried, places)
        new_error = (new_shape - values).square().sum()
        if bool(new_error < error):
            settled = bool(error - new_error < 1e-9 * error)
            numbers, shape, slopes, error, damping = (
                tried,
                new_shape,
                new_slopes,
                new_error,
                max(damping / 5, 1e-9),
            )
            if settled:
                break
        else:
            damping *= 5
    spread = (values - values.mean()).square().sum().clamp(min=1e-12)
    zero = torch.zeros_like(numbers[0])
    widest = WIDEST * max(surface.shape)  # where there is no end to the power, no Gaussian is wide enough
    first, second = (numbers[k].exp().clamp(min=1 / widest) for k in (3, 5))
    factor = torch.stack([first, numbers[4], zero, second]).view(2, 2)
    return numbers[1:3], torch.linalg.inv(factor.T @ factor), 1 - float(error / spread)


def _moments(places: Tensor, values: Tensor) -> Float[Tensor, "6"]:
    """Height, centre, and the upper factor of the inverse covariance, the logarithm of its diagonal."""
    weight = values.clamp(min=0) / values.clamp(min=0).sum()
    centre = (places * weight).sum(dim=1)
    away = places - centre[:, None]
    covariance = (weight * away) @ away.T + 0.1 * torch.eye(2, dtype=torch.float64)
    upper = torch.linalg.cholesky(torch.linalg.inv(covariance), upper=True)
    return torch.stack([values.max(), *centre, upper[0, 0].log(), upper[0, 1], upper[1, 1].log()])


def _gaussian(numbers: Float[Tensor, "6"], places: Tensor) -> tuple[Tensor, Float[Tensor, "6 place"]]:
    """The Gaussian at these places, and its derivatives by its numbers."""
    height, x, y, first, cross, second = numbers
    dx, dy = places[0] - x, places[1] - y
    u, v = first.exp() * dx + cross * dy, second.exp() * dy
    bell = torch.exp(-0.5 * (u**2 + v**2))
    shape = height * bell
    by_centre = (u * first.exp() * shape, (u * cross + v * second.exp()) * shape)
    by_width = (-u * first.exp() * dx * shape, -u * dy * shape, -v * v * shape)
    return shape, torch.stack([bell, *by_centre, *by_width])
