"""What a run leaves on disk: folder names, files written whole or not at all, and reading a unit back."""

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

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from .errors import KinetoscopeError, OutputUnwritable, SettingInvalid
from .types import Video

try:
    import fcntl
except ImportError:  # Windows; two runs in one folder are not noticed there
    fcntl = None  # type: ignore[assignment]

UNIT_FILE = "unit.json"
"""Written last: a folder that holds it is a finished unit."""

ARRAYS_FILE = "arrays.safetensors"

SCHEMA = 1
"""Of `unit.json`: rises when a key or an array changes its meaning; runs of version 0.1.0 have none."""

UNIT_KEYS = ("activation", "decomposition", "motion", "steps", "seconds")
_MAX_COMPONENT = 180


class RecordUnreadable(KinetoscopeError):
    """A finished unit's files are missing, damaged, or do not fit together."""


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
def whole_file(path: Path) -> Iterator[Path]:
    """Inside, a file beside `path` to be written; at the end it takes that name, after a failure it is gone.

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
        raise unwritable(path, error) from error


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


def unwritable(path: Path, error: Exception) -> OutputUnwritable:
    """The error to raise when `path` cannot be written."""
    reason = getattr(error, "strerror", None) or str(error)
    blocked = None
    with suppress(OSError, ValueError):  # a name that is too long cannot even be asked about
        blocked = next((parent for parent in path.parents if parent.is_file()), None)
    where = f"{str(blocked)!r} is a file, not a folder" if blocked else reason
    return OutputUnwritable(f"cannot write {str(path)!r}: {where}; choose another --out or free the place")


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


def write_arrays(path: str | Path, arrays: Mapping[str, Tensor]) -> Path:
    """Write tensors as float32 safetensors, whole or not at all."""
    return write_bytes_atomically(path, packed(arrays))


def packed(arrays: Mapping[str, Tensor]) -> bytes:
    """Tensors as a file of float32 safetensors."""
    ready = {
        # clone: safetensors refuses tensors that share memory
        name: array.detach().to("cpu", torch.float32).contiguous().clone()
        for name, array in arrays.items()
    }
    return safetensors.torch.save(ready)


def read_unit(directory: str | Path) -> dict[str, Any]:
    """Read a finished unit's `unit.json`.

    Raises:
        RecordUnreadable: the file is missing, no JSON object, or lacks what every unit has.
    """
    path = Path(directory) / UNIT_FILE
    repair = "delete the folder and run again"
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise RecordUnreadable(
            f"{str(directory)!r} has no {UNIT_FILE}, so its unit is not finished; run it"
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise RecordUnreadable(f"{str(path)!r} cannot be read ({error}); {repair}") from error
    if not isinstance(record, dict):
        raise RecordUnreadable(f"{str(path)!r} holds a {type(record).__name__}, not a record; {repair}")
    missing = [key for key in UNIT_KEYS if key not in record]
    if missing:
        raise RecordUnreadable(f"{str(path)!r} lacks {', '.join(missing)}; {repair}")
    for key in ("activation", "decomposition", "motion", "seconds"):
        if not isinstance(record[key], dict):
            raise RecordUnreadable(f"{str(path)!r}: {key} is no group of numbers; {repair}")
    return record


def load_arrays(directory: str | Path) -> dict[str, Tensor]:
    """Read a finished unit's arrays.

    Returns:
        `optimal_video` or `video` (T, 3, H, W), `static_image` (3, H, W), `displacement` (T, 2, H, W) in
        pixels, `velocity` and `coherent_velocity` (T-1, 2, H, W) in pixels per frame, `reconstruction`
        (T, 3, H, W), `textures` (K, 3, H, W) and their frames `texture_times` (K,), `light_gain` (T, 1, H,
        W) and `light_offset` (T, 3, H, W), `covered` and `entered` (T-1, 1, H, W), boolean; some have `alpha`
        (T, 1, H, W) and `given_clip` (T, 3, H, W). Runs of version
        0.1.0 lack what follows `reconstruction`.

    Raises:
        RecordUnreadable: the file is missing, damaged, or its arrays do not fit together.
    """
    path = Path(directory) / ARRAYS_FILE
    arrays = read_arrays(path)
    for problem in _misfits(arrays):
        raise RecordUnreadable(f"{str(path)!r}: {problem}; delete the folder and run again")
    return arrays


def read_arrays(path: Path) -> dict[str, Tensor]:
    """The arrays of any file that `write_arrays` wrote.

    Raises:
        RecordUnreadable: the file is missing or damaged.
    """
    try:
        return safetensors.torch.load_file(path)
    except (OSError, safetensors.SafetensorError) as error:
        raise RecordUnreadable(
            f"{str(path)!r} cannot be read ({error}); delete the folder and run again"
        ) from error


def _misfits(arrays: Mapping[str, Tensor]) -> Iterator[str]:
    clip = arrays.get("optimal_video", arrays.get("video"))
    if clip is None or clip.ndim != 4:
        yield "holds no clip (optimal_video or video, four axes)"
        return
    time, channels, height, width = clip.shape
    wanted = {
        "static_image": (channels, height, width),
        "displacement": (time, 2, height, width),
        "velocity": (time - 1, 2, height, width),
        "reconstruction": (time, channels, height, width),
    }
    keys = len(arrays.get("texture_times", ()))
    newer = {
        "coherent_velocity": (time - 1, 2, height, width),
        "textures": (keys, channels, height, width),
        "texture_times": (keys,),
        "light_gain": (time, 1, height, width),
        "light_offset": (time, channels, height, width),
        "covered": (time - 1, 1, height, width),
        "entered": (time - 1, 1, height, width),
        "alpha": (time, 1, height, width),
        "given_clip": (time, channels, height, width),
    }
    for name, shape in {**wanted, **newer}.items():
        if name not in arrays:
            if name in wanted:
                yield f"lacks {name}"
        elif tuple(arrays[name].shape) != shape:
            yield f"{name} has shape {tuple(arrays[name].shape)}, the clip wants {shape}"


def sha256_of(clip: Video) -> str:
    """SHA-256 of a clip's shape and float32 values."""
    digest = sha256(str(tuple(clip.shape)).encode())
    digest.update(clip.detach().cpu().float().contiguous().numpy().data)
    return digest.hexdigest()
