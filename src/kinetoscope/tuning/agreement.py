"""How well the pictures of a layer agree with what its units answer to."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import torch

from .curves import difference_deg

PREFERENCE = 0.3
"""Least dsi of a unit whose preferred direction is worth comparing."""

NEAR_DEG = 45.0


@dataclass(frozen=True)
class Pair:
    """One unit: what its picture shows, and what was measured.

    Attributes:
        unit: index.
        shown_deg: direction of the motion shown; None where it goes nowhere. `shown_speed`: px per frame.
        measured_deg, measured_speed: preferred; None for a unit that answers nothing.
        dsi: measured.
    """

    unit: int
    shown_deg: float | None
    shown_speed: float
    measured_deg: float | None
    measured_speed: float | None
    dsi: float | None

    @property
    def prefers(self) -> bool:
        """Whether the unit prefers a direction enough to be compared."""
        return self.measured_deg is not None and self.dsi is not None and self.dsi >= PREFERENCE

    @property
    def error_deg(self) -> float | None:
        """Angle between shown and measured; 90, as good as chance, where nothing is shown to move."""
        if not self.prefers or self.measured_deg is None:
            return None
        return 90.0 if self.shown_deg is None else difference_deg(self.shown_deg, self.measured_deg)


@dataclass(frozen=True)
class Agreement:
    """Of the units of a layer that prefer a direction (`PREFERENCE`); definitions in docs/tuning.md.

    Attributes:
        units: how many prefer a direction.
        median_error_deg: of the angles between shown and measured direction.
        within_45_deg: share of the units, in [0, 1].
        circular_correlation: of the directions (Fisher & Lee 1983), in [-1, 1]; of units shown to move.
        speed_correlation: of the ranks of the speeds (Spearman), in [-1, 1]; of the same units.
        shown_still: how many of the units are shown standing; they count with 90 degrees.
        without_preference: units left apart; `of_these_shown_moving`: how many of those are shown to move.
        outside: the units that are more than 45 degrees off.
    """

    units: int
    median_error_deg: float | None
    within_45_deg: float | None
    circular_correlation: float | None
    speed_correlation: float | None
    shown_still: int
    without_preference: int
    of_these_shown_moving: int
    outside: tuple[int, ...]


def agreement(pairs: Sequence[Pair]) -> Agreement:
    """All numbers of one layer, for one sort of stimulus."""
    chosen = [pair for pair in pairs if pair.prefers]
    errors = [(pair.unit, error) for pair in chosen if (error := pair.error_deg) is not None]
    moving = [pair for pair in chosen if pair.shown_deg is not None]
    apart = [pair for pair in pairs if not pair.prefers]
    near = [error <= NEAR_DEG for _, error in errors]
    return Agreement(
        units=len(chosen),
        median_error_deg=median(error for _, error in errors) if errors else None,
        within_45_deg=sum(near) / len(near) if near else None,
        circular_correlation=circular_correlation(
            [pair.shown_deg or 0.0 for pair in moving], [pair.measured_deg or 0.0 for pair in moving]
        ),
        speed_correlation=rank_correlation(
            [pair.shown_speed for pair in moving], [pair.measured_speed or 0.0 for pair in moving]
        ),
        shown_still=len(chosen) - len(moving),
        without_preference=len(apart),
        of_these_shown_moving=sum(pair.shown_deg is not None for pair in apart),
        outside=tuple(unit for unit, error in errors if error > NEAR_DEG),
    )


def circular_correlation(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Of two lists of directions in degrees: 1 turned alike, -1 turned against each other, 0 unrelated.

    Over all pairs i < j, sum sin(a_i - a_j) sin(b_i - b_j) / sqrt(sum sin^2 sum sin^2) (Fisher & Lee 1983,
    eq. 3.1). None for fewer than three, or for directions that are all the same or opposite.
    """
    if len(first) < 3:
        return None
    turns = [torch.deg2rad(torch.tensor(list(angles), dtype=torch.float64)) for angles in (first, second)]
    one, two = ((angles[:, None] - angles[None]).sin() for angles in turns)
    scale = math.sqrt(float(one.square().sum() * two.square().sum()))
    return float((one * two).sum()) / scale if scale > 1e-12 else None


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Spearman's; ties share their mean rank. None for fewer than three, or where one list does not vary."""
    if len(first) < 3:
        return None
    ranked = torch.stack([ranks(values) for values in (first, second)])
    ranked = ranked - ranked.mean(dim=1, keepdim=True)
    scale = float(ranked.norm(dim=1).prod())
    return float(ranked.prod(dim=0).sum()) / scale if scale > 0 else None


def ranks(values: Sequence[float] | torch.Tensor) -> torch.Tensor:
    """Ranks from 0 of numbers in a row; ties share their mean rank."""
    numbers = torch.as_tensor(values, dtype=torch.float64)
    below = (numbers[:, None] > numbers[None]).sum(dim=1)
    same = (numbers[:, None] == numbers[None]).sum(dim=1)
    return below + (same - 1) / 2.0
