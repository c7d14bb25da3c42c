"""A model comes back from a tap as it was, whatever it is and whatever happens inside."""

import contextlib
from typing import Any

import pytest
import torch
from borrowed_net import CLIP, assert_untouched, fresh, snapshot
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from kinetoscope.units.tap import tap


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


@settings(max_examples=15)
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
