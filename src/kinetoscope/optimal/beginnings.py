"""Where an ascent can begin, found by forward passes: which stimuli of the bank a layer's units answer to."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor

from ..stimuli import Named, Stimulus, to_contrast
from .objective import Forward, Objective

KEPT = 3
"""Stimuli kept for each unit."""


@dataclass(frozen=True)
class Beginning:
    """What one unit answered to most, strongest first.

    Attributes:
        names, clips: of stimuli with structure, clips (C, T, H, W) about mid grey.
        flat_name, flat: the flat colour it answered to most; None where none was tried.
        response: to the first.
    """

    names: tuple[str, ...]
    clips: tuple[Stimulus, ...]
    response: float
    flat_name: str = ""
    flat: Stimulus | None = None


@torch.no_grad()
def beginnings(
    forward: Forward,
    objectives: Sequence[Objective],
    stimuli: Iterable[Named],
    contrast: float,
    *,
    device: torch.device | str = "cpu",
    together: int = 8,
) -> list[Beginning]:
    """Show all stimuli at one contrast and keep, for each objective, those that drive it most.

    One pass over the stimuli serves all units of a layer; `together` clips are in memory at once.

    Args:
        forward: clips in [0, 1] to the layer's output.
        objectives: one per unit.
        stimuli: as from `stimuli.bank`.
        contrast: root mean square about mid grey at which they are compared.
    """
    best: list[list[tuple[float, int, Named]]] = [[] for _ in objectives]
    flats: list[list[tuple[float, int, Named]]] = [[] for _ in objectives]
    stream, count = iter(stimuli), 0
    while batch := list(islice(stream, together)):
        clips = to_contrast(torch.stack([named.clip for named in batch]), contrast)
        output = forward((0.5 + clips).to(device))
        for index, objective in enumerate(objectives):
            values: Tensor = torch.nan_to_num(objective(output), nan=float("-inf"))
            for offset, (named, value) in enumerate(zip(batch, values.tolist(), strict=True)):
                place = flats[index] if named.flat else best[index]
                place.append((value, -(count + offset), named))
                place.sort(key=lambda entry: entry[:2], reverse=True)
                del place[1 if named.flat else KEPT :]
        count += len(batch)
    return [
        Beginning(
            names=tuple(named.name for *_, named in kept),
            clips=tuple(named.clip for *_, named in kept),
            response=kept[0][0],
            flat_name=flat[0][2].name if flat else "",
            flat=flat[0][2].clip if flat else None,
        )
        for kept, flat in zip(best, flats, strict=True)
    ]
