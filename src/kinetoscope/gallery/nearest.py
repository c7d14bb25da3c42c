"""Which units are alike, in texture and in motion, and a place for each texture on its layer's map."""

from collections.abc import Sequence

import numpy as np

from .columns import Table
from .fields import DIRECTION, SPEED

COUNT = 8
"""Neighbours kept of each unit."""

NONE = 2**32 - 1
"""In place of a neighbour, where there are fewer."""

_BLOCK = 1024
_SHARES = tuple(f"decomposition_variance_explained_{name}" for name in ("coherent", "light", "jitter"))
_PLAIN = (
    ("motion_divergence_per_frame", 1.0),
    ("motion_rotation_per_frame", 1.0),
    ("indices_motion_dependence", 0.7),
    ("indices_direction_index", 0.7),
    ("decomposition_change_share", 0.7),
    *((name, 0.5) for name in _SHARES),
)


def motion_descriptors(table: Table) -> np.ndarray:
    """How each unit's film moves, (units, 11), NaN for units without a motion; columns of like spread."""
    direction = np.deg2rad(np.nan_to_num(table.column(DIRECTION)))
    speed, mean = table.column(SPEED), table.column("motion_mean_speed_px_per_frame")
    known = np.isfinite(speed)
    reach = np.log1p(4 * np.nan_to_num(np.where(np.isfinite(table.column(DIRECTION)), speed, 0.0)))
    columns = [
        1.5 * _spread(reach * np.cos(direction)),
        1.5 * _spread(reach * np.sin(direction)),
        _spread(np.log1p(4 * np.nan_to_num(mean))),
    ]
    for key, weight in _PLAIN:
        values = table.column(key)
        filled = np.where(np.isfinite(values), values, _middle(values))
        columns.append(weight * _spread(np.sign(filled) * np.sqrt(np.abs(filled))))
    found = np.stack(columns, axis=1).astype(np.float32)
    found[~known] = np.nan
    return found


def _middle(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else 0.0


def _spread(values: np.ndarray) -> np.ndarray:
    """Divided by the root mean square, which leaves zero where it is."""
    size = float(np.sqrt(np.mean(values**2))) if len(values) else 0.0
    return values / size if size > 1e-9 else np.zeros_like(values)


def nearest(described: np.ndarray, count: int = COUNT) -> tuple[np.ndarray, np.ndarray]:
    """The nearest others of each row.

    Args:
        described: (units, numbers); rows with NaN have no neighbours and are none.

    Returns:
        (units, count) rows, nearest first, `NONE` where there are fewer, and their distances, the usual one
        between two units being 1.
    """
    rows = np.flatnonzero(np.isfinite(described).all(axis=1))
    found = np.full((len(described), count), NONE, np.uint32)
    far = np.full((len(described), count), np.nan, np.float32)
    kept = min(count, len(rows) - 1)
    if kept < 1:
        return found, far
    points = described[rows] - described[rows].mean(axis=0)
    lengths = (points**2).sum(axis=1)
    usual = float(np.sqrt(2 * lengths.mean())) or 1.0  # root mean square over all pairs
    for start in range(0, len(rows), _BLOCK):
        block = slice(start, start + _BLOCK)
        apart = lengths[block, None] + lengths - 2 * points[block] @ points.T
        apart[np.arange(len(apart)), np.arange(start, start + len(apart))] = np.inf
        few = np.argpartition(apart, kept - 1, axis=1)[:, :kept]
        order = np.take_along_axis(apart, few, axis=1).argsort(axis=1, kind="stable")
        few = np.take_along_axis(few, order, axis=1)
        found[rows[block], :kept] = rows[few]
        far[rows[block], :kept] = np.sqrt(np.maximum(np.take_along_axis(apart, few, axis=1), 0)) / usual
    return found, far


def laid_out(described: np.ndarray) -> tuple[int, list[int]]:
    """A full grid on which similar rows are neighbours: its columns, and which row stands in each cell.

    Rows are sorted by what varies most into columns, and within a column by what varies second most.
    """
    count = len(described)
    height = -(-count // int(np.ceil(np.sqrt(count * 1.6))))
    columns = -(-count // height)
    points = described - described.mean(axis=0)
    axes = np.linalg.svd(points, full_matrices=False)[2][:2] if count > 1 else np.zeros((2, points.shape[1]))
    # an axis and its opposite are equally good; the sign is fixed so that the same units give the same map
    axes = axes * np.where(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)] < 0, -1, 1)[:, None]
    places = points @ np.vstack([axes, np.zeros((2, points.shape[1]))])[:2].T
    by_first = np.argsort(places[:, 0], kind="stable")
    cells = [-1] * (columns * height)
    for column, group in enumerate(_parts(by_first, height)):
        ordered = sorted(group, key=lambda row: (float(places[row, 1]), row))
        for line, row in enumerate(ordered):
            cells[line * columns + column] = row
    return columns, cells


def _parts(rows: np.ndarray, size: int) -> Sequence[Sequence[int]]:
    return [[int(row) for row in rows[start : start + size]] for start in range(0, len(rows), size)]
