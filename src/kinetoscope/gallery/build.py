"""The site of an atlas: a page, its scripts, and its numbers as scripts, beside the records."""

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..errors import SettingInvalid
from ..render.templates import template
from .columns import Table, call, packed, read_table, script
from .describe import LENGTH, SPRITE, Look, describe_all
from .nearest import laid_out, motion_descriptors, nearest
from .pairs import Pairs, by_index, same_architecture
from .read import TILE, Found, Source, open_atlas
from .write import bring, write

PAGE_FILE, FOLDER = "gallery.html", "gallery"
SCRIPTS = (
    "core", "atlas", "select", "state", "draw", "tile", "panel", "grid", "unit", "layer", "compare", "csv",
    "app",
)  # fmt: skip
STYLES = ("base", "views")

CHUNK = 64
"""Whole records in a script file."""

_STEP = SPRITE + 2
"""From one texture of a map to the next, pixels."""

Told = Callable[[str], None]


@dataclass(frozen=True)
class Built:
    """The page, how many units it shows, and what is wrong with records that were left out."""

    page: Path
    units: int
    problems: list[str]


def build(
    root: Path,
    other: Path | None = None,
    *,
    pair: "Callable[[Table, Table], Pairs] | None" = None,
    told: Told,
) -> Built:
    """Write the site of an atlas into its folder.

    Args:
        other: an atlas to stand beside it; its strips are brought into the folder.
        pair: finds counterparts in the other atlas; None: by layer and number.
        told: hears what is being done.

    Raises:
        SettingInvalid: a folder is no atlas, or both are the same.
        OutputUnwritable: the folder cannot be written.
    """
    source = open_atlas(root)
    if other is not None and other.resolve() == root.resolve():
        raise SettingInvalid(f"--compare is the atlas itself; give another one beside {str(root)!r}")
    site = root / FOLDER
    told("reading the records")
    table = read_table(source, _kept_whole(source, site / "units"))
    beside = None if other is None else _other(table, other, site, pair or by_index, told)
    told(f"looking at the textures of {len(table)} units")
    looks = _looks(table)
    told("finding neighbours")
    _write_numbers(site, table, looks, beside)
    _write_parts(root, source, compared=beside is not None)
    return Built(root / PAGE_FILE, len(table), source.problems)


def _kept_whole(source: Source, folder: Path) -> Iterator[Found]:
    """The units of an atlas; whole records are written in passing, `CHUNK` to a file."""
    held: list[dict[str, Any]] = []
    count = 0
    for found in source.units():
        record = dict(found.record)
        if record.get("settings") == source.said.get("settings"):
            del record["settings"]  # which the page has
        held.append(record)
        if len(held) == CHUNK:
            write(folder / f"{count}.js", call("K.chunk", count, held))
            count, held = count + 1, []
        yield found
    if held:
        write(folder / f"{count}.js", call("K.chunk", count, held))
        count += 1
    for old in folder.glob("*.js"):
        if old.stem.isdecimal() and int(old.stem) >= count:
            old.unlink(missing_ok=True)


def _other(
    table: Table, root: Path, site: Path, pair: Callable[[Table, Table], Pairs], told: Told
) -> dict[str, Any]:
    """The other atlas as numbers, with counterparts; its strips are brought here."""
    told("reading the other atlas")
    other = read_table(open_atlas(root))
    found = pair(table, other)
    told("bringing the other atlas's strips")
    for folder, name, layout in _places(other):
        if layout is not None and (root / folder / name / TILE).is_file():
            bring(root / folder / name / TILE, site / "other" / folder / name / TILE)
    same = same_architecture(table, other)
    return {
        "atlas": {**other.first(), "films": packed([0] * len(other), "u1")},
        "pairs": found.to_json(),
        "same": same,
    }


def _places(table: Table) -> Iterator[tuple[str, str, tuple[int, int, int] | None]]:
    for layer in table.layers:
        for row in range(layer["start"], layer["start"] + layer["count"]):
            yield layer["folder"], str(table.units[row]), table.layouts[row]


def _looks(table: Table) -> list[Look | None]:
    """Each unit's texture; None for those without a strip."""
    found: list[Look | None] = [None] * len(table)
    rows, tasks = [], []
    for row, (folder, name, layout) in enumerate(_places(table)):
        if layout is not None:
            rows.append(row)
            tasks.append((table.source.root / folder / name / TILE, layout))
    for row, look in zip(rows, describe_all(tasks), strict=True):
        found[row] = look
    return found


def _write_numbers(site: Path, table: Table, looks: Sequence[Look | None], beside: Any) -> None:
    empty = np.full(LENGTH, np.nan, np.float32)
    described = np.stack([empty if look is None else look[0] for look in looks]) if looks else empty[None][:0]
    shown = np.isin(table.labels, ("dead", "flat"))
    kinds = {
        "texture": np.where(shown[:, None], np.nan, described),
        "motion": motion_descriptors(table),
    }
    neighbours: dict[str, Any] = {}
    for kind, numbers in kinds.items():
        rows, far = nearest(numbers)
        thousandths = np.nan_to_num(np.clip(far * 1000, 0, 65535))
        neighbours[kind] = {
            "kept": rows.shape[1], "rows": packed(rows, "u4"), "far": packed(thousandths, "u2"),
        }  # fmt: skip
    maps = [_texture_map(site, index, layer, described, looks) for index, layer in enumerate(table.layers)]
    write(site / "data.js", script("KINETOSCOPE_ATLAS", {**table.first(), "chunk": CHUNK}))
    write(site / "rest.js", call("K.rest", table.rest()))
    write(site / "near.js", call("K.near", {"neighbours": neighbours, "maps": maps}))
    write(site / "other.js", script("KINETOSCOPE_OTHER", beside))


def _texture_map(
    site: Path, index: int, layer: dict[str, Any], described: np.ndarray, looks: Sequence[Look | None]
) -> dict[str, Any] | None:
    """A picture of a layer's textures, similar ones side by side, and which unit stands in each cell."""
    place = range(layer["start"], layer["start"] + layer["count"])
    known = [row for row in place if looks[row] is not None]
    if not known:
        return None
    columns, cells = laid_out(described[known])
    sheet = Image.new("RGBA", (columns * _STEP, len(cells) // columns * _STEP))
    for cell, which in enumerate(cells):
        look = looks[known[which]] if which >= 0 else None
        if look is not None:
            corner = cell % columns * _STEP + 1, cell // columns * _STEP + 1
            sheet.paste(Image.fromarray(look[1]), corner)
    name = f"textures-{index}.webp"
    write(site / name, _webp(sheet))
    rows = [known[which] if which >= 0 else -1 for which in cells]
    return {"file": name, "columns": columns, "cells": packed(rows, "i4")}


def _webp(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "WEBP", quality=80)
    return file.getvalue()


def _write_parts(root: Path, source: Source, *, compared: bool) -> None:
    """Scripts and styles, one file of each, for a file more is a wait more; and last the page."""
    app = files("kinetoscope") / "gallery" / "app"
    for kind, names in (("js", SCRIPTS), ("css", STYLES)):
        write(
            root / FOLDER / f"app.{kind}", b"\n".join((app / f"{name}.{kind}").read_bytes() for name in names)
        )
    page = template("gallery.html.j2").render(
        model=str(source.said.get("model")),
        weights=str(source.said.get("weights")),
        folder=FOLDER,
        compared=compared,
    )
    write(root / PAGE_FILE, page.encode("utf-8", "backslashreplace"))
