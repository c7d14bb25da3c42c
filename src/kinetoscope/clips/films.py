"""What a film means to be seen as: which of its streams, how turned and stretched, on what, and how long."""

import re
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.sidedata.sidedata import Type
from PIL import Image as PillowImage

from .truncation import cut_off

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
_INDEXED = ("mov,mp4,m4a,3gp,3g2,mj2", "avi")  # of which it says each frame's place, or their number
# (ASF counts its packets, and how long its last frame is shown as well)
_TIMED = (*_INDEXED, "matroska,webm", "flv")
_CLOCK = 0.0025  # seconds by which times are rounded in files that count milliseconds
_SEAM = 3  # packets: of the one that is doubted, the parser may still hold the next
UNNUMBERED = ("mpegts", "mpeg", "flv", "ogg", "h264", "hevc")
"""Containers in which nothing says how many frames there ought to be between two."""
# these two hide transparency in a second picture that only the library of the codec's makers decodes
_ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
_SILENT = ("libdav1d", "libaom-av1", "av1", "vp8", "vp9", "libvpx", "libvpx-vp9", "hevc")

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
        promise: is told how far the container goes, with sound, subtitles and other films: the longest sets
            its duration.
    """
    codec = stream.codec_context
    codec.thread_type = "AUTO"  # the default, slices, hides damage instead of flagging it
    name = _ALPHA_DECODERS.get(codec.name.removeprefix("lib"))
    if name is not None and stream.metadata.get("alpha_mode") == "1" and name in av.codecs_available:
        codec = av.CodecContext.create(name, "r")
    held: list[Any] = []
    for packet in container.demux(*(() if promise is not None else (stream,))):
        if packet.size and promise is not None:
            promise.reach(packet)
        if packet.stream.index != stream.index or (promise is not None and promise.is_torn_off(packet)):
            continue
        if promise is not None and (held or promise.is_doubtful(packet)):
            held.append(packet)
            seam = promise.is_seam(held)
            if not seam and packet.size and len(held) < _SEAM:
                continue
            if not seam:
                promise.fault = promise.fault or "a hole: bytes and frames of it are missing"
                break
        if not packet.size:
            break
        for whole in held or [packet]:
            yield from codec.decode(whole)
        held = []
    if promise is not None:
        promise.ended = True
    last = av.Packet(0)  # None would give frames without times
    last.time_base = stream.time_base
    yield from codec.decode(last)


def pixels(frame: Any, stream: Any) -> np.ndarray:
    """A decoded frame as it is meant to be seen: on black, of square pixels, turned; (H, W, 3) uint8."""
    if any(part.is_alpha for part in frame.format.components) or frame.format.has_palette:
        # in planes: packed, swscale misreads the transparency of rows that are no multiple of 16 long
        image = on_black(frame.to_ndarray(format="gbrap"))
    else:
        image = frame.to_ndarray(format="rgb24")
    shape = stream.sample_aspect_ratio  # of a pixel; PyAV has a type of its own for it from version 19 on
    width, height = _stretched(frame.width, frame.height, Fraction(shape) if shape else None)
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
    """How much film a file says that it holds, compared with what is really there."""

    def __init__(self, container: Any, stream: Any) -> None:
        """Read it off the container's header; none of it has to be there."""
        self._stream, self._kind, self._path = stream, container.format.name, Path(_plain_name(container))
        self._frames, self._interval = stream.frames, 1 / Fraction(stream.average_rate or 25)
        self._seen = 0
        self._end: Fraction | None = None
        self._reached = Fraction(0)
        self._latest: Fraction | None = None
        self._longest = self._interval
        self.ended, self.fault = False, ""
        if self._kind == "avi" and stream.frames:
            # of a cut AVI the duration is guessed from what is left; the number of frames is the promise
            self._end = stream.frames * self._interval
        elif self._kind not in _TIMED:
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
        if packet.stream.index == self._stream.index:
            # a packet of zeros is none, and some decoders pass over it
            if self._stream.codec_context.name in _SILENT and not any(memoryview(packet)):
                self.fault = self.fault or "bytes of it were never written"
            self._seen += 1
            if packet.dts is not None:
                before, self._latest = self._latest, packet.dts * packet.time_base
                self._longest = max(
                    self._longest, self._latest - (self._latest if before is None else before)
                )

    def is_torn_off(self, packet: Any) -> bool:
        """Whether the file ends inside a packet; what a decoder makes of it is no frame."""
        torn = bool(packet.is_corrupt and packet.size) and self._kind != "mpegts"
        if torn:
            self.fault = self.fault or "cut off: a frame of it is not complete"
        return torn

    def is_doubtful(self, packet: Any) -> bool:
        """Whether the container says of a packet that something is missing in it or behind it."""
        return bool(packet.is_corrupt) and self._kind == "mpegts"

    def is_seam(self, packets: Sequence[Any]) -> bool:
        """Whether a doubtful packet and those behind it are where two films were put together."""
        first, last = packets[0], packets[-1]
        if not last.is_keyframe or first.dts is None or last.dts is None:
            return False
        return bool(last.dts < first.dts)

    def is_torn(self, before: float | None, time: float | None) -> bool:
        """Whether frames may be missing between two of a broken film, as later ones are decoded first."""
        if not self.ended or before is None or time is None or self._latest is None:
            return False
        return time > self._latest and time - before > _UNEVEN * self._interval

    def broken(self, count: int) -> str:
        """What is missing after `count` frames, in words; "" where nothing is."""
        cut = cut_off(self._path)
        if self.fault:
            return str(cut or self.fault) if self.fault.startswith("cut off") else self.fault
        exact = self._kind == _INDEXED[0]
        # of fragments the index grows while they are read; what an edit list hides is not in it
        promised = len(self._stream.index_entries) if exact else self._frames
        counted = self._kind in _INDEXED and promised > 0
        # how long the last frame is shown not every container says
        slack = max(2 * self._longest, Fraction(1, 10))
        late = self._end is not None and self._end - self._reached > slack
        if counted and cut is not None and cut.part in ("mdat", "movi") and self._seen >= promised:
            cut = None  # no more than sound is missing
        short = exact and self._seen < promised
        if not (late or short or cut):
            return ""
        total = max(self._frames, promised if counted else 0)
        said = f"its {count}{f' of {total}' if total > count else ''} frames"
        if late and self._end is not None:
            return f"cut off: {said} end at {float(self._reached):.4g} of {float(self._end):.4g} s"
        return str(cut or f"cut off: {said} are all there is")


def _plain_name(container: Any) -> str:
    return str(container.name).removeprefix("file:")


def _clock(text: str) -> Fraction | None:
    """Seconds of 00:01:02.345; None for anything else."""
    parts = re.fullmatch(r"(\d{1,6}):(\d\d):(\d\d(?:\.\d{1,12})?)", text)
    return parts and 3600 * int(parts[1]) + 60 * int(parts[2]) + Fraction(parts[3])


class Pace:
    """Notices frames that are shown for different times, and tells of it once."""

    def __init__(self, name: str, tell: Tell, *, numbered: bool = True) -> None:
        """What is told.

        Args:
            name: of the file, for the line that `tell` gets.
            numbered: whether a missing frame would have been noticed otherwise.
        """
        self._name, self._tell, self._numbered = name, tell, numbered
        self._last: float | None = None
        self._least, self._most = float("inf"), 0.0

    def shown_at(self, time: float | None) -> None:
        """A frame is shown from this second on."""
        if time is not None and self._last is not None and time > self._last:  # else a second film begins
            self.shown_for(time - self._last)
        self._last = time

    def shown_for(self, seconds: float) -> None:
        """A frame is shown for so long."""
        even = self._most <= max(_UNEVEN * self._least, self._least + _CLOCK)
        self._least, self._most = min(self._least, seconds), max(self._most, seconds)
        if even and self._most > max(_UNEVEN * self._least, self._least + _CLOCK):
            doubt = "" if self._numbered else ", or some are missing"
            self._tell(
                f"{self._name} shows frames for {self._least:.3g} to {self._most:.3g} s{doubt}; "
                "they are taken as evenly spaced, so speeds are per frame, not per second: resample it to a "
                "steady rate (ffmpeg -i IN -vf fps=25 OUT.mp4) where that matters"
            )
