"""The JSON file that ends a run: what was asked for, what came out, and whether it lies there already."""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..errors import SettingInvalid
from ..records import UNIT_FILE, plain, unwritable, write_json
from ..render.files import peak_memory_mb

ATTRIBUTION, KERNELS, MAPS = "attribution.json", "kernels.json", "feature_maps.json"
_PATHS = ("clip", "folder", "video")
_BESIDE_ARRAYS = (UNIT_FILE, ATTRIBUTION, KERNELS, MAPS)  # each has files of the same names beside it


def is_recorded(path: Path, request: Mapping[str, Any]) -> bool:
    """Whether `path` ends a run of the same request."""
    return read_record(path).get("request") == plain(request)


def read_record(path: Path) -> dict[str, Any]:
    """What a record says; nothing where there is none that can be read."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def refuse_other(
    path: Path,
    subject: Mapping[str, Any],
    *,
    force: bool = False,
    mend: str = "choose another --out, or replace it with --force",
) -> None:
    """Keep a finished run from being overwritten by one of something else.

    The same thing with other settings is done anew in its place.

    Args:
        path: the record of such a run.
        subject: what the new one is of: keys of the record or of its request, and their values.
        force: replace it even so.
        mend: what to do, for the message.

    Raises:
        SettingInvalid: the folder holds a run of something else, or of another verb.
    """
    others = [name for name in _BESIDE_ARRAYS if name != path.name and (path.parent / name).exists()]
    if others and path.name in _BESIDE_ARRAYS:
        raise SettingInvalid(
            f"{str(path.parent)!r} holds a run of another verb ({others[0]}), whose files this one would "
            "replace; choose another --out"
        )
    record = read_record(path)
    request = record.get("request")
    held = {**record, **(request if isinstance(request, dict) else {})}
    for key, value in subject.items():
        if not force and key in held and not _is_same(key, held[key], plain(value)):
            raise SettingInvalid(
                f"{str(path.parent)!r} holds a run of another {key} ({held[key]}, not {value}); {mend}"
            )


def _is_same(key: str, held: Any, given: Any) -> bool:
    """Whether two values of a record mean the same: a clip's path may be written in several ways."""
    if key in _PATHS and isinstance(held, str) and isinstance(given, str):
        with suppress(OSError, RuntimeError, ValueError):  # what is no path is compared as it stands
            return Path(held).resolve() == Path(given).resolve()
    return bool(held == given)


def tell_replaced(path: Path, request: Mapping[str, Any], note: Callable[[str], None]) -> None:
    """Say what differs from the run that lies there and is done anew."""
    held = read_record(path).get("request")
    if isinstance(held, dict) and held != plain(request):
        names = [key for key, value in plain(request).items() if held.get(key) != value]
        note(f"{path.parent} held a run of other {', '.join(names)}; it is done anew")


def begin_record(path: Path) -> None:
    """Take the old record away: while its files change, a folder must not look finished."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise unwritable(path, error) from error


def end_record(path: Path, request: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    """Write what was found, the request it answers, and the largest memory of the process so far (MiB)."""
    write_json(path, {**found, "request": request, "peak_memory_mb": peak_memory_mb()})
