"""What a second network of the same architecture answers to a unit's optimal input."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from .way import percentile


@dataclass(frozen=True)
class Transfer:
    """A unit's optimal input in a second network.

    Attributes:
        counterpart: index of the unit that was asked there.
        same_index: whether it is the same one because both are the same class; else the one whose answers to
            the natural clips go with the unit's (Li et al. 2016).
        correlation: between the answers of both units to the natural clips; None where one does not vary.
        response: to the optimal input.
        percentile: of the natural clips that the counterpart answers less to, in [0, 100].
        ratio_to_best: response over the largest to a natural clip; None where that is not positive.
    """

    counterpart: int
    same_index: bool
    correlation: float | None
    response: float
    percentile: float
    ratio_to_best: float | None


def transferred(
    unit: int,
    own: Float[Tensor, " clip"],
    natural: Float[Tensor, "clip channel"],
    optimum: Float[Tensor, " channel"],
    is_class: bool,
) -> Transfer:
    """Compare what the second network answers to an optimal input with its answers to natural clips.

    Args:
        unit: in the first network.
        own: its answers to the natural clips.
        natural: answers of all units of the second network's layer.
        optimum: their answers to the optimal input.
        is_class: whether units of the same index mean the same in both networks.
    """
    alike = _correlations(own.double(), natural.double())
    place = unit if is_class else int(torch.nan_to_num(alike, nan=-2.0).argmax())
    known, answers, response = float(alike[place]), natural[:, place], float(optimum[place])
    return Transfer(
        counterpart=place,
        same_index=is_class,
        correlation=known if known == known else None,
        response=response,
        percentile=percentile(response, answers),
        ratio_to_best=ratio(response, answers),
    )


def ratio(response: float, natural: Tensor) -> float | None:
    """A response over the largest one to a natural clip; None where no natural clip drives the unit."""
    largest = float(natural.max())
    return response / largest if largest > 0 else None


def _correlations(own: Float[Tensor, " clip"], all_units: Float[Tensor, "clip channel"]) -> Tensor:
    """Pearson's with each column; NaN where either does not vary."""
    centred, columns = own - own.mean(), all_units - all_units.mean(dim=0)
    scale = centred.norm() * columns.norm(dim=0)
    return torch.where(scale > 1e-12, columns.T @ centred / scale, torch.nan)
