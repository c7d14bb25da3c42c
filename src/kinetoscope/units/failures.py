"""What can be wrong with a model or a clip, said in one line."""

import importlib
import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from math import prod
from types import TracebackType
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from ..errors import ClipTooSmall, KinetoscopeError, ModelUnusable, listed, one_line
from .operators import Catching

# what torch says when a map has become smaller than a kernel, and nothing else
_TOO_SMALL = (
    "Kernel size can't be greater than actual input size",
    "Output size is too small",
    "smaller than kernel size",
    "tensor with negative dimension",  # a convolution of meta tensors, before torch 2.13
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
    ImportError,
    LookupError,
    NameError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What a forward pass commonly raises, by its own fault or given meta tensors."""

# signs of memory that was not enough, which is no fault of the forward pass
_NO_MEMORY = ("out of memory", "can't allocate memory")
# what torch says when types, and when in-place writing or recomputing, spoil a pass; and how to mend that
_MENDS = (
    (
        ("should be the same", "expected scalar type", "must have the same dtype", "to have the same dtype"),
        "weights are computed with in fp32 (float64 stays so): leave .half() and the like out of forward, or "
        "write x.to(weight.dtype)",
    ),
    (
        ("modified by an inplace operation", "used in an in-place operation", "modified inplace"),
        "write y = x + 1 instead of x += 1 there",
    ),
    (
        ("Checkpointing is not compatible with .grad()", "use_reentrant=True"),
        "give checkpoint(..., use_reentrant=False)",
    ),
)


class ForwardFault(ModelUnusable, RuntimeError):
    """The network's own code failed, forwards or backwards."""


class ForwardEnded(ForwardFault, SystemExit):
    """The network's own code ended the program: still an end to who waits for one."""


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


def check_gradient(output: Tensor, clip: Tensor, layer: str, recomputed: bool = False) -> None:
    """Make sure that where a gradient with respect to `clip` is wanted, one leads from `output` to it.

    Args:
        recomputed: whether the layer ran inside `torch.utils.checkpoint` with `use_reentrant=True`.

    Raises:
        ModelUnusable: none does, for any unit.
    """
    if not torch.is_grad_enabled() or not clip.requires_grad or output.requires_grad:
        return
    if recomputed:
        raise ModelUnusable(
            f"no gradient from layer {layer!r} reaches the clip: the forward pass recomputes it with "
            "checkpoint(..., use_reentrant=True); give use_reentrant=False, or choose a layer before that"
        )
    raise ModelUnusable(
        f"no gradient from layer {layer!r} reaches the clip: the forward pass runs under no_grad or "
        "inference_mode, detaches, rounds, or takes nothing from the clip; let gradients through, or "
        "choose a layer before that"
    )


def is_recomputing() -> bool:
    """Whether this is called inside `torch.utils.checkpoint` with `use_reentrant=True`."""
    frame = inspect.currentframe()
    while frame is not None:
        code = frame.f_code
        if code.co_name == "forward" and code.co_filename.endswith("checkpoint.py"):
            return frame.f_globals.get("__name__") == "torch.utils.checkpoint"
        frame = frame.f_back
    return False


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
    failing = next((name for name, _ in _failing(error.__traceback__, model) if name), layer)
    what = "is too small for" if small else "does not fit"
    mend = "give more frames or a larger frame" if small else "give the size that the model was made for"
    raise ClipTooSmall(f"a clip of {size} (TxHxW) {what} layer {failing!r}; {mend}") from error


class explained:  # noqa: N801 - used as a function is
    """Inside, whatever a forward pass of `model` on a clip (T, H, W) raises becomes one line.

    A class, for the code there is not ours: it may raise anything, and even end the program.

    Raises:
        ModelUnusable, ClipTooSmall: as `explain_misfit`.
        ForwardFault: the network's own code failed; naming the layer, what it was given, and the reason.
    """

    def __init__(self, model: nn.Module, clip: tuple[int, ...], layer: str) -> None:
        """Args: as `explain_misfit` has them."""
        self._model, self._clip, self._layer = model, clip, layer

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None or not _is_of_the_network(error):
            return
        if isinstance(error, RuntimeError):
            explain_misfit(error, self._model, self._clip, self._layer)
        raise _forward_fault(error, self._model, self._clip) from error


def _is_of_the_network(error: BaseException) -> bool:
    """Whether it is neither told already, nor of too little memory, nor somebody who stops the program."""
    if isinstance(error, (KinetoscopeError, MemoryError, Warning)):
        return False
    return isinstance(error, (Exception, SystemExit)) and not any(s in str(error) for s in _NO_MEMORY)


def _forward_fault(error: BaseException, model: nn.Module, clip: tuple[int, ...]) -> ForwardFault:
    name, given = next(_failing(error.__traceback__, model), ("", ""))
    where = f"in layer {name!r}" if name else "of the network"
    shapes = f", given {given}," if given else f" on a clip of {'x'.join(map(str, clip))} (TxHxW)"
    fault = ForwardEnded if isinstance(error, SystemExit) else ForwardFault
    return fault(f"the forward pass {where}{shapes} failed with {_told(error)}")


def explain_backward(error: BaseException, layer: str) -> None:
    """Do nothing unless `error` comes from a backward pass.

    Raises:
        ForwardFault: it does; with the reason.
    """
    trace, inside = error.__traceback__, False
    while trace is not None and not inside:
        inside = trace.tb_frame.f_code.co_name == "_engine_run_backward"
        trace = trace.tb_next
    if not inside or not _is_of_the_network(error):
        return
    raise ForwardFault(f"the gradient of layer {layer!r} failed with {_told(error)}") from error


def _told(error: BaseException) -> str:
    said = one_line(error)
    mend = next((mend for signs, mend in _MENDS if any(sign in said for sign in signs)), "mend forward")
    if len(said) > 300:
        said = f"{said[:300]}..."
    return f"{type(error).__name__}{f': {said}' if said else ''}; {mend}"


def _failing(trace: TracebackType | None, model: nn.Module) -> Iterator[tuple[str, str]]:
    """The modules that were running, innermost first: each one's name, and the shapes it was given."""
    names = {id(module): name for name, module in model.named_modules()}
    running: list[str] = []
    shapes: dict[str, str] = {}
    while trace is not None:
        frame = trace.tb_frame
        arguments = inspect.getargvalues(frame)
        name = names.get(id(arguments.locals.get("self")))
        if name is not None:
            running.append(name)
            if frame.f_code.co_name == "forward":
                given = {key: arguments.locals.get(key) for key in arguments.args[1:]}
                given[""] = arguments.locals.get(arguments.varargs or "")
                shapes[name] = ", ".join(filter(None, (_shapes(key, value) for key, value in given.items())))
        trace = trace.tb_next
    for name in reversed(running):
        yield name, shapes.get(name, "")


def _shapes(key: str, value: Any) -> str:
    parts = value if isinstance(value, (list, tuple)) else [value]
    found = ["x".join(map(str, part.shape)) or "a number" for part in parts if isinstance(part, Tensor)]
    return f"{key} " * bool(key) + " and ".join(found) if found else ""


class _SomethingLeft(Catching):
    """Inside, a convolution that leaves nothing fails on "meta" too, where older torch gives an empty map."""

    def called(self, func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        found = func(*args, **kwargs)
        if func in (torch.conv1d, torch.conv2d, torch.conv3d) and not found.numel():
            raise RuntimeError(_TOO_SMALL[0])
        return found


QUICK = 2**38
"""Weights times numbers in a clip: a pass over before torch has loaded what tells shapes on "meta"."""


def meta_first(find: Callable[[str | None], Found], model: nn.Module, shape: Sequence[int]) -> Found:
    """What `find` tells of a model and a clip's shape, on the device "meta", without arithmetic, or on None.

    None is where the weights are: that is for small models and clips, and for a forward pass that looks at
    values or at the device, which cannot be run on "meta".
    """
    weights = [tensor for tensor in model.parameters() if not is_lazy(tensor)]
    there = not any(tensor.is_meta for tensor in weights)
    with torch.random.fork_rng(devices=[]):  # a forward pass may draw numbers
        if not there or prod(shape) * sum(tensor.numel() for tensor in weights) > QUICK:
            with suppress(*FORWARD_FAULTS):
                return _on_meta(find)
        return find(None)


def _on_meta(find: Callable[[str | None], Found]) -> Found:
    if torch.__version__ < "2.13":  # `checkpoint` imports it, which fails there while "meta" is the device
        importlib.import_module("torch._dynamo")
    with torch.device("meta"), _SomethingLeft():
        return find("meta")


def state_of(model: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by name; the tensors themselves."""
    return dict(model.named_parameters()) | dict(model.named_buffers())
