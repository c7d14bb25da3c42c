"""Numbers of a direction curve; definitions in docs/tuning.md."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

PERMUTATIONS = 100
"""Of the directions, to tell whether a preference is more than chance."""

Curve = Float[Tensor, " direction"]
"""Responses to evenly spaced directions, from 0 on."""


@dataclass(frozen=True)
class DirectionTuning:
    """One direction curve r(a) in numbers, r being what is answered beyond grey, not below 0.

    Attributes:
        direction_deg: of the vector sum of r e^(ia), in [0, 360); None for a unit that answers nothing.
        dsi: |sum r e^(ia)| / sum r, in [0, 1]; `osi` with 2a.
        direction_index: (pref - null) / (pref + null), pref the largest r, null opposite to it;
            `orientation_index` with the mean of both against the mean of what is at right angles.
        width_deg: half the width at half the height between the least and the largest r; None where the
            curve does not fall so far.
        p: share of the permutations of the directions that reach this dsi, itself among them.
    """

    direction_deg: float | None
    dsi: float | None
    osi: float | None
    direction_index: float | None
    orientation_index: float | None
    width_deg: float | None
    p: float | None


def vector_sum(curve: Curve, times: int = 1) -> complex:
    """sum r e^(i times a) / sum r; 0 where nothing is answered."""
    total = float(curve.sum())
    angles = 2 * math.pi * times * torch.arange(len(curve)).double() / len(curve)
    along = complex(float((curve * angles.cos()).sum()), float((curve * angles.sin()).sum()))
    return along / total if total > 0 else 0j


def angle_of(number: complex) -> float:
    """In degrees, [0, 360)."""
    return math.degrees(math.atan2(number.imag, number.real)) % 360


def direction_tuning(trials: Float[Tensor, "direction trial"], seed: int = 0) -> DirectionTuning:
    """A direction curve in numbers.

    Args:
        trials: responses beyond grey, several (phases) per direction; evenly spaced directions from 0 on.
        seed: of the permutations.
    """
    trials = trials.double()
    curve = trials.mean(dim=1).clamp(min=0)
    if not float(curve.sum()) > 0:
        return DirectionTuning(None, None, None, None, None, None, None)
    along, count = vector_sum(curve), len(curve)
    best = int(curve.argmax())
    opposite, left, right = (float(curve[(best + count * quarters // 4) % count]) for quarters in (2, 1, 3))
    pref, across = float(curve[best]), (left + right) / 2
    axis = (pref + opposite) / 2
    return DirectionTuning(
        direction_deg=angle_of(along),
        dsi=abs(along),
        osi=abs(vector_sum(curve, 2)),
        direction_index=(pref - opposite) / (pref + opposite),
        orientation_index=(axis - across) / (axis + across),
        width_deg=half_width(curve),
        p=chance(trials, seed),
    )


def half_width(curve: Curve) -> float | None:
    """Half the width at half height about the largest value, degrees, linear between directions."""
    count, best = len(curve), int(curve.argmax())
    turned = curve.roll(-best)
    level = float(curve.max() + curve.min()) / 2
    reaches = []
    for side in (turned, turned.flip(0).roll(1)):
        below = (side[: count // 2 + 1] <= level).nonzero()
        if not len(below) or not float(curve.max()) > float(curve.min()):
            return None
        k = int(below[0])
        above, under = float(side[k - 1]), float(side[k])
        reaches.append(k - 1 + (above - level) / (above - under))
    return 360 / count * sum(reaches) / 2


def chance(trials: Float[Tensor, "direction trial"], seed: int) -> float:
    """How often directions dealt at random to the trials give a dsi as large; the true dealing counts too."""
    generator, flat = torch.Generator().manual_seed(seed), trials.flatten()
    orders = torch.stack([torch.randperm(len(flat), generator=generator) for _ in range(PERMUTATIONS)])
    dealt = flat[orders].view(PERMUTATIONS, *trials.shape).mean(dim=2).clamp(min=0)
    angles = 2 * math.pi * torch.arange(len(trials)).double() / len(trials)
    lengths = torch.hypot(dealt @ angles.cos(), dealt @ angles.sin()) / dealt.sum(dim=1).clamp(min=1e-300)
    own = abs(vector_sum(trials.mean(dim=1).clamp(min=0)))
    return (1 + int((lengths >= own * (1 - 1e-9)).sum())) / (PERMUTATIONS + 1)


def modulation(phases: Float[Tensor, " phase"]) -> float | None:
    """F1 / F0: amplitude of the first harmonic of the answer over the phase, divided by its mean.

    Above 1 a unit counts as simple, below as complex (Skottun et al. 1991).

    Args:
        phases: the positive part of the answer at one place to evenly spaced phases of one grating.
    """
    mean = float(phases.mean())
    return 2 * abs(vector_sum(phases)) if mean > 0 else None


def difference_deg(first: float, second: float) -> float:
    """Between two directions, in [0, 180]."""
    return abs((first - second + 180) % 360 - 180)
