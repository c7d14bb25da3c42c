"""Two atlases side by side: which unit of the other one belongs to each unit of the first."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from .columns import Table, packed

Answers = Callable[[Table, Table], "tuple[np.ndarray, np.ndarray]"]
"""Takes both atlases and gives, for each unit of the first, units of the other and how much they answer."""

FEWEST = 0.5
"""Networks that share at least this part of the first one's units are of one architecture."""


@dataclass(frozen=True)
class Pairs:
    """Counterparts in the other atlas, (units, count) each.

    Attributes:
        by: `index`: the same layer and number; `response`: those that answer most to the unit's optimum.
        rows: of the other atlas, best first; -1 where there is none.
        numbers: what they answer, as a share of what they answer to their own optimum; NaN by index.
    """

    by: str
    rows: np.ndarray
    numbers: np.ndarray

    def to_json(self) -> dict[str, object]:
        return {
            "by": self.by,
            "kept": self.rows.shape[1],
            "rows": packed(self.rows, "i4"),
            "numbers": packed(self.numbers, "f4") if self.by == "response" else None,
        }


def same_architecture(mine: Table, other: Table) -> bool:
    """Whether layers of the same names have as many units in both, and are most of the first one's."""
    counts = {layer["name"]: layer["units"] for layer in other.layers}
    shared = sum(layer["count"] for layer in mine.layers if counts.get(layer["name"], -1) == layer["units"])
    return len(mine) > 0 and shared >= FEWEST * len(mine)


def by_index(mine: Table, other: Table) -> Pairs:
    """Units of the same layer and number."""
    there = other.rows()
    rows = np.full((len(mine), 1), -1, np.int64)
    for place, row in mine.rows().items():
        rows[row, 0] = there.get(place, -1)
    return Pairs("index", rows, np.full(rows.shape, np.nan))


def best(shares: np.ndarray, rows: Sequence[int], count: int) -> tuple[np.ndarray, np.ndarray]:
    """The rows that answer most, best first.

    Args:
        shares: (units, candidates); NaN where one cannot answer.
        rows: of the candidates.
    """
    known = np.where(np.isfinite(shares), shares, -np.inf)
    kept = min(count, known.shape[1])
    order = np.argsort(-known, axis=1, kind="stable")[:, :kept]
    numbers = np.take_along_axis(known, order, axis=1)
    found = np.where(np.isfinite(numbers), np.asarray(rows, np.int64)[order], -1)
    return found, np.where(np.isfinite(numbers), numbers, np.nan)
