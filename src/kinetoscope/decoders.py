"""Frames out of films, animated pictures, folders and arrays, with an error that says what is wrong."""

import re
import struct
import tokenize
import warnings
import zlib
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from PIL import Image as PillowImage
from PIL import UnidentifiedImageError

from .errors import ClipTooSmall, VideoUnreadable
from .types import Video

ANIMATION_SUFFIXES = (".gif", ".webp", ".png", ".apng")
FRAME_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".ppm")
FILM_SUFFIXES = (".mp4", ".avi", ".webm", ".mkv", ".mov", ".npy")
KINDS = "mp4, avi, webm, mkv, gif, animated webp or png, a folder of frames, or .npy"

# Only plain local containers: a playlist dressed up as a film must not open other files or the network.
AV_OPTIONS = {
    "protocol_whitelist": "file",
    "format_whitelist": "mov,mp4,avi,matroska,webm,mpeg,mpegts,mpegvideo,flv,ogg,asf,gif,h264,hevc",
}
# What Pillow raises on a damaged file depends on the format and on where the damage lies.
_PILLOW_ERRORS = (
    UnidentifiedImageError,
    PillowImage.DecompressionBombError,
    PillowImage.DecompressionBombWarning,
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    OverflowError,
    struct.error,
    zlib.error,
)
_NUMPY_ERRORS = (OSError, ValueError, SyntaxError, EOFError, OverflowError, TypeError, tokenize.TokenError)


def require_present(path: Path) -> None:
    """Raise VideoUnreadable unless a folder, or a file that is not empty, lies there."""
    try:
        if not path.exists():
            raise VideoUnreadable(f"no video at {_shown(path)}; give an existing {KINDS}")
        if path.is_file() and path.stat().st_size == 0:
            raise VideoUnreadable(f"{_shown(path)} is empty (0 bytes); give a file that holds a clip")
        if not path.is_dir() and not path.is_file():
            raise VideoUnreadable(f"{_shown(path)} is neither a file nor a folder; give {KINDS}")
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        raise VideoUnreadable(f"{_shown(path)} cannot be opened: {_reason(error)}") from error


def require_frames(count: int, path: Path) -> None:
    """Raise ClipTooSmall for fewer than two frames."""
    if count < 2:
        frames = "1 frame" if count == 1 else f"{count} frames"
        raise ClipTooSmall(f"{_shown(path)} has {frames}; a clip needs at least two, so give a longer one")


def require_room(frames: int, height: int, width: int, path: Path, max_bytes: int, channels: int = 3) -> None:
    """Raise VideoUnreadable where so many frames take more than `max_bytes` as float32."""
    size = 4 * channels * frames * height * width
    if size > max_bytes:
        raise VideoUnreadable(
            f"{_shown(path)} needs {size / 1e9:.1f} GB for {frames} frames of {width}x{height} pixels; "
            f"the limit is {max_bytes / 1e9:.1f} GB: shorten or shrink it, or read fewer (max_frames)"
        )


def is_array(path: Path) -> bool:
    """Whether the clip is a NumPy file, which is mapped rather than decoded."""
    return path.suffix.lower() == ".npy" and not path.is_dir()


def read_frames(path: Path, held: int | None, max_bytes: int) -> Iterator[np.ndarray]:
    """Frames of one size, (H, W, 3) uint8 each, of anything but an array.

    Args:
        path: a film, an animated picture, or a folder of pictures.
        held: how many are in memory at a time; None: all.
        max_bytes: refuse a film that needs more for these as float32.

    Raises:
        VideoUnreadable, ClipTooSmall: some only when the frame is reached.
    """
    if path.is_dir():
        frames = _folder_frames(path)
    elif path.suffix.lower() in (*ANIMATION_SUFFIXES, *FRAME_SUFFIXES):
        frames = _animation_frames(path)
    else:
        frames = _film_frames(path, held, max_bytes)
    first = None
    for count, frame in enumerate(frames):
        first = frame if first is None else first
        if frame.shape != first.shape:
            raise VideoUnreadable(
                f"{_shown(path)} has frames of different sizes: frame 0 is {_size(first)}, "
                f"frame {count} is {_size(frame)}; bring all frames to one size"
            )
        yield frame


def _film_frames(path: Path, held: int | None, max_bytes: int) -> Iterator[np.ndarray]:
    """Decode a film with PyAV, one (H, W, 3) uint8 frame at a time, turned upright."""
    count = 0
    try:
        with av.open(f"file:{path}", options=AV_OPTIONS) as container:
            if not container.streams.video:
                raise VideoUnreadable(f"{_shown(path)} holds no pictures (sound only?); give {KINDS}")
            codec = container.streams.video[0].codec_context
            if codec is None:
                raise VideoUnreadable(
                    f"{_shown(path)} names no known codec; encode it anew (ffmpeg -i IN OUT.mp4)"
                )
            codec.thread_type = "AUTO"  # the default, slices, hides damage instead of flagging it
            require_room(2, codec.height, codec.width, path, max_bytes)
            for frame in container.decode(video=0):
                if frame.is_corrupt:
                    raise VideoUnreadable(_damaged(path, count, "the decoder had to guess"))
                frames = count + 1 if held is None else min(count + 1, held)
                require_room(frames, frame.height, frame.width, path, max_bytes)
                pixels = frame.to_ndarray(format="rgb24")
                yield np.rot90(pixels, k=round(getattr(frame, "rotation", 0) / 90))
                count += 1
    except av.error.FFmpegError as error:
        if count:
            raise VideoUnreadable(_damaged(path, count, _reason(error))) from error
        raise VideoUnreadable(
            f"{_shown(path)} is no video that can be decoded ({_reason(error)}); give {KINDS}"
        ) from error
    except (OSError, ValueError, MemoryError, UnicodeError) as error:
        raise VideoUnreadable(f"{_shown(path)} cannot be decoded: {_reason(error)}; give {KINDS}") from error


def _animation_frames(path: Path) -> Generator[np.ndarray, None, None]:
    """The whole frames of an animated picture, (H, W, 3) uint8 each."""
    count = 0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", PillowImage.DecompressionBombWarning)
            with PillowImage.open(path) as picture:
                total = getattr(picture, "n_frames", 1)
                # A PNG may carry a still for viewers that do not animate; it is no frame of the clip.
                first = 1 if picture.info.get("default_image") else 0
                for index in range(first, total):
                    picture.seek(index)
                    yield _rgb(picture, path)
                    count += 1
    except _PILLOW_ERRORS as error:
        if count:
            raise VideoUnreadable(_damaged(path, count, _reason(error))) from error
        raise VideoUnreadable(
            f"{_shown(path)} is no picture that can be decoded ({_reason(error)}); give {KINDS}"
        ) from error


def _folder_frames(folder: Path) -> Iterator[np.ndarray]:
    """The pictures of a folder in natural order, (H, W, 3) uint8 each."""
    try:
        files = [file for file in folder.iterdir() if file.is_file() and not file.name.startswith(".")]
    except OSError as error:
        raise VideoUnreadable(f"{_shown(folder)} cannot be listed: {_reason(error)}") from error
    pictures = sorted((file for file in files if file.suffix.lower() in FRAME_SUFFIXES), key=natural)
    if not pictures:
        films = sorted(file for file in files if file.suffix.lower() in FILM_SUFFIXES)
        hint = f"name the file itself, e.g. {_shown(films[0])}" if films else "put the frames there"
        raise VideoUnreadable(
            f"folder {_shown(folder)} holds no images ({', '.join(FRAME_SUFFIXES)}); "
            f"give a folder of frames, or {hint}"
        )
    require_frames(len(pictures), folder)
    for file in pictures:
        # Closing the generator releases the file: only the first picture of each file is a frame.
        frames = _animation_frames(file)
        yield next(frames)
        frames.close()


def _rgb(picture: Any, path: Path) -> np.ndarray:
    if picture.mode == "F" or picture.mode.startswith("I"):
        raise VideoUnreadable(
            f"{_shown(path)} has 16- or 32-bit grey pixels ({picture.mode}); save it with 8 bits"
        )
    pixels = np.asarray(picture.convert("RGBA"))
    alpha = pixels[..., 3:]
    if (alpha == 255).all():
        return pixels[..., :3]
    return np.round(pixels[..., :3] * (alpha / 255.0)).astype(np.uint8)


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
            f"{_shown(path)} is no plain array ({_reason(error)}); "
            f"save uint8 or float32 {wanted} with numpy.save"
        ) from error
    if not isinstance(array, np.ndarray):
        raise VideoUnreadable(f"{_shown(path)} holds several arrays; save one {wanted} array with numpy.save")
    array = _time_first(array, path) if channels == 3 else _any_channels(array, path, channels)
    require_frames(len(array), path)
    if 0 in array.shape:
        raise VideoUnreadable(f"{_shown(path)} has shape {array.shape}, with no pixels; give {wanted}")
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
            f"{_shown(path)} has {array.dtype} values; give uint8 in [0, 255] or floats in [0, 1] "
            "(array.astype('float32') / its largest possible value)"
        )
    with np.errstate(over="ignore"):  # a float64 beyond float32 becomes inf and is refused below
        video = torch.from_numpy(np.array(array, dtype=np.float32))
    if not bool(torch.isfinite(video).all()):
        raise VideoUnreadable(
            f"{_shown(path)} has values that are not finite; replace them (numpy.nan_to_num)"
        )
    low, high = float(video.min()), float(video.max())
    if low < 0.0 or high > 1.0:
        repair = "divide by 255, or save as uint8"
        if array.shape[1] != 3:
            repair = "(a - low) / (high - low), with low and high the value range of the network's card"
        raise VideoUnreadable(
            f"{_shown(path)} has values from {low:g} to {high:g}; floats must lie in [0, 1] ({repair})"
        )
    return video


def _time_first(array: np.ndarray, path: Path) -> np.ndarray:
    """Bring an array to (T, 3, H, W), or say how the user can."""
    given = f"{_shown(path)} has shape {array.shape}, dtype {array.dtype}"
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
        f"{_shown(path)} has shape {array.shape}, dtype {array.dtype}; "
        f"a clip of {count} channels is (T, {count}, H, W) or (T, H, W, {count}): "
        "save one with numpy.save, or choose a network for these channels"
    )


def natural(path: Path) -> tuple[list[tuple[int, int, str]], str]:
    """Sort key that counts: frame2 before frame10."""
    pieces = re.findall(r"\d+|\D+", path.name)
    key = [(0, int(piece), "") if piece.isdecimal() else (1, 0, piece.lower()) for piece in pieces]
    return key, path.name


def _damaged(path: Path, count: int, reason: str) -> str:
    repair = (
        f"read its good part with max_frames={count}, or encode it anew" if count > 1 else "encode it anew"
    )
    where = f"after frame {count - 1}" if count else "from its first frame on"
    return f"{_shown(path)} is damaged {where} ({reason}); {repair}"


def _size(frame: np.ndarray) -> str:
    return f"{frame.shape[1]}x{frame.shape[0]}"


def _shown(path: Path) -> str:
    return repr(str(path))


def _reason(error: BaseException) -> str:
    """The one-line cause of a decoder's error."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).splitlines()[0]
