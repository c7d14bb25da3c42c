"""Metrics where their values are known; those of docs/conventions.md are in `tests/test_conventions.py`."""

import math

import pytest
import torch

from kinetoscope.motion.metrics import temporal_variance


def test_temporal_variance_of_a_blinking_video():
    video = torch.tensor([0.0, 1.0, 0.0, 1.0]).view(4, 1, 1, 1).expand(4, 3, 5, 6)
    assert temporal_variance(video) == pytest.approx(0.25)
    assert math.isclose(temporal_variance(video[:1]), 0)
