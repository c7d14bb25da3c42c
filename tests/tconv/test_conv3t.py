"""The layer: wherever a Conv3d can stand, with a kernel that is computed and never stored."""

import copy
import pickle
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from kinetoscope.tconv.kernel import temporal_kernel
from kinetoscope.tconv.layer import Conv3T
from kinetoscope.units.tap import tap

PARTS = {"first_weight", "scale", "rotate", "translate_x", "translate_y"}


def moving(*args: Any, **options: Any) -> Conv3T:
    torch.manual_seed(3)
    layer = Conv3T(*args, **options)
    with torch.no_grad():
        for part in (layer.scale, layer.rotate, layer.translate_x, layer.translate_y):
            part.add_(0.2 * torch.randn_like(part))
    return layer


SETTINGS = [
    ((4, 6, 3), {}),
    ((4, 6, (2, 4, 3)), {"stride": (1, 2, 3), "padding": (1, 0, 2), "bias": False}),
    ((4, 6, (3, 2, 5)), {"dilation": (2, 1, 1), "groups": 2}),
    ((4, 8, (1, 3, 5)), {"groups": 4, "padding": "same"}),
    ((4, 6, (3, 3, 5)), {"padding": "same", "padding_mode": "circular"}),
    ((4, 6, (3, 1, 1)), {"padding": (1, 0, 0), "padding_mode": "replicate", "dtype": torch.float64}),
]


@pytest.mark.parametrize(("args", "options"), SETTINGS)
def test_it_answers_as_a_conv3d_of_its_kernel(args: tuple[Any, ...], options: dict[str, Any]) -> None:
    layer = moving(*args, **options)
    plain = nn.Conv3d(*args, **options)
    plain.load_state_dict({"weight": layer.weight} | ({} if layer.bias is None else {"bias": layer.bias}))
    clip = torch.randn(2, 4, 7, 9, 11, dtype=layer.first_weight.dtype)
    torch.testing.assert_close(layer(clip), plain(clip))
    assert repr(layer) == repr(plain).replace("Conv3d", "Conv3T")


def test_parameters_are_slice_and_trajectory() -> None:
    layer = Conv3T(4, 6, (5, 3, 2))
    assert set(layer.state_dict()) == {*PARTS, "bias"}
    assert sum(p.numel() for p in layer.parameters()) == 6 * (4 * 3 * 2 + 4 * (5 - 1) + 1)
    assert layer.first_weight.shape == (6, 4, 1, 3, 2)
    assert layer.translate_y.shape == (4, 6)
    assert isinstance(layer, nn.Conv3d)


def test_a_new_layer_stands_still_and_is_drawn_like_a_conv3d() -> None:
    torch.manual_seed(0)
    layer, plain = Conv3T(8, 32, 3), nn.Conv3d(8, 32, 3)
    assert torch.equal(layer.weight, layer.first_weight.expand(-1, -1, 3, -1, -1))
    assert float(layer.first_weight.detach().std()) == pytest.approx(
        float(plain.weight.detach().std()), rel=0.1
    )
    layer.scale.data.fill_(2.0)
    before = layer.first_weight.clone()
    layer.reset_parameters()
    assert bool((layer.scale == 1).all())
    assert not torch.equal(before, layer.first_weight)


def test_the_official_state_dict_loads_strictly() -> None:
    layer = moving(2, 3, (3, 3, 4))
    state = {**copy.deepcopy(layer.state_dict()), "weight": torch.full((3, 2, 3, 3, 4), 9.0)}
    other = nn.Sequential(nn.ReLU(), Conv3T(2, 3, (3, 3, 4)))
    other.load_state_dict({f"1.{name}": tensor for name, tensor in state.items()})
    torch.testing.assert_close(other[1].weight, layer.weight)
    with pytest.raises(RuntimeError, match=r"Unexpected.*weights"):
        other[1].load_state_dict({**state, "weights": torch.zeros(1)})
    with pytest.raises(RuntimeError, match=r"Missing.*scale"):
        other[1].load_state_dict({name: tensor for name, tensor in state.items() if name != "scale"})


def test_copies_pickles_and_devices() -> None:
    layer = moving(2, 3, 3)
    torch.testing.assert_close(copy.deepcopy(layer).weight, layer.weight)
    torch.testing.assert_close(pickle.loads(pickle.dumps(layer)).weight, layer.weight)
    assert all(p.is_meta for p in Conv3T(2, 3, 3, device="meta").parameters())
    assert layer.double()(torch.randn(1, 2, 4, 5, 6).double()).dtype == torch.float64


def test_training_reaches_all_parts() -> None:
    layer = moving(2, 3, (3, 3, 4))
    layer(torch.randn(2, 2, 5, 6, 7)).square().sum().backward()
    assert {name for name, p in layer.named_parameters() if p.grad is not None and bool(p.grad.any())} == {
        *PARTS,
        "bias",
    }


def test_under_autocast_places_are_not_rounded() -> None:
    layer = moving(2, 3, 7)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(layer.weight, layer.weight.float())
        kernel = layer.weight
    torch.testing.assert_close(kernel, layer.weight)


def test_a_tap_sees_through_it_and_leaves_it_alone() -> None:
    network = nn.Sequential(moving(3, 4, (2, 3, 3)), nn.ReLU())
    clip = torch.randn(1, 3, 5, 7, 8)
    wanted: Tensor = network[0](clip)
    with tap(network, "0") as forward:
        torch.testing.assert_close(forward(clip), wanted.detach())
    assert all(p.grad is None and p.requires_grad for p in network.parameters())


def test_groups_move_each_output_channel_by_itself() -> None:
    layer = moving(4, 6, (3, 3, 5), groups=2)
    trajectory = (layer.scale, layer.rotate, layer.translate_x, layer.translate_y)
    for channel in range(6):
        alone = temporal_kernel(
            layer.first_weight[channel : channel + 1],
            *(part[:, channel : channel + 1] for part in trajectory),
        )
        torch.testing.assert_close(layer.weight[channel : channel + 1], alone)


@pytest.mark.parametrize("frames", [1, 2, 3, 6])
@pytest.mark.parametrize(
    ("depth", "stride", "padding", "dilation"),
    [
        (3, 1, 1, 1),
        (3, 2, 1, 1),
        (5, 3, 2, 1),
        (5, 1, 2, 1),
        (5, 2, 2, 1),
        (4, 1, 3, 2),
        (5, 1, 4, 2),
        (3, 3, 2, 1),
        (3, 1, 1, 2),
    ],
)
def test_short_clips_get_the_same_answers_and_gradients(
    frames: int, depth: int, stride: int, padding: int, dilation: int
) -> None:
    about = {"stride": (stride, 1, 2), "padding": (padding, 1, 0), "dilation": (dilation, 1, 1)}
    if frames + 2 * padding < dilation * (depth - 1) + 1:
        with pytest.raises(RuntimeError, match="Kernel size can't be greater"):
            moving(2, 3, (depth, 3, 4), **about)(torch.randn(1, 2, frames, 6, 7))
        return
    layer = moving(2, 3, (depth, 3, 4), **about).double()
    parts = list(layer.parameters())
    clip = torch.randn(2, 2, frames, 6, 7).double()
    given = layer(clip)
    wanted = nn.functional.conv3d(clip, layer.weight, layer.bias, layer.stride, layer.padding, layer.dilation)
    torch.testing.assert_close(given, wanted)
    weights = torch.randn_like(given)
    for got, want in zip(
        torch.autograd.grad((given * weights).sum(), parts),
        torch.autograd.grad((wanted * weights).sum(), parts),
        strict=True,
    ):
        torch.testing.assert_close(got, want)


def test_slices_that_meet_only_padding_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, shapes = moving(2, 3, (5, 3, 4), padding=(2, 1, 1)), []
    convolve = nn.functional.conv3d

    def spy(clip: Tensor, kernel: Tensor, *more: Any) -> Tensor:
        shapes.append(kernel.shape[2])
        return convolve(clip, kernel, *more)

    monkeypatch.setattr(nn.functional, "conv3d", spy)
    for frames in (1, 2, 3, 4):
        layer(torch.randn(1, 2, frames, 6, 7))
    assert shapes == [1, 3, 5, 5]
    shapes.clear()
    layer = moving(2, 3, (3, 3, 4), stride=2, padding=1)
    for frames in (1, 2, 3, 4):
        layer(torch.randn(1, 2, frames, 6, 7))
    assert shapes == [1, 2, 3, 3]


def test_shapes_without_values() -> None:
    layer = Conv3T(2, 3, 3, stride=2, padding=1, device="meta")
    assert layer(torch.empty(1, 2, 4, 6, 8, device="meta")).shape == (1, 3, 2, 3, 4)
