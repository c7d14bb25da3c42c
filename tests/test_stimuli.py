"""Stimuli are what their names say: direction, speed, wavelength, colour, contrast."""

import math

import pytest
import torch

from kinetoscope.motion.decompose import decompose
from kinetoscope.motion.summary import summarize
from kinetoscope.stimuli import bank, colours, contrast, drifting_noise, flat, grating, to_contrast

SHAPE = (3, 6, 20, 28)


@pytest.mark.parametrize(("direction", "step"), [(0, (2, 0)), (90, (0, -2)), (180, (-2, 0)), (270, (0, 2))])
def test_a_grating_drifts_where_it_says(direction, step):
    clip = grating(SHAPE, 8.0, direction, 2.0)
    x, y = step
    torch.testing.assert_close(clip[:, 1:], clip[:, :-1].roll((y, x), (2, 3)), atol=1, rtol=0)
    inner = clip[:, 1, 4:-4, 4:-4], clip[:, 0].roll((y, x), (1, 2))[:, 4:-4, 4:-4]
    torch.testing.assert_close(*inner, atol=1e-5, rtol=0)
    # a wavelength further along it looks the same
    moved = clip.roll((4 * y, 4 * x), (2, 3))[:, :, 8:-8, 8:-8]
    torch.testing.assert_close(moved, clip[:, :, 8:-8, 8:-8], atol=1e-5, rtol=0)


@pytest.mark.parametrize("direction", [0, 135, 270])
def test_noise_drifts_where_it_says(direction):
    clip = drifting_noise((3, 8, 48, 64), direction, 1.0, torch.Generator().manual_seed(3))
    motion = summarize(decompose((0.5 + clip).transpose(0, 1), seed=0))
    off = (motion.direction_deg - direction + 180) % 360 - 180
    assert abs(off) < 3
    assert motion.speed_px_per_frame == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("wanted", [0.05, 0.2, 0.3])
def test_contrast_is_kept_to_within_black_and_white(wanted):
    clips = torch.stack([named.clip for named in bank(SHAPE)])
    scaled = to_contrast(clips, wanted)
    assert float(scaled.abs().max()) <= 0.5
    for value, named in zip(contrast(scaled).flatten().tolist(), bank(SHAPE), strict=True):
        most = float(
            (0.5 * named.clip.sign()).square().mean().sqrt()
        )  # a colour has fewer channels to show it
        assert value == pytest.approx(min(wanted, most), rel=0.02), named.name


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_the_bank_fits_any_number_of_channels(channels):
    found = list(bank((channels, 4, 10, 12)))
    assert len({named.name for named in found}) == len(found)
    assert all(named.clip.shape == (channels, 4, 10, 12) for named in found)
    assert all(bool((named.clip.std(dim=(1, 2, 3)) == 0).all()) == named.flat for named in found)
    assert next(iter(colours(channels))) == "grey"


def test_the_bank_is_the_same_every_time():
    for one, other in zip(bank(SHAPE), bank(SHAPE), strict=True):
        assert torch.equal(one.clip, other.clip)


def test_colour_axes_and_flats():
    red_green = grating(SHAPE, 7.0, 0.0, 0.0, colour=colours(3)["red-green"])
    torch.testing.assert_close(red_green[0], -red_green[1])
    assert not bool(red_green[2].any())
    assert flat(SHAPE, (0.0, 0.0, -2.0))[:, 0, 0, 0].tolist() == [0.0, 0.0, -0.5]
    sine, square = (grating(SHAPE, 12.0, 30.0, 0.0, square=sharp, phase=0.1) for sharp in (False, True))
    assert float((sine * square).sum() / (sine.norm() * square.norm())) == pytest.approx(
        math.sqrt(8) / math.pi, abs=0.03
    )
