"""The small network in its three kinds."""

import pytest
import torch

from kinetoscope.tconv import Conv3T, inflate
from kinetoscope.training.small import build_small_2d, build_small_3d, build_small_3t
from kinetoscope.zoo.registry import load_model


def count(network):
    return sum(weight.numel() for weight in network.parameters())


def test_kinds_differ_in_their_kernels_only():
    flat, plain, ours = (build()[0] for build in (build_small_2d, build_small_3d, build_small_3t))
    steps = sum(2 * 4 * part.out_channels for part in ours.modules() if isinstance(part, Conv3T))
    assert count(ours) == count(flat) + steps
    assert count(plain) > 2 * count(ours)
    clips = torch.rand(2, 3, 8, 32, 40)
    assert plain(clips).shape == ours(clips).shape == flat(clips[:, :, :1]).shape == (2, 8)


@pytest.mark.parametrize("kind", ["3t", "3d"])
def test_stills_weights_are_inflated(kind):
    network = load_model(f"kinetoscope.training.small:build_small_{kind}")
    flat, _ = build_small_2d()
    done = inflate(network, flat.state_dict())
    assert len(done.copied) == 4
    ours = network.get_submodule("conv3").weight[:, :, 1]
    expected = flat.get_submodule("conv3").weight / (1 if kind == "3t" else 3)
    torch.testing.assert_close(ours, expected)
