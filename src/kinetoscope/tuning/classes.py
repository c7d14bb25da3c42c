"""Which of two predictions a unit's answers follow: pattern or component, speed or temporal frequency.

Partial correlations and Fisher's z (Movshon et al. 1985; Smith, Majaj & Movshon 2005; Priebe, Lisberger &
Movshon 2006).
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import torch
from jaxtyping import Float
from torch import Tensor

from .curves import Curve

CRITERION = 1.28
"""By so much one z must exceed the other one, or 0: one in ten by chance."""

ALMOST_ONE = 1 - 1e-6


@dataclass(frozen=True)
class Rivals:
    """Two predictions, and which one holds.

    Attributes:
        first, second: partial correlations of the answers with each prediction, without what it shares with
            the other.
        z_first, z_second: Fisher's z of these, in units of its deviation.
        winner: 1, 2, or 0 where neither exceeds the other by `CRITERION`.
    """

    first: float
    second: float
    z_first: float
    z_second: float
    winner: int


def rivals(answers: Tensor, first: Tensor, second: Tensor) -> Rivals | None:
    """Hold two predictions against answers; None where one of the three does not vary.

    Args:
        answers, first, second: numbers for the same stimuli.
    """
    rows = torch.stack([part.flatten().double() for part in (answers, first, second)])
    sizes = rows.norm(dim=1)
    rows = rows - rows.mean(dim=1, keepdim=True)
    lengths = rows.norm(dim=1)
    if not bool((lengths > 1e-6 * sizes).all()):
        return None
    table = (rows / lengths[:, None]) @ (rows / lengths[:, None]).T
    own, other, between = float(table[0, 1]), float(table[0, 2]), float(table[1, 2])
    parts = partial(own, other, between), partial(other, own, between)
    first_z, second_z = (_fisher(part, rows.shape[1]) for part in parts)
    return Rivals(*parts, first_z, second_z, _winner(first_z, second_z))


def _fisher(part: float, count: int) -> float:
    return math.atanh(max(-ALMOST_ONE, min(ALMOST_ONE, part))) * math.sqrt(count - 3)


def partial(own: float, other: float, between: float) -> float:
    """Correlation with one prediction where the other one is held fixed."""
    scale = math.sqrt(max(1e-12, (1 - other**2) * (1 - between**2)))
    return max(-1.0, min(1.0, (own - other * between) / scale))


def _winner(first: float, second: float) -> int:
    if first - max(second, 0.0) >= CRITERION:
        return 1
    return 2 if second - max(first, 0.0) >= CRITERION else 0


def pattern_or_component(plaids: Curve, gratings: Curve, between_deg: float = 120.0) -> Rivals | None:
    """Whether a unit answers to where a plaid drifts (first) or to its gratings (second).

    Args:
        plaids: answers to evenly spaced directions of the pattern.
        gratings: answers to gratings that drift in the same directions.
        between_deg: between the plaid's gratings.
    """
    steps = round(between_deg / 2 * len(gratings) / 360)
    return rivals(plaids, gratings, gratings.roll(steps) + gratings.roll(-steps))


def speed_or_frequency(
    answers: Float[Tensor, " cell"], wavelengths: Float[Tensor, " cell"], speeds: Float[Tensor, " cell"]
) -> Rivals | None:
    """Whether a unit keeps its preferred speed (first) or temporal frequency (second) at all wavelengths.

    Predictions are Gaussians in the logarithms of spatial frequency and of speed, or of temporal frequency;
    of many, the one that correlates best with the answers.

    Args:
        answers: to gratings in one direction.
        wavelengths, speeds: of these, pixels and pixels per frame; speeds above 0.
    """
    space, speed = -wavelengths.double().log2(), speeds.double().log2()
    best = [_best(answers, space, second) for second in (speed, speed + space)]
    return None if best[0] is None or best[1] is None else rivals(answers, best[0], best[1])


def _best(answers: Tensor, space: Tensor, other: Tensor) -> Tensor | None:
    """The separable Gaussian over these two coordinates that correlates best with the answers."""
    templates = _gaussians(tuple(space.tolist()), tuple(other.tolist()))
    centred = answers.double() - answers.double().mean()
    if not float(centred.norm()) > 0:
        return None
    spread = templates - templates.mean(dim=1, keepdim=True)
    scores = spread @ centred / spread.norm(dim=1).clamp(min=1e-12)
    return templates[int(scores.argmax())]


@lru_cache(maxsize=4)
def _gaussians(space: tuple[float, ...], other: tuple[float, ...]) -> Float[Tensor, "template cell"]:
    x, y = (torch.tensor(values, dtype=torch.float64) for values in (space, other))
    centres = [torch.linspace(float(axis.min()), float(axis.max()), 13).double() for axis in (x, y)]
    widths = (0.4, 0.7, 1.1, 1.7, 2.6)
    bumps = [
        torch.stack([torch.exp(-0.5 * ((axis - c) / w) ** 2) for c, w in product(middles, widths)])
        for axis, middles in zip((x, y), centres, strict=True)
    ]
    return (bumps[0][:, None] * bumps[1][None]).flatten(0, 1)
