"""Kernels come back as they are in the layer; separability has its known best and worst."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from kinetoscope.errors import LayerNotFound, ModelUnusable
from kinetoscope.filters.kernels import layer_kernels, layer_weights, read_kernels, separability


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv3d(3, 5, (2, 3, 4)), nn.ReLU(), nn.Conv2d(5, 6, 3), nn.ConvTranspose3d(2, 3, 2)
    )


def test_weights_are_copies_of_the_layers() -> None:
    model = network()
    found = layer_kernels(model, "0", [4, 1])
    assert torch.equal(found.weights, model[0].weight[[4, 1]])
    assert found.scale == float(model[0].weight.detach().abs().max())
    assert found.units == (4, 1)
    found.weights.zero_()
    assert float(model[0].weight[4].detach().abs().max()) > 0
    torch.testing.assert_close(
        found.energy, (squares := model[0].weight[[4, 1]].square().sum(dim=(1, 3, 4))) / squares.sum(1, True)
    )
    assert layer_weights(model, "2").shape == (6, 5, 1, 3, 3)


def test_separability_between_its_ends() -> None:
    torch.manual_seed(0)
    course, picture = torch.randn(4), torch.randn(3, 5, 6)
    separable = torch.einsum("d,chw->cdhw", course, picture)
    moving = torch.zeros(3, 4, 5, 6)
    for t in range(4):
        moving[:, t, :, t] = 1.0  # a bar that moves: four orthogonal pictures
    half = torch.zeros(3, 4, 5, 6)
    half[0, 0, 0, 0], half[1, 1, 1, 1] = 3.0, 1.0
    kernels = torch.stack([separable, moving, half, torch.zeros(3, 4, 5, 6)])
    torch.testing.assert_close(separability(kernels), torch.tensor([1.0, 0.25, 0.9, 1.0]))
    assert separability(torch.randn(2, 3, 1, 5, 6)).tolist() == pytest.approx([1.0, 1.0])


@pytest.mark.parametrize("layer", ["1", "3"])
def test_what_is_no_convolution_is_refused(layer: str) -> None:
    with pytest.raises(LayerNotFound, match=r"convolutions are 0, 2$"):
        layer_kernels(network(), layer, [0])


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_kernels_are_read_from_a_file(tmp_path: Path, channels: int) -> None:
    kernels = torch.rand(2, channels, 3, 4, 5)
    save_file({"kernels": kernels}, tmp_path / "a.safetensors")
    assert torch.equal(read_kernels(tmp_path / "a.safetensors"), kernels)
    save_file({"kernels": kernels[0]}, tmp_path / "b.safetensors")
    with pytest.raises(ModelUnusable, match=f"not {channels}x3x4x5"):
        read_kernels(tmp_path / "b.safetensors")
    save_file({"weight": kernels}, tmp_path / "c.safetensors")
    with pytest.raises(ModelUnusable, match="none"):
        read_kernels(tmp_path / "c.safetensors")
