"""Fitting slices and trajectories to kernels: planted ones come back, others are told how far they are."""

import copy

import pytest
import torch
from torch import Tensor, nn

from kinetoscope.tconv import Conv3T, convert
from kinetoscope.tconv.fit import fit_kernel
from kinetoscope.tconv.kernel import temporal_kernel


def planted(out: int, channels: int, depth: int, height: int, width: int) -> tuple[Tensor, Tensor]:
    """A kernel that Conv3T makes, and its trajectory."""
    generator = torch.Generator().manual_seed(out)
    spread = torch.tensor([0.1, 0.3, 0.25, 0.25]).view(4, 1, 1)
    trajectory = spread * torch.randn(4, depth - 1, out, generator=generator)
    trajectory[0] += 1
    first = torch.randn(out, channels, 1, height, width, generator=generator)
    return temporal_kernel(first, *trajectory), trajectory


@pytest.mark.parametrize("size", [(6, 5, 3, 3, 3), (4, 40, 3, 3, 4)])
def test_planted_kernels_and_their_motion_are_recovered(size: tuple[int, ...]) -> None:
    kernel, trajectory = planted(*size)
    found = fit_kernel(kernel)
    assert float(found.explained.min()) > 0.9999
    torch.testing.assert_close(temporal_kernel(found.first, *found.trajectory), kernel, atol=0.02, rtol=0)
    torch.testing.assert_close(found.trajectory, trajectory, atol=0.02, rtol=0)
    assert float(found.still.mean()) < 0.9


def test_explained_is_the_share_of_the_energy() -> None:
    noise = torch.randn(3, 2, 3, 3, 2, generator=torch.Generator().manual_seed(0))
    found = fit_kernel(noise)
    left = temporal_kernel(found.first, *found.trajectory) - noise
    share = 1 - left.square().sum(dim=(1, 2, 3, 4)) / noise.square().sum(dim=(1, 2, 3, 4))
    torch.testing.assert_close(found.explained, share, atol=1e-4, rtol=0)
    still = noise.mean(dim=2, keepdim=True) - noise
    without = 1 - still.square().sum(dim=(1, 2, 3, 4)) / noise.square().sum(dim=(1, 2, 3, 4))
    torch.testing.assert_close(found.still, without, atol=1e-4, rtol=0)
    assert bool((found.still <= found.explained).all())
    assert float(found.explained.max()) < 0.9, "noise is no slice that moves"


def test_empty_kernels_do_no_harm() -> None:
    found = fit_kernel(torch.zeros(2, 3, 3, 3, 2))
    assert bool(found.trajectory.isfinite().all())
    assert not found.first.any()


class Network(nn.Module):
    """Ordinary convolutions of every sort, one of them used under two names."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv3d(3, 4, (3, 3, 2), stride=(1, 2, 2), padding=(1, 1, 0), bias=False)
        self.block = nn.Sequential(nn.Conv3d(4, 4, (3, 3, 5), padding="same", groups=2), nn.ReLU())
        self.again = self.block[0]
        self.point = nn.Conv3d(4, 5, 1)
        self.time = nn.Conv3d(5, 2, (3, 1, 1))
        self.frame = nn.Conv3d(2, 2, (1, 3, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.frame(self.time(self.point(self.again(self.block(self.stem(x))))))


def test_a_network_is_converted_and_the_callers_left_alone() -> None:
    torch.manual_seed(0)
    model = Network().train()
    model.stem.weight.data = planted(4, 3, 3, 3, 2)[0]
    model.block[0].weight.data = planted(4, 2, 3, 3, 5)[0]
    before = copy.deepcopy(model.state_dict())
    done = convert(model)
    assert [fit.layer for fit in done.layers] == ["stem", "block.0"]
    assert [fit.kernel_size for fit in done.layers] == [(3, 3, 2), (3, 3, 5)]
    assert all(fit.explained > 0.999 and fit.still < fit.explained for fit in done.layers)
    assert done.left == ("point", "time", "frame")
    assert isinstance(done.model.stem, Conv3T)
    assert done.model.again is done.model.block[0]
    assert type(model.stem) is nn.Conv3d
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    clip = torch.randn(1, 3, 7, 15, 18)
    torch.testing.assert_close(done.model(clip), model(clip), atol=0.02, rtol=0)
    assert done.model.stem.training


def test_a_lone_convolution_is_converted_too() -> None:
    done = convert(nn.Conv3d(2, 3, (2, 3, 2)))
    assert isinstance(done.model, Conv3T)
    assert len(done.layers[0].channels) == 3
