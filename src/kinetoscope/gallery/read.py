"""An atlas as the gallery reads it: by the format that `docs/atlas.md` describes, and without torch."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import SettingInvalid
from ..files import UNIT_FILE, digest_of, safe_component, unit_directory

ATLAS_FILE, TUNING_FILE, TILE = "atlas.json", "tuning.json", "tile.webp"

_SCHEMA = 1
_GROUPS = ("activation", "decomposition", "motion", "files", "render", "seconds")


@dataclass(frozen=True)
class Found:
    """A unit's record and where it lies.

    Attributes:
        folder: on disk.
        layer, unit: the folder's names below the atlas, which is what addresses are made of.
        record: its `unit.json`.
    """

    folder: Path
    layer: str
    unit: int
    record: Mapping[str, Any]


@dataclass
class Source:
    """An atlas to be read from.

    Attributes:
        root: its folder.
        said: its `atlas.json`.
        problems: what is wrong with records that were left out; filled while they are read.
    """

    root: Path
    said: Mapping[str, Any]
    problems: list[str] = field(default_factory=list)

    def units(self) -> Iterator[Found]:
        """Every sound unit; layers as in `atlas.json`, units by number."""
        places = {safe_component(name): place for place, name in enumerate(self.said["layers"])}
        folders = [file.parent for file in self.root.glob(f"*/*/{UNIT_FILE}")]
        numbered = [one for one in folders if one.name.isascii() and one.name.isdecimal()]
        for folder in sorted(
            numbered,
            key=lambda one: (places.get(one.parent.name, len(places)), one.parent.name, int(one.name)),
        ):
            try:
                yield Found(folder, folder.parent.name, int(folder.name), _record(folder))
            except (OSError, ValueError, RecursionError) as error:
                self.problems.append(f"{folder.parent.name}/{folder.name}: {error}")


def open_atlas(root: Path) -> Source:
    """Read what an atlas says of itself.

    Raises:
        SettingInvalid: the folder is no atlas, or a later version's.
    """
    path = root / ATLAS_FILE
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SettingInvalid(
            f"{str(root)!r} is no atlas; give a folder that `kinetoscope atlas` has made"
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise SettingInvalid(f"{str(path)!r} cannot be read ({error}); run the atlas again") from error
    if (
        not isinstance(said, dict)
        or said.get("schema") != _SCHEMA
        or not isinstance(said.get("layers"), dict)
    ):
        raise SettingInvalid(f"{str(path)!r} is not of an atlas of schema {_SCHEMA}; give another folder")
    return Source(root, said)


def _record(folder: Path) -> Mapping[str, Any]:
    """A unit's record.

    Raises:
        ValueError: it is not as the atlas wrote it, or another unit's.
        OSError: it cannot be read.
    """
    record = json.loads((folder / UNIT_FILE).read_text(encoding="utf-8"))
    if not isinstance(record, dict):
        raise ValueError("no record")  # noqa: TRY004
    if record.get("record_sha256") != digest_of(record):
        raise ValueError("the record is not as the atlas wrote it; run the atlas again")
    if any(not isinstance(record.get(key), dict) for key in _GROUPS):
        raise ValueError("the record lacks a group of numbers; run the atlas again")
    if unit_directory(folder.parents[1], str(record.get("layer")), record.get("unit", -1)) != folder:
        raise ValueError("another unit's record lies there; run the atlas again")
    return record


def tunings(layer: Path) -> dict[int, Mapping[str, Any]]:
    """What a layer's `tuning.json` says of its units; nothing where there is none that can be read."""
    try:
        units = json.loads((layer / TUNING_FILE).read_text(encoding="utf-8"))["units"]
        return {int(unit["unit"]): {k: v for k, v in unit.items() if k != "unit"} for unit in units}
    except (OSError, ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return {}
