"""Every metric where its best and its worst value are known."""

import pytest
import torch

from kinetoscope.evaluation.metrics import (
    Spread,
    angular_errors_deg,
    direction_error_deg,
    endpoint_errors,
    shifted_correlation,
    spectrum_correlation,
    speed_ratio,
    spread,
)
from kinetoscope.synthetic.planted import drift, noise_texture


def even(direction, speed):
    return drift(direction, speed).view(1, 2, 1, 1).expand(4, 2, 5, 7)


def texture(seed=0):
    return noise_texture(40, 56, torch.Generator().manual_seed(seed))


def test_endpoint_error():
    assert float(endpoint_errors(even(20, 1.5), even(20, 1.5)).max()) == 0
    assert endpoint_errors(even(200, 1.5), even(20, 1.5)).shape == (4, 1, 5, 7)
    assert float(endpoint_errors(even(200, 1.5), even(20, 1.5)).mean()) == pytest.approx(3)


@pytest.mark.parametrize(
    ("found", "truth", "angle"),
    [
        ((30, 1.0), (30, 1.0), 0),
        ((0, 0.0), (30, 1.0), 45),
        ((210, 1.0), (30, 1.0), 90),
        ((210, 1e4), (30, 1e4), 180),
        ((0, 0.0), (0, 0.0), 0),
    ],
)
def test_angular_error(found, truth, angle):
    errors = angular_errors_deg(even(*found), even(*truth))
    assert errors.shape == (4, 1, 5, 7)
    assert errors.flatten().tolist() == pytest.approx([angle] * errors.numel(), abs=0.02)


def test_direction_error():
    assert direction_error_deg(drift(350, 2.0), drift(10, 0.3)) == pytest.approx(20, abs=1e-3)
    assert direction_error_deg(drift(350, 2.0), drift(350, 0.3)) == pytest.approx(0, abs=1e-3)
    assert direction_error_deg(drift(190, 2.0), drift(10, 0.3)) == pytest.approx(180, abs=1e-3)
    assert direction_error_deg(torch.zeros(2), drift(10, 0.3)) == 90
    assert direction_error_deg(drift(10, 0.3), torch.zeros(2)) is None


def test_speed_ratio():
    truth = even(75, 1.2)
    assert speed_ratio(truth, truth) == pytest.approx(1)
    assert speed_ratio(even(75, 0.3), truth) == pytest.approx(0.25)
    assert speed_ratio(even(165, 2), truth) == pytest.approx(0, abs=1e-6)
    assert speed_ratio(-truth, truth) == pytest.approx(-1)
    assert speed_ratio(truth, torch.zeros_like(truth)) is None
    left = torch.zeros(1, 1, 5, 7, dtype=torch.bool)
    left[..., :3] = True
    assert speed_ratio(truth * left, truth, left) == pytest.approx(1)
    assert speed_ratio(truth * left, truth, ~left) == pytest.approx(0)


def test_shifted_correlation():
    assert shifted_correlation(texture(), texture()) == pytest.approx(1)
    assert shifted_correlation(texture().roll((3, -4), (1, 2)), texture()) > 0.999
    assert shifted_correlation(texture().roll((8, -9), (1, 2)), texture()) < 0.8
    assert shifted_correlation(1 - texture(), texture(), reach=0) == pytest.approx(-1)
    assert abs(shifted_correlation(texture(1), texture(), reach=0)) < 0.5
    assert shifted_correlation(torch.full((3, 40, 56), 0.5), texture()) is None


def waves(axis, wavelength, phase=0.0):
    shape = [1, 1, 1]
    shape[axis] = -1
    places = torch.arange((3, 40, 56)[axis]).view(shape)
    return (0.5 + 0.4 * torch.sin(2 * torch.pi / wavelength * places + phase)).expand(3, 40, 56)


def test_spectrum_correlation():
    assert spectrum_correlation(waves(2, 8), waves(2, 8)) == pytest.approx(1)
    assert spectrum_correlation(waves(2, 8, phase=2.0), waves(2, 8)) > 0.99
    assert spectrum_correlation(1 - waves(2, 8), waves(2, 8)) > 0.99
    assert spectrum_correlation(waves(1, 8), waves(2, 8)) < 0.05
    assert spectrum_correlation(waves(2, 16), waves(2, 6)) < 0.05
    assert spectrum_correlation(torch.full((3, 40, 56), 0.5), waves(2, 8)) is None


def test_spread():
    assert spread([3.0, None, 1.0, 2.0]) == Spread(1.0, 2.0, 3.0, 3)
    assert spread([4.0, 1.0]) == Spread(1.0, 2.5, 4.0, 2)
    assert spread([None]) is None
