"""Metrics where their best and worst values are known."""

import math

import pytest
import torch

from kinetoscope.motion.metrics import PEAK_DB, displacement_tv, psnr_db, temporal_variance


def test_psnr_of_known_errors():
    image = torch.zeros(3, 5, 7)
    assert psnr_db(image, image) == pytest.approx(PEAK_DB)
    assert psnr_db(image, image + 0.1) == pytest.approx(20, abs=1e-4)
    assert psnr_db(image, image + 1) == pytest.approx(0, abs=1e-6)


def test_displacement_tv_counts_fractions_of_width_and_height():
    frames, height, width = 4, 6, 10
    field = torch.zeros(frames, 2, height, width)
    assert displacement_tv(field) == 0
    drift = torch.arange(frames).float().view(-1, 1, 1) * torch.ones(height, width)
    field[:, 0] = drift  # x moves one pixel a frame: a tenth of the width, in one of two components
    assert displacement_tv(field) == pytest.approx(0.5 / width)
    field[:, 0] = 0
    field[:, 1] = torch.arange(height).float().view(-1, 1)  # y grows one pixel per row
    assert displacement_tv(field) == pytest.approx(0.5 / height)


def test_temporal_variance_of_a_blinking_video():
    video = torch.tensor([0.0, 1.0, 0.0, 1.0]).view(4, 1, 1, 1).expand(4, 3, 5, 6)
    assert temporal_variance(video) == pytest.approx(0.25)
    assert math.isclose(temporal_variance(video[:1]), 0)
