"""Reading a clip from whatever file holds it: film, animation, folder of frames or array."""

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from ..errors import SettingInvalid, VideoUnreadable
from ..types import Image, Video
from .arrays import array_video, is_array, open_array
from .frames import read_frames, require_frames, require_present, require_room, shown

MAX_BYTES = 4 * 2**30
"""Largest decoded clip (float32) that is read unless asked for more, in bytes."""


def read_video(
    path: str | Path, *, max_frames: int | None = None, max_bytes: int = MAX_BYTES, partial: bool = False
) -> Video:
    """Read a clip as numbers, as players show it.

    Frames are turned and mirrored as their file says, oblong pixels are made square, and transparent ones lie
    on black. Of several films in a file the one marked default is read. Animated frames are whole (disposal
    is applied) and lossless formats come back bit for bit. Grey pictures become RGB. An array may be
    (T, 3, H, W) or (T, H, W, 3); where both fit, the first is meant. Frames are taken as evenly spaced; where
    they are not, `InputNotice` warns.

    Args:
        path: mp4, avi, webm, mkv, gif, animated webp or png, a folder of frames (in natural order: 2 before
            10), or .npy (uint8 in [0, 255] or floats in [0, 1]).
        max_frames: read the first so many frames only; at least 2.
        max_bytes: refuse a clip that is larger than this as float32.
        partial: of a damaged or cut film read what comes before, and warn, instead of refusing it.

    Returns:
        (T, 3, H, W) float32 in [0, 1], T at least 2.

    Raises:
        VideoUnreadable: missing, empty, damaged, not RGB, out of range, or too large.
        ClipTooSmall: fewer than two frames.
        SettingInvalid: `max_frames` below 2.

    Examples:
        >>> ks.read_video("clip.mp4", max_frames=4).shape  # frames, channels, rows, columns
        torch.Size([4, 3, 16, 24])
    """
    path = Path(path)
    if max_frames is not None and max_frames < 2:
        raise SettingInvalid(
            f"max_frames is {max_frames}; a clip needs at least two frames, so give 2 or more"
        )
    require_present(path)
    if is_array(path):
        array = open_array(path)[:max_frames]
        require_room(len(array), array.shape[2], array.shape[3], path, max_bytes)
        return array_video(array, path)
    return _stack(read_frames(path, max_frames, max_bytes, partial=partial), path, max_frames, max_bytes)


class Window(NamedTuple):
    """A piece of a longer clip.

    Attributes:
        start: its first frame's number in the clip, from 0.
        video: (T, C, H, W) float32 in [0, 1].
        last: whether the clip ends with it.
    """

    start: int
    video: Video
    last: bool


def read_windows(
    path: str | Path,
    length: int,
    step: int,
    *,
    channels: int | None = 3,
    max_bytes: int = MAX_BYTES,
    partial: bool = False,
) -> Generator[Window, None, None]:
    """Read a clip of any length piece by piece; no more than `length` frames are held at a time.

    Windows start at 0, `step`, 2 `step`, ...; the last one is moved back so that it ends where the clip ends.
    A clip of no more than `length` frames is one window.

    Args:
        path: as for `read_video`, and read the same.
        length: frames in a window.
        step: frames from one window's start to the next one's, from 1 to `length`.
        channels: what the clip is for; other numbers than 3 and 1 come from arrays (T, C, H, W) or
            (T, H, W, C) only, a single one also from (T, H, W). RGB for 1 is left to `fit_channels`. None: as
            many as the clip has.
        max_bytes: refuse windows larger than this as float32.
        partial: as for `read_video`.

    Raises:
        VideoUnreadable, ClipTooSmall: as for `read_video`, some only when the frames are reached.
        SettingInvalid: `step` or `length` out of range.
    """
    if not 1 <= step <= length:
        raise SettingInvalid(
            f"windows of {length} frames cannot start {step} frames apart; give a step from 1 to the length"
        )
    path = Path(path)
    require_present(path)
    held: deque[Image] = deque(maxlen=length)
    start = count = 0
    for frame in _float_frames(path, length, channels, max_bytes, partial):
        if count == start + length:
            yield Window(start, torch.stack([*held]), last=False)
            start += step
        held.append(frame)
        count += 1
    require_frames(count, path)
    yield Window(count - len(held), torch.stack([*held]), last=True)


def fit_clip(video: Video, channels: int, height: int, width: int) -> Float[Tensor, "time _ _ _"]:
    """Bring a clip to a network's size: scaled until it covers the frame, the overhang cut off evenly.

    Args:
        video: (T, C, H, W) in [0, 1].
        channels: as for `fit_channels`.
        height, width: of the result, pixels.

    Returns:
        (T, `channels`, `height`, `width`) in [0, 1].

    Raises:
        VideoUnreadable: the clip has other channels.
    """
    video = fit_channels(video, channels)
    rows, columns = video.shape[2:]
    scale = max(height / rows, width / columns)
    size = (max(height, round(rows * scale)), max(width, round(columns * scale)))
    if size != (rows, columns):
        video = F.interpolate(video, size=size, mode="bilinear", antialias=True).clamp(0.0, 1.0)
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    return video[:, :, top : top + height, left : left + width]


def fit_channels(video: Video, channels: int) -> Float[Tensor, "time _ height width"]:
    """Bring a clip to a number of channels: RGB becomes grey, the mean; nothing else is converted.

    Raises:
        VideoUnreadable: the clip has other channels.
    """
    given = video.shape[1]
    if given == 3 and channels == 1:
        return video.mean(dim=1, keepdim=True)
    if given != channels:
        raise VideoUnreadable(
            f"a clip of {given} channels was given where {channels} are taken; "
            f"give an array (T, {channels}, H, W), or choose a network for {given}"
        )
    return video


def _float_frames(
    path: Path, held: int, channels: int | None, max_bytes: int, partial: bool
) -> Iterator[Image]:
    """Frames (C, H, W) in [0, 1] of any clip, one by one."""
    if is_array(path):
        array = open_array(path, channels)
        require_room(held, array.shape[2], array.shape[3], path, max_bytes, array.shape[1])
        for t in range(len(array)):
            yield array_video(array[t : t + 1], path)[0]
        return
    if channels not in (1, 3, None):
        raise VideoUnreadable(
            f"{shown(path)} is read as RGB, and {channels} channels are taken; "
            f"save the clip as .npy (T, {channels}, H, W), values in [0, 1]"
        )
    for count, frame in enumerate(read_frames(path, held, max_bytes, partial=partial)):
        require_room(min(count + 1, held), frame.shape[0], frame.shape[1], path, max_bytes)
        yield as_video([frame])[0]


def _stack(frames: Iterable[np.ndarray], path: Path, max_frames: int | None, max_bytes: int) -> Video:
    kept: list[np.ndarray] = []
    for frame in frames:
        require_room(len(kept) + 1, frame.shape[0], frame.shape[1], path, max_bytes)
        kept.append(frame)
        if len(kept) == max_frames:
            break
    require_frames(len(kept), path)
    return as_video(kept)


def as_video(frames: Sequence[np.ndarray]) -> Video:
    """Decoded frames, (H, W, 3) uint8 and of one size, as (T, 3, H, W) float32 in [0, 1]."""
    video = torch.empty((len(frames), 3, *frames[0].shape[:2]), dtype=torch.float32)
    for t, frame in enumerate(frames):
        video[t] = torch.from_numpy(np.ascontiguousarray(frame)).permute(2, 0, 1)
    return video.div_(255.0)
