"""Signs and words of a motion."""

import pytest
import torch

from kinetoscope.evaluation.clips import expansion, rotation, translation
from kinetoscope.motion.summary import affine_parts, direction_deg, divergence, label_motion
from kinetoscope.motion.summary import rotation as turning
from kinetoscope.types import MOTION_LABELS
from kinetoscope.warp import pixel_grid

T, H, W = 5, 30, 44


def field(motion):
    middle = torch.tensor([(W - 1) / 2, (H - 1) / 2]).view(1, 2, 1, 1)
    places = pixel_grid(H, W) - middle
    return (motion(places, -1.0) - places).expand(T, -1, -1, -1)


@pytest.mark.parametrize("index", range(8))
def test_translations_have_their_words_and_directions(index):
    velocity = field(translation(45 * index, 0.7))
    assert label_motion(velocity) == MOTION_LABELS[index]
    assert direction_deg(velocity.mean(dim=(0, 2, 3))) == pytest.approx(45 * index, abs=0.01)


def test_right_is_zero_degrees_and_up_is_ninety():
    assert direction_deg(torch.tensor([1.0, 0.0])) == 0
    assert direction_deg(torch.tensor([0.0, -1.0])) == pytest.approx(90)


def test_expansion_has_twice_its_growth_as_divergence():
    velocity = field(expansion(0.02))
    assert divergence(velocity) == pytest.approx(0.04, abs=1e-5)
    assert affine_parts(velocity)[0] == pytest.approx(0.04, abs=1e-5)
    assert label_motion(velocity) == "expansion"
    assert label_motion(field(expansion(-0.02))) == "contraction"


def test_counter_clockwise_on_screen_is_positive():
    velocity = field(rotation(0.05))
    middle_right = velocity[0, :, H // 2, W - 1]
    assert float(middle_right[1]) < 0  # y points down: the right edge goes up
    assert turning(velocity) == pytest.approx(0.05, abs=1e-3)
    assert affine_parts(velocity)[1] == pytest.approx(0.05, abs=1e-3)
    assert label_motion(velocity) == "counter-clockwise"
    assert label_motion(field(rotation(-0.05))) == "clockwise"


def test_slow_motion_is_still():
    assert label_motion(field(translation(10, 0.05))) == "still"
