"""Objectives against arithmetic by hand, on maps with T, H and W all different."""

import pytest
import torch

from kinetoscope.errors import SettingInvalid, UnitOutOfRange
from kinetoscope.optimal.objective import channel, channel_relu, make_objective, unit, usual_kind

OUTPUT = torch.randn(2, 4, 3, 5, 7, generator=torch.Generator().manual_seed(0))


def test_each_kind_is_what_it_says():
    torch.testing.assert_close(channel(1)(OUTPUT), OUTPUT[:, 1].mean(dim=(1, 2, 3)))
    torch.testing.assert_close(channel_relu(1)(OUTPUT), OUTPUT[:, 1].clamp(min=0).mean(dim=(1, 2, 3)))
    torch.testing.assert_close(unit(1, (2, 0, 6))(OUTPUT), OUTPUT[:, 1, 2, 0, 6])


def test_the_centre_unit_is_the_default():
    torch.testing.assert_close(unit(3)(OUTPUT), OUTPUT[:, 3, 1, 2, 3])


def test_objectives_add_subtract_and_scale():
    combined = channel(0) - 2.0 * unit(2, (0, 1, 2)) + (-channel_relu(3))
    by_hand = (
        OUTPUT[:, 0].mean(dim=(1, 2, 3)) - 2 * OUTPUT[:, 2, 0, 1, 2] - OUTPUT[:, 3].relu().mean(dim=(1, 2, 3))
    )
    torch.testing.assert_close(combined(OUTPUT), by_hand)


def test_single_numbers_have_no_map():
    logits = torch.randn(2, 5)
    torch.testing.assert_close(channel(4)(logits), logits[:, 4])
    torch.testing.assert_close(unit(4)(logits), logits[:, 4])
    assert usual_kind((5,)) == "channel"
    assert usual_kind((5, 2, 3, 4)) == "channel-relu"
    assert usual_kind((5, 2, 3, 4), "paper") == "channel"


def test_a_silent_channel_still_shows_the_way_up():
    silent = torch.full((1, 2, 3, 4), -0.5, requires_grad=True)
    assert float(channel_relu(0)(silent).detach()) == 0
    channel_relu(0).ascent(silent).sum().backward()
    assert bool((silent.grad[0, 0] > 0).all())


def test_a_channel_that_speaks_climbs_its_objective():
    torch.testing.assert_close(channel_relu(2).ascent(OUTPUT), channel_relu(2)(OUTPUT))


@pytest.mark.parametrize("index", [-1, 4, 99])
def test_units_out_of_range_are_named(index):
    with pytest.raises(UnitOutOfRange, match="units 0 to 3"):
        channel(index)(OUTPUT)


@pytest.mark.parametrize("position", [(3, 0, 0), (0, 0), (0, 0, -1)])
def test_positions_off_the_map_are_refused(position):
    with pytest.raises(UnitOutOfRange, match="3x5x7"):
        unit(0, position)(OUTPUT)


def test_an_unknown_kind_is_refused():
    with pytest.raises(SettingInvalid, match="channel-relu"):
        make_objective("neuron", 0)
