"""The optimal input of units whose optimum is known."""

import math

import pytest
import torch
from torch import nn

from kinetoscope.card import ModelCard
from kinetoscope.errors import SettingInvalid
from kinetoscope.optimal.ascend import (
    AdamSettings,
    maximize,
    normalize,
    start_clip,
    unit_generator,
)
from kinetoscope.optimal.objective import channel, channel_relu
from kinetoscope.optimal.parameters import PixelParameters
from kinetoscope.optimal.transforms import TransformSettings

SHAPE = (3, 4, 6, 9)
STEADY = TransformSettings(shift=(0.0, 0.0, 0.0), scale=(1.0, 1.0, 1.0))


def test_a_linear_unit_drives_each_pixel_to_its_sign():
    pattern = torch.randn(1, *SHAPE, generator=torch.Generator().manual_seed(0))

    def forward(clips):
        return (clips * pattern).sum(dim=(1, 2, 3, 4))[:, None]

    settings = AdamSettings(steps=200, rate=0.3, transforms=STEADY)
    (found,) = maximize(forward, [channel(0)], SHAPE, settings, [unit_generator(0, 0)])
    reached = float((found.video.transpose(0, 1) * pattern[0]).sum())
    best = float(pattern.clamp(min=0).sum())
    assert reached > 0.9 * best
    assert found.video.shape == (4, 3, 6, 9)
    assert found.steps == len(found.history) == 200
    assert found.history[-1] > found.history[0]


def test_units_of_a_batch_do_not_know_of_each_other():
    network = nn.Sequential(nn.Conv3d(3, 5, 3, padding=1), nn.Tanh(), nn.Conv3d(5, 4, 3))
    settings = AdamSettings(steps=12)
    units = [3, 0, 2]

    def run(chosen):
        generators = [unit_generator(7, unit) for unit in chosen]
        return maximize(network, [channel(unit) for unit in chosen], SHAPE, settings, generators)

    together = run(units)
    for unit, found in zip(units, together, strict=True):
        (alone,) = run([unit])
        torch.testing.assert_close(found.video, alone.video, atol=1e-4, rtol=0)
        assert found.history == pytest.approx(alone.history, abs=1e-5)


def test_the_start_is_nearly_grey_and_belongs_to_the_unit():
    settings = AdamSettings()
    first, again = (start_clip(settings, SHAPE, unit_generator(0, 4)) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, start_clip(settings, SHAPE, unit_generator(0, 5)))
    assert not torch.equal(first, start_clip(settings, SHAPE, unit_generator(1, 4)))
    assert float((first - 0.5).abs().max()) < 0.02


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_pixels_stay_between_black_and_white(channels):
    values = 50 * torch.randn(2, channels, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    video = PixelParameters(values).video().detach()
    assert float(video.min()) >= 0
    assert float(video.max()) <= 1


def test_the_step_grows_falls_and_ends_small():
    settings = AdamSettings(steps=100, rate=0.3, final_rate=0.1, warmup=0.2)
    rates = [settings.rate_at(step) for step in range(101)]
    assert rates[0] == pytest.approx(0.3 / 50)
    assert rates[:20] == sorted(rates[:20])
    assert rates[20:] == sorted(rates[20:], reverse=True)
    assert 0.25 < rates[20] < 0.3
    assert rates[100] == pytest.approx(0.03)
    flat = AdamSettings(rate=0.3, final_rate=1.0, warmup=0.0)
    assert {flat.rate_at(step) for step in range(80)} == {0.3}


def test_a_rectified_channel_spreads_from_one_corner():
    def forward(clips):  # speaks where a place is bright, and only the first column begins anywhere near
        offset = torch.full((9,), 0.45)
        offset[0] = -0.1
        return (clips.mean(dim=1, keepdim=True) - 0.5) - offset

    reached = []
    for leak in (0.0, 0.3):
        settings = AdamSettings(transforms=STEADY, leak=leak)
        (found,) = maximize(forward, [channel_relu(0)], SHAPE, settings, [unit_generator(0, 0)])
        reached.append(float(forward(found.video.transpose(0, 1)[None]).relu().mean()))
    assert reached[0] < 0.1 < 0.11 < reached[1]
    assert AdamSettings(steps=80).leak_at(60) == 0


def test_normalization_follows_the_card():
    card = ModelCard(
        value_range=(0.0, 255.0), channel_order="BGR", mean=(90.0, 98.0, 102.0), std=(1.0, 2.0, 4.0)
    )
    clip = torch.tensor([0.0, 0.5, 1.0]).view(1, 3, 1, 1, 1).expand(1, 3, 2, 3, 4)
    fed = normalize(clip, card)[0, :, 0, 0, 0]
    torch.testing.assert_close(fed, torch.tensor([255.0 - 90, (127.5 - 98) / 2, (0 - 102) / 4]))


@pytest.mark.parametrize(
    "setting",
    [{"steps": 0}, {"rate": 0.0}, {"together": 0}, {"rate": -math.inf}, {"warmup": 1.5}, {"leak": -0.1}],
)
def test_impossible_settings_are_refused(setting):
    with pytest.raises(SettingInvalid):
        AdamSettings(**setting)
