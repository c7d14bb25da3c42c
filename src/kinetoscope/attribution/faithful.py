"""How well an attribution says what counts: the response as places are put in or taken out in its order."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..types import VideoBatch
from .methods import AttributionMap


@dataclass(frozen=True)
class Curve:
    """Responses along the way from one clip to another.

    Attributes:
        fractions: share of space-time changed, from 0 to 1.
        responses: the unit's, in its own scale.
        levels: the same, scaled so that the baseline has 0, and the clip 1 where it responds more and -1
            where it responds less; empty when both respond alike.
        area: under `levels`; None without them. Insertion is good when large, deletion when small; beyond 1
            or below 0 where mixtures respond more than the clip, or less than the baseline.
    """

    fractions: tuple[float, ...]
    responses: tuple[float, ...]
    levels: tuple[float, ...]
    area: float | None


def curves(
    respond: Callable[[Tensor], Tensor],
    clip: VideoBatch,
    baseline: VideoBatch,
    attribution: AttributionMap,
    *,
    points: int,
    batch: int,
) -> tuple[Curve, Curve]:
    """Insertion and deletion in space-time (Petsiuk et al. 2018, algorithm 1, with frames as a third axis).

    Places (t, y, x) are ranked by attribution, largest first, all channels together. Insertion puts them into
    the baseline, deletion takes them out of the clip.

    Args:
        respond: clips (B, C, T, H, W) to responses (B,).
        clip, baseline: (1, C, T, H, W).
        attribution: (T, H, W).
        points: of each curve, beside its start.
        batch: clips computed together.
    """
    order = attribution.flatten().argsort(descending=True, stable=True)
    rank = torch.empty_like(order)
    rank[order] = torch.arange(len(order), device=order.device)
    rank = rank.view(attribution.shape)
    fractions = [point / points for point in range(points + 1)]

    def path(start: VideoBatch, goal: VideoBatch) -> list[float]:
        values: list[float] = []
        with torch.no_grad():
            for first in range(0, len(fractions), batch):
                shares = fractions[first : first + batch]
                changed = [torch.where(rank < round(share * len(order)), goal, start) for share in shares]
                values += respond(torch.cat(changed)).tolist()
        return values

    inserted, deleted = path(baseline, clip), path(clip, baseline)
    ends = (inserted[0], deleted[0])
    return _curve(fractions, inserted, *ends), _curve(fractions, deleted, *ends)


def _curve(fractions: list[float], responses: list[float], nothing: float, everything: float) -> Curve:
    span = abs(everything - nothing)  # not signed: what speaks for a unit must raise its curve, always
    if span <= 1e-6 * max(abs(everything), abs(nothing), 1e-30):
        return Curve(tuple(fractions), tuple(responses), (), None)
    levels = (torch.tensor(responses, dtype=torch.float64) - nothing) / span
    area = float(torch.trapezoid(levels, torch.tensor(fractions, dtype=torch.float64)))
    return Curve(tuple(fractions), tuple(responses), tuple(levels.tolist()), area)
