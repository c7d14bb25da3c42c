"""Layer-wise relevance propagation by zennit, on a copy of the network; zennit comes with the extra `lrp`.

The composite is zennit's `EpsilonGammaBox` (Montavon et al. 2019): the box rule for the first convolution,
whose inputs are pixels between black and white, gamma 0.25 for the others, epsilon for linear layers; batch
norms are merged into the layers before them. zennit sees modules only, so means and sums that are written as
functions share their relevance here.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from importlib import import_module
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import ModelUnusable, SettingInvalid, listed, one_line
from ..units.failures import working_dtype
from ..units.operators import Catching
from .guided import nodes_behind, rectifications

_SHARED = {
    torch.mean, Tensor.mean, torch.sum, Tensor.sum,
    torch.add, Tensor.add, Tensor.__add__, Tensor.__radd__, Tensor.__iadd__,
    torch.avg_pool1d, F.avg_pool2d, F.avg_pool3d,
    F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d,
}  # fmt: skip
# what relevance is not defined for; names of autograd's nodes
_MIXING = ("Softmax", "ScaledDotProduct", "NativeLayerNorm", "NativeGroupNorm", "Sigmoid", "Tanh", "Bmm")
_WEIGHING = ("ConvolutionBackward", "AddmmBackward", "MmBackward")


def relevance(network: Any, clip: Tensor) -> Tensor:
    """How much each value of a clip adds to the response, (C, T, H, W); signed.

    The response is shared out; what biases take is lost, and the rest sums to it.

    Args:
        network: as a `Problem` has it.
        clip: (1, C, T, H, W) in [0, 1].

    Raises:
        SettingInvalid: the extra is missing, or does not load.
        ModelUnusable: the network has what no rule is defined for, or cannot be copied.
    """
    rules = _zennit()
    copied = _copy_of(network.model).to(clip.device)
    _check(copied, network, clip)
    black, white = (
        network.normalized(torch.full_like(clip[:, :, :1, :1, :1], level)) for level in (0.0, 1.0)
    )
    composite = rules["composites"].EpsilonGammaBox(
        low=black, high=white, canonizers=[rules["canonizers"].SequentialMergeBatchNorm()]
    )
    given = network.normalized(clip.detach()).requires_grad_()
    with composite.context(copied), network.on(copied) as hooked:
        with _Sharing():
            hooked.respond(given)
        output = hooked.reached.detach().requires_grad_()
        (slope,) = torch.autograd.grad(network.answer(output).sum(), output)
        (found,) = torch.autograd.grad(hooked.reached, given, output.detach() * slope)
    return found[0].detach()


def _zennit() -> dict[str, Any]:
    try:
        return {name: import_module(f"zennit.{name}") for name in ("canonizers", "composites")}
    except ImportError as error:
        missing = error.name or "zennit"
        raise SettingInvalid(f"lrp needs {missing}; pip install 'kinetoscope[lrp]'") from error
    except (RuntimeError, OSError, AttributeError) as error:  # as a torchvision of another torch has it
        raise SettingInvalid(
            f"lrp needs zennit, which does not load here ({one_line(error)}); install a torchvision that "
            "fits the installed torch"
        ) from error


def _copy_of(model: nn.Module) -> nn.Module:
    """The network with weights of its own, in evaluation mode: zennit writes into it."""
    try:
        copied = deepcopy(model)
    except (RuntimeError, TypeError, AttributeError, NotImplementedError) as error:
        raise ModelUnusable(
            f"lrp works on a copy, and this network cannot be copied ({one_line(error)}); take "
            "integrated-gradients"
        ) from error
    return copied.to(working_dtype(model)).eval()


def _check(model: nn.Module, network: Any, clip: Tensor) -> None:
    """Refuse what the rules do not cover.

    Raises:
        ModelUnusable: attention, gates, other nonlinearities than ReLU; weights outside of convolutions and
            linear layers, or in layers that run several times; batch norms without fixed numbers.
    """
    weighing = [m for m in model.modules() if isinstance(m, (nn.modules.conv._ConvNd, nn.Linear))]
    norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    if any(norm.weight is None or norm.running_var is None for norm in norms):
        raise ModelUnusable(
            "lrp needs batch norms with weights and running means; give them, or take integrated-gradients"
        )
    calls: dict[nn.Module, int] = {}
    with network.on(model) as plain, _counting(weighing, calls):
        plain.respond(network.normalized(clip.detach()).requires_grad_())
        behind = plain.reached
    _, other = rectifications(behind)
    names = [node.name() for node in nodes_behind(behind)]
    other += sorted({name.partition("Backward")[0] for name in names if name.startswith(_MIXING)})
    count = sum(name.startswith(_WEIGHING) for name in names)
    if max(calls.values(), default=0) > 1:
        other.append("weights that are used several times")
    elif count > len(calls):
        other.append("weights outside of convolutions and linear layers, such as 3T ones")
    if other:
        raise ModelUnusable(
            "lrp is defined for convolutions, linear layers, ReLUs, pooling and batch norms, and this "
            f"network has {listed(other, 3)} before the target; take integrated-gradients"
        )


@contextmanager
def _counting(modules: Sequence[nn.Module], calls: dict[nn.Module, int]) -> Iterator[None]:
    def count(module: nn.Module, args: Any) -> None:
        calls[module] = calls.get(module, 0) + 1

    handles = [module.register_forward_pre_hook(count) for module in modules]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


class _Sharing(Catching):
    """Means and sums pass relevance on in proportion to what each value gave."""

    def called(self, func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        places = [n for n, arg in enumerate(args) if isinstance(arg, Tensor) and arg.requires_grad]
        if func not in _SHARED or not places:
            return func(*args, **kwargs)

        def apply(*given: Tensor) -> Tensor:
            filled = list(args)
            for place, tensor in zip(places, given, strict=True):
                filled[place] = tensor
            return func(*filled, **kwargs)

        return _Share.apply(apply, *(args[place] for place in places))


class _Share(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, apply: Callable[..., Tensor], *given: Tensor) -> Tensor:
        with torch.enable_grad():
            ctx.given = [tensor.detach().clone().requires_grad_() for tensor in given]
            # in-place sums need something that is no leaf
            ctx.output = apply(*(tensor * 1 for tensor in ctx.given))
        return ctx.output.detach().clone()

    @staticmethod
    def backward(ctx: Any, *relevances: Tensor) -> tuple[Tensor | None, ...]:
        from zennit.core import stabilize

        slopes = torch.autograd.grad(ctx.output, ctx.given, relevances[0] / stabilize(ctx.output.detach()))
        return None, *(tensor.detach() * slope for tensor, slope in zip(ctx.given, slopes, strict=True))
