"""Clips out of NumPy files: mapped rather than loaded, with an error that says what is wrong."""

import tokenize
from pathlib import Path

import numpy as np
import torch

from ..errors import VideoUnreadable
from ..types import Video
from .frames import reason, require_frames, shown

_NUMPY_ERRORS = (OSError, ValueError, SyntaxError, EOFError, OverflowError, TypeError, tokenize.TokenError)


_ROUNDING = 1e-5
"""By so much a value in [0, 1] may lie outside, for sums and means are not exact; it is set to the end."""


def is_array(path: Path) -> bool:
    """Whether the clip is a NumPy file, which is mapped rather than decoded."""
    return path.suffix.lower() == ".npy" and not path.is_dir()


def open_array(path: Path, channels: int | None = 3) -> np.ndarray:
    """A NumPy file as (T, C, H, W), mapped rather than loaded, so that a header's claim costs nothing.

    Args:
        path: of the file.
        channels: how many are wanted; for 1, RGB does as well, as it can be turned grey; None: as many as
            there are.

    Raises:
        VideoUnreadable: it holds no such array.
        ClipTooSmall: fewer than two frames.
    """
    wanted = f"(T, {channels or 'C'}, H, W)"
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except _NUMPY_ERRORS as error:
        raise VideoUnreadable(
            f"{shown(path)} is no plain array ({reason(error)}); "
            f"save uint8 or float32 {wanted} with numpy.save"
        ) from error
    if not isinstance(array, np.ndarray):
        raise VideoUnreadable(f"{shown(path)} holds several arrays; save one {wanted} array with numpy.save")
    array = _time_first(array, path) if channels == 3 else _any_channels(array, path, channels)
    require_frames(len(array), path)
    if 0 in array.shape:
        raise VideoUnreadable(f"{shown(path)} has shape {array.shape}, with no pixels; give {wanted}")
    return array


def array_video(array: np.ndarray, path: Path) -> Video:
    """The values of a mapped array, or of a piece of it, as float32 in [0, 1].

    Raises:
        VideoUnreadable: they are neither uint8 nor floats in [0, 1].
    """
    if array.dtype == np.uint8:
        return torch.from_numpy(np.array(array, dtype=np.float32)).div_(255.0)
    if array.dtype.kind != "f":
        raise VideoUnreadable(
            f"{shown(path)} has {array.dtype} values; give uint8 in [0, 255] or floats in [0, 1] "
            "(array.astype('float32') / its largest possible value)"
        )
    with np.errstate(over="ignore"):  # a float64 beyond float32 becomes inf and is refused below
        video = torch.from_numpy(np.array(array, dtype=np.float32))
    if not bool(torch.isfinite(video).all()):
        raise VideoUnreadable(
            f"{shown(path)} has values that are not finite; replace them (numpy.nan_to_num)"
        )
    low, high = float(video.min()), float(video.max())
    rounding = max(_ROUNDING, 2 * float(np.finfo(array.dtype).eps))
    if low < -rounding or high > 1.0 + rounding:
        repair = "divide by 255, or save as uint8"
        if array.shape[1] != 3:
            repair = "(a - low) / (high - low), with low and high the value range of the network's card"
        raise VideoUnreadable(
            f"{shown(path)} has values from {low:.9g} to {high:.9g}; floats must lie in [0, 1] ({repair})"
        )
    return video.clamp_(0.0, 1.0)


def _time_first(array: np.ndarray, path: Path) -> np.ndarray:
    """Bring an array to (T, 3, H, W), or say how the user can."""
    given = f"{shown(path)} has shape {array.shape}, dtype {array.dtype}"
    wanted = "a clip is (T, 3, H, W) or (T, H, W, 3)"
    if array.ndim == 3:
        raise VideoUnreadable(f"{given}; {wanted}: for a grey clip, numpy.stack([a] * 3, axis=1)")
    if array.ndim != 4:
        raise VideoUnreadable(f"{given}; {wanted}: bring it to four axes")
    if array.shape[1] == 3:
        return array
    if array.shape[3] == 3:
        return np.moveaxis(array, 3, 1)
    if array.shape[0] == 3:
        raise VideoUnreadable(f"{given}; {wanted}: put time first with numpy.moveaxis(a, 0, 1)")
    axis = 1 if array.shape[1] <= array.shape[3] else 3
    repairs = {
        1: f"repeat the grey channel with numpy.repeat(a, 3, axis={axis})",
        2: "three channels are wanted, so add one (e.g. zeros) or show one channel three times",
        4: f"drop the transparency with {'a[:, :3]' if axis == 1 else 'a[..., :3]'}",
    }
    repair = repairs.get(array.shape[axis], "three colour channels are wanted")
    raise VideoUnreadable(f"{given}; {wanted}: {repair}")


def _any_channels(array: np.ndarray, path: Path, channels: int | None) -> np.ndarray:
    """Bring an array to (T, `channels`, H, W); where both layouts fit, channels come before rows."""
    if array.ndim == 3 and channels in (1, None):
        return array[:, None]
    if array.ndim == 4:
        fewest = min(array.shape[1], array.shape[3])
        for count in {None: (3, fewest), 1: (1, 3)}.get(channels, (channels,)):
            for axis in (1, 3):
                if array.shape[axis] == count:
                    return np.moveaxis(array, axis, 1)
    count = "C" if channels is None else channels
    raise VideoUnreadable(
        f"{shown(path)} has shape {array.shape}, dtype {array.dtype}; "
        f"a clip of {count} channels is (T, {count}, H, W) or (T, H, W, {count}): "
        "save one with numpy.save, or choose a network for these channels"
    )
