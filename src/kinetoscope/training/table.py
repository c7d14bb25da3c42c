"""The table of a run: one row an epoch."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from ..files import write_bytes_atomically

COLUMNS = (
    "epoch",
    "step",
    "learning_rate",
    "train_loss",
    "train_accuracy",
    "validation_loss",
    "validation_accuracy",
    "unreadable",
    "seconds",
)
"""Epoch from 1; optimizer steps so far; the rate reached; means over the epoch's clips (training: while it
changed, augmented); different unreadable videos met so far; wall clock of the epoch."""

Row = dict[str, float]


def best_of(rows: Sequence[Row]) -> Row:
    """The row of the highest validation accuracy; of equal ones that of the lowest loss, then the first."""
    return min(rows, key=lambda row: (-row["validation_accuracy"], row["validation_loss"]))


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """Write the table as CSV, whole or not at all."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([f"{row[name]:.7g}" for name in COLUMNS] for row in rows)
    write_bytes_atomically(path, text.getvalue().encode())
