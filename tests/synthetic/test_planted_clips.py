"""Planted truths are true: content found at p in one frame is found at p + u in the next."""

import pytest
import torch

from kinetoscope.motion.pyramid import blur
from kinetoscope.motion.summary import label_motion
from kinetoscope.synthetic.pieces import covering, objects_apart, patches
from kinetoscope.synthetic.planted import (
    drift,
    expansion,
    flickering,
    grating_texture,
    jittering,
    noise_texture,
    planted_clip,
    rotation,
    shear,
    still,
    translation,
)
from kinetoscope.warp import pixel_grid, sample

SIZE = (5, 40, 56)


def soft(seed):
    """Smooth, so that bilinear sampling hardly changes it."""
    texture = noise_texture(90, 110, torch.Generator().manual_seed(seed))
    for _ in range(3):
        texture = blur(texture[None])[0]
    return texture


def draw():
    return torch.Generator().manual_seed(3)


CLIPS = {
    "translation": planted_clip(soft(0), translation(70, 1.4), *SIZE),
    "rotation": planted_clip(soft(0), rotation(0.04), *SIZE),
    "expansion": planted_clip(soft(0), expansion(-0.03), *SIZE),
    "shear": planted_clip(soft(0), shear(0.05), *SIZE),
    "jitter": jittering(soft(0), 0.6, *SIZE, draw()),
    "apart": objects_apart(soft(0), (soft(1), soft(2)), 1.2, *SIZE),
    "patches": patches(soft(0), 16, 1.0, *SIZE, draw()),
    "covering": covering(soft(0), soft(1), ((200.0, 0.5), (20.0, 1.5)), *SIZE),
}


MIXED = {"apart": 0.08, "covering": 0.08, "patches": 0.2}
"""Share of pixels at rims, where content is covered or comes out."""


@pytest.mark.parametrize("name", CLIPS)
def test_content_goes_where_the_velocity_says(name):
    clip = CLIPS[name]
    places = pixel_grid(*SIZE[1:]) + clip.velocity
    limit = torch.tensor([SIZE[2] - 1.0, SIZE[1] - 1.0]).view(1, 2, 1, 1)
    inside = ((places >= 0) & (places <= limit)).all(dim=1, keepdim=True)
    there = sample(clip.video[1:], places)
    wrong = ((there - clip.video[:-1]).abs().amax(dim=1, keepdim=True) > 0.02) & inside
    # only where an object's rim covers or uncovers the background may content come and go
    assert float(wrong.float().mean()) < (MIXED.get(name, 1e-3))
    backwards = sample(clip.video[1:], pixel_grid(*SIZE[1:]) - clip.velocity)
    assert float((backwards - clip.video[:-1]).abs().mean()) > 2 * float(
        (there - clip.video[:-1]).abs().mean()
    )


@pytest.mark.parametrize(
    ("motion", "label"),
    [
        (still(), "still"),
        (rotation(0.03), "counter-clockwise"),
        (rotation(-0.03), "clockwise"),
        (expansion(0.03), "expansion"),
        (translation(135, 1), "up-left"),
    ],
)
def test_truths_have_the_right_name(motion, label):
    assert label_motion(planted_clip(soft(0), motion, *SIZE).velocity) == label


def test_shear_slides_rows_in_proportion_to_their_height():
    velocity = CLIPS["shear"].velocity
    assert not velocity[:, 1].any()
    assert velocity[0, 0, :, 7].tolist() == pytest.approx(
        [0.05 * (row - 19.5) for row in range(40)], abs=1e-5
    )


def test_objects_part_evenly_before_a_still_background():
    velocity = CLIPS["apart"].velocity
    assert velocity[:, 0].unique().tolist() == pytest.approx([-1.2, 0.0, 1.2], abs=1e-6)
    assert float(velocity[0, 0].mean()) == pytest.approx(0, abs=1e-6)
    assert not velocity[..., 0].any()


def test_flicker_moves_nothing_and_takes_its_share_of_the_variance():
    standing = planted_clip(soft(0), still(), *SIZE)
    moving = planted_clip(soft(0), translation(0, 2), *SIZE)
    assert flickering(standing, 0.3, draw()).motion_share == 0
    assert flickering(moving, 0.0, draw()).motion_share == pytest.approx(1)
    both = flickering(moving, 0.3, draw())
    assert 0.02 < both.motion_share < 0.98
    assert torch.equal(both.velocity, moving.velocity)
    assert torch.allclose(both.video[0], moving.video[0], atol=1e-6)
    assert not torch.allclose(both.video[1], moving.video[1], atol=1e-2)


def test_stripes_lie_across_their_direction():
    stripes = grating_texture(41, 57, 90, 8.0)
    assert float(stripes.diff(dim=2).abs().max()) < 1e-6
    assert torch.allclose(stripes[:, 8:], stripes[:, :-8], atol=1e-5)
    assert drift(90, 2.0).tolist() == pytest.approx([0, -2], abs=1e-6)
