"""The JSON file that ends a run: what was asked for, what came out, and whether it lies there already."""

import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import SettingInvalid
from ..files import UNIT_FILE, plain, unwritable, write_json
from ..records import RecordUnreadable, read_unit
from ..render.stored import peak_memory_mb

if TYPE_CHECKING:
    from torch import nn

    from ..card import ModelCard

ATTRIBUTION, KERNELS, MAPS = "attribution.json", "kernels.json", "feature_maps.json"
_BESIDE_ARRAYS = (UNIT_FILE, ATTRIBUTION, KERNELS, MAPS)  # each has files of the same names beside it
_NAMES = ("weights", "name", "clip", "clips", "folder", "video", "kernels", "beside")
"""Names of files (`name`: of the weights): their content is compared, whose digests stand beside them."""


def is_finished(path: Path, key: Mapping[str, Any]) -> bool:
    """Whether `path` ends a run of the same request: the same content, by the same settings and versions.

    Args:
        path: the file that ends such a run; `unit.json` has the request among its own keys, others have it
            under `request`.
        key: what must be the same; dots lead into groups, as in `render.motion_scale_px_per_frame`. Names of
            files are passed over, and of a device its kind counts.
    """
    try:
        held = read_unit(path.parent) if path.name == UNIT_FILE else read_record(path)
    except RecordUnreadable:
        return False
    return not _differing(held, key)


def _differing(record: Mapping[str, Any], key: Mapping[str, Any]) -> list[str]:
    """Which keys of a request a record does not hold; names of files are passed over."""
    held = _request_in(record)
    return [
        name
        for name, value in key.items()
        if name not in _NAMES and not _is_same(name, _at(held, name), plain(value))
    ]


def _request_in(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record's own keys, and those of the request in it."""
    request = record.get("request")
    return {**record, **(request if isinstance(request, dict) else {})}


def _at(held: Any, name: str) -> Any:
    for part in name.split("."):
        held = held.get(part) if isinstance(held, Mapping) else None
    return held


def sha256_of_files(path: str | Path) -> str:
    """SHA-256 of a file's bytes, or of the names and bytes of the files in a folder.

    "" where there is nothing to be read: who reads it afterwards says why.
    """
    path = Path(path)
    try:
        if path.is_dir():
            inside = sorted(file for file in path.iterdir() if file.is_file())
            lines = "\n".join(f"{file.name} {sha256_of_files(file)}" for file in inside)
            return hashlib.sha256(lines.encode("utf-8", "surrogatepass")).hexdigest()
        if not path.is_file():
            return ""
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError):
        return ""


def content_of(network: "nn.Module", card: "ModelCard") -> dict[str, str]:
    """What a record says of the network that was used: digests of its weights, its card and its code."""
    from ..zoo.registry import weights_of
    from ..zoo.source import source_sha256

    return {
        "weights_sha256": weights_of(network).sha256,
        "card_sha256": card.sha256,
        "source_sha256": source_sha256(network),
    }


def read_record(path: Path) -> dict[str, Any]:
    """What a record says; nothing where there is none that can be read."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def refuse_other(
    path: Path,
    request: Mapping[str, Any],
    *subject: str,
    force: bool = False,
    mend: str = "choose another --out, or replace it with --force",
) -> None:
    """Keep a finished run from being overwritten by one of something else.

    The same thing with other settings is done anew in its place; so is a file that was replaced, and one that
    has only another name.

    Args:
        path: the record of such a run.
        request: of the new one.
        subject: the keys of it that say what it is of.
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
    held = _request_in(read_record(path))
    for key in subject:
        given, digest = plain(request[key]), f"{key}_sha256"
        same_content = digest in request and held.get(digest) == request[digest]
        if not force and key in held and not same_content and not _is_same(key, held[key], given):
            raise SettingInvalid(
                f"{str(path.parent)!r} holds a run of another {key} ({held[key]}, not {given}); {mend}"
            )


def _is_same(key: str, held: Any, given: Any) -> bool:
    """Whether two values of a record mean the same: a path may be written in several ways."""
    if isinstance(held, str) and isinstance(given, str):
        if key == "device":
            return held.partition(":")[0] == given.partition(":")[0]
        if key in _NAMES:
            with suppress(OSError, RuntimeError, ValueError):  # what is no path is compared as it stands
                return Path(held).resolve() == Path(given).resolve()
    return bool(held == given)


def tell_replaced(path: Path, request: Mapping[str, Any], note: Callable[[str], None]) -> None:
    """Say what differs from the run that lies there and is done anew."""
    held = read_record(path)
    if isinstance(held.get("request"), dict) and (names := _differing(held, request)):
        words = ", ".join(name.removesuffix("_sha256") for name in names)
        note(f"{path.parent} held a run of other {words}; it is done anew")


def begin_record(path: Path) -> None:
    """Take the old record away: while its files change, a folder must not look finished."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise unwritable(path, error) from error


def end_record(path: Path, request: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    """Write what was found, the request it answers, and the largest memory of the process so far (MiB)."""
    write_json(path, {**found, "request": request, "peak_memory_mb": peak_memory_mb()})
