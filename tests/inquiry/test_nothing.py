"""Units that show nothing are named so, and units that show something are not."""

from dataclasses import replace

import pytest
import torch
from torch import nn

import kinetoscope as ks
from kinetoscope.inquiry import settle
from kinetoscope.inquiry.nothing import nothing_found
from kinetoscope.results import DEAD, FLAT
from kinetoscope.types import MOTION_LABELS

CARD = ks.ModelCard(clip=(6, 12, 16))
LIVE, ZERO, SILENT, SUM, DETACHED = range(5)


class Units(nn.Module):
    """Channels: one alive, one of zero weights, one whose ReLU never opens, one that sums the clip up."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv3d(3, 4, 3)
        self.relu = nn.ReLU()
        self.quotient = Quotient()
        with torch.no_grad():
            self.conv.weight.copy_(
                torch.randn(self.conv.weight.shape, generator=torch.Generator().manual_seed(2))
            )
            self.conv.weight[LIVE] -= self.conv.weight[LIVE].mean()
            self.conv.bias.zero_()
            self.conv.weight[ZERO] = 0
            self.conv.bias[SILENT] = -1e4
            self.conv.weight[SUM] = 1

    def forward(self, clips):
        return self.quotient(self.relu(self.conv(clips)))


class Quotient(nn.Module):
    """0 / 0 for a channel of zeros: NaN, forward and backward; and a channel without a path to the clip."""

    def forward(self, x):
        ratio = x / x.amax(dim=(2, 3, 4), keepdim=True)
        return torch.cat([ratio, torch.ones_like(x[:, :1]).detach()], dim=1)


def shown(layer, units, objective):
    results = ks.visualize(Units(), layer, units, card=CARD, steps=12, seeds=1, objective=objective)
    assert all(bool(torch.isfinite(result.optimal.video).all()) for result in results)
    return results


@pytest.mark.parametrize(
    ("layer", "objective", "labels"),
    [
        ("conv", "channel", {LIVE: None, ZERO: DEAD, SUM: FLAT}),
        ("conv", "channel-relu", {LIVE: None, ZERO: DEAD, SILENT: DEAD}),
        ("relu", "channel", {SILENT: DEAD}),
        ("quotient", "channel", {ZERO: DEAD, DETACHED: DEAD}),
    ],
)
def test_planted_units_that_show_nothing_say_so(layer, objective, labels):
    for result, label in zip(shown(layer, list(labels), objective), labels.values(), strict=True):
        assert result.motion.label == label if label else result.motion.label in MOTION_LABELS
        assert (set(result.indices.values()) == {None}) == (label == DEAD)


def test_a_neighbours_nan_is_not_caught_in_a_batch(monkeypatch):
    together = replace(settle.OPTIMAL_PRESETS["default"], together=2)
    monkeypatch.setitem(settle.OPTIMAL_PRESETS, "default", together)
    both = shown("quotient", [ZERO, LIVE], "channel")
    (alone,) = shown("quotient", [LIVE], "channel")
    assert both[0].motion.label == DEAD
    torch.testing.assert_close(both[1].optimal.video, alone.optimal.video, atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("optimal", "random_input", "flat_colour", "label"),
    [
        (1.0, 0.0, 0.1, None),
        (-1.0, -9.0, -9.5, None),
        (1.0, 0.0, 0.95, FLAT),  # its colour does as well
        (5.001, 5.0, 4.0, FLAT),  # hardly any gain
        (1.0, 2.0, 1.0, FLAT),  # less than noise gives
        (0.0, 0.0, 0.0, DEAD),
        (5.0, 5.0, 5.0, DEAD),
        (float("nan"), 0.0, 0.0, DEAD),
        (1.0, 0.0, float("inf"), DEAD),
    ],
)
def test_each_case_by_hand(optimal, random_input, flat_colour, label):
    responses = {"optimal": optimal, "random_input": random_input, "flat_colour": flat_colour}
    assert nothing_found(responses) == label
