"""Agreement across seeds, where its best and worst values are known."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kinetoscope.inquiry.agreement import agreement, circular_variance, field_circular_variance

H, W = 7, 10


def drift(direction_deg, speed):
    angle = math.radians(direction_deg)
    step = speed * torch.tensor([math.cos(angle), -math.sin(angle)])
    return step.view(1, 2, 1, 1).expand(4, 2, H, W)


def growth(rate):
    y, x = torch.meshgrid(torch.arange(H) - (H - 1) / 2, torch.arange(W) - (W - 1) / 2, indexing="ij")
    return rate * torch.stack([x, y]).expand(4, 2, H, W)


def compared(*fields, labels=None):
    return agreement(fields, labels or ["x"] * len(fields), range(len(fields)), 8)


def test_the_same_motion_agrees_fully():
    found = compared(drift(30, 1.0), drift(30, 1.5), drift(30, 2.0))
    assert found.circular_variance == pytest.approx(0, abs=1e-6)
    assert found.field_circular_variance == pytest.approx(0, abs=1e-6)
    assert found.directions_deg == pytest.approx((30, 30, 30), abs=1e-3)
    assert found.speeds_px_per_frame == pytest.approx((1, 1.5, 2))
    assert found.speed_spread_px_per_frame == pytest.approx(math.sqrt(1 / 6))
    assert (found.seeds, found.repeat_steps) == ((0, 1, 2), 8)


def test_opposite_and_evenly_spread_directions_do_not_agree_at_all():
    for fields in ((drift(10, 1.0), drift(190, 1.0)), [drift(a, 2.0) for a in (0, 120, 240)]):
        found = compared(*fields)
        assert found.circular_variance == pytest.approx(1, abs=1e-6)
        assert found.field_circular_variance == pytest.approx(1, abs=1e-6)


@given(off=st.floats(0, 180), direction=st.floats(0, 360))
def test_two_directions_agree_as_far_as_they_are_apart(off, direction):
    found = compared(drift(direction, 1.0), drift(direction + off, 1.0))
    assert found.circular_variance == pytest.approx(1 - math.cos(math.radians(off) / 2), abs=1e-5)


def test_growth_agrees_place_by_place_though_it_goes_nowhere():
    found = compared(growth(0.2), growth(0.3), growth(0.2))
    assert found.circular_variance is None
    assert found.field_circular_variance == pytest.approx(0, abs=1e-6)
    against = compared(growth(0.2), growth(-0.2))
    assert against.field_circular_variance == pytest.approx(1, abs=1e-6)


def test_what_stands_still_has_no_direction_to_agree_on():
    found = compared(drift(0, 0.01), drift(180, 0.01), labels=["still", "still"])
    assert (found.circular_variance, found.field_circular_variance) == (None, None)
    assert found.label_agreement == 1
    assert compared(drift(0, 1.0), drift(0, 0.01)).field_circular_variance is None


def test_labels_are_compared_with_the_first():
    found = compared(drift(0, 1), drift(0, 1), drift(90, 1), labels=["right", "right", "up"])
    assert found.label_agreement == pytest.approx(2 / 3)
    assert found.labels == ("right", "right", "up")


@given(numbers=st.lists(st.floats(-3, 3, width=32), min_size=6, max_size=6))
def test_variances_stay_between_0_and_1(numbers):
    drifts = torch.tensor(numbers).view(3, 2)
    fields = drifts[:, :, None, None].expand(3, 2, H, W)
    for value in (circular_variance(drifts), field_circular_variance(fields)):
        assert value is None or 0 <= value <= 1
