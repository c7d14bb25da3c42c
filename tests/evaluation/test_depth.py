"""Depth: each measure at its extremes, and a run over two layers."""

from dataclasses import replace

import pytest
import torch

from kinetoscope.card import card_of
from kinetoscope.errors import LayerNotFound, SettingInvalid
from kinetoscope.evaluation.depth import (
    affine_r2,
    distinct_directions,
    evaluate_depth,
    plan_depth,
    spaced_units,
)
from kinetoscope.inquiry import settle
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


def test_units_are_spread_evenly():
    assert spaced_units(16, 4) == [0, 4, 8, 12]
    assert spaced_units(3, 8) == [0, 1, 2]
    with pytest.raises(SettingInvalid, match="1 or more"):
        spaced_units(16, 0)


def test_a_run_measures_every_unit_of_the_plan(monkeypatch):
    few = {"default": replace(settle.OPTIMAL_PRESETS["default"], steps=2)}
    monkeypatch.setattr(settle, "OPTIMAL_PRESETS", few)
    model = load_model("motion13", weights="random", seed=1)
    everything = plan_depth(model, card_of(model), None, 2)
    layers = [layer for layer, _ in everything]
    assert (layers[0], layers[-1]) == ("conv1", "fc")
    assert not any(layer.startswith(("relu", "pool")) for layer in layers)
    plan = plan_depth(model, card_of(model), ["conv1", "fc"], 2, (8, 16, 24))
    half = model.conv1.out_channels // 2
    assert plan == [("conv1", [0, half]), ("fc", [0, 6])]
    found = list(evaluate_depth(model, plan, size=(8, 16, 24)))
    assert [(motion.layer, motion.unit, motion.depth) for motion in found] == [
        ("conv1", 0, 0), ("conv1", half, 0), ("fc", 0, 1), ("fc", 6, 1),
    ]  # fmt: skip
    assert all(0 <= motion.coherence <= 1 and motion.seconds > 0 for motion in found)
    assert found[0].to_json()["layer"] == "conv1"
    with pytest.raises(LayerNotFound, match="conv9"):
        plan_depth(model, card_of(model), ["conv9"], 2)
