"""A film that was cut anywhere, or has a hole, is told; none that is whole is."""

import struct
import zlib
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from clip_files import H, T, W, animation, expected, film, noise, refusal, smooth

from kinetoscope.clips.truncation import cut_off
from kinetoscope.clips.video import read_video
from kinetoscope.errors import InputNotice, VideoUnreadable

LONG = 30
B_FRAMES = {"bf": "3", "g": "12"}
FRAGMENTS = "frag_keyframe+empty_moov+default_base_moof"
# kind, codec, options of the codec, options of the container
FILMS: list[tuple[str, str, dict[str, str], dict[str, str]]] = [
    ("mp4", "libx264", B_FRAMES, {"movflags": "faststart"}),
    ("mp4", "libx264", B_FRAMES, {}),
    ("mp4", "libx264", B_FRAMES, {"movflags": FRAGMENTS}),
    ("mp4", "libx264", B_FRAMES, {"movflags": f"{FRAGMENTS}+global_sidx"}),
    ("mov", "libx264", B_FRAMES, {"movflags": "faststart"}),
    ("mp4", "mpeg4", {"bf": "2"}, {"movflags": "faststart"}),
    ("mp4", "libvpx-vp9", {}, {"movflags": "faststart"}),
    ("mp4", "libsvtav1", {}, {"movflags": "faststart"}),
    ("matroska", "libx264", B_FRAMES, {}),
    ("matroska", "libx264", B_FRAMES, {"cues_to_front": "1"}),
    ("matroska", "libx264", B_FRAMES, {"live": "1"}),
    ("webm", "libvpx", {"auto-alt-ref": "1", "lag-in-frames": "10"}, {}),
    ("webm", "libvpx-vp9", {}, {"live": "1"}),
    ("avi", "mpeg4", {"bf": "2"}, {}),
    ("avi", "mjpeg", {}, {}),
    ("flv", "libx264", B_FRAMES, {}),
    ("asf", "wmv2", {}, {}),
    ("mpegts", "libx264", B_FRAMES, {}),
    ("mpegts", "libx264", B_FRAMES, {"mpegts_m2ts_mode": "1"}),
    ("vob", "mpeg2video", {"bf": "2"}, {}),
    ("ogg", "libvpx", {}, {}),
]
NAMES = [f"{kind} {codec} {number}" for number, (kind, codec, _, _) in enumerate(FILMS)]


def made(
    path: Path,
    kind: str,
    codec: str,
    options: dict[str, str],
    container: dict[str, str],
    times: Sequence[int] | None = None,
) -> Path:
    """Write such a film, LONG frames of a moving disc and noise."""
    if codec not in av.codecs_available:
        pytest.skip(f"this build of av has no {codec}")

    def prepare(stream) -> None:
        stream.options = options
        if codec == "mjpeg":
            stream.pix_fmt = "yuvj420p"
        if codec == "mpeg2video":
            stream.codec_context.framerate = Fraction(25)

    size = (64, 96) if codec == "libsvtav1" else (H, W)
    clip = smooth(LONG, *size) // 2 + noise(LONG, *size) // 2
    return film(path, clip, codec, kind, times=times, prepare=prepare, **container)


@pytest.mark.parametrize("case", FILMS, ids=NAMES)
def test_a_film_cut_anywhere_is_told_or_has_all_its_frames(tmp_path: Path, case) -> None:
    path = made(tmp_path / "a", *case)
    whole = read_video(path)
    assert len(whole) == LONG
    assert cut_off(path) is None
    data = path.read_bytes()
    short = 0
    for share in (0.6, 0.9, 0.95, 0.97, 0.98, 0.99, 0.997):
        path.write_bytes(data[: round(share * len(data)) | 1])
        try:
            found = len(read_video(path))
        except VideoUnreadable as error:
            short += "cut off" in str(error)
        else:
            short += found == LONG
    assert short == 7
    path.write_bytes(data[: round(0.9 * len(data)) | 1])
    if case[:2] == ("mp4", "libx264") and not case[3]:  # its index, at the end, is gone
        assert "cut off" in refusal(path)
        return
    with pytest.warns(InputNotice, match="cut off.* going on with what comes before"):
        part = read_video(path, partial=True)
    assert torch.equal(part, whole[: len(part)])


@pytest.mark.parametrize(
    "case", [case for case in FILMS if case[0] in ("mp4", "matroska", "avi", "flv")], ids=lambda c: c[0]
)
def test_a_film_of_uneven_times_is_whole(tmp_path: Path, case) -> None:
    times = np.cumsum([0, *[40, 120, 40, 280] * LONG])[:LONG].tolist()
    path = made(tmp_path / "a", *case, times=times)
    if case[0] != "avi":  # it has no times, and repeats frames instead
        with pytest.warns(InputNotice, match="shows frames for"):
            assert len(read_video(path)) == LONG


def test_an_edit_list_that_hides_the_end_is_no_cut(tmp_path: Path) -> None:
    path = made(tmp_path / "a.mp4", *FILMS[0])
    data = bytearray(path.read_bytes())
    at = data.index(b"elst") + 12
    (length,) = struct.unpack(">I", data[at : at + 4])
    data[at : at + 4] = struct.pack(">I", length // 2)
    path.write_bytes(data)
    assert len(read_video(path)) == LONG // 2


@pytest.mark.parametrize("case", FILMS[:3] + FILMS[8:9] + FILMS[13:16], ids=lambda c: c[0])
def test_what_stands_behind_a_film_is_no_matter(tmp_path: Path, case) -> None:
    path = made(tmp_path / "a", *case)
    for more in (bytes(5000), b"added by somebody else " * 50):
        path.write_bytes(path.read_bytes() + more)
        assert len(read_video(path)) == LONG


@pytest.mark.parametrize("name", [b"pdin", b"Abc1"])
def test_boxes_that_are_not_known_are_stepped_over(tmp_path: Path, name: bytes) -> None:
    path = made(tmp_path / "a", *FILMS[2])
    data = path.read_bytes()
    at = data.index(b"moof") - 4
    path.write_bytes(data[:at] + struct.pack(">I4s8x", 16, name) + data[at:])
    assert len(read_video(path)) == LONG


def _removed(data: bytes, step: int) -> bytes:
    start, end = len(data) // 3 // step * step, len(data) // 2 // step * step
    return data[:start] + data[end:]


def _zeroed(data: bytes, step: int) -> bytes:
    start, end = len(data) // 3 // step * step, len(data) // 2 // step * step
    return data[:start] + bytes(end - start) + data[end:]


@pytest.mark.parametrize("harm", [_removed, _zeroed])
@pytest.mark.parametrize("step", [188, 1])
def test_a_hole_in_a_transport_stream_is_told(
    tmp_path: Path, harm: Callable[[bytes, int], bytes], step: int
) -> None:
    path = made(tmp_path / "a.ts", "mpegts", "libx264", B_FRAMES, {})
    whole, data = read_video(path), path.read_bytes()
    path.write_bytes(harm(data, step))
    assert "is damaged after frame" in refusal(path)
    with pytest.warns(InputNotice, match="frames of it are missing|had to guess") as told:
        part = read_video(path, partial=True)
    assert len(told) == 1
    assert torch.equal(part, whole[: len(part)])
    path.write_bytes(data + data)  # two films put together
    assert len(read_video(path)) == 2 * LONG


@pytest.mark.parametrize("harm", [_removed, _zeroed])
@pytest.mark.parametrize(
    "case", [case for case in FILMS if "live" not in case[3] and case[0] != "asf"], ids=lambda c: c[0]
)
def test_a_hole_in_any_film_is_told(tmp_path: Path, case, harm: Callable[[bytes, int], bytes]) -> None:
    path = made(tmp_path / "a", *case)
    path.write_bytes(harm(path.read_bytes(), 1))
    assert "damaged" in (said := refusal(path)) or "decoded" in said


def test_a_film_whose_end_was_never_written_is_told(tmp_path: Path) -> None:
    """Some decoders pass over packets of zeros."""
    path = made(tmp_path / "a.mp4", "mp4", "libsvtav1", {}, {"movflags": "faststart"})
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 3 // 4] + bytes(len(data) - len(data) * 3 // 4))
    assert "never written" in refusal(path)


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png"])
def test_a_cut_animation_is_told_as_cut(tmp_path: Path, name: str) -> None:
    path = animation(tmp_path / name, noise(9), **({"lossless": True} if name == "a.webp" else {}))
    data = path.read_bytes()
    for share in (0.2, 0.5, 0.9, 0.97, 0.99):
        path.write_bytes(data[: round(share * len(data))])
        assert "cut off" in refusal(path)
    path.write_bytes(data + b"behind")
    assert len(read_video(path)) == 9


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _apng(path: Path, frames: Sequence[tuple[np.ndarray, tuple[int, int], int, int]]) -> Path:
    """Frames: (h, w, 4) bytes, where (left, top), disposal, blend; on a canvas of W x H."""
    body, number = b"", 0
    for index, (pixels, (left, top), disposal, blend) in enumerate(frames):
        high, wide = pixels.shape[:2]
        fields = struct.pack(">IIIIIHHBB", number, wide, high, left, top, 1, 10, disposal, blend)
        data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in pixels))
        body += _chunk(b"fcTL", fields)
        body += _chunk(b"fdAT", struct.pack(">I", number + 1) + data) if index else _chunk(b"IDAT", data)
        number += 2 if index else 1
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", W, H, 8, 6, 0, 0, 0))
    total = _chunk(b"acTL", struct.pack(">II", len(frames), 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + total + body + _chunk(b"IEND", b""))
    return path


@pytest.mark.parametrize("disposal", [0, 1, 2])
@pytest.mark.parametrize("blend", [0, 1])
def test_half_transparent_frames_are_laid_as_the_format_says(
    tmp_path: Path, disposal: int, blend: int
) -> None:
    """Worked out pixel by pixel: over what lies there, and what is left of a frame when it is over."""
    draw = np.random.default_rng(disposal)
    whole = draw.integers(0, 256, (H, W, 4), dtype=np.uint8)
    small = [draw.integers(0, 256, (9, 13, 4), dtype=np.uint8) for _ in range(T - 1)]
    frames = [
        (whole, (0, 0), 0, 0),
        *((picture, (3 + 4 * n, 2 + 3 * n), disposal, blend) for n, picture in enumerate(small)),
    ]
    canvas, wanted = np.zeros((H, W, 4)), []
    for picture, (left, top), over, mixed in frames:
        before = canvas.copy()
        for y in range(picture.shape[0]):
            for x in range(picture.shape[1]):
                *colour, alpha = picture[y, x] / 255
                *under, beneath = canvas[top + y, left + x]
                rest = beneath * (1 - alpha) if mixed else 0.0
                total = alpha + rest
                mix = [
                    (c * alpha + u * rest) / total if total else 0.0
                    for c, u in zip(colour, under, strict=True)
                ]
                canvas[top + y, left + x] = [*mix, total]
        wanted.append(canvas[..., :3] * canvas[..., 3:])
        if over == 2:
            canvas = before
        elif over == 1:
            canvas[top : top + picture.shape[0], left : left + picture.shape[1]] = 0
    video = read_video(_apng(tmp_path / "a.png", frames))
    torch.testing.assert_close(
        video.permute(0, 2, 3, 1), torch.tensor(np.array(wanted)).float(), atol=0.6 / 255, rtol=0
    )


def test_an_animation_without_one_of_its_frames_is_damaged(tmp_path: Path) -> None:
    clip = noise()
    path = _apng(
        tmp_path / "a.png", [(np.dstack([f, np.full((H, W), 255, np.uint8)]), (0, 0), 0, 0) for f in clip]
    )
    assert torch.equal(read_video(path), expected(clip))
    data = path.read_bytes()
    first = data.index(b"fdAT") - 4
    length = 12 + int.from_bytes(data[first : first + 4], "big")
    path.write_bytes(data[:first] + data[first + length :])
    assert "is damaged" in refusal(path)
