"""Folders and files of a run: their names, writing whole or not at all, plain JSON; without torch."""

import dataclasses
import json
import math
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from .errors import OutputUnwritable, SettingInvalid

try:
    import fcntl
except ImportError:  # Windows; two runs in one folder are not noticed there
    fcntl = None  # type: ignore[assignment]

UNIT_FILE = "unit.json"
"""Written last: a folder that holds it is a finished unit."""

_MAX_COMPONENT = 180
_MEND = "choose another --out or free the place"


def safe_component(name: str) -> str:
    """One path component for an untrusted name, different for different names.

    Letters, digits, '.', '_' and '-' stay (so dotted layer names stay as they are); everything else and a
    leading dot are percent-escaped as UTF-8. The empty name is '%'; names too long for a file system are cut
    and end in '%~' and a hash.
    """
    if not name:
        return "%"
    escaped = quote(name, safe="", errors="surrogatepass").replace("~", "%7E")
    if escaped.startswith("."):
        escaped = "%2E" + escaped[1:]
    if len(escaped) > _MAX_COMPONENT:
        digest = sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        return f"{escaped[: _MAX_COMPONENT - 20]}%~{digest}"
    return escaped


def name_of_component(component: str) -> str:
    """The name that `safe_component` was given (but for names it had to cut)."""
    return "" if component == "%" else unquote(component, errors="surrogatepass")


def unit_directory(directory: str | Path, layer: str, unit: int) -> Path:
    """Where a unit's files lie: `directory`/LAYER/UNIT."""
    return Path(directory) / safe_component(layer) / safe_component(str(unit))


def finished_units(directory: str | Path) -> list[Path]:
    """The folders below `directory` (as DIR/LAYER/UNIT) that hold a finished unit, by layer, then unit."""

    def order(folder: Path) -> tuple[str, int, str]:
        unit = folder.name
        return folder.parent.name, int(unit) if unit.isdecimal() else -1, unit

    return sorted((file.parent for file in Path(directory).glob(f"*/*/{UNIT_FILE}")), key=order)


def write_bytes_atomically(path: str | Path, data: bytes) -> Path:
    """Write a file so that it appears whole or not at all; missing folders are made.

    Raises:
        OutputUnwritable: no permission, no space, or a file stands where a folder should.
    """
    path = Path(path)
    with whole_file(path) as beside:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(data)
    return path


@contextmanager
def whole_file(path: Path, mend: str = _MEND) -> Iterator[Path]:
    """Inside, a file beside `path` to be written; at the end it takes that name, after a failure it is gone.

    Args:
        path: of the file.
        mend: what to do where it cannot be written.

    Raises:
        OutputUnwritable: no permission, no space, or no such folder.
    """
    beside = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        try:
            yield beside
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        raise unwritable(path, error, mend) from error


@contextmanager
def only_one_in(folder: Path, doing: str = "writing") -> Iterator[None]:
    """Inside, no other process can do the same in a folder; the lock goes with the process, however it ends.

    Raises:
        SettingInvalid: another one does.
    """
    if fcntl is None:
        yield
        return
    number = os.open(folder, os.O_RDONLY)
    _locked.add(number)
    try:
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SettingInvalid(
                f"another run is {doing} into {folder}; wait for its end, or choose another --out"
            ) from error
        except OSError:  # a file system without locks
            pass
        yield
    finally:
        if number in _locked:
            _locked.remove(number)
            os.close(number)


_locked: set[int] = set()


def _leave_locks() -> None:
    """In a process that a run forked: its copy would hold the lock beyond the end of the run."""
    while _locked:
        os.close(_locked.pop())


if fcntl is not None:
    os.register_at_fork(after_in_child=_leave_locks)


def unwritable(path: Path, error: Exception, mend: str = _MEND) -> OutputUnwritable:
    """The error to raise when `path` cannot be written."""
    reason = getattr(error, "strerror", None) or str(error)
    blocked = None
    with suppress(OSError, ValueError):  # a name that is too long cannot even be asked about
        blocked = next((parent for parent in path.parents if parent.is_file()), None)
    where = f"{str(blocked)!r} is a file, not a folder" if blocked else reason
    return OutputUnwritable(f"cannot write {str(path)!r}: {where}; {mend}")


def plain(value: Any, name: str = "value") -> Any:
    """`value` as plain JSON: tuples become lists, tensors and NumPy scalars numbers, NaN and infinity null.

    Raises:
        SettingInvalid: something JSON cannot hold.
    """
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(item, f"{name}.{key}") for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item, f"{name}[{index}]") for index, item in enumerate(value)]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return plain(dataclasses.asdict(value), name)
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):
        return plain(value.tolist(), name)
    raise SettingInvalid(f"{name} is a {type(value).__name__}, which JSON cannot hold; give numbers or words")


def write_json(path: str | Path, value: Any) -> Path:
    """Write plain JSON (indented, UTF-8, no NaN), whole or not at all."""
    text = json.dumps(plain(value, Path(path).name), indent=2, ensure_ascii=False, allow_nan=False)
    return write_bytes_atomically(path, (text + "\n").encode("utf-8", "backslashreplace"))


def digest_of(record: Mapping[str, Any]) -> str:
    """SHA-256 of a record without its own digest, as compact JSON with sorted keys."""
    rest = {key: value for key, value in record.items() if key != "record_sha256"}
    text = json.dumps(plain(rest), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return sha256(text.encode()).hexdigest()
