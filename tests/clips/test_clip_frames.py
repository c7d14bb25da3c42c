"""A clip comes back as it was written, whatever holds it; what is no clip is refused in one clear line."""

import contextlib
import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from clip_files import H, T, W, animation, expected, film, noise, refusal, smooth
from outside import needs, outside
from PIL import Image as PillowImage

from kinetoscope.clips.video import read_video
from kinetoscope.errors import KinetoscopeError, VideoUnreadable


@pytest.fixture
def frames() -> np.ndarray:
    return noise()


@pytest.mark.parametrize(
    ("name", "codec", "kind"),
    [
        ("a.mp4", "mpeg4", "mp4"),
        ("a.avi", "mpeg4", "avi"),
        ("a.mkv", "mpeg4", "matroska"),
        ("a.webm", "libvpx", "webm"),
    ],
)
def test_films_come_back_frame_by_frame(tmp_path: Path, name: str, codec: str, kind: str) -> None:
    if codec not in av.codecs_available:
        pytest.skip(f"this build of av has no {codec}")
    clip = smooth()
    video = read_video(film(tmp_path / name, clip, codec, kind))
    assert video.shape == (T, 3, H, W)
    assert video.dtype == torch.float32
    assert (video - expected(clip)).abs().mean() < 0.03
    # The disc moves right by four pixels a frame: order and axes are right.
    columns = (video[:, 0].mean(1) - video[:, 0].mean((0, 1))).argmax(-1)
    assert columns[-1] > columns[0]


@pytest.mark.parametrize(("name", "options"), [("a.webp", {"lossless": True}), ("a.png", {})])
def test_lossless_animations_are_exact(tmp_path: Path, frames: np.ndarray, name: str, options: dict) -> None:
    path = animation(tmp_path / name, frames, **options)
    assert torch.equal(read_video(path), expected(frames))


def test_a_gif_of_few_colours_is_exact_and_its_frames_whole(tmp_path: Path) -> None:
    clip = np.zeros((T, H, W, 3), dtype=np.uint8)
    clip[..., 1] = 90
    for t in range(T):  # a small patch moves: the file stores only what changes
        clip[t, 3 + t : 8 + t, 2 + 4 * t : 9 + 4 * t] = (250, 10, 40)
    assert torch.equal(read_video(animation(tmp_path / "a.gif", clip)), expected(clip))


@pytest.mark.parametrize("disposal", [1, 2])
def test_transparent_gif_frames_are_disposed_of_and_lie_on_black(tmp_path: Path, disposal: int) -> None:
    left, right = np.zeros((2, H, W, 4), dtype=np.uint8)
    left[:, :10] = (255, 0, 0, 255)
    right[:, 20:] = (0, 0, 255, 255)
    pictures = [PillowImage.fromarray(picture) for picture in (left, right)]
    path = tmp_path / "a.gif"
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=100, disposal=disposal)
    video = read_video(path)
    assert torch.equal(video[0, :, 0, 15], torch.zeros(3))
    assert torch.equal(video[1, :, 0, 30], torch.tensor([0.0, 0.0, 1.0]))
    kept = torch.tensor([1.0, 0.0, 0.0]) if disposal == 1 else torch.zeros(3)
    assert torch.equal(video[1, :, 0, 5], kept)


def test_partly_transparent_pixels_are_mixed_with_black(tmp_path: Path) -> None:
    clip = np.full((2, H, W, 4), (200, 100, 50, 128), dtype=np.uint8)
    clip[1, 0, 0] = (0, 0, 0, 255)
    video = read_video(animation(tmp_path / "a.png", clip))
    assert torch.allclose(video[0, :, 5, 5] * 255, torch.tensor([100.0, 50.0, 25.0]), atol=0.51)


def test_a_folder_is_read_in_natural_order(tmp_path: Path, frames: np.ndarray) -> None:
    for index, number in enumerate((1, 2, 9, 10, 100)):
        PillowImage.fromarray(frames[index]).save(tmp_path / f"frame{number}.png")
    (tmp_path / ".hidden.png").write_bytes(b"no picture")
    (tmp_path / "notes.txt").write_text("not a frame")
    assert torch.equal(read_video(tmp_path), expected(frames))
    assert torch.equal(read_video(tmp_path, max_frames=3), expected(frames[:3]))


def test_grey_and_palette_frames_become_rgb(tmp_path: Path, frames: np.ndarray) -> None:
    grey = frames[..., 0]
    for index in range(2):
        PillowImage.fromarray(grey[index]).save(tmp_path / f"{index}.png")
    assert torch.equal(read_video(tmp_path), expected(np.repeat(grey[:2, ..., None], 3, -1)))


@pytest.mark.parametrize("layout", ["time channel", "channel last"])
@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64", ">f4", "float16"])
def test_arrays_in_both_layouts(tmp_path: Path, frames: np.ndarray, layout: str, dtype: str) -> None:
    array = frames if dtype == "uint8" else (frames / 255.0).astype(dtype)
    if layout == "time channel":
        array = np.moveaxis(array, 3, 1)
    np.save(tmp_path / "a.npy", array)
    tolerance = 1e-3 if dtype == "float16" else 1e-6
    assert torch.allclose(read_video(tmp_path / "a.npy"), expected(frames), atol=tolerance)
    assert read_video(str(tmp_path / "a.npy"), max_frames=2).shape == (2, 3, H, W)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((4, 1, 8, 9), np.uint8), "numpy.repeat(a, 3, axis=1)"),
        (np.zeros((4, 8, 9, 1), np.uint8), "numpy.repeat(a, 3, axis=3)"),
        (np.zeros((4, 2, 8, 9), np.uint8), "three channels"),
        (np.zeros((4, 4, 8, 9), np.uint8), "a[:, :3]"),
        (np.zeros((4, 8, 9, 4), np.uint8), "a[..., :3]"),
        (np.zeros((3, 4, 8, 9), np.uint8), "numpy.moveaxis(a, 0, 1)"),
        (np.zeros((4, 7, 8, 9), np.uint8), "(T, 3, H, W)"),
        (np.zeros((4, 8, 9), np.uint8), "numpy.stack"),
        (np.zeros((8, 9), np.uint8), "four axes"),
        (np.zeros((), np.uint8), "four axes"),
        (np.zeros((4, 3, 0, 9), np.uint8), "no pixels"),
        (np.zeros((4, 3, 8, 9), np.int64), "int64"),
        (np.zeros((4, 3, 8, 9), np.complex64), "complex64"),
        (np.zeros((4, 3, 8, 9), bool), "bool"),
        (np.full((4, 3, 8, 9), np.nan), "not finite"),
        (np.full((4, 3, 8, 9), 1e300), "not finite"),
        (np.full((4, 3, 8, 9), 255.0), "divide by 255"),
        (np.full((4, 3, 8, 9), -0.5), "from -0.5"),
    ],
)
def test_arrays_that_are_no_clips_are_refused_with_a_repair(
    tmp_path: Path, array: np.ndarray, words: str
) -> None:
    np.save(tmp_path / "a.npy", array)
    assert words in refusal(tmp_path / "a.npy")


def test_object_arrays_are_never_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.array([{"a": 1}, None], dtype=object), allow_pickle=True)
    assert "no plain array" in refusal(path)


def test_a_header_that_claims_too_much_costs_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    header = "{'descr': '|u1', 'fortran_order': False, 'shape': (1000000, 3, 100000, 100000), }"
    header = header.ljust(117) + "\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + b"\0" * 100)
    assert "no plain array" in refusal(path)


def test_a_picture_header_that_claims_too_much_is_refused(tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    size = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    path = tmp_path / "a.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", b"") + chunk(b"IEND", b""))
    assert "no picture that can be decoded" in refusal(path)


def test_a_playlist_dressed_up_as_film_opens_nothing(tmp_path: Path) -> None:
    film(tmp_path / "secret.ts", smooth(), "mpeg4", "mpegts")
    path = tmp_path / "list.mp4"
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nsecret.ts\n#EXT-X-ENDLIST\n")
    assert "no video that can be decoded" in refusal(path)


def test_sound_without_pictures_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "sound.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame(format="s16", layout="mono", samples=1024)
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    assert "no pictures" in refusal(path)


def test_frames_of_different_sizes_are_refused(tmp_path: Path) -> None:
    for index, size in enumerate([(36, 24), (36, 24), (24, 36)]):
        PillowImage.new("RGB", size).save(tmp_path / f"{index}.png")
    message = refusal(tmp_path)
    assert "36x24" in message
    assert "frame 2 is 24x36" in message


def test_sixteen_bit_frames_are_refused_rather_than_clipped(tmp_path: Path) -> None:
    for index in range(2):
        PillowImage.fromarray(np.full((8, 9), 40000, np.uint16)).save(tmp_path / f"{index}.png")
    with pytest.raises(VideoUnreadable, match="8 bits"):
        read_video(tmp_path)


def test_films_are_turned_upright(tmp_path: Path) -> None:
    clip = smooth()
    path = film(tmp_path / "a.mp4", clip, "mpeg4", "mp4")
    upright = read_video(path)
    data = path.read_bytes()
    at = data.index(b"tkhd") + 4 + 40  # the display matrix of a version 0 track header
    one, quarter_clockwise = 1 << 16, (0, 1, 0, -1, 0, 0, 0, 0)
    matrix = struct.pack(">9i", *(value * one for value in quarter_clockwise), 1 << 30)
    path.write_bytes(data[:at] + matrix + data[at + 36 :])
    assert torch.equal(read_video(path), torch.rot90(upright, -1, (2, 3)))


def _cut(data: bytes) -> bytes:
    return data[: len(data) * 2 // 3]


def _overwrite(data: bytes) -> bytes:
    middle = len(data) // 3
    return data[:middle] + b"z" * (len(data) // 4) + data[middle + len(data) // 4 :]


@pytest.mark.parametrize("harm", [_cut, _overwrite])
@pytest.mark.parametrize("name", ["a.webp", "a.png", "a.mp4"])
def test_damage_is_reported_not_shown(
    tmp_path: Path,
    frames: np.ndarray,
    name: str,
    harm: Callable[[bytes], bytes],
    capfd: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / name
    if name == "a.mp4":
        film(path, frames, "libx264" if "libx264" in av.codecs_available else "mpeg4", "mp4")
    else:
        animation(path, frames, **({"lossless": True} if name == "a.webp" else {}))
    path.write_bytes(harm(path.read_bytes()))
    assert "decoded" in refusal(path) or "damaged" in refusal(path)
    assert capfd.readouterr().err == ""


def test_random_damage_never_escapes_as_another_error(tmp_path: Path, frames: np.ndarray) -> None:
    generator = np.random.default_rng(3)
    sources = [
        animation(tmp_path / "a.webp", frames, lossless=True),
        animation(tmp_path / "a.png", frames),
        animation(tmp_path / "a.gif", frames),
        film(tmp_path / "a.mkv", frames, "mpeg4", "matroska"),
        film(tmp_path / "a.mp4", frames, "mpeg4", "mp4"),
    ]
    np.save(tmp_path / "a.npy", frames)
    for source in [*sources, tmp_path / "a.npy"]:
        data = source.read_bytes()
        for trial in range(25):
            harmed = bytearray(data)
            reach = len(data) if trial % 2 else 200
            for _ in range(10):
                harmed[generator.integers(reach)] = generator.integers(256)
            source.write_bytes(harmed)
            with contextlib.suppress(KinetoscopeError):
                video = read_video(source)
                assert 0.0 <= float(video.min()) <= float(video.max()) <= 1.0


@needs("optimal_videos")
@needs("clips")
def test_published_clips_are_whole_and_exact() -> None:
    path = outside("optimal_videos") / "c3d_conv3_f5.webp"
    video = read_video(path)
    assert video.shape == (16, 3, 128, 128)
    with PillowImage.open(path) as picture:
        picture.seek(9)
        assert torch.equal(video[9], expected(np.array(picture)[None, ..., :3])[0])
    assert read_video(outside("clips") / "tennis.mp4").shape == (16, 3, 256, 454)
    gif = outside("clips") / "cricket_shot.gif"
    with av.open(io.BytesIO(gif.read_bytes())) as container:
        other = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
    assert torch.equal(read_video(gif), expected(other))
