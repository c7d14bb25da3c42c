"""Animated PNG, laid on black frame by frame as its specification says.

Pillow mixes a half-transparent frame into the one before with its alpha taken twice, so that it comes out too
dark; here it decodes each frame for itself only.
"""

import io
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from PIL import Image as PillowImage

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_BACKGROUND, _PREVIOUS = 1, 2  # what happens to a frame's place when it is over
_SHARED = {b"PLTE", b"tRNS", b"gAMA", b"sBIT"}


class _Control(NamedTuple):
    """What an fcTL chunk says of a frame: its place, how long it is shown, what it leaves, how it is laid."""

    width: int
    height: int
    left: int
    top: int
    delay: int
    per: int
    disposal: int
    over: int


def apng_frames(path: Path) -> Iterator[tuple[np.ndarray, float]]:
    """The frames of an animated PNG, (H, W, 3) uint8 each on black, and for how many seconds each is shown.

    A still for viewers that do not animate is left out.

    Raises:
        ValueError, OSError, struct.error, zlib.error and the like: it is damaged; frames before are sound.
    """
    with path.open("rb") as file:
        file.seek(len(_SIGNATURE))
        header, total = b"", 0
        shared: list[tuple[bytes, bytes]] = []
        control: _Control | None = None
        data, canvas, count, number = b"", np.zeros((0, 0, 3)), 0, 0
        for name, content in _chunks(file):
            if name in (b"fcTL", b"fdAT"):
                if struct.unpack(">I", content[:4])[0] != number:
                    raise ValueError(f"chunk {number} of its animation is missing")
                number += 1
            if name in (b"fcTL", b"IEND") and control is not None:
                picture = _decoded(header, shared, control, data)
                after = _laid(canvas, picture, control, count == 0)
                yield np.round(canvas).astype(np.uint8), control.delay / (control.per or 100)
                canvas, count, data, control = after, count + 1, b"", None
            if name == b"IHDR":
                header = content
                width, height = struct.unpack(">II", content[:8])
            elif name == b"acTL":
                (total,) = struct.unpack(">I", content[:4])
            elif name in _SHARED:
                shared.append((name, content))
            elif name == b"fcTL":
                control = _Control(*struct.unpack(">IIIIHHBB", content[4:26]))
                canvas = canvas if canvas.size else np.zeros((height, width, 3))
                if control.left + control.width > width or control.top + control.height > height:
                    raise ValueError("a frame reaches beyond the picture")
            elif name == b"IDAT" and control is not None:
                data += content
            elif name == b"fdAT":
                data += content[4:]
        if count < total:
            raise ValueError(f"{count} of {total} frames are there")


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    while True:
        head = file.read(8)
        if len(head) < 8:
            # all frames may be there: whether they are is asked by their number
            yield b"IEND", b""
            return
        length, name = struct.unpack(">I4s", head)
        content, check = file.read(length), file.read(4)
        if len(content) < length or (name != b"IEND" and len(check) < 4):
            raise ValueError("cut off inside a chunk")
        if name != b"IEND" and struct.unpack(">I", check)[0] != zlib.crc32(name + content):
            raise ValueError(f"broken {name.decode('latin1')} chunk")
        yield name, content
        if name == b"IEND":
            return


def _decoded(header: bytes, shared: list[tuple[bytes, bytes]], control: _Control, data: bytes) -> np.ndarray:
    """A frame alone, (h, w, 4) uint8."""
    chunks = [
        (b"IHDR", struct.pack(">II", control.width, control.height) + header[8:]),
        *shared,
        (b"IDAT", data),
        (b"IEND", b""),
    ]
    alone = _SIGNATURE + b"".join(
        struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        for name, content in chunks
    )
    with PillowImage.open(io.BytesIO(alone), formats=["PNG"]) as picture:
        return np.asarray(picture.convert("RGBA"))


def _laid(canvas: np.ndarray, picture: np.ndarray, control: _Control, first: bool) -> np.ndarray:
    """Lay a frame on the canvas, in place; what is left of it afterwards.

    On black, colours times alpha are all that counts: (H, W, 3), not rounded.
    """
    place = (
        slice(control.top, control.top + control.height),
        slice(control.left, control.left + control.width),
    )
    before = canvas.copy()
    alpha = picture[..., 3:] / 255
    under = canvas[place] * (1 - alpha) if control.over else 0.0
    canvas[place] = picture[..., :3] * alpha + under
    if control.disposal == _PREVIOUS and not first:
        return before
    after = canvas.copy()
    if control.disposal in (_BACKGROUND, _PREVIOUS):
        after[place] = 0
    return after
