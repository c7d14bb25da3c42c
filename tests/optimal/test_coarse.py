"""Coarse to fine: looks into a clip, the matte, and which units are searched for that way."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

import kinetoscope as ks
from kinetoscope.card import ModelCard
from kinetoscope.errors import SettingInvalid
from kinetoscope.inquiry.request import Options
from kinetoscope.inquiry.settle import request_for
from kinetoscope.metric import RGB, colour_power, usual_metric
from kinetoscope.optimal.ascend import unit_generator
from kinetoscope.optimal.coarse import find_matte
from kinetoscope.optimal.natural import natural_optima
from kinetoscope.optimal.objective import channel
from kinetoscope.optimal.passes import Passes
from kinetoscope.optimal.settings import CoarseSettings, OptimalSettings
from kinetoscope.optimal.views import ViewSettings, draw_looks, look_into

CLIP = torch.rand(1, 3, 6, 20, 28, generator=torch.Generator().manual_seed(1))


def look(zoom=1.0, across=0.0, down=0.0, turn_deg=0.0, slip=0.0):
    return torch.tensor([[math.log(zoom), across, down, math.radians(turn_deg), slip]])


def test_no_look_changes_nothing():
    torch.testing.assert_close(look_into(CLIP, look()), CLIP, atol=1e-5, rtol=0)


def test_a_look_can_shift_by_a_share_of_the_side():
    seen = look_into(CLIP, look(across=0.25, down=0.1))
    torch.testing.assert_close(seen[..., :18, :21], CLIP[..., 2:, 7:], atol=1e-4, rtol=0)


def test_a_quarter_turn_of_oblong_frames_keeps_shapes():
    """What is square stays square: the middle of a wide frame, turned, is the middle turned."""
    seen = look_into(CLIP, look(turn_deg=90.0))[..., 4:24]
    torch.testing.assert_close(seen, CLIP[..., 4:24].rot90(1, (-2, -1)), atol=1e-4, rtol=0)


def test_zooming_in_enlarges_the_middle():
    y, x = torch.meshgrid(torch.arange(20.0), torch.arange(28.0), indexing="ij")
    ramp = (0.02 * (x - 13.5) + 0.01 * (y - 9.5)).expand(1, 1, 6, -1, -1)
    torch.testing.assert_close(look_into(ramp, look(zoom=2.0)), ramp / 2, atol=1e-4, rtol=0)


@pytest.mark.parametrize(("slip", "frames"), [(1.0, [1, 0, 1, 2, 3, 4]), (-2.0, [2, 3, 4, 5, 4, 3])])
def test_time_is_mirrored_at_the_ends(slip, frames):
    torch.testing.assert_close(look_into(CLIP, look(slip=slip)), CLIP[:, :, frames], atol=1e-4, rtol=0)


def test_looks_stay_within_their_ranges_and_repeat():
    settings = ViewSettings()
    drawn = [torch.cat([draw_looks(settings, 0.5, [g]) for _ in range(300)]) for g in generators(2)]
    assert not torch.equal(*drawn)
    zoom, across, down, turn, slip = drawn[0].T
    assert 0.899 < zoom.exp().min() < 0.95
    assert 1.7 < zoom.exp().max() < 1.801
    for values, most in ((across, 0.06), (down, 0.06), (turn, math.radians(4)), (slip, 1.0)):
        assert 0.9 * most < values.abs().max() <= most + 1e-6
    assert torch.equal(draw_looks(settings, 1.0, generators(2)), draw_looks(settings, 1.0, generators(2)))


def generators(count):
    return [unit_generator(0, unit) for unit in range(count)]


def test_colours_to_a_power():
    table = torch.tensor(RGB, dtype=torch.float64)
    half = torch.tensor(colour_power(RGB, 0.5), dtype=torch.float64)
    torch.testing.assert_close(half @ half, table, atol=1e-9, rtol=0)
    torch.testing.assert_close(torch.tensor(colour_power(RGB, 0.0)), torch.eye(3), atol=1e-6, rtol=0)
    assert colour_power((), 0.5) == ()


@pytest.mark.parametrize("bad", [{"cells": (0, 4, 4)}, {"size": 0.0}])
def test_settings_out_of_range_are_refused(bad):
    with pytest.raises(SettingInvalid):
        CoarseSettings(**bad)
    with pytest.raises(SettingInvalid):
        ViewSettings(zoom=(2.0, 1.0))


def test_the_matte_keeps_what_gives_the_response():
    """Only the left third counts: there the matte stays open, elsewhere it closes."""

    def forward(clips):
        return (clips - 0.5)[..., :12].square().mean(dim=(1, 2, 3, 4))[:, None]

    search = Passes(forward, [channel(0)], 6, 40, 0.0, None, [[]])
    settings = CoarseSettings(cells=(2, 4, 9), views=ViewSettings((1.0, 1.0), 0.0, 0.0, 0.0))
    x = (0.2 * torch.randn(1, 3, 6, 24, 36, generator=torch.Generator().manual_seed(0))).clamp(-0.5, 0.5)
    (matte,) = find_matte(search, settings, x, 30, generators(1))
    assert matte.shape == (1, 6, 24, 36)
    assert float(matte[..., :9].mean()) > 0.8
    assert float(matte[..., 16:].mean()) < 0.3
    assert len(search.history[0]) == 30


class Pooled(nn.Module):
    """Two convolutions and a mean over all places, or over a window that is made for 112 pixels."""

    def __init__(self, window=None):
        super().__init__()
        torch.manual_seed(3)
        self.first = nn.Conv3d(3, 4, (3, 5, 5), stride=(1, 4, 4), padding=(1, 2, 2))
        self.second = nn.Conv3d(4, 6, 3, stride=(1, 2, 2), padding=1)
        self.pool = nn.AvgPool3d(window or 1)
        self.head = nn.Conv3d(6, 5, 1)

    def forward(self, clips):
        x = self.second(self.first(clips).relu()).relu()
        return self.head(self.pool(x)).mean(dim=(2, 3, 4))


class Flat(Pooled):
    """Takes clips of one size only."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(6 * 4 * 14 * 14, 5)

    def forward(self, clips):
        return self.head(self.second(self.first(clips).relu()).flatten(1))


CARD = ModelCard(clip=(4, 112, 112))


@pytest.mark.parametrize(
    ("network", "layer", "size", "options", "sizes"),
    [
        (Pooled((4, 14, 14)), "head", (4, 112, 128), {}, ((64, 72), (112, 128))),
        (Pooled((4, 14, 14)), "head", (4, 64, 64), {}, ()),
        (Pooled(), "second", (4, 112, 112), {}, ()),
        (Pooled(), "head", (4, 112, 112), {"objective": "unit"}, ()),
        (Pooled(), "head", (4, 112, 112), {"preset": "strong"}, ()),
        (Pooled(), "head", (4, 112, 112), {"start": torch.rand(4, 3, 112, 112)}, ()),
        (Flat(), "head", (4, 112, 112), {}, ()),
    ],
)
def test_who_is_searched_for_coarse_to_fine(network, layer, size, options, sizes):
    request = request_for(network, layer, [0], Options(card=CARD, size=size, **options))
    assert request.sizes == sizes


@pytest.mark.usefixtures("quick_motion")
def test_a_search_coarse_to_fine_is_told_and_repeats():
    network, steps = Pooled((4, 14, 14)), []
    results = [
        ks.visualize(
            network,
            "head",
            [1],
            card=CARD,
            objective="channel",
            steps=10,
            seeds=1,
            progress=lambda *a: steps.append(a),
        )
        for _ in range(2)
    ]
    first, second = (pair[0] for pair in results)
    assert torch.equal(first.video, second.video)
    assert first.record["search"]["approach"] == "coarse to fine"
    assert first.record["search"]["sizes"] == ((64, 64), (112, 112))
    assert first.video.shape == (4, 3, 112, 112)
    assert float((first.video - 0.5).abs().max()) <= 0.5
    assert first.activation["optimal"] > first.activation["grey"]
    assert steps[-1][1] == steps[-1][2]


def test_units_together_get_what_each_gets_alone():
    network = Pooled().requires_grad_(False)
    settings = replace(OptimalSettings(), steps=8)

    def search(units):
        return natural_optima(
            network, [channel(unit) for unit in units], (3, 4, 40, 48), settings,
            [unit_generator(0, unit) for unit in units], usual_metric(3), sizes=((24, 32), (40, 48)),
        )  # fmt: skip

    alone, both = search([3]), search([2, 3])
    torch.testing.assert_close(both[1].video, alone[0].video, atol=1e-4, rtol=0)
    assert both[1].notes.contrast_budget == alone[0].notes.contrast_budget
