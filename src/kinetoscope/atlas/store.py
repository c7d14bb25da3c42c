"""An atlas on disk: a folder per unit, to be read without this package, and checked whenever it is read.

`unit.json` comes last and holds the length and digest of every file beside it, and its own.
"""

import hashlib
import json
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..errors import OutputUnwritable, SettingInvalid
from ..files import (
    UNIT_FILE,
    digest_of,
    finished_units,
    unit_directory,
    unwritable,
    write_bytes_atomically,
    write_json,
)
from ..records import ARRAYS_FILE, RecordUnreadable, packed, read_unit
from ..render.frames import DEFAULT_FPS
from ..render.stored import arrays_of, record_of
from ..render.tile import FILM_BYTES, MOTION, OPTIMAL, TILE, draw_small, tile_layout
from ..results import UnitResult

ATLAS_FILE, FAILURES_FILE = "atlas.json", "failures.json"

SCHEMA = 1
"""Of the folder: rises when a file or a key changes its meaning."""

KEPT: dict[str, tuple[str, ...]] = {
    "numbers": (),
    "films": (TILE, OPTIMAL, MOTION),
    "arrays": (TILE, OPTIMAL, MOTION, ARRAYS_FILE),
}
"""Files of a unit beside `unit.json`, by what is kept."""

_NUMBERS, _TILE = 40_000, 170_000
"""Bytes of `unit.json` and of a strip, at most."""


def most_bytes(keep: str, shape: Sequence[int]) -> int:
    """What a unit takes on disk at most.

    Args:
        keep: `numbers`, `films` or `arrays`.
        shape: of the clip, (C, T, H, W).
    """
    channels, frames, height, width = shape
    colours = 3 if channels == 1 else channels
    # two clips, offsets and up to a texture for four frames; three fields of two; gain and two maps of places
    a_place = colours * (frames * 3.25 + 2) + 9 * frames
    size = {
        "numbers": 0,
        "films": _TILE + 2 * FILM_BYTES,
        "arrays": _TILE + 2 * FILM_BYTES + 4 * a_place * height * width,
    }
    return _NUMBERS + round(size[keep])


def check_room(directory: Path, needed: int) -> int:
    """How many bytes are free where an existing folder lies.

    Raises:
        OutputUnwritable: fewer than needed.
    """
    free = shutil.disk_usage(directory).free
    if free < needed:
        raise OutputUnwritable(
            f"the atlas takes up to {needed / 1e6:.0f} MB, and {str(directory)!r} has {free / 1e6:.0f} MB "
            "left; keep less, give fewer units, or choose another --out"
        )
    return free


def save_record(
    result: UnitResult, directory: str | Path, *, keep: str, scale: float, batch: Sequence[int]
) -> Path:
    """Write a unit's files into `directory`/LAYER/UNIT; `unit.json` comes last and marks it as finished.

    Args:
        result: with `optimal` set, and `layer` and `unit` in its record.
        keep: `numbers`, `films` or `arrays`.
        scale: speed shown at full brightness, pixels per frame.
        batch: the units that were computed with it.

    Raises:
        OutputUnwritable: a file cannot be written.
    """
    began = time.perf_counter()
    folder = unit_directory(directory, str(result.record["layer"]), result.record["unit"])
    files = draw_small(result, scale) if KEPT[keep] else {}
    if ARRAYS_FILE in KEPT[keep]:
        files[ARRAYS_FILE] = packed(arrays_of(result))
    try:
        for name in (UNIT_FILE, *KEPT["arrays"]):  # while its files change, it must not look finished
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise unwritable(folder / UNIT_FILE, error) from error
    for name, content in files.items():
        write_bytes_atomically(folder / name, content)
    record = record_of(result, time.perf_counter() - began)
    frames, _, height, width = result.video.shape
    record["render"] = {
        "motion_scale_px_per_frame": float(scale),
        "frames_per_second": DEFAULT_FPS,
        "tile": tile_layout(frames, height, width),
    }
    record["batch"] = list(batch)
    record["files"] = {
        name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in files.items()
    }
    write_json(folder / UNIT_FILE, {**record, "record_sha256": digest_of(record)})
    return folder


def read_record(folder: Path) -> dict[str, Any]:
    """A unit's `unit.json`, as it was written.

    Raises:
        RecordUnreadable: missing, damaged, of another verb, or in a folder that is another unit's.
    """
    record = read_unit(folder)
    if not isinstance(record.get("files"), dict) or record.get("record_sha256") != digest_of(record):
        raise RecordUnreadable(f"{str(folder / UNIT_FILE)!r} is not as the atlas wrote it; run it again")
    place = unit_directory(folder.parents[1], str(record.get("layer")), record.get("unit", -1))
    if place != folder:
        raise RecordUnreadable(f"{str(folder)!r} holds another unit's record; run it again")
    return record


def check_files(folder: Path, record: Mapping[str, Any]) -> None:
    """Compare the files beside a record with the lengths and digests in it.

    Raises:
        RecordUnreadable: one is missing or damaged.
    """
    for name, said in record["files"].items():
        if name not in KEPT["arrays"] or not isinstance(said, dict):
            raise RecordUnreadable(f"{str(folder / UNIT_FILE)!r} names an odd file; run it again")
        try:
            content = (folder / name).read_bytes()
        except OSError as error:
            raise RecordUnreadable(f"{str(folder / name)!r} cannot be read ({error.strerror})") from error
        if hashlib.sha256(content).hexdigest() != said.get("sha256"):
            raise RecordUnreadable(f"{str(folder / name)!r} is damaged; run it again")


def records(directory: Path, problems: list[str]) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Folder and record of every unit that lies in an atlas; what is damaged is named in `problems`."""
    for folder in finished_units(directory):
        try:
            yield folder, read_record(folder)
        except RecordUnreadable as error:
            problems.append(str(error))


def sweep(directory: Path) -> None:
    """Take away what a run that was killed had half written; for use while no other run writes there."""
    for left in [*directory.glob("**/.*.part"), *directory.glob(".jobs-*")]:
        with suppress(OSError):
            shutil.rmtree(left) if left.is_dir() else left.unlink()


def read_atlas(directory: Path) -> dict[str, Any]:
    """What `atlas.json` says of the folder; nothing where there is none.

    Raises:
        SettingInvalid: it cannot be read, or a later version wrote it.
    """
    path = directory / ATLAS_FILE
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise SettingInvalid(f"{str(path)!r} cannot be read ({error}); delete it and run again") from error
    if not isinstance(said, dict) or said.get("schema") != SCHEMA or not isinstance(said.get("layers"), dict):
        raise SettingInvalid(f"{str(path)!r} is not of an atlas of schema {SCHEMA}; choose another folder")
    return said


def same_network(mine: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two atlases are of one network: the same weights, card and code."""
    return all(mine.get(key) == other.get(key) for key in ("weights_sha256", "card_sha256", "source_sha256"))


def write_atlas(directory: Path, said: Mapping[str, Any]) -> None:
    """Write `atlas.json`; layers that it had keep their places, and units that were asked for are added."""
    layers = {name: dict(layer) for name, layer in read_atlas(directory).get("layers", {}).items()}
    for name, layer in said["layers"].items():
        known = layers.get(name, {}).get("asked", [])
        layers[name] = {**layer, "asked": sorted({*known, *layer["asked"]})}
    write_json(directory / ATLAS_FILE, {"schema": SCHEMA, **said, "layers": layers})
