"""The bundled network's symmetry: a turned or mirrored clip gives the turned or mirrored answer."""

import math

import pytest
import torch

from kinetoscope.training.symmetry import ORDER, classes, moved_class, settle, symmetrize, turned
from kinetoscope.types import MOTION_LABELS
from kinetoscope.zoo.motion13 import build_motion13


def place(angle_deg: float) -> torch.Tensor:
    """A picture with one bright pixel in that direction from the middle."""
    picture = torch.zeros(9, 9)
    x, y = math.cos(math.radians(angle_deg)), -math.sin(math.radians(angle_deg))
    picture[4 + round(3 * y), 4 + round(3 * x)] = 1
    return picture


@pytest.mark.parametrize("element", range(ORDER))
def test_a_direction_moves_as_the_picture_does(element: int) -> None:
    for label in range(8):
        wanted = place(45.0 * moved_class(label, element))
        assert torch.equal(turned(place(45.0 * label), element), wanted), MOTION_LABELS[label]


@pytest.mark.parametrize("element", range(ORDER))
def test_mirroring_swaps_the_rotations_and_nothing_else(element: int) -> None:
    names = ("expansion", "contraction", "counter-clockwise", "clockwise", "still")
    seen = [MOTION_LABELS[moved_class(MOTION_LABELS.index(name), element)] for name in names]
    turning = ["clockwise", "counter-clockwise"] if element % 2 else ["counter-clockwise", "clockwise"]
    assert seen == ["expansion", "contraction", *turning, "still"]


def test_the_symmetric_network_turns_its_answer_with_the_clip() -> None:
    torch.manual_seed(3)
    net = build_motion13().eval()
    clip = torch.randn(1, 3, 12, 32, 32)
    before = net(clip)
    symmetrize(net)
    settle(net)
    answer = net(clip)
    assert (answer - before).abs().max() > 1e-3
    for element, moved in enumerate(classes()):
        torch.testing.assert_close(net(turned(clip, element))[:, moved], answer, rtol=1e-4, atol=1e-5)


def test_averaging_twice_changes_nothing_more() -> None:
    net = build_motion13()
    symmetrize(net)
    settle(net)
    once = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    symmetrize(net)
    settle(net)
    for name, tensor in net.state_dict().items():
        torch.testing.assert_close(tensor, once[name])
