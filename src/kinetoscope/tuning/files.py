"""A tuning, and what it leaves on disk: numbers, arrays, a table, pictures and a page."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from torch import Tensor

from ..files import plain, unit_directory, write_bytes_atomically, write_json
from ..records import write_arrays
from ..render.figure import draw_summary
from ..render.stored import record_of, scale_of
from ..render.templates import template
from ..render.tuned_layer import draw_layer
from ..render.tuning import draw_panel, optimum_cell
from ..render.words import number, title_of
from ..results import UnitResult
from .agreement import Agreement
from .found import UnitTuning
from .report import as_csv, unit_row

RECORD, TABLE, ARRAYS = "tuning.json", "tuning.csv", "responses.safetensors"
COLUMNS = (
    "unit",
    "direction",
    "dsi",
    "osi",
    "speed [px/frame]",
    "wavelength [px]",
    "F1/F0",
    "plaids",
    "answers most to",
)
COMPARED = ("shown", "off gratings", "off own texture")


@dataclass(frozen=True, eq=False)
class ToDraw:
    """What a unit's pictures are drawn of: its row, its arrays, their axes, a title, and its picture."""

    row: dict[str, Any]
    arrays: dict[str, np.ndarray]
    axes: dict[str, Any]
    title: str
    compared: UnitResult | None


Draw = Callable[[Callable[[ToDraw], dict[str, bytes]], Sequence[ToDraw]], Iterable[dict[str, bytes]]]
"""Maps a function over units, in order, as `map` does."""


@dataclass(frozen=True, eq=False)
class Tuning:
    """What the units of a layer answer to.

    Attributes:
        layer: dotted name.
        shape: of the stimuli, (C, T, H, W).
        units: one unit after the other, in the order asked for.
        agreement: of pictures with `gratings` and with the units' own `texture`; None where none were given.
        responses: the answers in numbers, (units, ...), by key as in `responses.safetensors`.
        pictures: the results that were compared, by unit.
        record: what else `tuning.json` holds, plain JSON values.
    """

    layer: str
    shape: tuple[int, int, int, int]
    units: tuple[UnitTuning, ...]
    agreement: dict[str, Agreement] | None
    responses: dict[str, Tensor]
    pictures: dict[int, UnitResult]
    record: dict[str, Any]

    def __repr__(self) -> str:
        lines = [f"tuning of {len(self.units)} units of {self.layer}"]
        for unit in self.units:
            curve = unit.gratings
            shown = "answers no grating" if curve.dsi is None else f"{curve.direction_deg:.0f} deg"
            index = "" if curve.dsi is None else f", dsi {curve.dsi:.2f}"
            lines.append(f"  unit {unit.unit}: {shown}{index}")
        return "\n".join(lines)

    def save(self, directory: str | Path) -> Path:
        """Write numbers, arrays, table, pictures and a page; returns the page's path.

        Raises:
            OutputUnwritable: a file cannot be written.
        """
        return save_tuning(self, directory)


def save_tuning(tuning: Tuning, directory: str | Path) -> Path:
    """Write everything; `tuning.json` comes last and marks it as finished. Returns the page's path.

    Raises:
        OutputUnwritable: a file cannot be written.
    """
    page = write_parts(tuning, Path(directory), {})
    write_json(Path(directory) / RECORD, document(tuning, {}))
    return page


def document(tuning: Tuning, named: Mapping[str, Any]) -> dict[str, Any]:
    """What `tuning.json` holds; `named`: how model and weights were named."""
    return plain({**named, **tuning.record, "units": rows_of(tuning), "agreement": tuning.agreement}, RECORD)


def rows_of(tuning: Tuning) -> list[dict[str, Any]]:
    """One entry per unit, plain JSON values."""
    return [plain(unit_row(unit)) for unit in tuning.units]


def write_parts(tuning: Tuning, directory: Path, named: Mapping[str, Any], draw: Draw = map) -> Path:
    """Write all files but `tuning.json`; returns the page's path.

    Args:
        named: how model and weights were named.
        draw: maps a function over pictures; one by several processes draws them at once.
    """
    rows, axes = rows_of(tuning), plain(tuning.record["axes"])
    write_arrays(directory / ARRAYS, tuning.responses)
    write_bytes_atomically(directory / TABLE, as_csv(rows).encode("utf-8", "backslashreplace"))
    arrays = {key: part.numpy() for key, part in tuning.responses.items()}
    titles = [
        title_of({**tuning.record, **named, "unit": row["unit"], "unit_name": row["unit_name"]})
        for row in rows
    ]
    units = [
        ToDraw(
            row,
            {key: part[index] for key, part in arrays.items()},
            axes,
            title,
            tuning.pictures.get(row["unit"]),
        )
        for index, (row, title) in enumerate(zip(rows, titles, strict=True))
    ]
    for row, drawn in zip(rows, draw(draw_unit, units), strict=True):
        for name, content in drawn.items():
            write_bytes_atomically(unit_directory(directory, tuning.layer, row["unit"]) / name, content)
    layer_title = f"Tuning of {named.get('model') or tuning.record['network']} / {tuning.layer}"
    agreement = None if tuning.agreement is None else plain(tuning.agreement)
    write_bytes_atomically(directory / "layer.png", draw_layer(rows, agreement, layer_title))
    return _write_page(tuning, directory, rows, titles, layer_title)


def draw_unit(unit: ToDraw) -> dict[str, bytes]:
    """A unit's panel, and of one that is compared its summary figure with the measured curves."""
    drawn = {"tuning.png": draw_panel(unit.row, unit.arrays, unit.axes, unit.title)}
    if unit.compared is not None:
        beside = beside_picture(unit.row, unit.arrays, unit.axes)
        shown = replace(unit.compared, record={**unit.compared.record, "tuning": beside})
        drawn["summary.png"] = draw_summary(shown, record_of(shown), scale_of(unit.compared))
    return drawn


def beside_picture(
    row: Mapping[str, Any], arrays: Mapping[str, np.ndarray], axes: Mapping[str, Any]
) -> dict[str, Any]:
    """What the summary figure draws beside the motion picture."""
    place = optimum_cell(row, axes)
    curve = np.zeros(1) if place is None else arrays["gratings"][place].mean(axis=1)
    return plain(
        {
            "gratings": curve.tolist(),
            "texture": arrays["own_texture"].tolist(),
            "numbers": {
                name: {key: part[key] for key in ("preferred_direction_deg", "dsi")}
                for name, part in (("gratings", row), ("texture", row["texture"]))
            },
            "shown_deg": row["shown"]["direction_deg"],
            "beaten_by": row["beaten_by"],
        }
    )


def _write_page(
    tuning: Tuning, directory: Path, rows: Sequence[Mapping[str, Any]], titles: Sequence[str], title: str
) -> Path:
    compared = [row for row in rows if "shown" in row]
    size = " x ".join(map(str, tuning.shape[1:]))
    facts = (
        f"{len(rows)} units; stimuli of {size} (frames x height x width) at contrast "
        f"{tuning.record['contrast']:g}; answers: {tuning.record['response']}, less that to mid grey."
    )
    shown = []
    for row, name in zip(rows, titles, strict=True):
        folder = unit_directory(directory, tuning.layer, row["unit"]).relative_to(directory)
        base = quote(folder.as_posix(), safe="/", errors="surrogatepass")
        shown.append(
            {
                "anchor": f"u{row['unit']}",
                "base": base,
                "name": name,
                "cells": _cells(row, bool(compared)),
                "summary": "shown" in row,
            }
        )
    html = template("tuning.html.j2").render(
        title=title,
        facts=facts,
        beaten=[(f"unit {row['unit']}", row["beaten_by"]) for row in compared if row["beaten_by"]],
        compared=len(compared),
        columns=COLUMNS + (COMPARED if compared else ()),
        rows=shown,
    )
    return write_bytes_atomically(directory / "index.html", html.encode("utf-8", "backslashreplace"))


def _cells(row: Mapping[str, Any], compared: bool) -> list[str]:
    own = [
        f"{row['unit']} {row['unit_name']}".strip(),
        number(row["preferred_direction_deg"], "{:.0f}°"),
        number(row["dsi"]),
        number(row["osi"]),
        number(row["preferred_speed_px_per_frame"]),
        number(row["preferred_wavelength_px"], "{:g}"),
        number(row["f1_f0"]),
        str((row["plaids"] or {}).get("class") or number(None)),
        row["best_stimulus"],
    ]
    if not compared:
        return own
    shown = row.get("shown")
    if shown is None:
        return [*own, number(None), number(None), number(None)]
    arrow = number(shown["direction_deg"], "{:.0f}°")
    error = row["error_deg"]
    return [
        *own,
        f"{shown['label']} {arrow}",
        *(number(error[key], "{:.0f}°") for key in ("gratings", "texture")),
    ]
