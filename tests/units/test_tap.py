import contextlib
import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from kinetoscope.errors import ClipTooSmall, LayerNotFound, ModelUnusable, SettingInvalid
from kinetoscope.units.tap import output_shape, tap

CLIP = (2, 3, 5, 9, 12)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(3, 4, 3, padding=1)
        self.norm = nn.BatchNorm3d(4)
        self.relu = nn.ReLU(inplace=True)
        self.block = nn.Sequential(nn.Conv3d(4, 6, (1, 3, 3), stride=2), nn.Dropout(0.5))
        self.pair = Pair()
        self.head = nn.Linear(6, 7)
        self.spare = nn.Linear(2, 2)
        self.ran: list[str] = []

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.norm(self.conv1(x)))
        x, _ = self.pair(self.block(x))
        self.ran.append("pair")
        return self.head(x.mean((2, 3, 4)))


class Pair(nn.Module):
    def forward(self, x: Tensor) -> Any:
        return x * 2, {"more": x}


def fresh(seed: int = 0) -> Net:
    torch.manual_seed(seed)
    net = Net()
    net.norm.running_mean = torch.linspace(-1, 1, 4)
    net.train()
    net.norm.eval()
    net.conv1.weight.requires_grad_(False)
    net.head.weight.grad = torch.ones_like(net.head.weight)
    return net


def snapshot(net: nn.Module) -> dict[str, Any]:
    tensors = dict(net.named_parameters()) | dict(net.named_buffers())
    return {
        "identity": {k: id(t) for k, t in tensors.items()},
        "value": {k: t.detach().clone() for k, t in tensors.items()},
        "flags": {k: (t.requires_grad, t.dtype, t.device, t.is_contiguous()) for k, t in tensors.items()},
        "grad": {k: None if t.grad is None else t.grad.clone() for k, t in tensors.items()},
        "modes": [m.training for m in net.modules()],
        "hooks": [(list(m._forward_hooks), list(m._forward_pre_hooks)) for m in net.modules()],
        "attributes": [sorted(vars(m)) for m in net.modules()],
    }


def assert_untouched(net: nn.Module, before: dict[str, Any]) -> None:
    after = snapshot(net)
    for part in ("identity", "flags", "modes", "hooks", "attributes"):
        assert after[part] == before[part], part
    assert all(torch.equal(before["value"][k], after["value"][k]) for k in before["value"])
    for k, grad in before["grad"].items():
        assert (grad is None) == (after["grad"][k] is None), k
        assert grad is None or torch.equal(grad, after["grad"][k])


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


def test_a_first_layer_in_place_leaves_the_clip_alone() -> None:
    net, x = nn.Sequential(nn.ReLU(inplace=True), nn.Conv3d(3, 4, 1)), torch.randn(CLIP)
    before = x.clone()
    x.requires_grad_()
    with tap(net, "1") as forward:
        forward(x).sum().backward()
    assert torch.equal(x, before)
    assert x.grad is not None


def test_no_gradient_reaches_a_weight() -> None:
    net = fresh()
    before = snapshot(net)
    with tap(net, "block") as forward:
        forward(torch.rand(CLIP, requires_grad=True)).sum().backward()
    assert_untouched(net, before)


def run_and_raise(net: nn.Module, error: BaseException) -> None:
    with tap(net, "head") as forward:
        forward(torch.rand(CLIP))
        raise error


@pytest.mark.parametrize("error", [RuntimeError("odd"), KeyboardInterrupt(), MemoryError(), SystemExit(3)])
@pytest.mark.parametrize("inside", [True, False])
def test_the_model_comes_back_whatever_happens(error: BaseException, inside: bool) -> None:
    net = fresh()

    def fail(module: nn.Module, args: Any) -> None:
        raise error

    handle = net.pair.register_forward_pre_hook(fail) if inside else None
    before = snapshot(net)
    with pytest.raises(type(error)):
        run_and_raise(net, error)
    assert_untouched(net, before)
    if handle is not None:
        handle.remove()


@settings(max_examples=15, deadline=None)
@given(st.sampled_from(["conv1", "norm", "relu", "block", "block.0", "pair", "head"]), st.integers(0, 2))
def test_any_layer_leaves_the_model_untouched(layer: str, calls: int) -> None:
    net = fresh()
    before = snapshot(net)
    with tap(net, layer) as forward:
        for _ in range(calls):
            forward(torch.rand(CLIP))
    assert_untouched(net, before)


def test_users_hooks_keep_working() -> None:
    net, seen = fresh(), []
    net.block.register_forward_hook(lambda m, a, out: out + 100)
    net.conv1.register_forward_hook(lambda m, a, out: seen.append(out.shape))
    with tap(net, "block") as forward, torch.no_grad():
        assert forward(torch.rand(CLIP)).min() > 50
    assert seen == [torch.Size([2, 4, 5, 9, 12])]
    assert len(net.block._forward_hooks) == 1


def test_the_model_can_be_used_whole_between_two_calls() -> None:
    net, x = fresh(), torch.rand(CLIP)
    modes = []
    net.conv1.register_forward_hook(lambda m, a, out: modes.append([m.training for m in net.modules()]))
    with tap(net, "conv1") as forward:
        first = forward(x)
        assert not any(modes.pop())
        assert net(x).shape == (2, 7)
        net.eval()
        assert torch.equal(forward(x), first)


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


def test_a_forward_that_writes_buffers_or_swallows_exceptions_changes_nothing() -> None:
    class Rude(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("count", torch.zeros(3))
            self.mean, self.var = nn.Buffer(torch.zeros(3)), nn.Buffer(torch.ones(3))
            self.conv = nn.Conv3d(3, 3, 1)

        def forward(self, x: Tensor) -> Tensor:
            self.count += 1
            self.mean = self.mean + 1
            self.cache = x
            x = F.batch_norm(x, self.mean, self.var, training=True)
            with contextlib.suppress(Exception):
                return self.conv(x)
            return x

    net = Rude()
    before = snapshot(net)
    with tap(net, "conv") as forward:
        forward(torch.rand(CLIP))
        forward(torch.rand(CLIP))
    assert_untouched(net, before)


def test_tied_weights_stay_tied_and_recurrent_layers_work() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(12, 12), nn.Linear(12, 12)
            self.b.weight = self.a.weight
            self.lstm = nn.LSTM(12, 4, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            assert self.a.weight is self.b.weight
            return self.lstm(self.b(self.a(x.flatten(1, 3))))[0]

    net, x = Tied(), torch.rand(CLIP)
    before = snapshot(net)
    expected = net(x)
    for precision in ("fp32", "bf16"):
        with tap(net, "lstm", precision=precision) as forward:
            torch.testing.assert_close(forward(x).float(), expected.mT, atol=0.02, rtol=0.02)
    torch.testing.assert_close(net(x), expected)
    assert_untouched(net, before)


def test_old_style_weight_norm_comes_back() -> None:
    with pytest.warns(FutureWarning, match="weight_norm"):
        conv = nn.utils.weight_norm(nn.Conv3d(3, 4, 1))
    net = nn.Sequential(conv)
    held = conv.weight
    with tap(net, "0") as forward:
        forward(torch.rand(CLIP))
    assert conv.weight is held


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


def test_double_models_stay_double() -> None:
    with tap(fresh().double(), "conv1") as forward:
        assert forward(torch.rand(CLIP)).dtype == torch.float64


def test_wrong_layers_are_named_with_the_closest() -> None:
    with pytest.raises(LayerNotFound, match=r"'block\.3'; closest: .*block\.0"):
        tap(fresh(), "block.3")
    with pytest.raises(LayerNotFound, match="no layer ''"):
        tap(fresh(), "")
    with pytest.raises(LayerNotFound, match=r"'spare'.*never reaches"), tap(fresh(), "spare") as forward:
        forward(torch.rand(CLIP))


@pytest.mark.parametrize(
    ("layers", "failing"),
    [
        ([nn.Conv3d(3, 4, (1, 7, 3)), nn.ReLU()], "0"),
        ([nn.MaxPool3d((1, 2, 2)), nn.MaxPool3d((1, 4, 1))], "1"),
        ([nn.AvgPool3d((1, 2, 2)), nn.AvgPool3d((1, 4, 1))], "1"),
        ([nn.Conv3d(3, 4, 1), nn.Sequential(nn.MaxPool3d(2), nn.Conv3d(4, 4, 2))], "1.1"),
    ],
)
def test_small_clips_are_told_with_layer_and_size(layers: list[nn.Module], failing: str) -> None:
    net = nn.Sequential(*layers)
    for probe in (lambda: tapped(net, "1"), lambda: output_shape(net, "1", (3, 3, 6, 8))):
        with pytest.raises(ClipTooSmall, match=f"3x6x8.*too small for layer '{failing}'; give"):
            probe()


def tapped(net: nn.Module, layer: str) -> Tensor:
    with tap(net, layer) as forward:
        return forward(torch.rand(1, 3, 3, 6, 8))


def test_a_clip_that_does_not_fit_a_linear_layer_is_told() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(9, 2))
    for probe in (lambda: tapped(net, "1"), lambda: output_shape(net, "1", (3, 3, 6, 8))):
        with pytest.raises(ClipTooSmall, match=r"3x6x8.*does not fit layer '1'"):
            probe()


@pytest.mark.parametrize(
    "message",
    ["[enforce fail] DefaultCPUAllocator: can't allocate memory", "CUDA out of memory", "shape mismatch"],
)
def test_other_runtime_errors_pass_through(message: str) -> None:
    net = nn.Sequential(nn.Identity(), nn.Identity())

    def fail(module: nn.Module, args: Any) -> None:
        raise RuntimeError(message)

    net[0].register_forward_pre_hook(fail)
    with pytest.raises(RuntimeError, match=message.replace("[", r"\[").replace("(", r"\(")):
        tapped(net, "1")


def test_unusable_weights_are_named() -> None:
    net = fresh()
    with torch.no_grad():
        net.head.bias[2] = torch.nan
        net.norm.running_var[0] = torch.inf
    with pytest.raises(ModelUnusable, match=r"head\.bias, norm\.running_var"), tap(net, "conv1"):
        pass
    with pytest.raises(ModelUnusable, match="not initialized"), tap(nn.Sequential(nn.LazyConv3d(4, 3)), "0"):
        pass


def test_wrong_use_is_refused() -> None:
    with pytest.raises(SettingInvalid, match="fp16"):
        tap(fresh(), "conv1", precision="fp16")
    with pytest.raises(SettingInvalid, match="with"):
        tap(fresh(), "conv1")(torch.rand(CLIP))


def test_shapes_are_found_without_running_and_with() -> None:
    net = fresh()
    before = snapshot(net)
    assert output_shape(net, "block.0", (3, 5, 9, 12)) == (6, 3, 4, 5)
    assert output_shape(net, "head", (3, 5, 9, 12)) == (7,)
    assert_untouched(net, before)
    devices = []
    net.conv1.register_forward_hook(lambda m, a, out: devices.append(out.device.type))
    output_shape(net, "conv1", (3, 5, 9, 12))
    assert devices == ["meta"]

    class Looks(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.end = nn.Identity()

        def forward(self, x: Tensor) -> Tensor:
            return self.end(x if float(x.sum()) == 0 else x[:, :1])

    assert output_shape(Looks(), "end", (3, 5, 9, 12)) == (3, 5, 9, 12)


@pytest.mark.parametrize("made", [lambda x: x.argmax(1), torch.fft.rfft])
def test_outputs_that_are_no_real_numbers_are_refused(made: Callable[[Tensor], Tensor]) -> None:
    class Made(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return made(x)

    refused = r"gives torch\.(int64|complex64), no real numbers"
    with (
        tap(nn.Sequential(nn.Conv3d(3, 4, 3), Made()), "1") as forward,
        pytest.raises(LayerNotFound, match=refused),
    ):
        forward(torch.rand(1, 3, 4, 6, 8))
