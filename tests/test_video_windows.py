"""A long clip read window by window holds the same frames as read at once."""

from pathlib import Path

import av
import numpy as np
import pytest
import torch

from kinetoscope.errors import ClipTooSmall, SettingInvalid, VideoUnreadable
from kinetoscope.video import fit_clip, read_video, read_windows

T, H, W = 11, 12, 18


@pytest.fixture
def film(tmp_path: Path) -> Path:
    frames = np.random.default_rng(0).integers(0, 256, (T, H, W, 3), dtype=np.uint8)
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.height, stream.width = H, W
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return tmp_path / "a.mp4"


@pytest.mark.parametrize("kind", ["mp4", "npy"])
@pytest.mark.parametrize(("length", "step"), [(4, 4), (4, 3), (5, 1), (11, 2), (40, 7), (1, 1)])
def test_windows_cover_the_clip_and_end_with_it(film: Path, kind: str, length: int, step: int) -> None:
    whole, path = read_video(film), film
    if kind == "npy":
        path = film.with_suffix(".npy")
        np.save(path, whole.numpy())
    windows = list(read_windows(path, length, step))
    assert [w.last for w in windows] == [False] * (len(windows) - 1) + [True]
    assert [w.start for w in windows[:-1]] == list(range(0, (len(windows) - 1) * step, step))
    for window in windows:
        assert len(window.video) == min(length, T)
        assert torch.equal(window.video, whole[window.start : window.start + length])
    assert windows[-1].start + len(windows[-1].video) == T


def test_only_the_window_has_to_fit(film: Path) -> None:
    room = 4 * 3 * H * W * 4
    assert len(list(read_windows(film, 4, 4, max_bytes=room))) == 3
    with pytest.raises(VideoUnreadable, match="5 frames"):
        list(read_windows(film, 5, 5, max_bytes=room))
    with pytest.raises(VideoUnreadable):
        read_video(film, max_bytes=room)


def test_what_is_no_clip_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VideoUnreadable, match="no video"):
        next(read_windows(tmp_path / "none.mp4", 4, 4))
    np.save(tmp_path / "one.npy", np.zeros((1, 3, 4, 6), np.uint8))
    with pytest.raises(ClipTooSmall, match="1 frame"):
        list(read_windows(tmp_path / "one.npy", 4, 4))
    for length, step in ((4, 5), (4, 0)):
        with pytest.raises(SettingInvalid, match="step"):
            next(read_windows(tmp_path / "one.npy", length, step))


def test_clips_are_scaled_to_cover_and_cut_evenly() -> None:
    ramp = torch.linspace(0, 1, 20).expand(2, 3, 10, 20)
    cut = fit_clip(ramp, 3, 10, 12)
    assert torch.equal(cut, ramp[..., 4:16])
    small = fit_clip(ramp, 1, 5, 8)
    assert small.shape == (2, 1, 5, 8)
    torch.testing.assert_close(float(small.mean()), 0.5, atol=0.02, rtol=0)
    assert fit_clip(ramp, 3, 31, 17).shape == (2, 3, 31, 17)
