"""Left and right change places, and with them clockwise and counter-clockwise; or mirroring is refused."""

import pytest

from kinetoscope.errors import SettingInvalid
from kinetoscope.training.mirror import mirrored_classes
from kinetoscope.types import MOTION_LABELS
from kinetoscope.zoo.labels import class_names


def swapped(names):
    pairs = {names[a]: names[b] for a, b in enumerate(mirrored_classes(tuple(names))) if a != b}
    assert {b: a for a, b in pairs.items()} == pairs
    return {frozenset(pair) for pair in pairs.items()}


def test_jester():
    assert swapped(class_names("jester")) == {
        frozenset(pair)
        for pair in [
            ("Swiping Left", "Swiping Right"),
            ("Sliding Two Fingers Left", "Sliding Two Fingers Right"),
            ("Turning Hand Clockwise", "Turning Hand Counterclockwise"),
        ]
    }


def test_motion_labels_agree_with_geometry():
    mirror = mirrored_classes(MOTION_LABELS)
    for label, other in enumerate(mirror[:8]):
        assert other == (4 - label) % 8
    assert [MOTION_LABELS[mirror[n]] for n in range(8, 13)] == [
        *("expansion", "contraction", "clockwise", "counter-clockwise", "still")
    ]


def test_ucf101_has_no_directions():
    assert mirrored_classes(class_names("ucf101")) == tuple(range(101))


def test_words_are_whole_and_spelled_in_any_way():
    names = ("turn_left", "TurnRight", "Bright", "anti clockwise", "clockwise", "LeftHand", "right-hand")
    assert mirrored_classes(names) == (1, 0, 2, 4, 3, 6, 5)


def test_a_class_without_counterpart_refuses_mirroring():
    with pytest.raises(SettingInvalid, match="'Swiping Left' would show 'swiping right', which is no class"):
        mirrored_classes(("Swiping Left", "Stop Sign"))
