"""Two atlases of one network made one."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from ..errors import SettingInvalid
from ..files import finished_units, unit_directory, unwritable
from ..records import RecordUnreadable
from .index import TUNING_FILE, write_index
from .store import UNIT_FILE, check_files, read_atlas, read_record, same_network, write_atlas


@dataclass(frozen=True)
class Merged:
    """How many units were copied, how many were there already, and what is wrong with the others."""

    copied: int
    held: int
    problems: list[str]


def merge(into: Path, other: Path) -> Merged:
    """Copy the units of `other` that `into` lacks, or holds damaged, and write the index anew.

    Raises:
        SettingInvalid: one of the folders is no atlas, or they are of different networks.
        OutputUnwritable: `into` cannot be written.
    """
    mine, said = read_atlas(into), read_atlas(other)
    for folder, found in ((into, mine), (other, said)):
        if not found:
            raise SettingInvalid(
                f"{str(folder)!r} is no atlas; give folders that `kinetoscope atlas` has made"
            )
    if not same_network(mine, said):
        raise SettingInvalid(
            f"{str(other)!r} is of {said.get('model')} and {str(into)!r} of {mine.get('model')}, with other "
            "weights or code; merge atlases of one network"
        )
    write_atlas(into, {**mine, "layers": said["layers"]})
    copied, held, problems = 0, 0, list[str]()
    for folder in finished_units(other):
        try:
            record = _sound(folder)
        except RecordUnreadable as error:
            problems.append(str(error))
            continue
        place = unit_directory(into, record["layer"], record["unit"])
        if _is_sound(place):
            held += 1
            continue
        _copy(folder, place, [*record["files"], UNIT_FILE])
        copied += 1
    return Merged(copied, held, [*problems, *write_index(into)])


def _sound(folder: Path) -> dict[str, Any]:
    record = read_record(folder)
    check_files(folder, record)
    return record


def _is_sound(folder: Path) -> bool:
    try:
        return bool(_sound(folder))
    except RecordUnreadable:
        return False


def _copy(folder: Path, place: Path, names: list[str]) -> None:
    """A unit's files, and its layer's tuning where that is missing; the folder appears whole."""
    with _writing(place):
        place.parent.mkdir(parents=True, exist_ok=True)
        beside = place.with_name(f".{uuid4().hex}.part")
        try:
            beside.mkdir()
            for name in names:
                shutil.copyfile(folder / name, beside / name)
            shutil.rmtree(place, ignore_errors=True)
            beside.rename(place)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
        tuning = folder.parent / TUNING_FILE
        if tuning.is_file() and not (place.parent / TUNING_FILE).exists():
            shutil.copyfile(tuning, place.parent / TUNING_FILE)


@contextmanager
def _writing(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise unwritable(place, error) from error
