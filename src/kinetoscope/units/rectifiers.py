"""A slope where a rectifier is silent, in the backward pass only: the way out of silence for a gradient.

Behind a ReLU that is closed everywhere the gradient is zero, and an ascent that starts there never leaves.
Redirected gradients (Olah et al. 2017, appendix) replace the network's modules; here the functions are caught
as they are called, so the network, however it is written, stays as it is, and its output too.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .operators import Catching

_IN_PLACE = {F.relu_, torch.relu_, Tensor.relu_}
_RELUS = {F.relu, torch.relu, Tensor.relu} | _IN_PLACE
_CLAMPS = {torch.clamp, Tensor.clamp, torch.clamp_min, Tensor.clamp_min}


class _Rectified(torch.autograd.Function):
    """ReLU; backwards the closed part lets a share of the gradient through."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, slope: float, in_place: bool) -> Tensor:
        ctx.save_for_backward(x > 0)
        ctx.slope = slope
        if in_place:
            ctx.mark_dirty(x)
            return x.clamp_(min=0)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (open_,) = ctx.saved_tensors
        return torch.where(open_, gradients[0], ctx.slope * gradients[0]), None, None


class _Leaky(Catching):
    def __init__(self, slope: float) -> None:
        super().__init__()
        self._slope = slope

    def called(self, func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        if func in _RELUS:
            x = args[0] if args else kwargs["input"]
            in_place = func in _IN_PLACE or bool(kwargs.get("inplace", args[1] if len(args) > 1 else False))
            return _Rectified.apply(x, self._slope, in_place)
        if func in _CLAMPS and _from_zero(args, kwargs):
            x = args[0] if args else kwargs["input"]
            return _Rectified.apply(x, self._slope, False)
        return func(*args, **kwargs)


def _from_zero(args: Sequence[Any], given: Mapping[str, Any]) -> bool:
    """Whether a clamp is a ReLU: from 0 upwards and without end."""
    low = args[1] if len(args) > 1 else given.get("min")
    high = args[2] if len(args) > 2 else given.get("max")
    return high is None and isinstance(low, int | float) and low == 0


@contextmanager
def leaky_rectifiers(slope: float) -> Iterator[None]:
    """Inside, gradients pass closed ReLUs with this slope; what is computed forwards stays the same.

    Args:
        slope: 0 changes nothing.
    """
    if slope <= 0 or not torch.is_grad_enabled():
        yield
        return
    with _Leaky(slope):
        yield
