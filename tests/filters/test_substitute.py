"""Substitution beside the paper's own words, pixel by pixel, and beside gradients where these are exact."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from substitution import subst, unpool
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from kinetoscope.errors import NotDecodable, SettingInvalid
from kinetoscope.filters.decode import decode_filter
from kinetoscope.filters.substitute import UNPOOLINGS, resize


def chain2d(pool: nn.Module) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(2, 4, (3, 2), stride=(1, 2), padding=1),
        nn.ReLU(),
        pool,
        nn.Conv2d(4, 6, (2, 3), dilation=(2, 1), groups=2, padding=(0, 2)),
        nn.ReLU(inplace=True),
        nn.Conv2d(6, 3, (1, 3), stride=(2, 1), groups=3),
    ).double()


def chain3d(pool: nn.Module) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv3d(3, 4, (2, 3, 2), stride=(1, 2, 1), padding=(1, 0, 1)),
        pool,
        nn.Conv3d(4, 2, (3, 1, 2), dilation=(1, 1, 2), groups=2, padding=1),
        nn.ReLU(),
    ).double()


def by_the_paper(net: nn.Sequential, unit: int, mode: str) -> np.ndarray:
    layers = [layer for layer in net if not isinstance(layer, nn.ReLU)]
    picture = np.zeros((layers[-1].out_channels, *(1,) * len(layers[-1].kernel_size)))
    picture[unit] = 1
    for layer in reversed(layers):
        if isinstance(layer, (nn.Conv1d, nn.Conv2d, nn.Conv3d)):
            weight = layer.weight.detach().numpy()
            picture = subst(picture, weight, layer.stride, layer.dilation, layer.groups)
        else:
            axes = picture.ndim - 1
            size = layer.kernel_size
            picture = unpool(picture, size if isinstance(size, tuple) else (size,) * axes, mode)
    return picture


@pytest.mark.parametrize("mode", UNPOOLINGS)
@pytest.mark.parametrize(
    "net",
    [
        chain2d(nn.MaxPool2d((3, 2))),
        chain2d(nn.AvgPool2d(2)),
        chain3d(nn.MaxPool3d((1, 2, 3))),
        chain3d(nn.AvgPool3d((2, 1, 3))),
    ],
    ids=["2d max", "2d mean", "3d max", "3d mean"],
)
def test_decoding_is_what_the_paper_words(net: nn.Sequential, mode: str) -> None:
    found = decode_filter(net, str(len(net) - 1), 1, mode, size=(13, 26, 37))
    expected = by_the_paper(net, 1, mode)
    assert len(set(found.decoded.shape[1:])) == found.decoded.ndim - 1  # axes mixed up would be seen
    np.testing.assert_allclose(found.decoded.numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("mode", UNPOOLINGS)
def test_one_dimension_works_alike(mode: str) -> None:
    torch.manual_seed(1)
    net = nn.Sequential(nn.Conv1d(2, 3, 4), nn.MaxPool1d(3), nn.Conv1d(3, 2, 2)).double()
    np.testing.assert_allclose(
        decode_filter(net, "2", 1, mode).decoded.numpy(), by_the_paper(net, 1, mode), atol=1e-12
    )


def test_with_stride_one_substitution_is_transposed_convolution() -> None:
    torch.manual_seed(2)
    net = nn.Sequential(nn.Conv3d(2, 5, (2, 3, 4)), nn.Conv3d(5, 4, (3, 2, 1)))
    with torch.no_grad():
        expected = F.conv_transpose3d(net[1].weight[2:3], net[0].weight)[0]
    torch.testing.assert_close(decode_filter(net, "1", 2).decoded, expected)


@pytest.mark.parametrize("shape", [(2, 5, 7), (1, 3, 4, 6)])
def test_resizing_agrees_with_torch(shape: tuple[int, ...]) -> None:
    values = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    smooth = "bilinear" if len(shape) == 3 else "trilinear"
    sizes = [3 * n for n in shape[1:]]
    torch.testing.assert_close(
        resize(values, sizes, "bilinear"), F.interpolate(values[None], sizes, mode=smooth)[0]
    )
    torch.testing.assert_close(resize(values, sizes, "nearest"), F.interpolate(values[None], sizes)[0])


class Branches(nn.Module):
    """Everything that is linear and has places: its gradient is the truth."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = weight_norm(nn.Conv3d(2, 4, (3, 3, 5), padding=(1, 1, 2)))
        self.norm = nn.BatchNorm3d(4)
        self.down = nn.Conv3d(4, 4, 3, stride=(1, 2, 2), padding=1)
        self.short = nn.Conv3d(4, 4, 1, stride=(1, 2, 2))
        self.left, self.right = (
            nn.Conv3d(2, 2, 3, padding="same"),
            nn.Conv3d(2, 3, (1, 3, 1), padding=(0, 1, 0)),
        )
        self.last = nn.Conv3d(7, 3, 2)
        self.register_buffer("mean", torch.rand(2, 1, 1, 1))

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        x = self.norm(self.stem((clips - self.mean) / 0.5))
        y = self.down(x)
        y += self.short(x)
        one, two = y.chunk(2, dim=1)
        z = torch.cat([self.left(one), 2 * self.right(two), y[:, 1:3]], dim=1)
        return self.last(F.pad(z, (1, 0, 0, 0, 1, 1)) + 0.25)


def gradient(model: nn.Module, clip: torch.Tensor, index: tuple[int, ...]) -> torch.Tensor:
    clip = clip.clone().requires_grad_()
    return torch.autograd.grad(model(clip)[index], clip)[0][0]


def test_branches_sums_and_joins_are_exact() -> None:
    torch.manual_seed(3)
    net = Branches().double().eval()
    net.norm.running_var.uniform_(0.5, 2)
    net.norm.weight.data.uniform_(-1, 1)
    clip = torch.randn(1, 2, 12, 26, 30, dtype=torch.float64)
    middle = tuple(n // 2 for n in net(clip).shape[2:])
    found = decode_filter(net, "last", 1, size=(12, 26, 30))
    exact = gradient(net, clip, (0, 1, *middle))
    ends = [c + n for c, n in zip(found.corner, found.decoded.shape[1:], strict=True)]
    window = tuple(slice(c, e) for c, e in zip(found.corner, ends, strict=True))
    torch.testing.assert_close(found.decoded, exact[(slice(None), *window)])
    exact[(slice(None), *window)] = 0
    assert exact.abs().max() < 1e-12  # and nothing lies outside
    assert found.stride == (1, 2, 2)


def test_pooled_and_unpooled_branches_keep_their_balance() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.pool, self.a = nn.AvgPool2d(2), nn.Conv2d(1, 2, 1, bias=False)
            self.b = nn.Conv2d(1, 2, 2, stride=2, bias=False)
            self.out = nn.Identity()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.out(self.a(self.pool(x)) + self.b(x))

    torch.manual_seed(4)
    net, picture = Two().double(), torch.randn(1, 1, 8, 10, dtype=torch.float64)
    found = decode_filter(net, "out", 1, "nearest", size=(1, 8, 10))
    exact = gradient(net, picture, (0, 1, 2, 2))[:, 4:6, 4:6]
    torch.testing.assert_close(found.decoded / 4, exact)  # 4: pixels in a pool


def test_linear_layers_are_read_as_convolutions() -> None:
    torch.manual_seed(5)
    net = nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1), nn.AdaptiveAvgPool2d((3, 4)), nn.Flatten(), nn.Linear(36, 5)
    ).double()
    picture = torch.randn(1, 1, 12, 20, dtype=torch.float64)
    found = decode_filter(net, "3", 4, "nearest", size=(1, 12, 20))
    # places of the map are fixed here, so nothing sticks out of the frame
    torch.testing.assert_close(found.decoded / 20, gradient(net, picture, (0, 4)))
    assert (found.corner, found.map_shape) == ((0, 0), ())


def test_a_mean_over_the_map_spreads_evenly() -> None:
    net = nn.Sequential(nn.Conv3d(1, 2, 1), nn.AdaptiveAvgPool3d(1), nn.Flatten())
    decoded = decode_filter(net, "2", 1, size=(4, 6, 5)).decoded
    assert decoded.shape == (1, 4, 6, 5)
    assert decoded.std() < 1e-7
    assert torch.sign(decoded.mean()) == torch.sign(net[0].weight[1].sum())


def test_overlapping_pools_stay_centred() -> None:
    net = nn.Sequential(
        nn.MaxPool2d(3, stride=1, padding=1), nn.Conv2d(1, 1, 3), nn.MaxPool2d(5, stride=3, padding=1)
    )
    found = decode_filter(net, "2", 0, "nearest", size=(1, 29, 38))
    at = torch.tensor(found.map_shape) // 2
    # a window of 5, on a 3x3 kernel on a window of 3: its middle, two pixels past its first
    middle = 3 * at - 1 + 2 + 1
    corner = torch.tensor(found.corner)
    assert found.decoded.shape == (1, 5, 5)
    assert (corner + 2 == middle).all()


def refused(model: nn.Module, layer: str, shape: tuple[int, int, int] = (4, 6, 8)) -> str:
    with pytest.raises(NotDecodable) as caught:
        decode_filter(model, layer, 0, size=shape)
    told = str(caught.value)
    assert "\n" not in told
    return told


class Gate(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * x.mean((2, 3, 4), keepdim=True).sigmoid()


class Fold(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(x.transpose(1, 2).flatten(0, 1)).unflatten(0, (1, -1)).transpose(1, 2)


class Overwrite(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.clone()
        x[:, :1] = x[:, 1:]
        return x


@pytest.mark.parametrize(
    ("layer", "why"),
    [
        (nn.Softmax(dim=1), "_softmax"),
        (nn.GroupNorm(1, 2), "native_group_norm"),
        (nn.InstanceNorm3d(2), "normalizes by its own input"),
        (Gate(), "multiplies two things"),
        (Fold(), "folds an axis"),
        (Overwrite(), "into a part"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_what_cannot_be_decoded_is_named_with_the_reason(layer: nn.Module, why: str) -> None:
    net = nn.Sequential(nn.Conv3d(1, 2, 1), nn.Sequential(nn.ReLU(), layer), nn.Conv3d(2, 1, 1))
    told = refused(net, "2")
    assert told.startswith("layer '1.1' cannot be decoded: ")
    assert why in told
    assert decode_filter(net, "1.0", 0, size=(4, 6, 8)).decoded.shape == (1, 1, 1, 1)  # what lies before can


def test_an_unknown_interpolation_is_refused() -> None:
    with pytest.raises(SettingInvalid, match="unpool is nearest, bilinear, bicubic, not 'cubic'"):
        decode_filter(nn.Sequential(nn.Conv2d(1, 1, 2)), "0", 0, "cubic")
