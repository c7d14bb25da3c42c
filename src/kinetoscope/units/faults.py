"""What can be wrong with a model or a clip, said in one line."""

import re
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from ..errors import ClipTooSmall, ModelUnusable, listed

# what torch says when a map has become smaller than a kernel, and nothing else
_TOO_SMALL = (
    "Kernel size can't be greater than actual input size",
    "Output size is too small",
    "smaller than kernel size",
)
_MISFIT = (
    "mat1 and mat2 shapes cannot be multiplied",
    "size mismatch, got input",
    "a and b must have same reduction dim",  # the same, of meta tensors
)
FORWARD_FAULTS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What a forward pass raises that wants another device or size, or values, and is given meta tensors."""

Found = TypeVar("Found")

_CHANNELS = re.compile(r"to have (\d+) channels, but got (\d+) channels instead")


def check_weights(model: nn.Module) -> None:
    """Make sure that all floating weights are there and finite.

    Raises:
        ModelUnusable: naming the tensors that are not.
    """
    check_initialized(model)
    state = state_of(model)
    bad = [
        name for name, t in state.items() if t.is_floating_point() and not bool(t.detach().isfinite().all())
    ]
    if bad:
        raise ModelUnusable(f"weights that are not finite: {listed(bad)}; load a sound checkpoint")


def check_initialized(model: nn.Module) -> None:
    """Make sure that all weights are there.

    Raises:
        ModelUnusable: naming those of lazy modules that have not run yet.
    """
    lazy = [name for name, tensor in state_of(model).items() if is_lazy(tensor)]
    if lazy:
        raise ModelUnusable(
            f"weights not initialized yet: {listed(lazy)}; run the model once on a clip first"
        )


def working_dtype(model: nn.Module) -> torch.dtype:
    """float64 for a model with float64 weights, float32 for any other."""
    wide = any(t.dtype == torch.float64 for t in state_of(model).values())
    return torch.float64 if wide else torch.float32


def check_gradient(output: Tensor, clip: Tensor, layer: str) -> None:
    """Make sure that where a gradient with respect to `clip` is wanted, one leads from `output` to it.

    Raises:
        ModelUnusable: none does, for any unit.
    """
    if torch.is_grad_enabled() and clip.requires_grad and not output.requires_grad:
        raise ModelUnusable(
            f"no gradient from layer {layer!r} reaches the clip: the forward pass runs under no_grad or "
            "inference_mode, detaches, rounds, or takes nothing from the clip; let gradients through, or "
            "choose a layer before that"
        )


def explain_misfit(error: RuntimeError, model: nn.Module, clip: tuple[int, ...], layer: str) -> None:
    """Do nothing unless `error` says that the clip (T, H, W) was too small or did not fit a layer.

    Raises:
        ModelUnusable: a convolution takes another number of channels.
        ClipTooSmall: naming the layer that failed (`layer` if that cannot be told), the size, and the repair.
    """
    message, size = str(error), "x".join(map(str, clip))
    if wanted := _CHANNELS.search(message):
        raise ModelUnusable(
            f"a convolution takes {wanted[1]} channels and is given {wanted[2]}; clips are (B, C, T, H, W): "
            "set channels in the ModelCard, or let forward put the axes in its own order"
        ) from error
    small, misfit = (any(sign in message for sign in signs) for signs in (_TOO_SMALL, _MISFIT))
    if not small and not misfit:
        return
    names = {id(module): name for name, module in model.named_modules()}
    trace = error.__traceback__
    while trace is not None:
        layer = names.get(id(trace.tb_frame.f_locals.get("self"))) or layer
        trace = trace.tb_next
    what = "is too small for" if small else "does not fit"
    mend = "give more frames or a larger frame" if small else "give the size that the model was made for"
    raise ClipTooSmall(f"a clip of {size} (TxHxW) {what} layer {layer!r}; {mend}") from error


def meta_first(find: Callable[[str | None], Found]) -> Found:
    """What `find` tells on the device "meta", without arithmetic, or else on None, where the weights are.

    A forward pass that looks at values or at the device cannot be run on "meta".
    """
    try:
        with torch.device("meta"):
            return find("meta")
    except FORWARD_FAULTS:
        return find(None)


def state_of(model: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by name; the tensors themselves."""
    return dict(model.named_parameters()) | dict(model.named_buffers())
