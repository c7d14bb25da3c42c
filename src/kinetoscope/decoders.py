"""Frames out of films, animated pictures and folders, with an error that says what is wrong."""

import re
import struct
import warnings
import zlib
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image as PillowImage
from PIL import UnidentifiedImageError

from .errors import ClipTooSmall, VideoUnreadable

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


def require_present(path: Path) -> None:
    """Raise VideoUnreadable unless a folder, or a file that is not empty, lies there."""
    try:
        if not path.exists():
            raise VideoUnreadable(f"no video at {shown(path)}; give an existing {KINDS}")
        if path.is_file() and path.stat().st_size == 0:
            raise VideoUnreadable(f"{shown(path)} is empty (0 bytes); give a file that holds a clip")
        if not path.is_dir() and not path.is_file():
            raise VideoUnreadable(f"{shown(path)} is neither a file nor a folder; give {KINDS}")
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        raise VideoUnreadable(f"{shown(path)} cannot be opened: {reason(error)}") from error


def require_frames(count: int, path: Path) -> None:
    """Raise ClipTooSmall for fewer than two frames."""
    if count < 2:
        frames = "1 frame" if count == 1 else f"{count} frames"
        raise ClipTooSmall(f"{shown(path)} has {frames}; a clip needs at least two, so give a longer one")


def require_room(frames: int, height: int, width: int, path: Path, max_bytes: int, channels: int = 3) -> None:
    """Raise VideoUnreadable where so many frames take more than `max_bytes` as float32."""
    size = 4 * channels * frames * height * width
    if size > max_bytes:
        raise VideoUnreadable(
            f"{shown(path)} needs {size / 1e9:.1f} GB for {frames} frames of {width}x{height} pixels; "
            f"the limit is {max_bytes / 1e9:.1f} GB: shorten or shrink it, or read fewer (max_frames)"
        )


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
        frames: Iterator[np.ndarray] = map(read_picture, folder_pictures(path))
    elif path.suffix.lower() in (*ANIMATION_SUFFIXES, *FRAME_SUFFIXES):
        frames = _animation_frames(path)
    else:
        frames = _film_frames(path, held, max_bytes)
    first = None
    for count, frame in enumerate(frames):
        first = frame if first is None else first
        if frame.shape != first.shape:
            raise VideoUnreadable(
                f"{shown(path)} has frames of different sizes: frame 0 is {_size(first)}, "
                f"frame {count} is {_size(frame)}; bring all frames to one size"
            )
        yield frame


def _film_frames(path: Path, held: int | None, max_bytes: int) -> Iterator[np.ndarray]:
    """Decode a film with PyAV, one (H, W, 3) uint8 frame at a time, turned upright."""
    count = 0
    try:
        with av.open(f"file:{path}", options=AV_OPTIONS) as container:
            if not container.streams.video:
                raise VideoUnreadable(f"{shown(path)} holds no pictures (sound only?); give {KINDS}")
            codec = container.streams.video[0].codec_context
            if codec is None:
                raise VideoUnreadable(
                    f"{shown(path)} names no known codec; encode it anew (ffmpeg -i IN OUT.mp4)"
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
            raise VideoUnreadable(_damaged(path, count, reason(error))) from error
        raise VideoUnreadable(
            f"{shown(path)} is no video that can be decoded ({reason(error)}); give {KINDS}"
        ) from error
    except (OSError, ValueError, MemoryError, UnicodeError) as error:
        raise VideoUnreadable(f"{shown(path)} cannot be decoded: {reason(error)}; give {KINDS}") from error


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
            raise VideoUnreadable(_damaged(path, count, reason(error))) from error
        raise VideoUnreadable(
            f"{shown(path)} is no picture that can be decoded ({reason(error)}); give {KINDS}"
        ) from error


def folder_pictures(folder: Path) -> list[Path]:
    """The pictures of a folder, at least two, in natural order; what is hidden or something else is left out.

    Raises:
        VideoUnreadable: it cannot be listed, or holds no pictures.
        ClipTooSmall: it holds one.
    """
    try:
        files = [file for file in folder.iterdir() if file.is_file() and not file.name.startswith(".")]
    except OSError as error:
        raise VideoUnreadable(f"{shown(folder)} cannot be listed: {reason(error)}") from error
    pictures = sorted((file for file in files if file.suffix.lower() in FRAME_SUFFIXES), key=_natural)
    if not pictures:
        films = sorted(file for file in files if file.suffix.lower() in FILM_SUFFIXES)
        hint = f"name the file itself, e.g. {shown(films[0])}" if films else "put the frames there"
        raise VideoUnreadable(
            f"folder {shown(folder)} holds no images ({', '.join(FRAME_SUFFIXES)}); "
            f"give a folder of frames, or {hint}"
        )
    require_frames(len(pictures), folder)
    return pictures


def read_picture(path: Path) -> np.ndarray:
    """A picture, (H, W, 3) uint8; of an animated one the first frame.

    Raises:
        VideoUnreadable: it cannot be decoded.
    """
    frames = _animation_frames(path)
    first = next(frames, None)
    frames.close()  # releases the file
    if first is None:
        raise VideoUnreadable(f"{shown(path)} is an animation without a frame; save it as a still picture")
    return first


def _rgb(picture: Any, path: Path) -> np.ndarray:
    if picture.mode == "F" or picture.mode.startswith("I"):
        raise VideoUnreadable(
            f"{shown(path)} has 16- or 32-bit grey pixels ({picture.mode}); save it with 8 bits"
        )
    pixels = np.asarray(picture.convert("RGBA"))
    alpha = pixels[..., 3:]
    if (alpha == 255).all():
        return pixels[..., :3]
    return np.round(pixels[..., :3] * (alpha / 255.0)).astype(np.uint8)


def _natural(path: Path) -> tuple[list[tuple[int, int, str]], str]:
    """Sort key that counts: frame2 before frame10."""
    pieces = re.findall(r"\d+|\D+", path.name)
    key = [(0, int(piece), "") if piece.isdecimal() else (1, 0, piece.lower()) for piece in pieces]
    return key, path.name


def _damaged(path: Path, count: int, why: str) -> str:
    repair = (
        f"read its good part with max_frames={count}, or encode it anew" if count > 1 else "encode it anew"
    )
    where = f"after frame {count - 1}" if count else "from its first frame on"
    return f"{shown(path)} is damaged {where} ({why}); {repair}"


def _size(frame: np.ndarray) -> str:
    return f"{frame.shape[1]}x{frame.shape[0]}"


def shown(path: Path) -> str:
    """A path in a message: quoted, on one line."""
    return repr(str(path))


def reason(error: BaseException) -> str:
    """The one-line cause of a decoder's error."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).splitlines()[0]
