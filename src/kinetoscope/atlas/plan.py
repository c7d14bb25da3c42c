"""What an atlas is made of, fixed before anything is computed: which units, in which batches, which shards.

The plan depends on what was asked for and on nothing else, neither on the engine nor on what is finished.
Units of a batch are taken apart together, which tells in the last digits: so the same plan gives the same
arrays wherever and in whatever order its batches are computed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import torch

MOST = 8
"""Units of a batch on a processor: more gain little."""

PIXELS = MOST * 16 * 64 * 64
"""Of all clips of a batch on a processor, frames times height times width, so that memory stays small."""

MOST_ELSEWHERE = 32
"""Units of a batch on other devices; where memory is full, what is computed at once is halved."""


@dataclass(frozen=True)
class Batch:
    """Units of one layer, by index, that are computed together."""

    layer: str
    units: tuple[int, ...]


@dataclass(frozen=True)
class Task:
    """A batch to be computed, and those of its units whose records are not there."""

    batch: Batch
    missing: tuple[int, ...]


def batch_size(shape: Sequence[int], device: str) -> int:
    """How many units are computed together.

    Args:
        shape: of the clip, (C, T, H, W).
        device: as torch names it.
    """
    if torch.device(device).type != "cpu":
        return MOST_ELSEWHERE
    return max(1, min(MOST, PIXELS // prod(shape[1:])))


def batches(layers: Mapping[str, Sequence[int]], size: int) -> list[Batch]:
    """The plan: the units of each layer, in the order given, in batches of at most so many."""
    return [
        Batch(layer, tuple(units[first : first + size]))
        for layer, units in layers.items()
        for first in range(0, len(units), size)
    ]


def shard(tasks: Sequence[Task], index: int, count: int) -> list[Task]:
    """Part `index` of `count`, neighbours together so that a part has few layers; parts differ by a task."""
    first, last = (len(tasks) * place // count for place in (index, index + 1))
    return list(tasks[first:last])
