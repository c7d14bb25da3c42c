"""Limits hold for every kind of clip; a long clip read window by window holds the same frames as at once."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from clip_files import H, T, W, animation, film, noise, refusal
from PIL import Image as PillowImage

from kinetoscope.clips.video import fit_channels, fit_clip, read_video, read_windows
from kinetoscope.errors import ClipTooSmall, SettingInvalid, VideoUnreadable

LONG = 11


@pytest.mark.parametrize("name", ["a.npy", "a.mp4", "a.png"])
def test_clips_over_the_memory_limit_are_refused(tmp_path: Path, name: str) -> None:
    frames = noise()
    path = tmp_path / name
    if name == "a.npy":
        np.save(path, frames)
    elif name == "a.png":
        animation(path, frames)
    else:
        film(path, frames, "mpeg4", "mp4")
    room = 4 * 3 * T * H * W
    assert read_video(path, max_bytes=room).shape[0] == T
    assert "max_frames" in refusal(path, max_bytes=room - 1)
    assert read_video(path, max_bytes=room - 1, max_frames=T - 1).shape[0] == T - 1


def test_fewer_than_two_frames_are_refused(tmp_path: Path) -> None:
    frames = noise()
    np.save(tmp_path / "a.npy", frames[:1])
    PillowImage.fromarray(frames[0]).save(tmp_path / "b.png")
    film(tmp_path / "c.mp4", frames[:1], "mpeg4", "mp4")
    for name in ("a.npy", "b.png", "c.mp4"):
        assert "at least two" in refusal(tmp_path / name, ClipTooSmall)
    (tmp_path / "folder").mkdir()
    PillowImage.fromarray(frames[0]).save(tmp_path / "folder" / "0.png")
    assert "at least two" in refusal(tmp_path / "folder", ClipTooSmall)
    with pytest.raises(SettingInvalid, match="max_frames"):
        read_video(tmp_path / "a.npy", max_frames=1)


def test_missing_empty_and_foreign_files_are_refused(tmp_path: Path) -> None:
    assert "no video at" in refusal(tmp_path / "absent.mp4")
    for suffix in (".mp4", ".gif", ".webp", ".npy"):
        empty, text = tmp_path / f"empty{suffix}", tmp_path / f"text{suffix}"
        empty.touch()
        text.write_text("this is not a clip\n" * 30)
        assert "empty" in refusal(empty)
        assert "folder of frames" in refusal(text) or "numpy.save" in refusal(text)
    (tmp_path / "bare").mkdir()
    assert "holds no images" in refusal(tmp_path / "bare")
    (tmp_path / "bare" / "clip.mp4").touch()
    assert "clip.mp4" in refusal(tmp_path / "bare")
    os.mkfifo(tmp_path / "pipe.mp4")
    assert "neither a file nor a folder" in refusal(tmp_path / "pipe.mp4")


@pytest.fixture
def long_film(tmp_path: Path) -> Path:
    return film(tmp_path / "a.mp4", noise(LONG), "mpeg4", "mp4")


@pytest.mark.parametrize("kind", ["mp4", "npy"])
@pytest.mark.parametrize(("length", "step"), [(4, 4), (4, 3), (5, 1), (11, 2), (40, 7), (1, 1)])
def test_windows_cover_the_clip_and_end_with_it(long_film: Path, kind: str, length: int, step: int) -> None:
    whole, path = read_video(long_film), long_film
    if kind == "npy":
        path = long_film.with_suffix(".npy")
        np.save(path, whole.numpy())
    windows = list(read_windows(path, length, step))
    assert [w.last for w in windows] == [False] * (len(windows) - 1) + [True]
    assert [w.start for w in windows[:-1]] == list(range(0, (len(windows) - 1) * step, step))
    for window in windows:
        assert len(window.video) == min(length, LONG)
        assert torch.equal(window.video, whole[window.start : window.start + length])
    assert windows[-1].start + len(windows[-1].video) == LONG


def test_only_the_window_has_to_fit(long_film: Path) -> None:
    room = 4 * 3 * H * W * 4
    assert len(list(read_windows(long_film, 4, 4, max_bytes=room))) == 3
    with pytest.raises(VideoUnreadable, match="5 frames"):
        list(read_windows(long_film, 5, 5, max_bytes=room))
    with pytest.raises(VideoUnreadable):
        read_video(long_film, max_bytes=room)


def test_windows_of_what_is_no_clip_are_refused(tmp_path: Path) -> None:
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


@pytest.mark.parametrize("channels", [1, 2, 5])
@pytest.mark.parametrize("last", [False, True], ids=["channels before rows", "channels last"])
def test_windows_of_arrays_have_the_channels_that_are_wanted(
    tmp_path: Path, channels: int, last: bool
) -> None:
    video = np.random.default_rng(0).random((T, channels, H, W), dtype=np.float32)
    np.save(tmp_path / "a.npy", np.moveaxis(video, 1, 3) if last else video)
    for wanted in (channels, None):
        (window,) = read_windows(tmp_path / "a.npy", T, 1, channels=wanted)
        assert torch.equal(window.video, torch.from_numpy(video))
    with pytest.raises(VideoUnreadable, match=r"\(T, 3, H, W\)"):
        next(read_windows(tmp_path / "a.npy", 2, 2))
    with pytest.raises(VideoUnreadable, match=r"4 channels is \(T, 4, H, W\)"):
        next(read_windows(tmp_path / "a.npy", 2, 2, channels=4))


def test_one_channel_comes_without_an_axis_of_its_own_or_from_rgb(tmp_path: Path, long_film: Path) -> None:
    grey = np.random.default_rng(0).random((T, H, W), dtype=np.float32)
    np.save(tmp_path / "grey.npy", grey)
    (window,) = read_windows(tmp_path / "grey.npy", T, 1, channels=1)
    assert torch.equal(window.video[:, 0], torch.from_numpy(grey))
    rgb = next(read_windows(long_film, 4, 4, channels=1)).video
    assert torch.equal(fit_channels(rgb, 1), rgb.mean(dim=1, keepdim=True))
    assert torch.equal(fit_channels(rgb, 3), rgb)


def test_channels_that_do_not_fit_are_refused_with_a_repair(tmp_path: Path, long_film: Path) -> None:
    with pytest.raises(VideoUnreadable, match=r"read as RGB, and 2 channels .*\.npy \(T, 2, H, W\)"):
        next(read_windows(long_film, 4, 4, channels=2))
    for given, wanted in ((2, 1), (2, 3), (3, 2), (1, 3), (3, 5)):
        with pytest.raises(VideoUnreadable, match=f"{given} channels .* {wanted} are taken"):
            fit_channels(torch.rand(2, given, 4, 5), wanted)
    np.save(tmp_path / "flow.npy", np.full((4, 2, 8, 9), -3.0))
    with pytest.raises(VideoUnreadable, match=r"from -3 to -3; .*value range"):
        next(read_windows(tmp_path / "flow.npy", 2, 2, channels=2))
    room = 4 * 5 * 2 * 8 * 9
    np.save(tmp_path / "many.npy", np.zeros((4, 5, 8, 9)))
    next(read_windows(tmp_path / "many.npy", 2, 2, channels=5, max_bytes=room))
    with pytest.raises(VideoUnreadable, match="the limit"):
        next(read_windows(tmp_path / "many.npy", 2, 2, channels=5, max_bytes=room - 1))
