"""What a film means to be seen as: which of its streams, how turned and stretched, on what, and how long."""

import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.sidedata.sidedata import Type
from PIL import Image as PillowImage

# Only plain local containers: a playlist dressed up as a film must not open other files or the network.
AV_OPTIONS = {
    "protocol_whitelist": "file",
    "format_whitelist": "mov,mp4,avi,matroska,webm,mpeg,mpegts,mpegvideo,flv,ogg,asf,gif,h264,hevc",
}
DRAWN = "drawn by kinetoscope"
"""The comment in films of this program's own: they show networks, and are no clips to show to one."""

_SQUARE = 0.01  # pixels that are oblong by less are square: stretching by a pixel would only blur
_UNEVEN = 1.5  # how many times the shortest time between frames the longest may be before it is told
# containers whose header says how long the film is; of others it is guessed from what is there
_TIMED = ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "avi", "flv", "asf")
_CLOCK = 0.0025  # seconds by which times are rounded in files that count milliseconds
# these two hide transparency in a second picture that only the library of the codec's makers decodes
_ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}

Tell = Callable[[str], None]


def main_stream(container: Any) -> Any:
    """The video stream that players show: the one marked default, cover pictures last; None without one."""
    streams = [s for s in container.streams.video if not s.disposition & av.stream.Disposition.attached_pic]
    marked = [s for s in streams if s.disposition & av.stream.Disposition.default]
    if len(marked) == 1:
        return marked[0]
    return container.streams.best("video") if len(streams) != 1 else streams[0]


def decoded(container: Any, stream: Any, promise: "Promise | None" = None) -> Iterator[Any]:
    """The frames of a stream in the order in which they are shown.

    Args:
        promise: is told how far the container goes, sound included.
    """
    codec = stream.codec_context
    codec.thread_type = "AUTO"  # the default, slices, hides damage instead of flagging it
    name = _ALPHA_DECODERS.get(codec.name.removeprefix("lib"))
    if name is not None and stream.metadata.get("alpha_mode") == "1" and name in av.codecs_available:
        codec = av.CodecContext.create(name, "r")
    for packet in container.demux(*container.streams.audio, stream):
        if promise is not None and packet.size:
            promise.reach(packet)
        if packet.stream.index == stream.index:
            yield from codec.decode(packet)


def pixels(frame: Any, stream: Any) -> np.ndarray:
    """A decoded frame as it is meant to be seen: on black, of square pixels, turned; (H, W, 3) uint8."""
    if any(part.is_alpha for part in frame.format.components) or frame.format.has_palette:
        # in planes: packed, swscale misreads the transparency of rows that are no multiple of 16 long
        image = on_black(frame.to_ndarray(format="gbrap"))
    else:
        image = frame.to_ndarray(format="rgb24")
    width, height = _stretched(frame.width, frame.height, stream.sample_aspect_ratio)
    if (width, height) != (frame.width, frame.height):
        opaque = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        image = opaque.to_ndarray(width=width, height=height, interpolation="BICUBIC")
    matrix = frame.side_data.get(Type.DISPLAYMATRIX)
    return image if matrix is None else turned(image, np.frombuffer(matrix, "=i4"))


def on_black(image: np.ndarray) -> np.ndarray:
    """Pictures with transparency, (..., H, W, 4) uint8, laid on black: (..., H, W, 3) uint8."""
    alpha = image[..., 3:]
    if (alpha == 255).all():
        return image[..., :3]
    return np.round(image[..., :3] * (alpha / 255.0)).astype(np.uint8)


def turned(image: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """A picture (H, W, 3) uint8 as a film's display matrix shows it.

    Args:
        matrix: nine numbers, of which a point (x, y) comes to (m0 x + m3 y, m1 x + m4 y), y downwards. What
            it scales and shifts is no part of the picture; a matrix without an inverse means nothing.
    """
    a, b, c, d = (float(matrix[index]) for index in (0, 1, 3, 4))
    if a * d == b * c:
        return image
    angle = np.degrees(np.arctan2(b, a))  # clockwise, as it is seen
    if abs(angle / 90 - round(angle / 90)) > 1 / 90:
        # as ffmpeg does it: within the frame's own size, by the angle alone
        turning = PillowImage.fromarray(np.ascontiguousarray(image))
        return np.array(turning.rotate(-angle, PillowImage.Resampling.BILINEAR))
    if abs(b) > abs(a):
        image, across, down = image.swapaxes(0, 1), c, b
    else:
        across, down = a, d
    return image[:: 1 if down > 0 else -1, :: 1 if across > 0 else -1]


def _stretched(width: int, height: int, ratio: Fraction | None) -> tuple[int, int]:
    """The size of a frame with square pixels; the shorter way is made longer, so that nothing is lost."""
    if not ratio or ratio < 0 or abs(ratio - 1) <= _SQUARE:
        return width, height
    return (round(width * ratio), height) if ratio > 1 else (width, round(height / ratio))


class Promise:
    """How long a film says that it is, compared with how far it really goes."""

    def __init__(self, container: Any, stream: Any) -> None:
        """Read it off the container's header; None of it has to be there."""
        self._frames, self._interval = stream.frames, 1 / Fraction(stream.average_rate or 25)
        self._end: Fraction | None = None
        self._reached = Fraction(0)
        if container.format.name == "avi" and stream.frames:
            # of a cut AVI the duration is guessed from what is left; the number of frames is the promise
            self._end = stream.frames * self._interval
        elif container.format.name not in _TIMED:
            pass
        elif stream.duration:
            self._end = (stream.duration + (stream.start_time or 0)) * stream.time_base
        elif container.duration:
            whole = Fraction(container.duration + (container.start_time or 0), av.time_base)
            self._end = min(whole, _clock(stream.metadata.get("DURATION", "")) or whole)

    def reach(self, packet: Any) -> None:
        """A packet was there."""
        time = packet.pts if packet.pts is not None else packet.dts
        if time is not None:
            self._reached = max(self._reached, (time + (packet.duration or 0)) * packet.time_base)

    def broken(self, count: int) -> str:
        """What is missing after `count` frames, in words; "" where nothing is."""
        if self._end is None or self._end - self._reached <= max(2 * self._interval, Fraction(1, 10)):
            return ""
        total = f" of {self._frames}" if self._frames > count else ""
        return f"its {count}{total} frames end at {float(self._reached):.4g} of {float(self._end):.4g} s"


def _clock(text: str) -> Fraction | None:
    """Seconds of 00:01:02.345; None for anything else."""
    parts = re.fullmatch(r"(\d{1,6}):(\d\d):(\d\d(?:\.\d{1,12})?)", text)
    return parts and 3600 * int(parts[1]) + 60 * int(parts[2]) + Fraction(parts[3])


class Pace:
    """Notices frames that are shown for different times, and tells of it once."""

    def __init__(self, name: str, tell: Tell) -> None:
        """Args: name: of the file, for the line that `tell` gets."""
        self._name, self._tell = name, tell
        self._last: float | None = None
        self._least, self._most = float("inf"), 0.0

    def shown_at(self, time: float | None) -> None:
        """A frame is shown from this second on."""
        if time is not None and self._last is not None:
            self.shown_for(time - self._last)
        self._last = time

    def shown_for(self, seconds: float) -> None:
        """A frame is shown for so long."""
        even = self._most <= max(_UNEVEN * self._least, self._least + _CLOCK)
        self._least, self._most = min(self._least, seconds), max(self._most, seconds)
        if even and self._most > max(_UNEVEN * self._least, self._least + _CLOCK):
            self._tell(
                f"{self._name} shows frames for {self._least:.3g} to {self._most:.3g} s; they are taken as "
                "evenly spaced, so speeds are per frame, not per second: resample it to a steady rate "
                "(ffmpeg -i IN -vf fps=25 OUT.mp4) where that matters"
            )
