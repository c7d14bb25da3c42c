"""All records of an atlas at once: `index.sqlite` for questions, `units.csv` for spreadsheets, and a page.

They hold nothing of their own; they are made from the records, whole or not at all.
"""

import csv
import io
import json
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ..files import whole_file, write_bytes_atomically
from ..render.templates import template
from ..render.words import headline, number
from .store import SCHEMA, TILE, read_atlas, records

INDEX_FILE, TABLE_FILE, PAGE_FILE = "index.sqlite", "units.csv", "index.html"
TUNING_FILE = "tuning.json"
GALLERY_FILE = "gallery.html"

Row = dict[str, Any]

_FIRST = ("layer", "unit", "unit_name", "folder")
_UNLISTED = ("files", "record_sha256")


def write_index(directory: Path) -> list[str]:
    """Write them from what lies in the folder.

    Keys of `unit.json` become columns, groups joined by `_` (`motion_speed_px_per_frame`); those of a layer's
    `tuning.json` begin with `tuning_`; lists are JSON.

    Returns:
        What is wrong with records that were left out.

    Raises:
        OutputUnwritable: a file cannot be written.
    """
    problems: list[str] = []
    tunings: dict[Path, dict[int, Row]] = {}
    rows, shown = list[Row](), dict[str, list[dict[str, Any]]]()
    for folder, record in records(directory, problems):
        layer = folder.parent
        if layer not in tunings:
            tunings[layer] = _tuning(layer / TUNING_FILE)
        row = flat({key: value for key, value in record.items() if key not in _UNLISTED})
        row["folder"] = folder.relative_to(directory).as_posix()
        rows.append({**row, **tunings[layer].get(record["unit"], {})})
        shown.setdefault(record["layer"], []).append(_line(record, row["folder"]))
    columns = list(dict.fromkeys([*_FIRST, *(name for row in rows for name in row)]))
    _write_sqlite(directory / INDEX_FILE, columns, rows)
    _write_csv(directory / TABLE_FILE, columns, rows)
    _write_page(directory / PAGE_FILE, shown, problems)
    return problems


def flat(record: Mapping[str, Any], before: str = "") -> Row:
    """A record's groups as one level of names."""
    row: Row = {}
    for key, value in record.items():
        name = f"{before}{key}"
        inner = flat(value, f"{name}_") if isinstance(value, Mapping) else {name: _cell(value)}
        assert not inner.keys() & row.keys(), f"two values called {inner.keys() & row.keys()}"
        row.update(inner)
    return row


def _cell(value: Any) -> Any:
    if isinstance(value, list):
        return json.dumps(value)
    return int(value) if isinstance(value, bool) else value


def _tuning(path: Path) -> dict[int, Row]:
    """What a layer's `tuning.json` says of each unit; nothing where there is none that can be read."""
    try:
        units = json.loads(path.read_text(encoding="utf-8"))["units"]
        return {
            int(unit["unit"]): flat({k: v for k, v in unit.items() if k != "unit"}, "tuning_")
            for unit in units
        }
    except (OSError, ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return {}


def _write_sqlite(path: Path, columns: Sequence[str], rows: Sequence[Row]) -> None:
    names = ", ".join(_quoted(name) for name in columns)
    with whole_file(path) as beside, closing(sqlite3.connect(beside)) as base:
        base.execute("PRAGMA journal_mode = MEMORY")  # so that nothing is left beside it
        base.execute(f"PRAGMA user_version = {SCHEMA}")
        base.execute(f"CREATE TABLE units ({names}, PRIMARY KEY (layer, unit))")
        places = ", ".join("?" * len(columns))
        base.executemany(
            f"INSERT INTO units VALUES ({places})", ([row.get(name) for name in columns] for row in rows)
        )
        base.commit()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _write_csv(path: Path, columns: Sequence[str], rows: Sequence[Row]) -> None:
    text = io.StringIO()
    table = csv.DictWriter(text, columns, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    write_bytes_atomically(path, text.getvalue().encode("utf-8", "backslashreplace"))


def _line(record: Mapping[str, Any], base: str) -> dict[str, Any]:
    """What the page prints of a unit."""
    dependence = number(record.get("indices", {}).get("motion_dependence"))
    return {
        "name": f"{record['unit']} {record.get('unit_name') or ''}".rstrip(),
        "words": f"{headline(record['motion'])} · motion dependence {dependence}",
        "base": quote(base, safe="/", errors="surrogatepass"),
        "films": TILE in record["files"],
        "scale": record["render"]["motion_scale_px_per_frame"],
    }


def _write_page(
    path: Path, shown: Mapping[str, Sequence[Mapping[str, Any]]], problems: Sequence[str]
) -> None:
    said = read_atlas(path.parent)
    known = said.get("layers", {})
    order = [*(name for name in known if name in shown), *(name for name in shown if name not in known)]
    scales = sorted({f"{unit['scale']:g}" for units in shown.values() for unit in units})
    page = template("atlas.html.j2").render(
        title=f"{said.get('model', 'An atlas')}: every unit",
        scale=" or ".join(scales),
        count=sum(map(len, shown.values())),
        asked=sum(len(layer["asked"]) for layer in known.values()),
        problems=problems,
        gallery=(path.parent / GALLERY_FILE).is_file(),
        layers=[{"name": name, "units": shown[name]} for name in order],
    )
    write_bytes_atomically(path, page.encode("utf-8", "backslashreplace"))
