"""Words of a film; signs are in `tests/test_conventions.py`."""

import math

import pytest
import torch

from kinetoscope.motion.summary import (
    STILL_SHARE,
    STILL_SPEED,
    affine_parts,
    label_film,
    label_motion,
)
from kinetoscope.results import Decomposition, one_texture
from kinetoscope.synthetic.planted import expansion, rotation, translation
from kinetoscope.types import MOTION_LABELS
from kinetoscope.warp import pixel_grid

T, H, W = 5, 30, 44


def field(motion):
    middle = torch.tensor([(W - 1) / 2, (H - 1) / 2]).view(1, 2, 1, 1)
    places = pixel_grid(H, W) - middle
    return (motion(places, -1.0) - places).expand(T, -1, -1, -1)


def test_growth_and_turn_are_told_apart():
    assert affine_parts(field(expansion(0.02)))[:2] == pytest.approx((0.04, 0.0), abs=1e-5)
    growth, turn, _ = affine_parts(field(rotation(0.05)))
    assert turn == pytest.approx(0.05, abs=1e-3)
    assert growth == pytest.approx(2 * math.cos(0.05) - 2, abs=1e-5)  # in a straight line from frame to frame


def film(shares=(0.7, 0.1, 0.1, 0.1), speed=1.0, change=0.5, motion=None):
    """A decomposition with these shares (coherent, light, jitter, residual); content goes right."""
    video = torch.zeros(T + 1, 3, H, W)
    velocity = field(translation(0, 1.0)) * speed if motion is None else field(motion)
    return Decomposition(
        static_image=video[0],
        displacement=torch.zeros(T + 1, 2, H, W),
        velocity=velocity,
        coherent_velocity=velocity,
        reconstruction=video,
        psnr_db=30.0,
        single_psnr_db=30.0,
        static_psnr_db=30.0,
        displacement_tv=0.0,
        variance_explained=dict(zip(("coherent", "light", "jitter", "residual"), shares, strict=True)),
        change_share=change,
        settings={},
        seconds=0.0,
        **one_texture(video[0], video),
    )


def test_a_film_that_hardly_changes_is_still_whatever_else_it_is():
    assert label_film(film(change=STILL_SHARE)) == "still"
    assert label_film(film(change=STILL_SHARE + 1e-3)) == "right"
    assert label_film(film((0.0, 1.0, 0.0, 0.0), change=STILL_SHARE)) == "still"


def test_a_motion_word_wants_the_lead():
    assert label_film(film((0.41, 0.39, 0.1, 0.1))) == "right"
    assert label_film(film((0.39, 0.41, 0.1, 0.1))) == "flicker"
    assert label_film(film((0.39, 0.1, 0.41, 0.1))) == "jitter"
    assert label_film(film((0.39, 0.1, 0.1, 0.41))) == "unexplained"


def test_a_motion_word_wants_a_mean_speed():
    assert label_film(film(speed=STILL_SPEED * 1.001)) == "right"
    assert label_film(film((0.7, 0.1, 0.15, 0.05), speed=STILL_SPEED * 0.99)) == "jitter"


def test_motions_that_cancel_out_still_have_a_word():
    """Patches that move apart lead the film, though their average is no motion by itself."""
    apart = film()
    apart.coherent_velocity[..., : W // 2] *= -1
    assert label_motion(apart.coherent_velocity) in MOTION_LABELS
    assert label_film(apart) in MOTION_LABELS[:-1]


@pytest.mark.parametrize(("motion", "word"), [(expansion(0.02), "expansion"), (rotation(-0.02), "clockwise")])
def test_other_motions_have_their_words(motion, word):
    assert label_film(film(motion=motion)) == word
