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
from PIL import ExifTags, ImageOps, UnidentifiedImageError
from PIL import Image as PillowImage

from ..errors import ClipTooSmall, InputNotice, VideoUnreadable
from .apng import apng_frames
from .films import AV_OPTIONS, DRAWN, UNNUMBERED, Pace, Promise, Tell, decoded, main_stream, on_black, pixels
from .truncation import cut_off

ANIMATION_SUFFIXES = (".gif", ".webp", ".png", ".apng")
FRAME_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".ppm")
FILM_SUFFIXES = (
    ".mp4", ".avi", ".webm", ".mkv", ".mov", ".m4v", ".qt", ".mj2", ".divx", ".mk3d", ".mpg", ".mpeg", ".mpe",
    ".m1v", ".m2v", ".ts", ".mts", ".m2ts", ".m2t", ".vob", ".wmv", ".asf", ".flv", ".f4v", ".3gp", ".3g2",
    ".ogv", ".ogg", ".ogm", ".h264", ".264", ".hevc", ".265", ".npy",
)  # fmt: skip
CLIP_SUFFIXES = {*FILM_SUFFIXES, *ANIMATION_SUFFIXES} - {".png"}
"""What is a clip in a folder of clips; a PNG may be animated, but is a frame there."""

KINDS = "mp4, avi, webm, mkv, gif, animated webp or png, a folder of frames, or .npy"

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


def notice(text: str) -> None:
    """Warn, in a line, of what is right as it is asked for but may not be what is meant."""
    warnings.warn(text, InputNotice, stacklevel=2)


def read_frames(
    path: Path, held: int | None, max_bytes: int, *, partial: bool = False, tell: Tell = notice
) -> Iterator[np.ndarray]:
    """Frames of one size, (H, W, 3) uint8 each, of anything but an array.

    Args:
        path: a film, an animated picture, or a folder of pictures.
        held: how many are in memory at a time; None: all.
        max_bytes: refuse a film that needs more for these as float32.
        partial: end before damage, and where a film was cut off, and tell; otherwise refuse.
        tell: gets a line on what is read otherwise than players show it.

    Raises:
        VideoUnreadable, ClipTooSmall: some only when the frame is reached.
    """
    if path.is_dir():
        frames: Iterator[np.ndarray] = _sound(_folder_frames(path), partial, tell)
    elif path.suffix.lower() in (*ANIMATION_SUFFIXES, *FRAME_SUFFIXES):
        frames = _sound(_animation_frames(path, tell), partial, tell)
    else:
        frames = _sound(_film_frames(path, held, max_bytes, tell), partial, tell)
    first = None
    for count, frame in enumerate(frames):
        first = frame if first is None else first
        if frame.shape != first.shape:
            raise VideoUnreadable(
                f"{shown(path)} has frames of different sizes: frame 0 is {_size(first)}, "
                f"frame {count} is {_size(frame)}; bring all frames to one size"
            )
        yield frame


class _Damage(VideoUnreadable):
    """What came before it is sound."""


def _sound(frames: Iterator[np.ndarray], partial: bool, tell: Tell) -> Iterator[np.ndarray]:
    try:
        yield from frames
    except _Damage as damage:
        if not partial:
            raise
        tell(f"{str(damage).rpartition(';')[0]}; going on with what comes before")


def _folder_frames(folder: Path) -> Iterator[np.ndarray]:
    for count, picture in enumerate(folder_pictures(folder)):
        try:
            require_present(picture)
            frame = read_picture(picture)
        except VideoUnreadable as error:
            if count < 2:  # there is no clip before it
                raise
            told = str(error).rpartition(";")[0]
            raise _Damage(
                f"{told}; save it again, or read what comes before with --partial (partial=True)"
            ) from error
        yield frame


def _film_frames(path: Path, held: int | None, max_bytes: int, tell: Tell) -> Iterator[np.ndarray]:
    """Decode a film with PyAV, one (H, W, 3) uint8 frame at a time, as players show it."""
    count, last = 0, None

    def tell_pace(text: str) -> None:
        hole = cut_off(path)
        if promise.fault or (hole is not None and not hole.promised):
            raise _damaged(path, count, promise.fault or str(hole))
        tell(text)

    try:
        with av.open(f"file:{path}", options=AV_OPTIONS) as container:
            stream = main_stream(container)
            if stream is None:
                raise _no_film(path, "holds no pictures (sound only?)")
            codec = stream.codec_context
            if codec is None:
                raise VideoUnreadable(
                    f"{shown(path)} names no known codec; encode it anew (ffmpeg -i IN OUT.mp4)"
                )
            require_room(2, codec.height, codec.width, path, max_bytes)
            promise = Promise(container, stream)
            pace = Pace(shown(path), tell_pace, numbered=container.format.name not in UNNUMBERED)
            for frame in decoded(container, stream, promise):
                if frame.is_corrupt:
                    raise _damaged(path, count, str(cut_off(path) or "the decoder had to guess"))
                if promise.is_torn(last, frame.time) and promise.broken(count):
                    break  # behind a gap: it was decoded before those that are shown first
                last = frame.time
                frames = count + 1 if held is None else min(count + 1, held)
                require_room(frames, frame.height, frame.width, path, max_bytes)
                pace.shown_at(frame.time)
                yield pixels(frame, stream)
                count += 1
            if count and (missing := promise.broken(count)):
                raise _damaged(path, count, missing)
    except av.error.FFmpegError as error:
        if count:
            raise _damaged(path, count, str(cut_off(path) or reason(error))) from error
        # what libav says of containers that are not let in (AV_OPTIONS)
        other = isinstance(error, av.error.ArgumentError)
        why = "its container is none of those that are read" if other else reason(error)
        raise _no_film(path, f"is no video that can be decoded ({why})") from error
    except (OSError, ValueError, MemoryError, UnicodeError) as error:
        raise VideoUnreadable(f"{shown(path)} cannot be decoded: {reason(error)}; give {KINDS}") from error


def _no_film(path: Path, why: str) -> VideoUnreadable:
    if cut := cut_off(path):
        return VideoUnreadable(f"{shown(path)} is no video that can be decoded ({cut}); fetch it again")
    return VideoUnreadable(f"{shown(path)} {why}; give {KINDS}")


def _animation_frames(path: Path, tell: Tell) -> Generator[np.ndarray, None, None]:
    """The whole frames of an animated picture, (H, W, 3) uint8 each."""
    count, pace, shown_before = 0, Pace(shown(path), tell), 0.0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", PillowImage.DecompressionBombWarning)
            for image, seconds in _timed_pictures(path):
                if count:  # how long the last one stays before the loop begins anew is no pace
                    pace.shown_for(shown_before)
                yield image
                count, shown_before = count + 1, seconds
            if path.suffix.lower() == ".gif" and count and (cut := cut_off(path)):
                raise _damaged(path, count, str(cut))
    except _PILLOW_ERRORS as error:
        why = cut_off(path) or reason(error)
        if count:
            raise _damaged(path, count, str(why)) from error
        raise VideoUnreadable(
            f"{shown(path)} is no picture that can be decoded ({why}); give {KINDS}"
        ) from error


def _timed_pictures(path: Path) -> Iterator[tuple[np.ndarray, float]]:
    """Each frame, and for how many seconds it is shown."""
    with PillowImage.open(path) as picture:
        if picture.format == "PNG" and getattr(picture, "is_animated", False):
            turn = picture.getexif().get(ExifTags.Base.Orientation, 1)
            for image, seconds in apng_frames(path):
                upright = PillowImage.fromarray(image)
                upright.getexif()[ExifTags.Base.Orientation] = turn
                yield np.array(ImageOps.exif_transpose(upright)), seconds
            return
        for index in range(getattr(picture, "n_frames", 1)):
            picture.seek(index)
            yield _rgb(picture, path), picture.info.get("duration", 0) / 1000


def is_made_here(path: Path) -> bool:
    """Whether a film or animated picture says that this program drew it."""
    try:
        if path.suffix.lower() in ANIMATION_SUFFIXES:
            with PillowImage.open(path) as picture:
                comment = picture.info.get("comment", b"")
                return comment == DRAWN.encode()
        with av.open(f"file:{path}", options=AV_OPTIONS) as container:
            return container.metadata.get("comment") == DRAWN
    except (*_PILLOW_ERRORS, av.error.FFmpegError, PillowImage.DecompressionBombWarning):
        return False  # whether it can be read at all is told when it is read


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
    frames = _animation_frames(path, notice)
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
    # cameras write how they were held instead of turning the picture
    return on_black(np.asarray(ImageOps.exif_transpose(picture).convert("RGBA")))


def _natural(path: Path) -> tuple[list[tuple[int, int, str]], str]:
    """Sort key that counts: frame2 before frame10."""
    pieces = re.findall(r"\d+|\D+", path.name)
    key = [(0, int(piece), "") if piece.isdecimal() else (1, 0, piece.lower()) for piece in pieces]
    return key, path.name


def _damaged(path: Path, count: int, why: str) -> _Damage:
    repair = "read its good part with --partial (partial=True)" if count > 1 else "encode it anew"
    where = f"after frame {count - 1}" if count else "from its first frame on"
    return _Damage(f"{shown(path)} is damaged {where} ({why}); {repair}, or fetch it again")


def _size(frame: np.ndarray) -> str:
    return f"{frame.shape[1]}x{frame.shape[0]}"


def shown(path: Path) -> str:
    """A path in a message: quoted, on one line."""
    return repr(str(path))


def reason(error: BaseException) -> str:
    """The one-line cause of a decoder's error."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).splitlines()[0]
