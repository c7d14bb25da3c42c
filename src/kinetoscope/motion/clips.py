"""Clips side by side: the last four dimensions are one clip's, time or key, channel, row and column."""

from collections.abc import Hashable, Iterable
from typing import TypeVar

import torch
from torch import Tensor

CLIP = (-4, -3, -2, -1)
"""The dimensions of one clip; what is said of each clip keeps them, with size 1."""

Kind = TypeVar("Kind", bound=Hashable)


def taken(parts: Tensor, clips: Tensor) -> Tensor:
    """Some clips, by ascending index, of what there is of each, (B, ...)."""
    return parts if len(clips) == len(parts) else parts[clips]


def put(parts: Tensor, clips: Tensor, others: Tensor) -> Tensor:
    """`others` in the place of some clips' parts."""
    return others if len(clips) == len(parts) else parts.index_copy(0, clips, others)


def where(flags: Tensor) -> Tensor:
    """The clips, by index, that something holds of."""
    return torch.nonzero(flags).flatten()


def alike(kinds: Iterable[Kind]) -> dict[Kind, list[int]]:
    """The clips, by ascending index, of each kind."""
    found: dict[Kind, list[int]] = {}
    for clip, kind in enumerate(kinds):
        found.setdefault(kind, []).append(clip)
    return found
