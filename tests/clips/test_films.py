"""Clips come back as players show them: turned, on black, of square pixels, the main film, and all of it."""

import warnings
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from clip_files import H, T, W, animation, expected, film, noise, refusal, smooth
from PIL import Image as PillowImage

from kinetoscope.clips.cuts import read_cut
from kinetoscope.clips.films import turned
from kinetoscope.clips.video import read_video, read_windows
from kinetoscope.errors import InputNotice, VideoUnreadable

ONE = 1 << 16
MATRICES = {  # of EXIF's eight orientations: (a, b, c, d), a point goes to (ax + cy, bx + dy)
    1: (1, 0, 0, 1), 2: (-1, 0, 0, 1), 3: (-1, 0, 0, -1), 4: (1, 0, 0, -1),
    5: (0, 1, 1, 0), 6: (0, 1, -1, 0), 7: (0, -1, -1, 0), 8: (0, -1, 1, 0),
}  # fmt: skip


def nine(a: float, b: float, c: float, d: float) -> list[int]:
    return [round(v * ONE) for v in (a, b, 0, c, d, 0, 0, 0)] + [1 << 30]


def upright(picture: np.ndarray, orientation: int) -> np.ndarray:
    """A picture as EXIF's orientation shows it, after the standard's words on its first row and column."""
    turns = {
        1: lambda p: p, 2: np.fliplr, 3: lambda p: np.rot90(p, 2), 4: np.flipud,
        5: lambda p: p.swapaxes(0, 1), 6: lambda p: np.rot90(p, -1),
        7: lambda p: np.rot90(p.swapaxes(0, 1), 2), 8: np.rot90,
    }  # fmt: skip
    return turns[orientation](picture)


@pytest.mark.parametrize(
    ("kind", "orientation"), [*(("mp4", n) for n in MATRICES), *(("matroska", n) for n in (1, 3, 6, 8))]
)
def test_the_whole_display_matrix_counts(tmp_path: Path, kind: str, orientation: int) -> None:
    matrix = nine(*MATRICES[orientation])
    plain = read_video(film(tmp_path / "plain", smooth(), "mpeg4", kind)).permute(0, 2, 3, 1).numpy()
    path = film(
        tmp_path / "turned", smooth(), "mpeg4", kind, prepare=lambda stream: stream.set_display_matrix(matrix)
    )
    shown = np.stack([upright(frame, orientation) for frame in plain])
    assert torch.equal(read_video(path), torch.from_numpy(shown).permute(0, 3, 1, 2))
    assert torch.equal(read_cut(path, lambda n: [1, n - 1]), read_video(path)[[1, -1]])


def test_other_angles_turn_within_the_frame_and_nonsense_turns_nothing() -> None:
    picture = np.zeros((21, 41, 3), np.uint8)
    picture[10, 20:35] = 255  # points right; clockwise by 45 degrees it points right and down
    half = 0.5**0.5
    slanted = turned(picture, np.array(nine(half, half, -half, half)))
    assert slanted.shape == picture.shape
    assert slanted.flags.writeable  # torch warns of arrays that are not
    assert slanted[16, 26].min() > 100 > slanted[4, 26].max()
    for singular in (nine(0, 0, 0, 0), nine(1, 1, 1, 1)):
        assert turned(picture, np.array(singular)) is picture
    assert np.array_equal(turned(picture, np.array(nine(-2, 0, 0, 0.5))), picture[:, ::-1])


@pytest.mark.parametrize("orientation", MATRICES)
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp"])
def test_pictures_are_turned_as_their_camera_was(tmp_path: Path, orientation: int, name: str) -> None:
    exif = PillowImage.Exif()
    exif[0x0112] = orientation
    for number in (1, 2):
        picture = PillowImage.fromarray(smooth()[number])
        picture.save(tmp_path / f"{number}{name}", exif=exif, quality=95)
    stored = [np.asarray(PillowImage.open(tmp_path / f"{n}{name}").convert("RGB")) for n in (1, 2)]
    shown = np.stack([upright(picture, orientation) for picture in stored])
    assert torch.equal(read_video(tmp_path), expected(shown))
    assert torch.equal(read_cut(tmp_path, lambda n: [1]), expected(shown[1:]))


@pytest.mark.parametrize(
    ("codec", "kind", "pixels"),
    [
        ("png", "mov", "rgba"),
        ("qtrle", "mov", "argb"),
        ("ffv1", "matroska", "bgra"),
        ("prores_ks", "mov", "yuva444p10le"),
        ("libvpx-vp9", "webm", "yuva420p"),
        ("libvpx", "webm", "yuva420p"),
    ],
)
def test_transparent_pixels_of_films_lie_on_black(tmp_path: Path, codec: str, kind: str, pixels: str) -> None:
    if codec not in av.codecs_available:
        pytest.skip(f"this build of av has no {codec}")
    clip = np.full((T, H, W, 4), (200, 120, 60, 255), np.uint8)
    clip[:, :, W // 2 :, 3] = 0
    clip[:, : H // 2, : W // 2, 3] = 128

    def whole(stream: Any) -> None:
        stream.options = {"auto-alt-ref": "0", "qmin": "0", "qmax": "2"} if "vpx" in codec else {}

    path = film(tmp_path / "a", clip, codec, kind, pixels=pixels, prepare=whole)
    for video in (read_video(path), read_cut(path, lambda n: [0, 3])):
        assert video[..., W // 2 + 2 :].max() < 0.02
        torch.testing.assert_close(
            video[:, :, H - 3, 3],
            torch.tensor([200, 120, 60]).expand(len(video), -1) / 255,
            atol=0.02,
            rtol=0,
        )
        torch.testing.assert_close(
            video[:, :, 3, 3], torch.tensor([100, 60, 30]).expand(len(video), -1) / 255, atol=0.02, rtol=0
        )


LONG = 40


def long_film(path: Path, kind: str, codec: str, **options: str) -> Path:
    return film(path, noise(LONG), codec, kind, **options)


CUT = [
    ("mp4", "mpeg4", {"movflags": "faststart"}),
    ("mov", "mpeg4", {"movflags": "faststart"}),
    ("mp4", "mpeg4", {"movflags": "frag_keyframe+empty_moov+default_base_moof+global_sidx"}),
    ("matroska", "mpeg4", {}),
    ("webm", "libvpx", {}),
    ("avi", "mpeg4", {}),
    ("flv", "flv", {}),
    ("asf", "wmv2", {}),
]


@pytest.mark.parametrize(("kind", "codec", "options"), CUT, ids=[f"{k} {c}" for k, c, _ in CUT])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_half_a_file_is_refused_or_told(
    tmp_path: Path, kind: str, codec: str, options: dict[str, str], share: float
) -> None:
    if codec not in av.codecs_available:
        pytest.skip(f"this build of av has no {codec}")
    path = long_film(tmp_path / "a", kind, codec, **options)
    whole = read_video(path)
    assert len(whole) == LONG
    data = path.read_bytes()
    path.write_bytes(data[: round(share * len(data))])
    assert "damaged after frame" in refusal(path)
    with pytest.raises(VideoUnreadable, match="--partial"):
        list(read_windows(path, 4, 4))
    with pytest.warns(InputNotice, match="damaged after frame .* going on with what comes before") as told:
        part = read_video(path, partial=True)
    assert len(told) == 1
    assert share * LONG - 14 < len(part) < share * LONG + 4
    assert torch.equal(part, whole[: len(part)])
    with pytest.warns(InputNotice):
        assert sum(len(window.video) for window in read_windows(path, 9, 9, partial=True)) >= len(part)
    assert torch.equal(read_video(path, max_frames=10), whole[:10])


def test_a_film_of_which_a_part_is_shown_is_whole(tmp_path: Path) -> None:
    """An edit list hides the first second; sound that goes on longer, or a start that waits, is no cut."""
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.height, stream.width, stream.pix_fmt = H, W, "yuv420p"
        frames = [av.VideoFrame.from_ndarray(picture, format="rgb24") for picture in noise(LONG)]
        for packet in [packet for frame in [*frames, None] for packet in stream.encode(frame)]:
            second = round(1 / packet.time_base)
            packet.pts, packet.dts = packet.pts - second, packet.dts - second
            container.mux(packet)
    assert len(read_video(path)) == LONG - 10


@pytest.mark.parametrize("kind", ["mp4", "matroska", "avi"])
def test_sound_that_is_longer_is_no_cut(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a"
    with av.open(str(path), "w", format=kind) as container:
        picture, sound = container.add_stream("mpeg4", rate=10), container.add_stream("ac3", rate=48000)
        picture.height, picture.width, picture.pix_fmt = H, W, "yuv420p"
        for frame in noise(10):
            container.mux(picture.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(picture.encode())
        for number in range(63):  # two seconds
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1536), np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 48000, 1536 * number
            container.mux(sound.encode(frame))
        container.mux(sound.encode())
    assert len(read_video(path)) == 10


@pytest.mark.parametrize(("kind", "codec"), [("mp4", "mpeg4"), ("matroska", "mpeg4"), ("avi", "mpeg4")])
@pytest.mark.parametrize(
    ("ratio", "size"), [((2, 1), (24, 72)), ((1, 2), (48, 36)), ((16, 15), (24, 38)), ((405, 404), (24, 36))]
)
def test_oblong_pixels_are_made_square(
    tmp_path: Path, kind: str, codec: str, ratio: tuple[int, int], size: tuple[int, int]
) -> None:
    def oblong(stream: Any) -> None:
        stream.codec_context.sample_aspect_ratio = Fraction(*ratio)

    path = film(tmp_path / "a", smooth(), codec, kind, prepare=oblong)
    video = read_video(path)
    assert tuple(video.shape[2:]) == size
    plain = read_video(film(tmp_path / "b", smooth(), codec, kind))
    wide = torch.nn.functional.interpolate(plain, size=size, mode="bicubic")
    assert (video - wide).abs().mean() < 0.02
    assert torch.equal(read_cut(path, lambda n: [2]), video[2:3])


@pytest.mark.parametrize("kind", ["mp4", "matroska"])
def test_the_film_marked_default_is_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a"
    with av.open(str(path), "w", format=kind) as container:
        streams = [container.add_stream("mpeg4", rate=10) for _ in range(2)]
        for stream in streams:
            stream.height, stream.width, stream.pix_fmt = H, W, "yuv420p"
            stream.disposition = 0
        streams[1].disposition = av.stream.Disposition.default
        for stream, frames in zip(streams, (smooth(), 255 - smooth()), strict=True):
            for frame in frames:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            container.mux(stream.encode())
    assert (read_video(path) - expected(255 - smooth())).abs().mean() < 0.03
    assert torch.equal(read_cut(path, lambda n: [1]), read_video(path)[1:2])


def uneven_film(path: Path) -> Path:
    return film(path, smooth(), "mpeg4", "matroska", times=[0, 40, 80, 400, 440])


def uneven_gif(path: Path) -> Path:
    return animation(path.with_suffix(".gif"), smooth(), duration=[50, 50, 300, 50, 50])


def even_film(path: Path) -> Path:
    return film(path, smooth(), "mpeg4", "matroska", times=[0, 33, 67, 100, 133])


def even_gif(path: Path) -> Path:
    """The last frame stays before the loop begins anew."""
    return animation(path.with_suffix(".gif"), smooth(), duration=[50, 50, 50, 50, 2000])


@pytest.mark.parametrize("write", [uneven_film, uneven_gif])
def test_uneven_frame_times_are_told_once(tmp_path: Path, write: Callable[[Path], Path]) -> None:
    path = write(tmp_path / "a")
    with pytest.warns(InputNotice, match=r"shows frames for 0.0[45] to 0.3") as told:
        assert len(read_video(path)) == T
    assert len(told) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_cut(path, lambda n: [0, 1])


@pytest.mark.parametrize("write", [even_film, even_gif])
def test_rounded_frame_times_are_even(tmp_path: Path, write: Callable[[Path], Path]) -> None:
    assert len(read_video(write(tmp_path / "a"))) == T


@pytest.mark.parametrize("beyond", [1 + 2**-23, -(2**-30), 1 + 5e-6])
def test_arrays_may_miss_the_range_by_rounding(tmp_path: Path, beyond: float) -> None:
    array = np.full((2, 3, 4, 6), 0.5, np.float32)
    array[0, 0, 0, 0] = beyond
    np.save(tmp_path / "a.npy", array)
    video = read_video(tmp_path / "a.npy")
    assert float(video[0, 0, 0, 0]) == round(beyond)
    array[0, 0, 0, 0] = 1.0001
    np.save(tmp_path / "a.npy", array)
    assert "to 1.00010002;" in refusal(tmp_path / "a.npy")


def test_oblong_pixels_of_a_turned_film_are_made_square_first(tmp_path: Path) -> None:
    def both(stream: Any) -> None:
        stream.codec_context.sample_aspect_ratio = Fraction(9, 16)
        stream.set_display_matrix(nine(*MATRICES[6]))

    video = read_video(film(tmp_path / "a", smooth(), "mpeg4", "mp4", prepare=both))
    assert tuple(video.shape[2:]) == (W, round(H * 16 / 9))


@pytest.mark.parametrize("claimed", [T + 1, T + 2])
def test_an_avi_that_claims_a_frame_too_many_is_whole(tmp_path: Path, claimed: int) -> None:
    path = film(tmp_path / "a.avi", smooth(), "mpeg4", "avi")
    data = bytearray(path.read_bytes())
    length = data.index(b"strh") + 8 + 32  # dwLength of the stream's header
    assert int.from_bytes(data[length : length + 4], "little") == T
    data[length : length + 4] = claimed.to_bytes(4, "little")
    path.write_bytes(data)
    assert len(read_video(path)) == T


def test_another_film_in_the_file_that_is_longer_is_no_cut(tmp_path: Path) -> None:
    """Not every writer notes each stream's own duration; the whole file's is that of the longest."""
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("mpeg4", rate=10) for _ in range(2)]
        for stream, disposition in zip(streams, (av.stream.Disposition.default, 0), strict=True):
            stream.height, stream.width, stream.pix_fmt, stream.disposition = H, W, "yuv420p", disposition
        for stream, frames in zip(streams, (smooth(), smooth(LONG)), strict=True):
            for frame in frames:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            container.mux(stream.encode())
    data = path.read_bytes()
    assert b"DURATION" in data
    path.write_bytes(data.replace(b"DURATION", b"WRITTEN."))
    assert len(read_video(path)) == T


@pytest.mark.parametrize("kind", ["mp4", "matroska", "asf"])
def test_a_last_frame_that_stays_long_is_no_cut(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a"
    with av.open(str(path), "w", format=kind) as container:
        stream = container.add_stream("mpeg4" if kind != "asf" else "wmv2", rate=10)
        stream.height, stream.width, stream.pix_fmt = H, W, "yuv420p"
        frames = [av.VideoFrame.from_ndarray(picture, format="rgb24") for picture in smooth()]
        packets = [packet for frame in [*frames, None] for packet in stream.encode(frame)]
        packets[-1].duration *= 50
        container.mux(packets)
    assert len(read_video(path)) == T


def test_a_damaged_picture_ends_the_part_that_is_read(tmp_path: Path) -> None:
    for number, picture in enumerate(smooth()):
        PillowImage.fromarray(picture).save(tmp_path / f"{number}.png")
    data = (tmp_path / "3.png").read_bytes()
    for less in (data[:-30], b""):
        (tmp_path / "3.png").write_bytes(less)
        assert "save it again, or read what comes before with --partial" in refusal(tmp_path)
        with pytest.warns(InputNotice, match="3.png' is .*; going on with what comes before"):
            assert torch.equal(read_video(tmp_path, partial=True), expected(smooth()[:3]))


def test_a_container_that_is_not_read_is_told_as_such(tmp_path: Path) -> None:
    path = film(tmp_path / "a.nut", smooth(), "mpeg4", "nut")
    assert "its container is none of those that are read" in refusal(path)
