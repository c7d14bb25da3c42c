"""Frames as bytes: the right pixels, sizes, durations and loops."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as PillowImage

from kinetoscope.clips.video import read_video
from kinetoscope.render import frames as frames_module
from kinetoscope.render.colour import flow_to_rgb
from kinetoscope.render.frames import (
    as_rgb,
    colour_words,
    encode_gif,
    encode_mp4,
    encode_png,
    enlarge,
    motion_frames,
    motion_palette,
    pick,
    to_frames,
    view_factor,
)


def noise(frames: int = 4, height: int = 11, width: int = 15) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (frames, height, width, 3), dtype=np.uint8)


def test_levels_are_rounded_clipped_and_never_wrap() -> None:
    row = torch.tensor([-0.5, 0.0, 0.4999 / 255, 0.5001 / 255, 1.0, 300.0, float("nan")])
    assert to_frames(row.view(1, 1, 1, 7))[0, 0, :, 2].tolist() == [0, 0, 0, 1, 255, 255, 0]


def test_grey_is_repeated_and_other_channels_are_shown_as_said() -> None:
    grey = torch.rand(2, 1, 3, 4)
    assert torch.equal(as_rgb(grey)[:, 2:], grey)
    many = torch.rand(2, 5, 3, 4)
    assert torch.equal(as_rgb(many), many[:, :3])
    right_and_still = torch.tensor([[1.0, 0.5], [0.5, 0.5]]).view(1, 2, 1, 2)
    assert as_rgb(right_and_still)[0, :, 0].T.tolist() == [[1, 0, 0], [0, 0, 0]]
    assert [colour_words(channels) for channels in (1, 3)] == [None, None]
    assert "hue is direction" in str(colour_words(2))
    assert "first 3 of 5 channels" in str(colour_words(5))


@pytest.mark.parametrize(
    ("size", "factor"),
    [((64, 64), 4), ((128, 128), 2), ((112, 112), 3), ((128, 171), 2), ((256, 9), 1), ((300, 400), 1)],
)
def test_small_clips_are_enlarged_by_whole_factors(size: tuple[int, int], factor: int) -> None:
    assert view_factor(*size) == factor


def test_enlarging_repeats_pixels() -> None:
    frames = noise()
    large = enlarge(frames, 3)
    assert large.shape == (4, 33, 45, 3)
    for corner in range(3):
        assert np.array_equal(large[:, corner::3, corner::3], frames)


def test_png_is_exact() -> None:
    picture = noise()[0]
    with PillowImage.open(io.BytesIO(encode_png(picture))) as image:
        assert np.array_equal(np.asarray(image), picture)


def test_gif_loops_with_durations_in_milliseconds_and_few_colours_exact() -> None:
    frames = noise()  # 165 pixels a frame: every colour fits its palette
    with PillowImage.open(io.BytesIO(encode_gif(frames, fps=8.0, factor=2, hold_last=2))) as image:
        assert image.n_frames == 4
        assert image.size == (30, 22)
        assert image.info["loop"] == 0
        durations = []
        for index in range(4):
            image.seek(index)
            durations.append(image.info["duration"])
            assert np.array_equal(np.asarray(image.convert("RGB"))[::2, ::2], frames[index])
    assert durations == [120, 120, 120, 240]


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
@pytest.mark.parametrize("size", [(32, 48), (33, 47)])
def test_mp4_keeps_frames_and_makes_sizes_even(
    tmp_path: Path, codec: str, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    if codec == "mpeg4":
        monkeypatch.setattr(frames_module, "film_codec", lambda loss: ("mpeg4", {"qscale": "2"}))
    height, width = size
    y, x = np.mgrid[:height, :width]
    shades = [np.stack([5 * x, 6 * y, 0 * x + 30 * t], -1) for t in range(5)]
    clip = np.clip(np.array(shades), 0, 255).astype(np.uint8)
    (tmp_path / "a.mp4").write_bytes(encode_mp4(clip, fps=8.0))
    video = read_video(tmp_path / "a.mp4")
    assert video.shape == (5, 3, height + height % 2, width + width % 2)
    back = video[:, :, :height, :width].permute(0, 2, 3, 1).numpy() * 255
    assert np.abs(back - clip).mean() < 4.0


def test_motion_frames_stand_beside_their_legend_and_differ() -> None:
    velocity = torch.zeros(3, 2, 20, 30)
    velocity[:, 0] = 1.0
    frames = motion_frames(velocity, 2.0)
    factor = view_factor(20, 30)
    assert frames.shape == (3, 190, 30 * factor + 190, 3)  # 20 rows enlarged are lower than the legend
    top = (190 - 20 * factor) // 2
    colour = to_frames(flow_to_rgb(velocity, 2.0))[0, 0, 0]
    assert (frames[:, top : top + 20 * factor, : 30 * factor] == colour).all()
    assert not np.array_equal(frames[0], frames[1])  # the step is printed


def test_motion_gif_keeps_its_colours_on_one_palette() -> None:
    generator = torch.Generator().manual_seed(0)
    velocity = 0.2 * torch.randn(4, 2, 48, 64, generator=generator) + torch.tensor([0.9, -0.4]).view(
        1, 2, 1, 1
    )
    frames = motion_frames(velocity, 2.0)
    data = encode_gif(frames, palette=motion_palette(frames))
    with PillowImage.open(io.BytesIO(data)) as image:
        assert image.n_frames == 4
        for index in range(4):
            image.seek(index)
            error = np.abs(np.asarray(image.convert("RGB")).astype(int) - frames[index])
            assert error.mean() < 6


def test_picked_indices_are_even_and_keep_both_ends() -> None:
    assert list(pick(4, 6)) == [0, 1, 2, 3]
    assert list(pick(16, 6)) == [0, 3, 6, 9, 12, 15]
    assert list(pick(64, 6))[::5] == [0, 63]
