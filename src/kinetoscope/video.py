"""Reading a clip from whatever file holds it: film, animation, folder of frames or array."""

import re
import struct
import tokenize
import warnings
import zlib
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from PIL import Image as PillowImage
from PIL import UnidentifiedImageError
from torch import Tensor

from .errors import ClipTooSmall, SettingInvalid, VideoUnreadable
from .types import Image, Video

MAX_BYTES = 4 * 2**30
"""Largest decoded clip (float32) that is read unless asked for more, in bytes."""

ANIMATION_SUFFIXES = (".gif", ".webp", ".png", ".apng")
FRAME_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".ppm")
FILM_SUFFIXES = (".mp4", ".avi", ".webm", ".mkv", ".mov", ".npy")
KINDS = "mp4, avi, webm, mkv, gif, animated webp or png, a folder of frames, or .npy"

# Only plain local containers: a playlist dressed up as a film must not open other files or the network.
_AV_OPTIONS = {
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


def read_video(path: str | Path, *, max_frames: int | None = None, max_bytes: int = MAX_BYTES) -> Video:
    """Read a clip as numbers.

    Animated frames are whole (disposal is applied) and lossless formats come back bit for bit; transparent
    pixels lie on black. Grey pictures become RGB. An array may be (T, 3, H, W) or (T, H, W, 3); where both
    fit, the first is meant.

    Args:
        path: mp4, avi, webm, mkv, gif, animated webp or png, a folder of frames (in natural order: 2 before
            10), or .npy (uint8 in [0, 255] or floats in [0, 1]).
        max_frames: read the first so many frames only; at least 2.
        max_bytes: refuse a clip that is larger than this as float32.

    Returns:
        (T, 3, H, W) float32 in [0, 1], T at least 2.

    Raises:
        VideoUnreadable: missing, empty, damaged, not RGB, out of range, or too large.
        ClipTooSmall: fewer than two frames.
        SettingInvalid: `max_frames` below 2.
    """
    path = Path(path)
    if max_frames is not None and max_frames < 2:
        raise SettingInvalid(
            f"max_frames is {max_frames}; a clip needs at least two frames, so give 2 or more"
        )
    _require_present(path)
    if _is_array(path):
        array = _open_array(path)[:max_frames]
        _require_room(len(array), array.shape[2], array.shape[3], path, max_bytes)
        return _array_video(array, path)
    return _stack(_frames(path, max_frames, max_bytes), path, max_frames, max_bytes)


class Window(NamedTuple):
    """A piece of a longer clip.

    Attributes:
        start: its first frame's number in the clip, from 0.
        video: (T, 3, H, W) float32 in [0, 1].
        last: whether the clip ends with it.
    """

    start: int
    video: Video
    last: bool


def read_windows(
    path: str | Path, length: int, step: int, *, max_bytes: int = MAX_BYTES
) -> Generator[Window, None, None]:
    """Read a clip of any length piece by piece; no more than `length` frames are held at a time.

    Windows start at 0, `step`, 2 `step`, ...; the last one is moved back so that it ends where the clip ends.
    A clip of no more than `length` frames is one window.

    Args:
        path: as for `read_video`, and read the same.
        length: frames in a window.
        step: frames from one window's start to the next one's, from 1 to `length`.
        max_bytes: refuse windows larger than this as float32.

    Raises:
        VideoUnreadable, ClipTooSmall: as for `read_video`, some only when the frames are reached.
        SettingInvalid: `step` or `length` out of range.
    """
    if not 1 <= step <= length:
        raise SettingInvalid(
            f"windows of {length} frames cannot start {step} frames apart; give a step from 1 to the length"
        )
    path = Path(path)
    _require_present(path)
    held: deque[Image] = deque(maxlen=length)
    start = count = 0
    for frame in _float_frames(path, length, max_bytes):
        if count == start + length:
            yield Window(start, torch.stack([*held]), last=False)
            start += step
        held.append(frame)
        count += 1
    _require_frames(count, path)
    yield Window(count - len(held), torch.stack([*held]), last=True)


def fit_clip(video: Video, channels: int, height: int, width: int) -> Float[Tensor, "time _ _ _"]:
    """Bring a clip to a network's size: scaled until it covers the frame, the overhang cut off evenly.

    Args:
        video: (T, 3, H, W) in [0, 1].
        channels: 3, or 1 for the mean of red, green and blue.
        height, width: of the result, pixels.

    Returns:
        (T, `channels`, `height`, `width`) in [0, 1].
    """
    if channels == 1:
        video = video.mean(dim=1, keepdim=True)
    rows, columns = video.shape[2:]
    scale = max(height / rows, width / columns)
    size = (max(height, round(rows * scale)), max(width, round(columns * scale)))
    if size != (rows, columns):
        video = F.interpolate(video, size=size, mode="bilinear", antialias=True).clamp(0.0, 1.0)
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    return video[:, :, top : top + height, left : left + width]


def _is_array(path: Path) -> bool:
    return path.suffix.lower() == ".npy" and not path.is_dir()


def _frames(path: Path, held: int | None, max_bytes: int) -> Iterator[np.ndarray]:
    """Frames of one size, (H, W, 3) uint8 each, of anything but an array; `held` are wanted at a time."""
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


def _float_frames(path: Path, held: int, max_bytes: int) -> Iterator[Image]:
    """Frames (3, H, W) in [0, 1] of any clip, one by one."""
    if _is_array(path):
        array = _open_array(path)
        _require_room(held, array.shape[2], array.shape[3], path, max_bytes)
        for t in range(len(array)):
            yield _array_video(array[t : t + 1], path)[0]
        return
    for count, frame in enumerate(_frames(path, held, max_bytes)):
        _require_room(min(count + 1, held), frame.shape[0], frame.shape[1], path, max_bytes)
        yield torch.from_numpy(np.ascontiguousarray(frame)).permute(2, 0, 1).float().div_(255.0)


def _require_present(path: Path) -> None:
    try:
        if not path.exists():
            raise VideoUnreadable(f"no video at {_shown(path)}; give an existing {KINDS}")
        if path.is_file() and path.stat().st_size == 0:
            raise VideoUnreadable(f"{_shown(path)} is empty (0 bytes); give a file that holds a clip")
        if not path.is_dir() and not path.is_file():
            raise VideoUnreadable(f"{_shown(path)} is neither a file nor a folder; give {KINDS}")
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        raise VideoUnreadable(f"{_shown(path)} cannot be opened: {_reason(error)}") from error


def _stack(frames: Iterable[np.ndarray], path: Path, max_frames: int | None, max_bytes: int) -> Video:
    kept: list[np.ndarray] = []
    for frame in frames:
        _require_room(len(kept) + 1, frame.shape[0], frame.shape[1], path, max_bytes)
        kept.append(frame)
        if len(kept) == max_frames:
            break
    _require_frames(len(kept), path)
    video = torch.empty((len(kept), 3, *kept[0].shape[:2]), dtype=torch.float32)
    for t, frame in enumerate(kept):
        video[t] = torch.from_numpy(np.ascontiguousarray(frame)).permute(2, 0, 1)
    return video.div_(255.0)


def _film_frames(path: Path, held: int | None, max_bytes: int) -> Iterator[np.ndarray]:
    """Decode a film with PyAV, one (H, W, 3) uint8 frame at a time, turned upright."""
    count = 0
    try:
        with av.open(f"file:{path}", options=_AV_OPTIONS) as container:
            if not container.streams.video:
                raise VideoUnreadable(f"{_shown(path)} holds no pictures (sound only?); give {KINDS}")
            codec = container.streams.video[0].codec_context
            if codec is None:
                raise VideoUnreadable(
                    f"{_shown(path)} names no known codec; encode it anew (ffmpeg -i IN OUT.mp4)"
                )
            codec.thread_type = "AUTO"  # the default, slices, hides damage instead of flagging it
            _require_room(2, codec.height, codec.width, path, max_bytes)
            for frame in container.decode(video=0):
                if frame.is_corrupt:
                    raise VideoUnreadable(_damaged(path, count, "the decoder had to guess"))
                frames = count + 1 if held is None else min(count + 1, held)
                _require_room(frames, frame.height, frame.width, path, max_bytes)
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
    pictures = sorted((file for file in files if file.suffix.lower() in FRAME_SUFFIXES), key=_natural)
    if not pictures:
        films = sorted(file for file in files if file.suffix.lower() in FILM_SUFFIXES)
        hint = f"name the file itself, e.g. {_shown(films[0])}" if films else "put the frames there"
        raise VideoUnreadable(
            f"folder {_shown(folder)} holds no images ({', '.join(FRAME_SUFFIXES)}); "
            f"give a folder of frames, or {hint}"
        )
    _require_frames(len(pictures), folder)
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


def _open_array(path: Path) -> np.ndarray:
    """A NumPy file as (T, 3, H, W), mapped rather than loaded, so that a header's claim costs nothing."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except _NUMPY_ERRORS as error:
        raise VideoUnreadable(
            f"{_shown(path)} is no plain array ({_reason(error)}); "
            "save uint8 or float32 (T, 3, H, W) with numpy.save"
        ) from error
    if not isinstance(array, np.ndarray):
        raise VideoUnreadable(
            f"{_shown(path)} holds several arrays; save one (T, 3, H, W) array with numpy.save"
        )
    array = _time_first(array, path)
    _require_frames(len(array), path)
    if 0 in array.shape:
        raise VideoUnreadable(f"{_shown(path)} has shape {array.shape}, with no pixels; give (T, 3, H, W)")
    return array


def _array_video(array: np.ndarray, path: Path) -> Video:
    """The values of a mapped array, or of a piece of it, checked."""
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
        raise VideoUnreadable(
            f"{_shown(path)} has values from {low:g} to {high:g}; floats must lie in [0, 1] "
            "(divide by 255, or save as uint8)"
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


def _require_frames(count: int, path: Path) -> None:
    if count < 2:
        frames = "1 frame" if count == 1 else f"{count} frames"
        raise ClipTooSmall(f"{_shown(path)} has {frames}; a clip needs at least two, so give a longer one")


def _require_room(frames: int, height: int, width: int, path: Path, max_bytes: int) -> None:
    size = 4 * 3 * frames * height * width
    if size > max_bytes:
        raise VideoUnreadable(
            f"{_shown(path)} needs {size / 1e9:.1f} GB for {frames} frames of {width}x{height} pixels; "
            f"the limit is {max_bytes / 1e9:.1f} GB: shorten or shrink it, or read fewer (max_frames)"
        )


def _natural(path: Path) -> tuple[list[tuple[int, int, str]], str]:
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
