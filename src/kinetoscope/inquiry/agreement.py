"""Do runs from other random numbers show the same motion? Circular statistics (Mardia & Jupp 2000, ch. 2)."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ..motion.summary import STILL_SPEED, direction_deg
from ..results import Confidence
from ..types import Velocity


def agreement(
    velocities: Sequence[Velocity], labels: Sequence[str], seeds: Sequence[int], steps: int
) -> Confidence:
    """How far the motions found from several seeds agree.

    Args:
        velocities: one per seed, (T-1, 2, H, W) each, pixels per frame; the first is the one shown.
        labels: the word for each.
        seeds: of each.
        steps: optimization steps of the runs after the first.
    """
    fields = torch.stack([velocity.mean(dim=0) for velocity in velocities])
    drifts = fields.mean(dim=(2, 3))
    speeds = drifts.norm(dim=1)
    return Confidence(
        seeds=tuple(seeds),
        repeat_steps=steps,
        labels=tuple(labels),
        label_agreement=sum(label == labels[0] for label in labels) / len(labels),
        directions_deg=tuple(direction_deg(drift) for drift in drifts),
        speeds_px_per_frame=tuple(speeds.tolist()),
        speed_spread_px_per_frame=float(speeds.std(correction=0)),
        circular_variance=circular_variance(drifts),
        field_circular_variance=field_circular_variance(fields),
    )


def circular_variance(drifts: Tensor) -> float | None:
    """One less the length of the mean unit vector, in [0, 1]: 0 when all directions are the same.

    Three directions drawn at random give 0.48 on average.

    Args:
        drifts: (runs, 2), mean velocities, pixels per frame.

    Returns:
        None when one of them is too slow to have a direction.
    """
    speeds = drifts.norm(dim=1, keepdim=True)
    if not bool((speeds >= STILL_SPEED).all()):
        return None
    return _unit_range(1 - float((drifts / speeds).mean(dim=0).norm()))


def field_circular_variance(fields: Tensor) -> float | None:
    """The same for whole fields, place by place, fast places counting more; in [0, 1].

    It tells agreement where there is no common direction, as in expansion and rotation.

    Args:
        fields: (runs, 2, H, W), velocities averaged over time, pixels per frame.

    Returns:
        None when one of them stands still.
    """
    speeds = fields.norm(dim=1).mean(dim=(1, 2))
    if not bool((speeds >= STILL_SPEED).all()):
        return None
    return _unit_range(1 - float(fields.mean(dim=0).norm(dim=0).mean() / speeds.mean()))


def _unit_range(value: float) -> float:
    return min(max(value, 0.0), 1.0) if math.isfinite(value) else 1.0
