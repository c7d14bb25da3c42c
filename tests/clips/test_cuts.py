"""Some frames of a video are those of the whole one, and few others are decoded for them."""

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from clip_files import animation, expected
from outside import needs, outside
from PIL import Image

from kinetoscope.clips import cuts
from kinetoscope.clips.cuts import first_fault, read_cut
from kinetoscope.clips.video import read_video
from kinetoscope.errors import ClipTooSmall, VideoUnreadable

FRAMES = np.random.default_rng(0).integers(0, 256, (60, 32, 48, 3), dtype=np.uint8)
PICKS = [(0, 1, 2), (17, 19, 21, 21), (40, 39), (57, 58, 59, 59), (30,)]
FILMS = [
    ("a.mp4", "libx264", {"bf": "0"}),
    ("a.mp4", "libx264", {"bf": "3", "x264-params": "open-gop=1"}),
    ("a.avi", "mpeg4", {"bf": "0"}),
    ("a.avi", "mpeg4", {"bf": "2"}),
    ("a.webm", "libvpx-vp9", {"lag-in-frames": "10", "cpu-used": "8", "deadline": "realtime"}),
    ("a.mkv", "ffv1", {}),
]


def film(path: Path, codec: str, options: dict[str, str]) -> Path:
    """Sixty frames with a key frame every twelve."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10, options={"g": "12", **options})
        stream.height, stream.width = FRAMES.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for frame in FRAMES:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize(("name", "codec", "options"), FILMS)
def test_frames_of_films(tmp_path: Path, name: str, codec: str, options: dict[str, str]) -> None:
    path = film(tmp_path / name, codec, options)
    whole = read_video(path)
    for picks in PICKS:
        asked = []
        cut = read_cut(path, lambda count, p=picks, a=asked: [a.append(count), p][1])
        assert set(asked) == {len(whole)} == {60}
        assert torch.equal(cut, whole[list(picks)])


@pytest.mark.parametrize("options", [{"bf": "0"}, {"bf": "3"}])
def test_a_film_is_decoded_from_a_key_frame_on(
    tmp_path: Path, options: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = film(tmp_path / "a.mp4", "libx264", options)
    decoded, decode = [], cuts.decoded

    def counted(film: Any, stream: Any) -> Any:
        for frame in decode(film, stream):
            decoded.append(frame.pts)
            yield frame

    monkeypatch.setattr(cuts, "decoded", counted)
    read_cut(path, lambda count: [50, 51])
    assert 2 <= len(decoded) <= 8
    decoded.clear()
    read_cut(path, lambda count: [0, 1])
    assert 2 <= len(decoded) <= 5


def test_of_a_folder_only_chosen_pictures_are_opened(tmp_path: Path) -> None:
    for number in (1, 2, 9, 10, 11):
        Image.fromarray(FRAMES[number]).save(tmp_path / f"{number}.png")
    (tmp_path / "1.png").write_bytes(b"no picture")
    cut = read_cut(tmp_path, lambda count: [count - 2, count - 1, count - 1])
    assert torch.equal(cut, expected(FRAMES[[10, 11, 11]]))
    with pytest.raises(VideoUnreadable, match=r"1\.png"):
        read_cut(tmp_path, lambda count: [0, 1])
    Image.fromarray(FRAMES[0, :8]).save(tmp_path / "12.png")
    with pytest.raises(VideoUnreadable, match="different sizes: 48x32 and 48x8"):
        read_cut(tmp_path, lambda count: [3, 5])


def test_arrays_and_animations(tmp_path: Path) -> None:
    array = FRAMES.transpose(0, 3, 1, 2)
    np.save(tmp_path / "a.npy", array)
    assert torch.equal(read_cut(tmp_path / "a.npy", lambda count: [7, 9, 9]), expected(FRAMES[[7, 9, 9]]))
    path = animation(tmp_path / "a.png", FRAMES[:6])
    assert torch.equal(read_cut(path, lambda count: [count - 1, 2]), expected(FRAMES[[5, 2]]))


def test_what_cannot_be_read_is_refused_as_ever(tmp_path: Path) -> None:
    with pytest.raises(VideoUnreadable, match="no video at"):
        read_cut(tmp_path / "absent.mp4", lambda count: [0])
    (tmp_path / "a.mp4").write_bytes(b"no film" * 50)
    with pytest.raises(VideoUnreadable, match="no video that can be decoded"):
        read_cut(tmp_path / "a.mp4", lambda count: [0])
    (tmp_path / "empty").mkdir()
    with pytest.raises(VideoUnreadable, match="holds no images"):
        read_cut(tmp_path / "empty", lambda count: [0])
    Image.fromarray(FRAMES[0]).save(tmp_path / "empty" / "1.png")
    with pytest.raises(ClipTooSmall, match="1 frame"):
        read_cut(tmp_path / "empty", lambda count: [0])


def test_damage_elsewhere_goes_unnoticed_and_in_the_cut_is_told(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", "libx264", {"bf": "0"})
    whole = read_video(path)
    content = bytearray(path.read_bytes())
    place = int(0.5 * len(content))
    content[place : place + 40] = bytes(40)
    path.write_bytes(content)
    assert torch.equal(read_cut(path, lambda count: [5, 6]), whole[[5, 6]])
    with pytest.raises(VideoUnreadable, match="damaged"):
        read_video(path)
    with pytest.raises(VideoUnreadable, match="damaged"):
        read_cut(path, lambda count: [26, 27, 28, 29, 30, 31, 32])


def test_a_fault_is_told_alike_whichever_frames_were_wanted(tmp_path: Path) -> None:
    for number in range(4):
        (tmp_path / f"{number}.png").write_bytes(b"no picture")
    told = set()
    for number in range(4):
        with pytest.raises(VideoUnreadable) as caught:
            read_cut(tmp_path, lambda count, n=number: [n])
        told.add(first_fault(tmp_path, caught.value))
    assert len(told) == 1
    assert "0.png" in told.pop()
    assert first_fault(tmp_path / "absent.mp4", ValueError("else")).startswith("no video at")


@needs("clips")
def test_a_real_film() -> None:
    path = outside("clips") / "arm_wrestling.mp4"
    whole = read_video(path)
    cut = read_cut(path, lambda count: range(count // 2, count // 2 + 8))
    assert torch.equal(cut, whole[len(whole) // 2 : len(whole) // 2 + 8])
