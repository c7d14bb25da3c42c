"""Planted light is what it says: nothing moves, and what changes is light."""

import pytest
import torch

from kinetoscope.evaluation.cases import FAST, clip_cases
from kinetoscope.synthetic.light import (
    coloured_light,
    contrast_reversal,
    cross_fade,
    dimming,
    gain_ramp,
    light_edge,
    standing,
    whole_field_flicker,
)
from kinetoscope.synthetic.planted import noise_texture, planted_clip, translation

SIZE = (6, 32, 40)


def texture(seed=0):
    return noise_texture(64, 72, torch.Generator().manual_seed(seed))


def test_light_clips_stand_still_and_change():
    draw = torch.Generator().manual_seed(0)
    clips = (
        cross_fade(texture(0), texture(1), *SIZE),
        light_edge(texture(), 2.0, *SIZE),
        contrast_reversal(texture(), 6.0, *SIZE),
        whole_field_flicker(texture(), 0.1, *SIZE, draw),
        dimming(texture(), 0.5, *SIZE),
        coloured_light(standing(texture(), *SIZE), 0.4),
    )
    for clip in clips:
        assert not clip.velocity.any()
        assert clip.motion_share < 1e-6
        assert clip.video.shape == (6, 3, 32, 40)
        assert 0 <= float(clip.video.min()) <= float(clip.video.max()) <= 1
        assert float(clip.video.diff(dim=0).abs().max()) > 0.01


def test_a_cross_fade_ends_at_the_other_texture():
    clip = cross_fade(texture(0), texture(1), *SIZE)
    assert torch.allclose(clip.video[-1], standing(texture(1), *SIZE).video[0])


def test_dimming_and_reversal_are_exact():
    scene = standing(texture(), *SIZE).video[0]
    assert torch.allclose(dimming(texture(), 0.5, *SIZE).video[-1], scene / 2)
    assert torch.allclose(contrast_reversal(texture(), 6.0, *SIZE).video[3], 1 - scene, atol=1e-5)


def test_moving_clips_keep_their_motion_under_light():
    moving = planted_clip(texture(), translation(0, 1.0), *SIZE)
    for clip in (gain_ramp(moving, 0.4), coloured_light(moving, 0.4)):
        assert torch.equal(clip.velocity, moving.velocity)
        assert 0 <= clip.motion_share < 1


@pytest.mark.parametrize("speed", FAST)
def test_fast_content_is_carried_to_the_end(speed):
    """The texture is large enough: no frame shows a repeated border."""
    clips = [case.clip for case in clip_cases(3, SIZE) if case.family == f"fast, {speed:.0f} px/frame"]
    assert clips
    for clip in clips:
        assert float(clip.video[-1].diff(dim=-1).abs().mean(dim=(0, 1)).min()) > 1e-4
        assert float(clip.video[-1].diff(dim=-2).abs().mean(dim=(0, 2)).min()) > 1e-4
