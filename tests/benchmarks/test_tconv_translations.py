"""The planted check of 3T convolutions, with the answer written into the weights."""

import math

import pytest
import torch

from tconv_translations import (
    CLASSES,
    Translations,
    TranslationSettings,
    class_motions,
    fit_translations,
    held_out,
)

QUICK = TranslationSettings(steps=2, batch=3, channels=8, clip=(6, 18, 20), test_per_class=6)


def planted() -> Translations:
    """One channel a class: a spot with a dark rim that goes one pixel a slice along the class."""
    net = Translations(8, (5, 9, 9)).eval()
    y, x = torch.meshgrid(torch.arange(9.0) - 4, torch.arange(9.0) - 4, indexing="ij")
    with torch.no_grad():
        for channel in range(8):
            right, down = math.cos(math.radians(45 * channel)), -math.sin(math.radians(45 * channel))
            distance = (x + 2 * right) ** 2 + (y + 2 * down) ** 2
            spot = torch.exp(-distance / 3) - 0.5 * torch.exp(-distance / 6)
            net.conv.first_weight[channel, 0, 0] = spot
            net.conv.translate_x[:, channel] = -right / 4
            net.conv.translate_y[:, channel] = -down / 4
        net.fc.weight.copy_(5 * torch.eye(8))
        net.fc.bias.zero_()
    return net


def test_what_is_planted_comes_out() -> None:
    accuracy, found = class_motions(planted(), held_out(TranslationSettings(test_per_class=16)))
    assert accuracy > 0.3  # by chance 0.125
    assert [row.name for row in found] == list(CLASSES)
    for index, row in enumerate(found):
        assert row.wanted_deg == 45 * index
        assert row.channels[0] == index
        assert row.channels_deg[0] == pytest.approx(45 * index, abs=0.1)
        assert row.error_deg < 1
        assert row.speed_px_per_frame == pytest.approx(1, abs=0.01)


def test_channels_that_move_the_other_way_are_told() -> None:
    net = planted()
    with torch.no_grad():
        net.fc.weight.copy_(net.fc.weight.roll(1, dims=1))  # each class listens to its neighbour
    _, found = class_motions(net, held_out(QUICK))
    errors = [row.error_deg for row in found if row.use[0] > 0]
    assert errors
    assert min(errors) > 40


def test_training_is_repeatable_and_moves_the_trajectories() -> None:
    first, second = (fit_translations(QUICK) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert float(first.conv.translate_x.detach().abs().max()) > 0
