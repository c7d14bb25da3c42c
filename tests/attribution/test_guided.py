"""Guided gradients are the same however a ReLU is written, and what is no ReLU is refused, not mixed in."""

import warnings
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from captum.attr import GuidedBackprop
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from kinetoscope.attribution.attribute import attribute
from kinetoscope.card import ModelCard
from kinetoscope.errors import ModelUnusable

CARD = ModelCard(clip=(6, 9, 11), mean=(0.5,), std=(0.25,))
Rectify = Callable[[Tensor], Tensor]


class Network(nn.Module):
    """A registered ReLU, and between two others whatever is asked for."""

    def __init__(self, rectify: Rectify) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.conv1 = nn.Conv3d(3, 5, 3, padding=1)
            self.conv2 = nn.Conv3d(5, 6, 3, padding=1)
            self.head = nn.Linear(6, 2)
        self.relu = nn.ReLU()
        self.rectify = rectify

    def forward(self, clips: Tensor) -> Tensor:
        x = self.rectify(self.conv2(self.relu(self.conv1(clips))))
        return self.head(x.mean(dim=(2, 3, 4)))


def clip() -> Tensor:
    return torch.rand(6, 3, 9, 11, generator=torch.Generator().manual_seed(1))


class Own(torch.autograd.Function):
    """A ReLU written by hand."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, grad: Tensor) -> Tensor:
        return grad * (ctx.saved_tensors[0] > 0)


RELUS: dict[str, Rectify] = {
    "a module": nn.ReLU(),
    "a module in place": nn.ReLU(inplace=True),
    "made in forward": lambda x: nn.ReLU()(x),
    "F.relu": F.relu,
    "F.relu in place": lambda x: F.relu(x, inplace=True),
    "a method": Tensor.relu,
    "torch.relu_": torch.relu_,
    "clamp": lambda x: x.clamp(min=0),
    "clamp by a tensor": lambda x: x.clamp(min=torch.zeros(())),
    "clamp_min": lambda x: x.clamp_min(0.0),
    "threshold": lambda x: F.threshold(x, 0.0, 0.0),
    "computed again": lambda x: checkpoint(F.relu, x, use_reentrant=False),
}
OTHERS: dict[str, Rectify] = {
    "clamp at both ends": lambda x: x.clamp(0, 6),
    "clamp elsewhere": lambda x: x.clamp(min=-0.1),
    "clamp by a tensor": lambda x: x.clamp(min=torch.tensor(0.2)),
    "relu6": F.relu6,
    "hardtanh": F.hardtanh,
    "threshold elsewhere": lambda x: F.threshold(x, 0.1, 0.0),
    "leaky": nn.LeakyReLU(),
    "prelu": nn.PReLU(),
    "elu": F.elu,
    "celu": F.celu,
    "selu": F.selu,
    "gelu": F.gelu,
    "silu": F.silu,
    "mish": F.mish,
    "softplus": F.softplus,
    "hardswish": F.hardswish,
    "maximum": lambda x: torch.maximum(x, torch.zeros(())),
    "where": lambda x: torch.where(x > 0, x, 0.0),
    "mask": lambda x: x * (x > 0),
    "function": Own.apply,
}


@pytest.mark.parametrize("kind", RELUS)
def test_every_relu_is_guided(kind: str) -> None:
    network = Network(RELUS[kind]).train()
    found = attribute(network, clip(), "head:1", "guided-backprop", card=CARD)
    given = ((clip() - 0.5) / 0.25).transpose(0, 1)[None].requires_grad_()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Setting backward hooks on ReLU")
        theirs = GuidedBackprop(Network(nn.ReLU()).eval()).attribute(given, target=1)[0]
    torch.testing.assert_close(found.map, theirs.abs().amax(dim=0) / 0.25)
    plain = attribute(network, clip(), "head:1", "gradient", card=CARD).map
    assert (found.map - plain).abs().max() > 0.2 * plain.max()
    assert not any(
        hooks for module in network.modules() for hooks in (module._forward_hooks, module._backward_hooks)
    )
    assert network.training


@pytest.mark.parametrize("kind", OTHERS)
def test_what_is_no_relu_is_refused(kind: str) -> None:
    with pytest.raises(ModelUnusable, match=r"for ReLUs alone \(.*\), and this network has \w"):
        attribute(Network(OTHERS[kind]), clip(), "head:1", "guided-backprop", card=CARD)


def test_what_lies_behind_the_target_does_not_count() -> None:
    found = attribute(Network(F.gelu), clip(), "conv2:1", "guided-backprop", card=CARD).map
    torch.testing.assert_close(
        found, attribute(Network(F.relu), clip(), "conv2:1", "guided-backprop", card=CARD).map
    )


def test_a_module_that_is_used_twice_is_guided_twice() -> None:
    network = Network(nn.ReLU())
    separate = attribute(network, clip(), "head:0", "guided-backprop", card=CARD).map
    network.rectify = network.relu
    assert torch.equal(attribute(network, clip(), "head:0", "guided-backprop", card=CARD).map, separate)
