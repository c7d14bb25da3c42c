import math
from dataclasses import replace

import pytest
import torch

from kinetoscope.errors import SettingInvalid
from kinetoscope.synthetic.motions import ClipSettings, Motions, make_clips, make_nothing, velocity_field
from kinetoscope.types import MOTION_LABELS

CLIP = (7, 40, 56)
CLEAN = replace(ClipSettings(clip=CLIP, texture_size=96).clean(), centre_jitter=0.0)


def clips(settings=CLEAN, labels=None, seed=0):
    labels = torch.arange(len(MOTION_LABELS)) if labels is None else labels
    return make_clips(labels, torch.Generator().manual_seed(seed), settings)


def at_moved_place(frame, velocity):
    """Look up a frame (C, H, W) at p + u(p), bilinear, one pixel at a time; nan outside."""
    height, width = frame.shape[1:]
    found = torch.full_like(frame, math.nan)
    for row in range(height):
        for column in range(width):
            x, y = column + velocity[0, row, column].item(), row + velocity[1, row, column].item()
            left, top = math.floor(x), math.floor(y)
            if 0 <= left < width - 1 and 0 <= top < height - 1:
                right, low = x - left, y - top
                patch = frame[:, top : top + 2, left : left + 2]
                weights = torch.tensor(
                    [[(1 - low) * (1 - right), (1 - low) * right], [low * (1 - right), low * right]]
                )
                found[:, row, column] = (patch * weights).sum((1, 2))
    return found


@pytest.mark.parametrize("jitter", [0.0, 0.5])
def test_velocity_takes_each_frame_to_the_next(jitter):
    made = clips(replace(CLEAN, jitter=jitter, centre_jitter=3.0), seed=5)
    velocity = velocity_field(made.motions, CLIP)
    assert velocity.shape == (13, 6, 2, 40, 56)
    for label, name in enumerate(MOTION_LABELS):
        step = 3
        before, after = made.video[label, :, step], made.video[label, :, step + 1]
        moved = at_moved_place(after, velocity[label, step])
        inside = ~moved.isnan()
        assert inside.float().mean() > 0.7
        error = (moved - before)[inside].pow(2).mean()
        unmoved = (after - before)[inside].pow(2).mean()
        assert error < 0.15 * unmoved + 1e-8, name


def test_directions_and_signs_are_those_seen_on_screen():
    made = clips(replace(CLEAN, direction_jitter_deg=0.0))
    velocity = velocity_field(made.motions, CLIP).mean(1)
    for label in range(8):
        x, y = velocity[label].mean((1, 2)).tolist()
        turned = (math.degrees(math.atan2(-y, x)) - 45 * label + 180) % 360 - 180
        assert turned == pytest.approx(0, abs=0.01)
        assert 0.4 <= math.hypot(x, y) <= 2.5
    assert velocity[0, 0].min() > 0  # right: x grows
    assert velocity[2, 1].max() < 0  # up: y shrinks
    field = dict(zip(MOTION_LABELS, velocity, strict=True))
    right_edge, top = (slice(None), 20, -1), (slice(None), 0, 28)
    assert field["expansion"][right_edge][0] > 0.2
    assert field["contraction"][right_edge][0] < -0.2
    assert field["counter-clockwise"][right_edge][1] < -0.3  # the right side goes up
    assert field["counter-clockwise"][top][0] < -0.2  # the top goes left
    assert field["clockwise"][right_edge][1] > 0.3
    assert field["still"].abs().max() < 1e-5


def test_rates_lie_in_their_ranges():
    labels = torch.arange(13).repeat(30)
    motions = clips(replace(CLEAN, clip=(2, 8, 9)), labels).motions
    speed = motions.velocity.norm(dim=1)
    assert speed[labels < 8].min() >= 0.4
    assert speed[labels < 8].max() <= 2.5
    assert speed[labels >= 8].max() == 0
    growth = motions.growth.expm1()
    assert 0.01 <= growth[labels == 8].min() <= growth[labels == 8].max() <= 0.051
    assert torch.all(motions.growth[labels == 9] < 0)
    assert 0.015 <= motions.turn[labels == 10].min() <= motions.turn[labels == 10].max() <= 0.08
    assert torch.all(motions.turn[labels == 11] <= -0.015)
    angle = torch.rad2deg(torch.atan2(-motions.velocity[:, 1], motions.velocity[:, 0])) - 45.0 * labels
    away = ((angle + 180) % 360 - 180)[labels < 8].abs()
    assert 5 < away.max() <= 10.001


def test_rotation_velocity_is_exact_over_many_frames():
    motions = Motions(
        velocity=torch.zeros(1, 2),
        growth=torch.zeros(1),
        turn=torch.tensor([0.05]),
        centre=torch.zeros(1, 2),
        jitter=torch.zeros(1, 5, 2),
    )
    velocity = velocity_field(motions, (5, 9, 11))
    # chord of a circle of radius 5 px: the point right of the middle goes up and a little inwards
    at_right = velocity[0, :, :, 4, 10]
    torch.testing.assert_close(
        at_right,
        torch.tensor([5 * (math.cos(0.05) - 1), -5 * math.sin(0.05)]).expand(4, 2),
        rtol=0,
        atol=1e-6,
    )


def test_nuisances_strike_every_class_and_keep_the_range():
    settings = replace(ClipSettings(clip=CLIP, texture_size=96), occluder_probability=1.0)
    made = clips(settings)
    assert made.video.min() >= 0
    assert made.video.max() <= 1
    changes = (made.video[:, :, 1:] - made.video[:, :, :-1]).abs().mean((1, 2, 3, 4))
    assert changes[MOTION_LABELS.index("still")] > 1e-3
    assert clips().video[-1].diff(dim=1).abs().max() == 0


def test_same_generator_same_clips():
    assert torch.equal(clips(seed=2).video, clips(seed=2).video)
    assert not torch.equal(clips(seed=2).video, clips(seed=3).video)


def test_wrong_label_and_wrong_settings_are_named():
    with pytest.raises(SettingInvalid, match=r"0\.\.12, not \[13\]"):
        clips(labels=torch.tensor([13]))
    with pytest.raises(SettingInvalid, match="speed is"):
        ClipSettings(speed=(2.0, 1.0))
    with pytest.raises(SettingInvalid, match="at least 2"):
        ClipSettings(clip=(1, 8, 8))


def test_nothing_is_blank_or_incoherent():
    settings = ClipSettings(clip=(16, 40, 56), texture_size=96).clean()
    video = make_nothing(60, torch.Generator().manual_seed(4), settings)
    assert video.shape == (60, 3, 16, 40, 56)
    spread = video.std((3, 4)).amax((1, 2))
    blank = spread < 1e-3
    assert 5 < blank.sum() < 30
    # whatever is not blank changes a lot, a dissolve over several frames, against how much there is to see
    change = (video - video[:, :, :1]).pow(2).mean((1, 3, 4)).sqrt().amax(1)
    assert (change / spread)[~blank].min() > 0.25
    step = (video[:, :, 1:] - video[:, :, :-1]).pow(2).mean((1, 2, 3, 4)).sqrt()
    assert ((step / spread)[~blank] > 0.25).float().mean() > 0.6
