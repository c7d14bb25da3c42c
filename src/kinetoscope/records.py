"""A unit's numbers and arrays on disk, written and read back."""

import json
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from .errors import KinetoscopeError
from .files import UNIT_FILE, write_bytes_atomically
from .types import Video

ARRAYS_FILE = "arrays.safetensors"

SCHEMA = 1
"""Of `unit.json`: rises when a key or an array changes its meaning; runs of version 0.1.0 have none."""

UNIT_KEYS = ("activation", "decomposition", "motion", "steps", "seconds")


class RecordUnreadable(KinetoscopeError):
    """A finished unit's files are missing, damaged, or do not fit together."""


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
