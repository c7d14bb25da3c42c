"""The Fourier parameterization against its definition, cell by cell."""

import math

import pytest
import torch

from kinetoscope.errors import SettingInvalid
from kinetoscope.optimal.ascend import AdamSettings, maximize, start_clip, unit_generator
from kinetoscope.optimal.objective import channel
from kinetoscope.optimal.parameters import FourierParameters
from kinetoscope.optimal.transforms import TransformSettings

T, H, W = 4, 6, 9
STEADY = TransformSettings(shift=(0.0, 0.0, 0.0), scale=(1.0, 1.0, 1.0))


def noise(channels=1):
    return torch.randn(2, channels, T, H, W, generator=torch.Generator().manual_seed(0))


def logits(parameters):
    return torch.logit(parameters.video().detach().double())


@pytest.mark.parametrize(("t", "y", "x"), [(0, 0, 0), (0, 0, 2), (1, 2, 0), (2, 3, 4)])
def test_each_frequency_is_the_starts_over_its_frequency(t, y, x):
    start = noise()
    given = torch.fft.fftn(start.double(), dim=(2, 3, 4))[:, :, t, y, x]
    made = torch.fft.fftn(logits(FourierParameters(0.01 * start)), dim=(2, 3, 4))[:, :, t, y, x]
    cycles = math.hypot(t / T if t <= T / 2 else t / T - 1, y / H if y <= H / 2 else y / H - 1, x / W)
    expected = 0.01 * given / max(cycles, 1 / 9)
    assert float((made - expected).abs().max()) < 1e-3


@pytest.mark.parametrize("channels", [1, 3])
def test_gradients_reach_every_frequency(channels):
    parameters = FourierParameters(noise(channels))
    assert parameters.video().shape == (2, channels, T, H, W)
    weights = torch.randn(T, H, W, generator=torch.Generator().manual_seed(1))
    (parameters.video() * weights).sum().backward()
    assert parameters.values.grad.abs().amax(dim=-1).min() > 0


def test_the_domain_is_a_setting_and_climbs():
    settings = AdamSettings(steps=20, rate=0.3, domain="fourier", transforms=STEADY)
    pattern = torch.cos(2 * math.pi * torch.arange(W) / W)

    def forward(clips):
        return (clips * pattern).mean(dim=(1, 2, 3, 4))[:, None]

    shape = (3, T, H, W)
    (found,) = maximize(forward, [channel(0)], shape, settings, [unit_generator(0, 1)])
    start = start_clip(settings, shape, unit_generator(0, 1))
    before, after = (float(forward(clip.transpose(0, 1)[None])) for clip in (start, found.video))
    assert after > before + 0.1
    with pytest.raises(
        SettingInvalid, match="pixel, sigmoid, fourier, fourier-2d, still, maco, not 'wavelet'"
    ):
        AdamSettings(domain="wavelet")


def test_a_still_optimum_is_one_image_in_every_frame():
    settings = AdamSettings(steps=20, rate=0.3, domain="still", transforms=STEADY)
    pattern = torch.cos(2 * math.pi * torch.arange(W) / W) * torch.linspace(-1, 2, T)[:, None, None]

    def forward(clips):
        return (clips * pattern).mean(dim=(1, 2, 3, 4))[:, None]

    (found,) = maximize(forward, [channel(0)], (3, T, H, W), settings, [unit_generator(0, 1)])
    assert found.video.shape == (T, 3, H, W)
    assert torch.equal(found.video, found.video[:1].expand(T, -1, -1, -1))
    mean = found.video[0].mean(dim=(0, 1))  # of all frames' wishes together, the later ones the stronger
    assert torch.equal(mean > 0.5, pattern.mean(dim=(0, 1)) > 0)


def test_a_still_start_is_the_first_frame_of_the_moving_one():
    still, moving = (
        start_clip(AdamSettings(domain=domain), (3, T, H, W), unit_generator(3, 1))
        for domain in ("still", "pixel")
    )
    assert torch.equal(still, moving[:1].expand(T, -1, -1, -1))
