"""Whether a file is all that its own structure says: told from sizes and marks alone, nothing is decoded.

A film that was cut off, or has a hole, mostly decodes without a word, a few frames short. What containers
write about their parts' sizes tells it exactly, and no file is taken for cut that only lacks what is not
needed (an index), nor for damaged that goes on behind its end.
"""

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple


class Cut(NamedTuple):
    """Where a file ends too early, or is overwritten.

    Attributes:
        part: what it ends in, by the container's name for it.
        there: its size; or where the hole is found, in bytes.
        promised: the least that its size should be, in bytes; 0 for a hole.
    """

    part: str
    there: int
    promised: int = 0

    def __str__(self) -> str:
        if not self.promised:
            return f"bytes are missing or overwritten in its {self.part}, before byte {self.there}"
        return f"cut off: it ends inside its {self.part}, {self.there} of at least {self.promised} bytes"


def cut_off(path: Path) -> Cut | None:
    """Where a file is cut off or has a hole; None where it is whole, or where nothing in it says its size.

    mp4 and mov, Matroska and WebM, AVI and WebP, FLV, ASF, MPEG program and transport streams, Ogg, PNG, GIF.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            start = file.read(16)
            for walk, fits in _WALKS:
                if fits(start):
                    return walk(file, size)
            return _transport(file, size)
    except (OSError, ValueError, struct.error):  # told when it is read
        return None


def _numbers(file: BinaryIO, at: int, form: str) -> tuple[Any, ...]:
    """Numbers and bytes at a place of a file; ValueError where it ends before."""
    file.seek(at)
    data = file.read(struct.calcsize(form))
    if len(data) < struct.calcsize(form):
        raise ValueError("no more")
    return struct.unpack(form, data)


def _is_later(file: BinaryIO, at: int, mark: bytes) -> bool:
    """Whether four bytes stand anywhere behind a place of a file."""
    kept = b""
    file.seek(at)
    while block := file.read(1 << 20):
        if mark in kept + block:
            return True
        kept = block[-3:]
    return False


_BOXES = {
    b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"mfra", b"sidx", b"ssix", b"prft", b"emsg", b"free",
    b"skip", b"wide", b"meta", b"udta", b"uuid", b"pnot",
}  # fmt: skip


def _boxes(file: BinaryIO, size: int) -> Cut | None:
    """ISO base media: a row of boxes; what is no box we know may be anything behind the film."""
    at = 0
    while at + 8 <= size:
        length, name = _numbers(file, at, ">I4s")
        if name not in _BOXES and not (name.isalnum() and 8 <= length <= size - at):
            return Cut("boxes", at) if _is_later(file, at, b"moof") else None
        if length == 1:
            (length,) = _numbers(file, at + 8, ">Q") if at + 16 <= size else (16,)
        if length == 0:  # to the end of the file, however far that is
            return None
        if at + length > size:
            return Cut(name.decode(), size, at + length)
        at += max(length, 8)
    return None if at == size else Cut("next box", size, at + 8)


_SEGMENT, _CLUSTER = 0x18538067, 0x1F43B675
# what follows the clusters, or fills room: without it every picture is there
_SPARE = {0x1C53BB6B, 0x1254C367, 0x114D9B74, 0xEC, 0xBF, 0x1941A469, 0x1043A770}
# what else there is at the top, and in clusters
_TOP = {*_SPARE, 0x1549A966, 0x1654AE6B, _SEGMENT, _CLUSTER, 0x1A45DFA3}
_IN_CLUSTER = {0xE7, 0x5854, 0xA7, 0xAB, 0xA3, 0xA0, 0xAF, 0xEC, 0xBF}


def _element(file: BinaryIO, at: int) -> tuple[int, int | None, int]:
    """An EBML element: its number, how long its content is (None: unknown), and where that begins."""
    file.seek(at)
    head = file.read(12)
    if not head or not head[0]:
        raise ValueError("no element")
    wide = 9 - head[0].bit_length()
    if len(head) <= wide or not head[wide]:
        raise ValueError("no element")
    more = 9 - head[wide].bit_length()
    if len(head) < wide + more:
        raise ValueError("no more")
    number = int.from_bytes(head[:wide], "big")
    length = int.from_bytes(head[wide : wide + more], "big") & ((1 << 7 * more) - 1)
    return number, None if length == (1 << 7 * more) - 1 else length, at + wide + more


def _matroska(file: BinaryIO, size: int) -> Cut | None:
    """Matroska: elements in elements; of unknown size are those of a live recording, whose blocks count."""
    at, end, inside, cluster = 0, None, "header", False
    while at < size and (end is None or at < end):
        try:
            number, length, content = _element(file, at)
        except ValueError:
            if size - at < 12:
                return Cut(inside, size, end or size + 1)
            number, length, content = 0, 0, at
        if number not in (_TOP | _IN_CLUSTER if cluster else _TOP):
            # behind a film of unknown length there may be anything
            return (
                Cut("clusters", at)
                if end is not None or _is_later(file, at, _CLUSTER.to_bytes(4, "big"))
                else None
            )
        if number == _SEGMENT:
            end = None if length is None else content + length
        if number in (_SEGMENT, _CLUSTER):
            cluster = number == _CLUSTER
            at, inside = content, "last cluster" if cluster else "header"
            continue
        if length is None:
            return None
        if content + length > size:
            return None if number in _SPARE else Cut(inside, size, end or content + length)
        at = content + length
    return Cut("last cluster", size, end) if end is not None and size < end and cluster else None


def _riff(file: BinaryIO, size: int) -> Cut | None:
    """AVI and WebP: RIFF chunks, of which a long AVI has several; behind `movi` lies an index only."""
    at = 0
    while at + 12 <= size:
        mark, length, kind = _numbers(file, at, "<4sI4s")
        end = at + 8 + length + length % 2
        if mark != b"RIFF" or length < 4:
            return None
        if end > size:
            return _movi(file, size, at + 12, end) if kind[:3] == b"AVI" else Cut("RIFF", size, end)
        if kind[:3] == b"AVI" and (hole := _movi(file, size, at + 12, end)) and hole.part == "movi":
            return hole
        at = end
    return None


def _movi(file: BinaryIO, size: int, at: int, end: int) -> Cut | None:
    """What is wrong with the part of an AVI that holds its frames."""
    inside = 0
    while at + 8 <= min(size, inside or size):
        mark, length = _numbers(file, at, "<4sI")
        behind = at + 8 + length + length % 2
        if mark == b"LIST" and _is_movi(file, at):
            inside, behind = behind, at + 12
        elif inside and (mark[:1] == b"\0" or behind > inside):
            return Cut("movi", at) if inside <= size else Cut("movi", size, end)
        at = behind
    if inside:
        return Cut("movi", size, end) if inside > size else None
    return Cut("header", size, end)


def _is_movi(file: BinaryIO, at: int) -> bool:
    file.seek(at + 8)
    return file.read(4) == b"movi"


def _flv(file: BinaryIO, size: int) -> Cut | None:
    (at,) = _numbers(file, 5, ">I")
    at, long = at + 4, 0
    while at + 11 <= size:
        before, head = _numbers(file, at - 4, ">II")
        if head >> 24 not in (8, 9, 18):
            return None if before == long else Cut("tags", at)
        long = 11 + (head & 0xFFFFFF)
        if at + long > size:
            return Cut("last tag", size, at + long)
        at += long + 4
    return Cut("next tag", size, at + 11) if at < size else None


_ASF_DATA = bytes.fromhex("3626b2758e66cf11a6d900aa0062ce6c")


def _asf(file: BinaryIO, size: int) -> Cut | None:
    at = 0
    while at + 24 <= size:
        name, length = _numbers(file, at, "<16sQ")
        if name == _ASF_DATA:
            if at + length > size:
                return Cut("data object", size, at + length)
            (packets,) = _numbers(file, at + 40, "<Q")
            step = (length - 50) // packets if packets and (length - 50) % packets == 0 else 0
            starts = range(at + 50, at + length, step) if step else ()
            return next((Cut("packets", start) for start in starts if _is_blank(file, start, 8)), None)
        at += max(length, 24)
    return Cut("header", size, at)


def _is_blank(file: BinaryIO, at: int, count: int) -> bool:
    file.seek(at)
    return not any(file.read(count))


def _program(file: BinaryIO, size: int) -> Cut | None:
    """An MPEG program stream: packs and packets, each of a length that it tells."""
    at = 0
    while at + 14 <= size:
        code, first = _numbers(file, at, ">IB")
        if code == 0x1BA:
            at += 12 if first >> 4 == 2 else 14 + (_numbers(file, at + 13, "B")[0] & 7)
        elif 0x1BB <= code <= 0x1FF:
            (length,) = _numbers(file, at + 4, ">H")
            at += 6 + length
            if at > size:
                return Cut("last packet", size, at)
        else:
            return None if code == 0x1B9 else Cut("packets", at)
    ended = at == size or (at + 4 <= size and _numbers(file, at, ">I") == (0x1B9,))
    return None if ended else Cut("next pack", size, at + 14)


def _transport(file: BinaryIO, size: int) -> Cut | None:
    """An MPEG transport stream: packets of one length, each beginning with the same byte."""
    file.seek(0)
    start = file.read(4096)
    for step in (188, 192, 204):
        for first in range(step):
            marks = start[first::step]
            if len(marks) > 4 and set(marks) == {0x47}:
                return _packets(file, size, first, step)
    return None


def _packets(file: BinaryIO, size: int, first: int, step: int) -> Cut | None:
    at = first
    while at < size:
        file.seek(at)
        block = file.read(step * 4096)
        wrong = next((n for n, mark in enumerate(block[::step]) if mark != 0x47), None)
        if wrong is not None:
            return Cut("packets", at + wrong * step)
        at += len(block) // step * step
        if len(block) % step:
            # in Blu-ray's the clock stands in front, and counts to the packet
            whole = step == 192 and len(block) % step == 188
            return None if whole else Cut("last packet", size, at + step)
    return None


def _ogg(file: BinaryIO, size: int) -> Cut | None:
    at, last, done = 0, dict[bytes, int](), set[bytes]()
    while at + 27 <= size:
        mark, flags, stream, number, segments = _numbers(file, at, "<4sxB8x4sI4xB")
        if mark != b"OggS":
            return None if done >= last.keys() else Cut("pages", at)
        if number not in (0, last.get(stream, number - 1) + 1):
            return Cut("pages", at)
        last[stream] = number
        file.seek(at + 27)
        at += 27 + segments + sum(file.read(segments))
        if flags & 4 and at <= size:
            done.add(stream)
    return Cut("last page", size, max(at, size + 1)) if at != size and done < last.keys() else None


def _png(file: BinaryIO, size: int) -> Cut | None:
    at = 8
    while at + 8 <= size:
        length, name = _numbers(file, at, ">I4s")
        at += 12 + length
        if name == b"IEND" and at <= size:
            return None
    return Cut("last chunk", size, max(at, size + 1))


def _gif(file: BinaryIO, size: int) -> Cut | None:
    """Blocks up to the trailer; without a trailer, but after a whole picture, nothing is missed."""

    def colours(flags: int) -> int:
        return 3 << (flags & 7) + 1 if flags & 0x80 else 0

    at, announced = 13 + colours(_numbers(file, 10, "B")[0]), False
    while at < size:
        (mark,) = _numbers(file, at, "B")
        if mark == 0x21 and at + 1 < size:
            announced = announced or _numbers(file, at + 1, "B") == (0xF9,)
        else:
            announced = False
        if mark == 0x2C and at + 10 < size:
            at += 11 + colours(_numbers(file, at + 9, "B")[0])
        elif mark == 0x21:
            at += 2
        else:
            return Cut("last picture", size, at + 11) if mark == 0x2C else None
        while True:
            if at >= size:
                return Cut("last picture", size, at + 1)
            (length,) = _numbers(file, at, "B")
            at += 1 + length
            if length == 0:
                break
    return Cut("last picture", size, at + 11) if announced else None


_WALKS: tuple[tuple[Callable[[BinaryIO, int], Cut | None], Callable[[bytes], bool]], ...] = (
    (_boxes, lambda start: start[4:8] in _BOXES),
    (_matroska, lambda start: start.startswith(b"\x1a\x45\xdf\xa3")),
    (_riff, lambda start: start.startswith(b"RIFF")),
    (_flv, lambda start: start.startswith(b"FLV\x01")),
    (_asf, lambda start: start.startswith(bytes.fromhex("3026b2758e66cf11"))),
    (_program, lambda start: start.startswith(b"\0\0\x01\xba")),
    (_ogg, lambda start: start.startswith(b"OggS")),
    (_png, lambda start: start.startswith(b"\x89PNG\r\n\x1a\n")),
    (_gif, lambda start: start.startswith(b"GIF8")),
)
