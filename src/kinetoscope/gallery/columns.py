"""Thousands of units as columns of numbers that a script file carries and a browser reads at once."""

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import ArrayLike

from .fields import FIRST, known, numbers
from .read import TILE, Found, Source, tunings

_UNNAMED = 255
FILMS = ("optimal.mp4", "motion.mp4")


def packed(values: ArrayLike, kind: str) -> str:
    """Numbers as base64 of their bytes, little end first.

    Args:
        kind: as numpy calls it: `f4`, `u4`, `u2`, `u1` or `i4`.
    """
    return base64.b64encode(np.asarray(values).astype(f"<{kind}").tobytes()).decode("ascii")


def script(name: str, value: Any) -> bytes:
    """A script that sets `window.NAME`; whatever text it holds cannot end the script or leave its string."""
    return f"window.{name}={_json(value)};\n".encode("ascii")


def call(name: str, *values: Any) -> bytes:
    """A script that hands values to the function `NAME`."""
    return f"{name}({','.join(map(_json, values))});\n".encode("ascii")


def _json(value: Any) -> str:
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


@dataclass
class Table:
    """Every unit of an atlas, a row each, layers in order.

    Attributes:
        source: the atlas.
        layers: name, folder, first row and number of units of each.
        units: number of each within its layer.
        labels: word for the motion of each.
        names: of those that have one, by row.
        layouts: of each strip: frames, height and width of a cell, speed at full brightness; None without.
        films: whether the films lie there.
        objectives: what was maximized of each: its kind, and the place in the map for `unit`.
        values: every number, by key, then row.
    """

    source: Source
    layers: list[dict[str, Any]] = field(default_factory=list)
    units: list[int] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)
    layouts: list[tuple[int, int, int] | None] = field(default_factory=list)
    films: list[bool] = field(default_factory=list)
    objectives: list[tuple[str, Any]] = field(default_factory=list)
    values: dict[str, dict[int, float]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.units)

    def add(self, found: Found, tuning: Mapping[str, Any]) -> None:
        """Append a unit."""
        row, record = len(self), found.record
        if not self.layers or self.layers[-1]["folder"] != found.layer:
            name = str(record["layer"])
            said = self.source.said["layers"].get(name)
            count = said.get("units") if isinstance(said, dict) else None
            self.layers.append(
                {"name": name, "folder": found.layer, "start": row, "count": 0, "units": count}
            )
        self.layers[-1]["count"] += 1
        self.units.append(found.unit)
        self.labels.append(str(record["motion"].get("label") or "unknown"))
        if record.get("unit_name"):
            self.names[row] = str(record["unit_name"])
        self.layouts.append(_layout(record))
        settings = record.get("settings")
        position = settings.get("position") if isinstance(settings, dict) else None
        self.objectives.append((str(record.get("objective")), position))
        self.films.append(all(name in record["files"] for name in FILMS))
        for key, value in numbers(record, tuning).items():
            self.values.setdefault(key, {})[row] = value

    def column(self, key: str) -> np.ndarray:
        """One number of all units; NaN where it is not known."""
        column = np.full(len(self), np.nan, np.float64)
        known_rows = self.values.get(key, {})
        column[list(known_rows)] = list(known_rows.values())
        return column

    def rows(self) -> dict[tuple[str, int], int]:
        """The row of each unit, by its layer's folder and its number."""
        return {
            (layer["folder"], self.units[row]): row
            for layer in self.layers
            for row in range(layer["start"], layer["start"] + layer["count"])
        }

    def first(self) -> dict[str, Any]:
        """What the page opens with."""
        labels = sorted(set(self.labels))
        if len(labels) > _UNNAMED:
            labels = labels[:_UNNAMED]
        code = {label: index for index, label in enumerate(labels)}
        layouts = sorted({one for one in self.layouts if one is not None})
        place = {one: index for index, one in enumerate(layouts)}
        said = self.source.said
        return {
            "model": str(said.get("model")),
            "weights": str(said.get("weights")),
            "sha256": str(said.get("weights_sha256")),
            "settings": said.get("settings"),
            "scale": said.get("motion_scale_px_per_frame"),
            "count": len(self),
            "asked": sum(_asked(layer) for layer in said["layers"].values()),
            "problems": self.source.problems,
            "layers": [{**layer, "path": quote(layer["folder"], safe="")} for layer in self.layers],
            "labels": labels,
            "label": packed([code.get(label, _UNNAMED) for label in self.labels], "u1"),
            "unit": packed(self.units, "u4"),
            "names": self.names,
            "layouts": layouts,
            "layout": packed([_UNNAMED if one is None else place[one] for one in self.layouts], "u1"),
            "films": packed(self.films, "u1"),
            **self._fields([field.key for field in FIRST if field.key in self.values]),
        }

    def rest(self) -> dict[str, Any]:
        """All other numbers that differ between units."""
        first = {field.key for field in FIRST}
        keys = [key for key in self.values if key not in first]
        return self._fields([key for key in keys if len(set(self.values[key].values())) > 1])

    def _fields(self, keys: Sequence[str]) -> dict[str, Any]:
        return {
            "fields": [known(key).to_json() for key in keys],
            "columns": {key: packed(self.column(key), "f4") for key in keys},
        }


def _layout(record: Mapping[str, Any]) -> tuple[int, int, int] | None:
    tile = record["render"].get("tile")
    if TILE not in record["files"] or not isinstance(tile, dict):
        return None
    sizes = tuple(tile.get(key) for key in ("frames", "cell_height", "cell_width"))
    if not all(isinstance(size, int) and 0 < size < 10_000 for size in sizes):
        return None
    return sizes  # type: ignore[return-value]


def _asked(layer: Any) -> int:
    asked = layer.get("asked") if isinstance(layer, dict) else None
    return len(asked) if isinstance(asked, list) else 0


def read_table(source: Source, seen: Iterable[Found] | None = None) -> Table:
    """All units of an atlas.

    Args:
        seen: its units, where something else looks at them in passing; None: as they lie on disk.
    """
    table, known_layers = Table(source), dict[str, dict[int, Mapping[str, Any]]]()
    for found in source.units() if seen is None else seen:
        if found.layer not in known_layers:
            known_layers[found.layer] = tunings(found.folder.parent)
        table.add(found, known_layers[found.layer].get(found.unit, {}))
    return table
