"""Receptive fields against the support of a gradient, in networks whose weights are all positive."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from kinetoscope.card import ModelCard
from kinetoscope.units.layers import LayerInfo, list_layers
from kinetoscope.units.receptive.span import WHOLE, Span, unite

CLIP = (24, 33, 38)


def gradient_support(
    net: nn.Module, clip: tuple[int, int, int]
) -> tuple[tuple[int, int, int], tuple[int, ...]]:
    """Extent of what the central unit sees, and its shift per neighbour (1 where there is none)."""
    net = net.double().eval()
    with torch.no_grad():
        for p in net.parameters():
            p.fill_(1.0)
    x = torch.ones(1, 1, *clip, dtype=torch.float64, requires_grad=True)
    out = net(x)[0, 0]

    def bounds(place: tuple[int, ...]) -> list[tuple[int, int]]:
        (gradient,) = torch.autograd.grad(out[place], x, retain_graph=True)
        seen = gradient[0, 0].nonzero()
        return [(int(seen[:, i].min()), int(seen[:, i].max()) + 1) for i in range(3)]

    centre = tuple(n // 2 for n in out.shape)
    here = bounds(centre)
    shifts = []
    for axis in range(3):
        neighbour = tuple(c - (i == axis) for i, c in enumerate(centre))
        shifts.append(here[axis][0] - bounds(neighbour)[axis][0] if out.shape[axis] > 1 else 1)
    t, h, w = (high - low for low, high in here)
    return (t, h, w), tuple(shifts)


class Positive(nn.Module):
    """Sums stay positive, so that no ReLU or maximum hides a dependence."""

    def __init__(self, forward: Callable[[Tensor, nn.ModuleList], Tensor], *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.steps = forward
        self.end = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.end(self.steps(x, self.layers))


def last(net: nn.Module, clip: tuple[int, int, int] = CLIP) -> LayerInfo:
    return list_layers(net, ModelCard(clip=clip, channels=1))[-1]


def conv(kernel: tuple[int, int, int], **options: object) -> nn.Conv3d:
    return nn.Conv3d(1, 1, kernel, **options)  # type: ignore[arg-type]


def residual(x: Tensor, layers: nn.ModuleList) -> Tensor:
    x = F.relu(layers[0](x))
    return x + layers[2](F.relu(layers[1](x), inplace=True))


def inception(x: Tensor, layers: nn.ModuleList) -> Tensor:
    x = layers[0](x)
    return layers[3](torch.cat([layers[1](x), layers[2](x), F.avg_pool3d(x, 3, 1, 1)], dim=1))


def functional(x: Tensor, layers: nn.ModuleList) -> Tensor:
    weight = torch.ones(1, 1, 3, 2, 5, dtype=x.dtype, device=x.device)
    return F.avg_pool3d(F.conv3d(F.pad(x, (1, 2, 0, 1, 2, 2)), weight, stride=(1, 2, 1)), (2, 1, 2))


def frames_as_batch(x: Tensor, layers: nn.ModuleList) -> Tensor:
    b, c, t, h, w = x.shape
    y = layers[0](x.transpose(1, 2).reshape(b * t, c, h, w))
    return y.view(b, t, *y.shape[1:]).permute(0, 2, 1, 3, 4)


def time_shift(x: Tensor, layers: nn.ModuleList) -> Tensor:
    x = layers[0](x)
    later = torch.cat([x[:, :, 1:], torch.zeros_like(x[:, :, :1])], dim=2)
    return x + later


def shift_in_place(x: Tensor, layers: nn.ModuleList) -> Tensor:
    x = layers[0](x)
    return F.relu_(x[:, :, ::2, 1:]) + x.narrow(2, 1, 23)[:, :, ::2, :-1, :]


NETWORKS: dict[str, nn.Module] = {
    "dilation": Positive(
        lambda x, m: m[1](m[0](x)), conv((3, 3, 2), dilation=(2, 1, 3)), conv((1, 3, 3), stride=2)
    ),
    "residual": Positive(
        residual, conv((1, 3, 5)), conv((3, 3, 3), padding=1), conv((3, 1, 3), padding=(1, 0, 1))
    ),
    "offset branches": Positive(
        lambda x, m: m[0](x) + m[1](x), conv((1, 1, 4), padding=(0, 0, 3)), conv((1, 1, 2), padding=(0, 0, 2))
    ),
    "inception": Positive(
        inception,
        conv((3, 3, 3), stride=(1, 2, 2)),
        conv((5, 1, 1), padding=(2, 0, 0)),
        conv((1, 5, 7), padding=(0, 2, 3)),
        nn.Conv3d(3, 1, (2, 2, 2)),
    ),
    "functional": Positive(functional),
    "frames as batch": Positive(frames_as_batch, nn.Conv2d(1, 1, (3, 5), stride=(2, 1))),
    "time shift": Positive(time_shift, conv((3, 3, 3))),
    "slices": Positive(shift_in_place, conv((1, 3, 3))),
    "batch norm": Positive(lambda x, m: m[1](m[0](x)), conv((2, 3, 4)), nn.BatchNorm3d(1)),
    "squeeze": Positive(lambda x, m: m[0](x.squeeze(1).unsqueeze(1)), conv((2, 3, 4))),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_fields_are_what_gradients_reach(name: str) -> None:
    (t, h, w), stride = gradient_support(NETWORKS[name], CLIP)
    field = last(NETWORKS[name]).receptive_field
    assert (field.frames, field.height, field.width) == (t, h, w)
    assert field.stride == stride


STEP = st.tuples(
    st.sampled_from(["conv", "pool", "residual"]),
    st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3)),
    st.tuples(st.integers(1, 2), st.integers(1, 2), st.integers(1, 2)),
    st.integers(1, 2),
    st.integers(0, 1),
)


class Residual(nn.Module):
    def __init__(self, kernel: tuple[int, int, int]) -> None:
        super().__init__()
        self.inner = nn.Conv3d(1, 1, kernel)
        self.pad = [n for k in reversed(kernel) for n in (k // 2, k - 1 - k // 2)]

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.inner(F.pad(x, self.pad)))


@settings(max_examples=40)
@given(st.lists(STEP, min_size=1, max_size=4))
def test_fields_of_random_chains_are_what_gradients_reach(steps: list[tuple]) -> None:
    chain: list[nn.Module] = []
    for kind, kernel, stride, dilation, padding in steps:
        if kind == "conv":
            chain.append(nn.Conv3d(1, 1, kernel, stride=stride, dilation=dilation, padding=padding))
        elif kind == "pool":
            chain.append(nn.AvgPool3d(kernel, stride=stride, padding=min(padding, *(k // 2 for k in kernel))))
        else:
            chain.append(Residual(kernel))
    net = nn.Sequential(*chain)
    clip = (61, 64, 67)
    for axis, extent in enumerate(clip):  # the central unit and its neighbours see no border
        size = jump = 1
        for kind, kernel, stride, dilation, _ in steps:
            size += (kernel[axis] - 1) * jump * (dilation if kind == "conv" else 1)
            jump *= 1 if kind == "residual" else stride[axis]
        assume(size + 4 * jump <= extent)
    (t, h, w), stride_seen = gradient_support(net, clip)
    field = last(net, clip).receptive_field
    assert (field.frames, field.height, field.width) == (t, h, w)
    assert field.stride == stride_seen


def test_max_pooling_counts_like_any_window() -> None:
    net = nn.Sequential(
        nn.Conv3d(1, 1, (1, 3, 3)), nn.MaxPool3d((2, 2, 3), stride=(1, 2, 2), dilation=(2, 1, 1))
    )
    field = last(net).receptive_field
    assert (field.frames, field.height, field.width, field.stride) == (3, 4, 5, (1, 2, 2))


@pytest.mark.parametrize(
    "tail",
    [
        nn.AdaptiveAvgPool3d(1),
        nn.Sequential(nn.Flatten(), nn.LazyLinear(3)),
        nn.InstanceNorm3d(1),
        nn.GroupNorm(1, 1),
        nn.Softmax(dim=2),
    ],
)
def test_what_mixes_all_positions_sees_the_whole_clip(tail: nn.Module) -> None:
    net = nn.Sequential(nn.Conv3d(1, 1, 3), tail).eval()
    net(torch.zeros(1, 1, *CLIP))
    field = last(net).receptive_field
    assert field.frames == CLIP[0]
    if not isinstance(tail, nn.Softmax):
        assert (field.height, field.width) == CLIP[1:]
        assert field.stride == (None, None, None)
    else:
        assert (field.height, field.width, field.stride) == (3, 3, (None, 1, 1))


def test_a_flattened_axis_of_one_position_counts_as_whole_like_the_others() -> None:
    deep = nn.Conv3d(1, 2, (3, 3, 3), stride=(24, 3, 3), padding=1)
    net = nn.Sequential(deep, nn.Conv3d(2, 2, (3, 1, 1), padding=(1, 0, 0)), nn.Flatten(), nn.LazyLinear(3))
    net(torch.zeros(1, 1, *CLIP))
    rows = list_layers(net, ModelCard(clip=CLIP, channels=1))
    assert rows[1].receptive_field.frames == 3 + 2 * 24, "geometry is not cut to the clip"
    field = rows[3].receptive_field
    assert (field.frames, field.height, field.width) == CLIP


def test_partial_means_widen_their_own_axes_only() -> None:
    net = Positive(lambda x, m: m[0](x).mean((3, 4)), conv((3, 5, 7)))
    assert last(net).receptive_field.stride == (1, None, None)
    assert last(net).receptive_field.frames == 3


def test_upsampling_halves_the_stride_and_may_widen_by_its_taps() -> None:
    nearest = nn.Sequential(nn.Conv3d(1, 1, (1, 2, 2), stride=(1, 2, 2)), nn.Upsample(scale_factor=(1, 2, 2)))
    field = last(nearest, (5, 8, 12)).receptive_field
    assert (field.frames, field.height, field.stride) == (1, 2, (1, 1, 1))
    linear = nn.Sequential(
        nn.Conv3d(1, 1, (1, 2, 2), stride=(1, 2, 2)), nn.Upsample(scale_factor=(1, 4, 4), mode="trilinear")
    )
    field = last(linear, (5, 8, 12)).receptive_field
    assert (field.frames, field.height, field.stride) == (1, 4, (1, 0.5, 0.5))


def test_transposed_convolution_bounds_what_gradients_reach() -> None:
    net = nn.Sequential(
        conv((1, 3, 3), stride=2), nn.ConvTranspose3d(1, 1, (2, 4, 3), stride=2, padding=(0, 1, 1))
    )
    (_, h, w), _ = gradient_support(net, CLIP)
    field = last(net).receptive_field
    assert h <= (field.height or 0) <= h + 2
    assert w <= (field.width or 0) <= w + 2


def test_writing_through_a_slice_is_unknown_rather_than_wrong() -> None:
    class Shift(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv3d(1, 1, 3)
            self.end = nn.Identity()

        def forward(self, x: Tensor) -> Tensor:
            out = torch.zeros_like(x)
            out[:, :, 1:] = self.conv(F.pad(x, (1,) * 6))[:, :, :-1]
            return self.end(out)

    net = Shift()
    field = last(net).receptive_field
    assert (field.frames, field.height, field.width) == (None, None, None)


def test_union_of_different_strides_is_the_widest() -> None:
    assert unite([(Span(1, 1, 0), 5), (Span(1, 2, 0), 5)]) == Span(5, 2, 0)
    assert unite([(Span(3, 1, -1), 5), (Span(1, 7, 8), 1)]) == Span(10, 1, -1)
    assert unite([(None, 5), (WHOLE, 5)]) == WHOLE
    assert unite([(None, 5), (Span(1, 1, 0), 5)]) is None
