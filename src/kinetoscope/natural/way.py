"""Whether a clip travels the layers of a network as natural clips do (Geirhos et al. 2023)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..tuning.agreement import ranks

LEAST_SPREAD = 0.02
"""Difference between rank correlations that is worth dividing by."""


@dataclass(frozen=True)
class LayerWay:
    """One layer, in rank correlations (Spearman) between the channels' activations of two clips.

    Attributes:
        layer: dotted name.
        to_best: mean over the natural clips that drive the unit most.
        among_best: of those with each other; None where no two of them are of different frames.
        to_others: of those with all other natural clips.
        share: (to_best - to_others) / (among_best - to_others): 1, it travels like the clips that drive the
            unit, 0, like any other natural clip. None where those two hardly differ.
        to_all: mean over all natural clips.
        natural_low, natural_median, natural_high: 5th, 50th and 95th percentile of `to_all` of the natural
            clips themselves, each with those of other frames.
        percentile: of the natural clips that are less like natural clips than this one, in [0, 100].
    """

    layer: str
    to_best: float
    among_best: float | None
    to_others: float | None
    share: float | None
    to_all: float
    natural_low: float
    natural_median: float
    natural_high: float
    percentile: float


def layer_way(
    layer: str,
    clip: Float[Tensor, " channel"],
    natural: Float[Tensor, "clip channel"],
    apart: Bool[Tensor, "clip clip"],
    best: Sequence[int],
) -> LayerWay:
    """Compare one clip's activations of a layer with those of natural clips.

    Args:
        clip: what `standardized` makes of the optimal input's means over the map.
        natural: of those of the natural clips.
        apart: which pairs of those may be compared.
        best: places of those that drive the unit most.
    """
    own, among = natural @ clip, natural @ natural.T
    chosen = torch.zeros(len(natural), dtype=torch.bool)
    chosen[list(best)] = True
    inside = apart & chosen[:, None] & chosen[None]
    across = apart & chosen[:, None] & ~chosen[None]
    to_best = float(own[chosen].mean())
    among_best, to_others = (
        float(among[pairs].mean()) if bool(pairs.any()) else None for pairs in (inside, across)
    )
    share = None
    if among_best is not None and to_others is not None and among_best - to_others >= LEAST_SPREAD:
        share = (to_best - to_others) / (among_best - to_others)
    usual = torch.where(apart, among, 0.0).sum(dim=1) / apart.sum(dim=1).clamp(min=1)
    usual = usual[apart.any(dim=1)] if bool(apart.any()) else usual
    low, middle, high = (float(usual.quantile(q)) for q in (0.05, 0.5, 0.95))
    to_all = float(own.mean())
    return LayerWay(
        layer, to_best, among_best, to_others, share, to_all, low, middle, high, percentile(to_all, usual)
    )


def percentile(value: float, among: Tensor) -> float:
    """How many percent of numbers lie below a value; those equal to it count half."""
    below, same = (among < value).double().mean(), (among == value).double().mean()
    return 100 * float(below + same / 2)


def standardized(rows: Float[Tensor, "clip channel"]) -> Float[Tensor, "clip channel"]:
    """Ranks of each row, centred and of length 1, whose products are rank correlations; 0 for an even row."""
    ranked = torch.stack([ranks(row) for row in rows])
    centred = ranked - ranked.mean(dim=1, keepdim=True)
    return centred / centred.norm(dim=1, keepdim=True).clamp(min=1e-12)
