"""Depth: each measure at its extremes, and a run over two layers."""

import pytest
import torch

from kinetoscope.card import card_of
from kinetoscope.errors import LayerNotFound, SettingInvalid
from kinetoscope.evaluation.depth import (
    affine_r2,
    distinct_directions,
    measure,
    patch_px,
    plan_depth,
    spaced_units,
)
from kinetoscope.synthetic.planted import drift, expansion, planted_clip, rotation, shear
from kinetoscope.zoo.registry import load_model


def field(motion):
    return planted_clip(torch.rand(3, 30, 40), motion, 4, 18, 26).velocity


@pytest.mark.parametrize("motion", [rotation(0.03), expansion(0.03), shear(0.03)])
def test_affine_fields_are_wholly_affine(motion):
    assert affine_r2(field(motion)) == pytest.approx(1)


def test_what_is_not_affine():
    x, y = torch.linspace(-1, 1, 26), torch.linspace(-1, 1, 18)
    saddle = (x * y[:, None]).expand(3, 2, -1, -1)
    assert affine_r2(saddle) == pytest.approx(0, abs=1e-6)
    assert 0.2 < affine_r2(saddle + x) < 0.98
    assert affine_r2(drift(30, 2.0).view(1, 2, 1, 1).expand(3, 2, 18, 26)) is None


def test_directions_are_counted():
    even = drift(40, 1.0).view(1, 2, 1, 1).expand(3, 2, 18, 26)
    assert distinct_directions(even) == pytest.approx(1)
    assert distinct_directions(torch.cat([even, -even])) == pytest.approx(2)
    assert 7 < distinct_directions(field(rotation(0.1))) <= 8
    assert distinct_directions(0.01 * even) == 0
    assert distinct_directions(torch.cat([even, 0.1 * -even])) == pytest.approx(1.36, abs=0.02)


@pytest.mark.parametrize("side", [4, 6, 12])
def test_patches_have_their_side(side):
    rows, columns = torch.arange(24)[:, None] // side, torch.arange(36) // side
    board = (rows + columns) % 2 * 2.0 - 1
    assert patch_px(torch.stack([board, 0.3 * board])) == pytest.approx(side)
    assert patch_px(torch.stack([board, board.abs() * 0.1])) == pytest.approx(side)


def test_patches_of_one_motion_fill_the_frame_and_still_ones_are_none():
    even = drift(40, 1.0).view(2, 1, 1).expand(2, 18, 26)
    assert patch_px(even) == pytest.approx((18 + 26) / 2)
    assert patch_px(0.01 * even) is None
    half = even * (torch.arange(26) < 13)
    assert patch_px(half) == pytest.approx((18 + 13) / 2)


def test_units_are_spread_evenly():
    assert spaced_units(16, 4) == [0, 4, 8, 12]
    assert spaced_units(3, 8) == [0, 1, 2]
    with pytest.raises(SettingInvalid, match="1 or more"):
        spaced_units(16, 0)


def test_the_plan_goes_from_shallow_to_deep():
    model = load_model("motion13", weights="random", seed=1)
    everything = plan_depth(model, card_of(model), None, 2)
    layers = [layer for layer, _ in everything]
    assert (layers[0], layers[-1]) == ("conv1", "fc")
    assert not any(layer.startswith(("relu", "pool")) for layer in layers)
    plan = plan_depth(model, card_of(model), ["conv1", "fc"], 2, (8, 16, 24))
    half = model.conv1.out_channels // 2
    assert plan == [("conv1", [0, half]), ("fc", [0, 6])]
    with pytest.raises(LayerNotFound, match="conv9"):
        plan_depth(model, card_of(model), ["conv9"], 2)


def test_a_result_is_measured(result_factory):
    motion = measure(result_factory(6, 16, 20, (1.0, 0.0)), "conv1", 3, 2)
    assert (motion.layer, motion.unit, motion.depth) == ("conv1", 3, 2)
    assert motion.directions == pytest.approx(1)
    assert motion.patch_px == pytest.approx((16 + 20) / 2)
    assert motion.to_json()["layer"] == "conv1"
