"""Planted motion comes back, and the account of it adds up."""

import dataclasses
import math

import pytest
import torch

from kinetoscope.errors import ClipTooSmall, SettingInvalid
from kinetoscope.motion.decompose import PRESETS, DecomposeSettings, decompose, decompose_all
from kinetoscope.motion.metrics import displacement_tv, psnr_db
from kinetoscope.motion.paper import PaperSettings
from kinetoscope.motion.summary import summarize
from kinetoscope.stimuli import grating
from kinetoscope.synthetic.planted import (
    expansion,
    noise_texture,
    planted_clip,
    rotation,
    still,
    translation,
)
from kinetoscope.warp import pixel_grid, sample

FRAMES, HEIGHT, WIDTH = 10, 48, 64


def texture(kind):
    if kind == "noise":
        return noise_texture(240, 300, torch.Generator().manual_seed(5))
    datasets = pytest.importorskip("sklearn.datasets", reason="natural textures come with scikit-learn")
    image = torch.from_numpy(datasets.load_sample_image(f"{kind}.jpg").copy())
    return image.permute(2, 0, 1)[:, 60:400, 100:500].float() / 255


CASES = {"still": (still(), None), "rotation": (rotation(0.02), None), "expansion": (expansion(0.02), None)}
CASES |= {
    f"{direction} degrees at {speed}": (translation(direction, speed), direction)
    for direction, speed in zip(range(0, 360, 45), (0.5, 1.0, 2.0, 0.5, 1.0, 2.0, 2.0, 1.0), strict=True)
}


ON_A_PHOTOGRAPH = ("still", "rotation", "45 degrees at 1.0", "225 degrees at 2.0")


@pytest.mark.parametrize(("kind", "cases"), [("noise", tuple(CASES)), ("china", ON_A_PHOTOGRAPH)])
def test_planted_motion_is_recovered(kind, cases):
    """Side by side; `test_batch.py` shows that each gets what it gets alone."""
    clips = [planted_clip(texture(kind), CASES[case][0], FRAMES, HEIGHT, WIDTH) for case in cases]
    accounts = decompose_all(torch.stack([clip.video for clip in clips]))
    for case, clip, found in zip(cases, clips, accounts, strict=True):
        error, direction = (found.velocity - clip.velocity).norm(dim=1), CASES[case][1]
        assert float(error.median()) <= (0.05 if case == "still" else 0.1), case
        if direction is not None:
            off = (summarize(found).direction_deg - direction + 180) % 360 - 180
            assert abs(off) <= 3, case
        assert found.psnr_db > 35, case
        assert found.variance_explained["coherent"] > 0.85, case


def test_velocity_and_displacement_agree():
    clip = planted_clip(texture("noise"), rotation(-0.03), 9, 56, 72)
    found = decompose(clip.video)
    now, following = found.displacement[:-1], found.displacement[1:]
    moved = sample(following, pixel_grid(56, 72) + found.velocity)
    assert float((now - moved - found.velocity).norm(dim=1).median()) < 0.05


def test_reconstruction_is_the_texture_warped():
    clip = planted_clip(texture("noise"), translation(30, 1.3), 10, 48, 64)
    found = decompose(clip.video)
    assert found.psnr_db == pytest.approx(psnr_db(found.reconstruction, clip.video), abs=1e-6)
    assert found.displacement_tv == pytest.approx(displacement_tv(found.displacement))
    # where D stays inside the frame, the frame's extent of the texture is enough to rebuild the video
    places = pixel_grid(48, 64) + found.displacement
    limit = torch.tensor([63.0, 47.0]).view(1, 2, 1, 1)
    inside = ((places >= 0) & (places <= limit)).all(dim=1, keepdim=True)
    rebuilt = found.light_gain * sample(found.static_image[None], places) + found.light_offset
    rebuilt = rebuilt.clamp(0, 1)
    assert float(((rebuilt - found.reconstruction) * inside).abs().max()) < 1e-4
    assert float(inside.float().mean()) > 0.6


def test_shares_sum_to_one_and_noise_is_no_motion():
    noise = torch.rand(8, 3, 40, 56, generator=torch.Generator().manual_seed(0))
    found = decompose(noise)
    assert sum(found.variance_explained.values()) == pytest.approx(1)
    assert found.variance_explained["coherent"] == 0
    assert not found.velocity.any()
    assert summarize(found).label == "unexplained"


def test_a_time_reversed_clip_moves_back():
    clip = planted_clip(texture("noise"), translation(60, 1.2), 6, 32, 40)
    forward, back = (summarize(decompose(video)) for video in (clip.video, clip.video.flip(0)))
    assert abs((forward.direction_deg - back.direction_deg) % 360 - 180) < 3
    assert forward.speed_px_per_frame == pytest.approx(back.speed_px_per_frame, abs=0.05)


def test_the_video_is_left_alone_and_results_repeat():
    clip = planted_clip(texture("noise"), translation(200, 0.8), 6, 32, 40)
    before = clip.video.clone()
    first, second = decompose(clip.video), decompose(clip.video)
    assert torch.equal(before, clip.video)
    for part in ("static_image", "displacement", "velocity", "reconstruction"):
        assert torch.equal(getattr(first, part), getattr(second, part))


def test_the_paper_formulation_runs_its_equations_but_does_not_accumulate():
    clip = planted_clip(texture("noise"), translation(0, 1.0), 5, 24, 32)
    settings = dataclasses.replace(PRESETS["paper"], paper=PaperSettings(steps=20))
    found = decompose(clip.video, settings, seed=1)
    assert found.settings["formulation"] == "paper"
    assert found.variance_explained["coherent"] == 0
    again, other = (decompose(clip.video, settings, seed=seed) for seed in (1, 2))
    assert torch.equal(found.displacement, again.displacement)
    assert not torch.equal(found.displacement, other.displacement)
    assert PRESETS["paper"].paper == PaperSettings(steps=2000, rate=0.1)


@pytest.mark.parametrize(
    ("video", "error", "words"),
    [
        (torch.rand(1, 3, 16, 20), ClipTooSmall, "at least two"),
        (torch.rand(4, 3, 6, 20), ClipTooSmall, "6x20"),
        (torch.rand(4, 16, 20), SettingInvalid, "(T, C, H, W)"),
        (torch.full((4, 3, 16, 20), 7.0), SettingInvalid, "[0, 1]"),
        (torch.full((4, 3, 16, 20), math.nan), SettingInvalid, "NaN"),
        (torch.ones(4, 3, 16, 20, dtype=torch.uint8), SettingInvalid, "255"),
    ],
)
def test_wrong_videos_are_refused_in_a_line(video, error, words):
    from kinetoscope.motion.decompose import check_video

    with pytest.raises(error) as caught:
        check_video(video)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_formulation_is_refused():
    with pytest.raises(SettingInvalid, match="layered or paper or fetch"):
        DecomposeSettings(formulation="fourier")


@pytest.mark.parametrize("shape", [(2, 3, 8, 9), (3, 1, 17, 12), (5, 2, 9, 40)])
def test_small_and_odd_shapes_work(shape):
    video = torch.rand(shape, generator=torch.Generator().manual_seed(1))
    found = decompose(video)
    assert found.displacement.shape == (shape[0], 2, *shape[2:])
    assert found.velocity.shape == (shape[0] - 1, 2, *shape[2:])
    assert found.static_image.shape == shape[1:]


STRIPES = ((5.0, 1.0), (7.0, 1.0), (8.0, -1.5), (9.0, 2.0), (22.0, 3.0))


@pytest.mark.parametrize("size", [(8, 32, 40), (9, 40, 32)])
def test_of_all_stripes_the_nearest_is_meant(size):
    """Six pixels a frame to the left are as good as one to the right where stripes are seven pixels wide.

    Motion along stripes cannot be seen: the answer is the motion across them.
    """
    cases = [(*stripes, direction) for stripes in STRIPES for direction in (0, 90)]
    clips = [
        0.5 + 0.6 * grating((1, *size), wavelength, direction, speed).transpose(0, 1)
        for wavelength, speed, direction in cases
    ]
    for case, found in zip(cases, decompose_all(torch.stack(clips)), strict=True):
        wavelength, speed, direction = case
        angle = math.radians(direction)
        wanted = speed * torch.tensor([math.cos(angle), -math.sin(angle)])
        torch.testing.assert_close(
            found.velocity.mean(dim=(0, 2, 3)), wanted, atol=0.12, rtol=0, msg=str(case)
        )
        if wavelength == 8.0:
            assert summarize(found).label == {0: "left", 90: "down"}[direction]
