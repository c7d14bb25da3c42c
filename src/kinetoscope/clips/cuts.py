"""Some frames of a video, without decoding the others."""

from collections.abc import Callable, Sequence
from pathlib import Path

import av
import numpy as np

from ..errors import ClipTooSmall, VideoUnreadable
from ..types import Video
from .arrays import array_video, is_array, open_array
from .films import AV_OPTIONS, decoded, main_stream, pixels
from .frames import (
    folder_pictures,
    read_frames,
    read_picture,
    require_frames,
    require_present,
    require_room,
    shown,
)
from .video import MAX_BYTES, as_video, read_windows

Choice = Callable[[int], Sequence[int]]
"""From the number of frames of a video to the numbers of those wanted, perhaps repeated; a pure function."""

SHOWN_PACKETS = (
    "h264",
    "hevc",
    "mpeg4",
    "mpeg1video",
    "mpeg2video",
    "msmpeg4v3",
    "mjpeg",
    "ffv1",
    "rawvideo",
)
"""Codecs whose packets are a frame each; VP8's and VP9's may be hidden ones."""


def read_cut(path: Path, choose: Choice) -> Video:
    """Read chosen frames of a clip: those that `read_video` gives, and no more than those in memory.

    Of a folder only their pictures are opened, of an array only their values read. A film is decoded from the
    last key frame before them on; where its packets do not tell which frame is which, it is decoded from the
    beginning, once to count and once to read. Damage elsewhere is not noticed.

    Args:
        path: as for `video.read_video`.
        choose: called with the number of frames, and again where a film's index turns out to be wrong.

    Returns:
        (number chosen, 3, H, W) float32 in [0, 1].

    Raises:
        VideoUnreadable, ClipTooSmall: as `video.read_video`.
    """
    require_present(path)
    if is_array(path):
        array = open_array(path)
        chosen = choose(len(array))
        require_room(len(chosen), array.shape[2], array.shape[3], path, MAX_BYTES)
        return array_video(array[list(chosen)], path)
    if path.is_dir():
        pictures = folder_pictures(path)
        chosen = choose(len(pictures))
        return _stack({n: read_picture(pictures[n]) for n in set(chosen)}, chosen, path)
    if (found := _sought(path, choose)) is not None:
        return _stack(*found, path)
    chosen = choose(_count(path))
    wanted, kept = set(chosen), {}
    for number, frame in enumerate(read_frames(path, len(wanted), MAX_BYTES, tell=_unheard)):
        if number in wanted:
            kept[number] = frame.copy()
        if number == max(wanted):
            break
    return _stack(kept, chosen, path)


def first_fault(path: Path, error: Exception) -> str:
    """What is wrong with a video that could not be cut: the same line whichever frames were wanted.

    Args:
        path: of the video.
        error: what `read_cut` raised.
    """
    try:
        for _ in read_windows(path, 2, 2):  # on to the first damage
            pass
    except (VideoUnreadable, ClipTooSmall) as first:
        return str(first)
    return str(error)


def _stack(kept: dict[int, np.ndarray], chosen: Sequence[int], path: Path) -> Video:
    sizes = {frame.shape[:2] for frame in kept.values()}
    if len(sizes) > 1:
        words = " and ".join(sorted(f"{width}x{height}" for height, width in sizes))
        raise VideoUnreadable(
            f"{shown(path)} has frames of different sizes: {words}; bring all frames to one size"
        )
    height, width = sizes.pop()
    require_room(len(chosen), height, width, path, MAX_BYTES)
    return as_video([kept[number] for number in chosen])


def _unheard(text: str) -> None:
    """Which frame is which is what a cut is chosen by; how long each is shown is not asked."""


def _count(path: Path) -> int:
    count = sum(1 for _ in read_frames(path, 2, MAX_BYTES, tell=_unheard))
    require_frames(count, path)
    return count


def _sought(path: Path, choose: Choice) -> tuple[dict[int, np.ndarray], Sequence[int]] | None:
    """Chosen frames of a film by number, decoded from a key frame on; None where that cannot be trusted."""
    try:
        with av.open(f"file:{path}", options=AV_OPTIONS) as film:
            stream = main_stream(film)
            codec = None if stream is None else stream.codec_context
            if codec is None or codec.name not in SHOWN_PACKETS:
                return None
            # without pictures that are shown later than they are decoded, either time tells the order
            marks = [
                (
                    packet.pts if packet.pts is not None or codec.has_b_frames else packet.dts,
                    packet.is_keyframe,
                )
                for packet in film.demux(stream)
                if packet.size and not packet.is_discard
            ]
            times = [time for time, _ in marks if time is not None]
            if len(times) < max(2, len(marks)) or len(set(times)) < len(times):
                return None
            if stream.frames not in (0, len(times)):
                return None
            order = sorted(times)
            chosen = choose(len(order))
            wanted = {order[number]: number for number in chosen}
            keys = [time for time, key in marks if key and time is not None and time <= min(wanted)]
            if not keys:
                return None
            film.seek(max(keys), stream=stream)
            kept: dict[int, np.ndarray] = {}
            for frame in decoded(film, stream):
                if frame.pts in wanted:
                    if frame.is_corrupt:
                        return None
                    require_room(len(wanted), frame.height, frame.width, path, MAX_BYTES)
                    kept[wanted[frame.pts]] = pixels(frame, stream)
                if len(kept) == len(wanted):
                    return kept, chosen
    except (av.error.FFmpegError, OSError, ValueError, MemoryError, UnicodeError):
        return None  # decoding from the beginning says what is wrong
    return None
