"""A velocity field in a few numbers and a word."""

import math
from dataclasses import replace

import torch
from torch import Tensor

from ..results import Decomposition, MotionSummary
from ..types import MOTION_LABELS, Velocity

STILL_SPEED = 0.1
"""Pixels per frame under which a motion counts as none."""

STILL_SHARE = 0.15
"""Temporal variance, as a share of the film's, up to which a film counts as still."""

FILM_WORDS = {"light": "flicker", "jitter": "jitter", "residual": "unexplained"}
"""Labels of films that no coherent motion leads, by the share that does."""


def affine_parts(velocity: Velocity) -> tuple[float, float, float]:
    """The field that is affine in x and y and nearest to the time average of `velocity`.

    Returns:
        Divergence and rotation per frame, signs as in `MotionSummary`, and the root mean square distance of
        a pixel from the middle of the frame in pixels, which turns either into a speed.
    """
    mean = velocity.mean(dim=0).double()
    height, width = mean.shape[-2:]
    x = torch.arange(width, device=mean.device, dtype=torch.float64) - (width - 1) / 2
    y = torch.arange(height, device=mean.device, dtype=torch.float64) - (height - 1) / 2
    spread_x, spread_y = x.square().mean(), y.square().mean()

    def slopes(component: Tensor) -> tuple[float, float]:
        along_x = (component * x).mean() / spread_x
        along_y = (component * y[:, None]).mean() / spread_y
        return float(along_x), float(along_y)

    (ux_x, ux_y), (uy_x, uy_y) = slopes(mean[0]), slopes(mean[1])
    return ux_x + uy_y, (ux_y - uy_x) / 2, math.sqrt(float(spread_x + spread_y))


def divergence(velocity: Velocity) -> float:
    """Mean of du_x/dx + du_y/dy, per frame."""
    return float(velocity[:, 0].diff(dim=2).mean() + velocity[:, 1].diff(dim=1).mean())


def rotation(velocity: Velocity) -> float:
    """Half the mean curl, radians per frame, counter-clockwise on screen positive; y points down."""
    return float(velocity[:, 0].diff(dim=1).mean() - velocity[:, 1].diff(dim=2).mean()) / 2


def direction_deg(velocity: Tensor) -> float:
    """Direction of one vector (x, y) in degrees in [0, 360): 0 right, 90 up."""
    x, y = velocity.tolist()
    angle = math.degrees(math.atan2(-y, x)) % 360.0
    return 0.0 if angle >= 360.0 else angle  # rounding can reach 360


def motion_word(velocity: Velocity) -> tuple[str, float]:
    """The word for a velocity's time average: its fastest part, drift, growth or turning; and that speed."""
    drift = velocity.mean(dim=(0, 2, 3))
    growth, turning, radius = affine_parts(velocity)
    speeds = {
        "drift": float(drift.norm()),
        "growth": abs(growth) / 2 * radius,
        "turning": abs(turning) * radius,
    }
    strongest = max(speeds, key=lambda part: speeds[part])
    if strongest == "drift":
        word = MOTION_LABELS[round(direction_deg(drift) / 45) % 8]
    elif strongest == "growth":
        word = "expansion" if growth > 0 else "contraction"
    else:
        word = "counter-clockwise" if turning > 0 else "clockwise"
    return word, speeds[strongest]


def label_motion(velocity: Velocity) -> str:
    """The word for a velocity field by itself; `still` where the fastest part of its average is too slow."""
    word, speed = motion_word(velocity)
    return "still" if speed < STILL_SPEED else word


def label_film(decomposition: Decomposition) -> str:
    """The word for what is seen when the film plays; the first of these that holds.

    `still`: it hardly changes, `STILL_SHARE`. A motion word: coherent motion explains more of the change than
    anything else, at a mean speed of `STILL_SPEED` or more. Else by the largest of the other shares:
    `flicker` for light, `jitter`, `unexplained` for the residual.
    """
    if decomposition.change_share <= STILL_SHARE:
        return "still"
    shares = decomposition.variance_explained
    others = {key: share for key, share in shares.items() if key != "coherent"}
    moving = decomposition.coherent_velocity
    if shares["coherent"] > max(others.values()) and float(moving.norm(dim=1).mean()) >= STILL_SPEED:
        return motion_word(moving)[0]
    return FILM_WORDS[max(others, key=lambda key: others[key])]


def summarize(decomposition: Decomposition) -> MotionSummary:
    """The numbers of a decomposition's velocity, and the word for the film."""
    return replace(summarize_velocity(decomposition.velocity), label=label_film(decomposition))


def summarize_velocity(velocity: Velocity) -> MotionSummary:
    """A velocity field, jitter included, in a few numbers and a word."""
    drift = velocity.mean(dim=(0, 2, 3))
    speed, mean_speed = float(drift.norm()), float(velocity.norm(dim=1).mean())
    return MotionSummary(
        direction_deg=direction_deg(drift),
        speed_px_per_frame=speed,
        mean_speed_px_per_frame=mean_speed,
        coherence=min(1.0, speed / mean_speed) if mean_speed > 1e-9 else 0.0,
        divergence_per_frame=divergence(velocity),
        rotation_per_frame=rotation(velocity),
        label=label_motion(velocity),
    )
