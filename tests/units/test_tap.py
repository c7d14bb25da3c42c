"""What a tap gives is what the layer gives in the whole model."""

import copy

import pytest
import torch
from borrowed_net import CLIP, assert_untouched, fresh, snapshot
from torch import Tensor, nn

from kinetoscope.errors import LayerNotFound
from kinetoscope.units.tap import output_shape, tap


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_output_and_gradient_are_those_of_the_whole_model(precision: str) -> None:
    net, x = fresh(), torch.rand(CLIP)
    whole = copy.deepcopy(net).eval()
    given = x.clone().requires_grad_()
    expected = whole(given)
    (expected_gradient,) = torch.autograd.grad(expected.sum(), given)
    before = snapshot(net)
    x.requires_grad_()
    with tap(net, "head", precision=precision) as forward:
        output = forward(x)
        assert [m.training for m in net.modules()] == before["modes"], "lent for the call only"
        (gradient,) = torch.autograd.grad(output.float().sum(), x)
    assert output.dtype == torch.float32
    tolerance = 1e-6 if precision == "fp32" else 0.05
    torch.testing.assert_close(output.float(), expected, atol=tolerance, rtol=tolerance)
    # in bf16 a few values cross a ReLU's zero, so that the gradient agrees as a whole only
    alike = torch.cosine_similarity(gradient.flatten(), expected_gradient.flatten(), dim=0)
    assert alike > (0.999999 if precision == "fp32" else 0.98)
    assert_untouched(net, before)


def test_layers_beyond_are_not_run_and_in_place_layers_cannot_rewrite() -> None:
    net, x = fresh(), torch.rand(CLIP)
    with tap(net, "norm") as forward, torch.no_grad():
        output = forward(x)
    expected = net.norm(net.conv1(x))
    torch.testing.assert_close(output, expected)
    assert (output < 0).any(), "the ReLU after it works in place"
    assert net.ran == []


def test_the_call_of_a_layer_can_be_chosen() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv3d(3, 3, 1)

        def forward(self, x: Tensor) -> Tensor:
            return self.conv(self.conv(x))

    net, x = Twice(), torch.rand(CLIP)
    for layer, expected in [("conv", net.conv(x)), ("conv@0", net.conv(x)), ("conv@1", net(x))]:
        with tap(net, layer) as forward:
            torch.testing.assert_close(forward(x), expected)
            torch.testing.assert_close(forward(x), expected)
    assert output_shape(net, "conv@1", (3, 5, 9, 12)) == (3, 5, 9, 12)
    with pytest.raises(LayerNotFound, match="'conv@2' is called 2 times only: @0 to @1"):
        output_shape(net, "conv@2", (3, 5, 9, 12))
    with pytest.raises(LayerNotFound, match="no layer 'conv@last'; closest: conv"):
        tap(net, "conv@last")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_models_are_run_in_fp32(dtype: torch.dtype) -> None:
    net = fresh().to(dtype)
    before = snapshot(net)
    x = torch.rand(CLIP)
    with tap(net, "head") as forward, torch.no_grad():
        output = forward(x)
    expected = copy.deepcopy(net).float().eval()(x)
    torch.testing.assert_close(output, expected)
    assert_untouched(net, before)


def test_an_autocast_of_the_callers_changes_nothing() -> None:
    net, x = fresh(), torch.rand(CLIP)
    with tap(net, "head") as forward, torch.no_grad():
        expected = forward(x)
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(forward(x), expected)


def test_lists_and_dicts_give_their_first_tensor() -> None:
    net, x = fresh(), torch.rand(CLIP)
    for wrap in (lambda out: [None, out[0]], lambda out: {"scores": out[0], "rest": out[1]}):
        handle = net.pair.register_forward_hook(lambda m, a, out, wrap=wrap: wrap(out))
        with tap(net, "pair") as forward:
            assert forward(x).shape == (2, 6, 3, 4, 5)
        handle.remove()


def test_a_tuple_gives_its_first_tensor_and_no_tensor_is_an_error() -> None:
    net = fresh()
    with tap(net, "pair") as forward:
        assert forward(torch.rand(CLIP)).shape == (2, 6, 3, 4, 5)
    net.pair.register_forward_hook(lambda m, a, out: "text")
    with pytest.raises(LayerNotFound, match="gives str"), tap(net, "pair") as forward:
        forward(torch.rand(CLIP))


def test_bf16_weights_are_channels_last_copies() -> None:
    net, layouts = fresh(), []
    net.conv1.register_forward_pre_hook(
        lambda m, a: layouts.append(
            (m.weight.dtype, m.weight.is_contiguous(memory_format=torch.channels_last_3d))
        )
    )
    with tap(net, "conv1", precision="bf16") as forward:
        forward(torch.rand(CLIP))
    assert layouts == [(torch.bfloat16, True)]
    assert net.conv1.weight.dtype == torch.float32


def test_what_torch_lacks_in_bf16_runs_in_fp32() -> None:
    net, x = nn.Sequential(nn.Conv3d(3, 4, 1), nn.AvgPool3d(2)), torch.rand(CLIP)
    with tap(net, "1", precision="bf16") as forward:
        torch.testing.assert_close(forward(x), net(x), atol=0.02, rtol=0.02)


@pytest.mark.parametrize("pool", [nn.MaxPool3d(2), lambda x: torch.max_pool3d(x, 2)])
def test_maxima_are_taken_in_bf16_and_are_the_same(pool) -> None:
    class Pooled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.taken, self.last = nn.Conv3d(3, 4, 1), nn.Identity(), nn.Identity()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.last(pool(self.taken(self.conv(x))))

    net, maps = Pooled(), []
    net.taken.register_forward_hook(lambda module, given, out: maps.append(out))
    net.last.register_forward_hook(lambda module, given, out: maps.append(out))
    with tap(net, "last", precision="bf16") as forward:
        forward(torch.rand(CLIP))
    before, after = maps
    assert after.dtype == torch.bfloat16
    assert torch.equal(after, nn.functional.max_pool3d(before.float(), 2).bfloat16())


def test_double_models_stay_double() -> None:
    with tap(fresh().double(), "conv1") as forward:
        assert forward(torch.rand(CLIP)).dtype == torch.float64


def test_shapes_are_found_without_running_and_with() -> None:
    net = fresh()
    before = snapshot(net)
    assert output_shape(net, "block.0", (3, 5, 9, 12)) == (6, 3, 4, 5)
    assert output_shape(net, "head", (3, 5, 9, 12)) == (7,)
    assert_untouched(net, before)
    devices = []
    net.conv1.register_forward_hook(lambda m, a, out: devices.append(out.device.type))
    output_shape(net, "conv1", (3, 5, 9, 12))
    output_shape(net, "conv1", (3, 500, 900, 1200))
    assert devices == ["cpu", "meta"]

    class Looks(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.end = nn.Identity()

        def forward(self, x: Tensor) -> Tensor:
            return self.end(x if float(x.sum()) == 0 else x[:, :1])

    assert output_shape(Looks(), "end", (3, 5, 9, 12)) == (3, 5, 9, 12)
