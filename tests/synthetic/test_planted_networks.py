"""Planted kernels want what they were built for, and like it better than what is near it."""

import math

import pytest
import torch

from kinetoscope.evaluation.cases import CARD, network_cases
from kinetoscope.optimal.ascend import normalize
from kinetoscope.synthetic.networks import (
    JoinedDirections,
    LinearKernels,
    MotionEnergy,
    affine_kernel,
    flicker_kernel,
    gabor,
    grey,
    plaid_velocity,
)
from kinetoscope.synthetic.planted import (
    drift,
    expansion,
    grating_texture,
    noise_texture,
    planted_clip,
    rotation,
    translation,
)

SIZE = (9, 32, 40)


def grating(direction, speed, wavelength=8.0):
    stripes = grating_texture(72, 80, direction, wavelength)
    return planted_clip(stripes, translation(direction, speed), *SIZE).video


def answer(model, video, rectified=True):
    """Mean over the map, away from the border."""
    with torch.no_grad():
        response = model(normalize(video.transpose(0, 1)[None], CARD))[0, 0, 3:-3, 6:-6, 6:-6]
    return float((response.relu() if rectified else response).mean())


@pytest.mark.parametrize(
    ("direction", "speed", "wavelength"), [(30, 1.0, 8.0), (250, 2.0, 8.0), (135, 0.5, 12.0)]
)
def test_motion_energy_prefers_its_own_drift(direction, speed, wavelength):
    model = MotionEnergy([(direction, speed)], wavelength=wavelength)
    own = answer(model, grating(direction, speed, wavelength))
    assert own > 3 * answer(model, grating(direction + 90, speed, wavelength))
    assert own > 2 * answer(model, grating(direction, speed, 2.5 * wavelength))
    if speed >= 1:
        assert own > 2 * answer(model, grating(direction, -speed, wavelength))
    assert answer(model, torch.full((9, 3, 32, 40), 0.8)) < 1e-6 * own


def test_gabors_have_unit_norm_no_response_to_light_and_come_in_quadrature():
    even, odd = (gabor(20, 1.0, phase=phase) for phase in (0.0, math.pi / 2))
    for kernel in (even, odd):
        assert float(kernel.norm()) == pytest.approx(1)
        assert float(kernel.sum()) == pytest.approx(0, abs=1e-5)
    assert abs(float((even * odd).sum())) < 0.02


def test_a_static_kernel_prefers_stillness_and_a_flicker_kernel_no_stripes():
    static = LinearKernels(grey(gabor(60, 0.0))[None])
    assert answer(static, grating(60, 0.0)) > 2 * answer(static, grating(60, 1.5))
    flicker = LinearKernels(grey(flicker_kernel())[None])
    light = 0.5 + 0.4 * torch.cos(2 * math.pi / 6 * torch.arange(9.0)).view(-1, 1, 1, 1).expand(-1, 3, 32, 40)
    assert answer(flicker, light) > 5 * answer(flicker, grating(60, 1.0))
    assert answer(flicker, torch.ones(9, 3, 32, 40)) < 1e-5


def test_a_dc_response_wins_the_mean_and_loses_the_positive_part():
    case = next(case for case in network_cases(0, SIZE) if case.family == "with DC response, mean")
    stripes, white = grating(60, 1.0), torch.ones(9, 3, 32, 40)
    hard = (stripes > 0.5).float()
    assert answer(case.model, white, rectified=False) > 5 * answer(case.model, hard, rectified=False)
    assert answer(case.model, hard) > 1.1 * answer(case.model, white)


def test_two_layers_want_both_directions_at_once():
    model = JoinedDirections((0, 90), 1.0)
    one, other = grating(0, 1.0), grating(90, 1.0)
    plaid = (one + other) / 2
    assert answer(model, plaid, rectified=False) > answer(model, one, rectified=False) + 1
    assert answer(model, plaid, rectified=False) > answer(model, other, rectified=False) + 1


@pytest.mark.parametrize(
    ("pair", "speed", "wanted"), [((0, 90), 1.0, (45, 2**0.5)), ((30, 30 + 120), 0.5, (90, 1.0))]
)
def test_a_plaid_moves_where_both_constraints_meet(pair, speed, wanted):
    assert plaid_velocity(pair, speed).tolist() == pytest.approx(drift(*wanted).tolist(), abs=1e-5)


@pytest.mark.parametrize("motion", [translation(40, 1.0), rotation(0.08), expansion(0.05)])
def test_an_affine_kernel_answers_most_to_its_own_trajectory(motion):
    texture = noise_texture(75, 75, torch.Generator().manual_seed(4))
    kernel = affine_kernel(texture, motion, (9, 25))
    assert kernel.shape == (3, 9, 25, 25)
    assert float(kernel.norm()) == pytest.approx(1)
    assert kernel.sum(dim=(2, 3)).abs().max() < 1e-4
    own = planted_clip(texture, motion, 9, 25, 25).video.transpose(0, 1)
    still = own[:, :1].expand_as(own)
    assert float((kernel * own).sum()) > 1.1 * float((kernel * still).sum())
    assert float((kernel * own).sum()) > 1.1 * float((kernel * own.flip(1)).sum())


def test_every_seed_plants_networks_that_fit_their_truth():
    for seed in range(2):
        cases = list(network_cases(seed, SIZE))
        assert len({(case.family, case.name) for case in cases}) == len(cases)
        for case in cases:
            frames, height, width = case.size
            assert case.velocity.shape == (frames - 1, 2, height, width)
            assert case.texture is None or case.texture.shape == (3, height, width)
            assert case.where is None or 0 < float(case.where.float().mean()) < 0.5
