"""Run a model up to one layer, and put everything back."""

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import LayerNotFound, ModelUnusable, SettingInvalid, closest
from .failures import (
    check_gradient,
    check_weights,
    explain_backward,
    explained,
    is_recomputing,
    meta_first,
    state_of,
    working_dtype,
)
from .layout import Layout, first_tensor
from .precision import arithmetic
from .stand_ins import StandIns

Forward = Callable[[Tensor], Tensor]
"""From clips (B, C, T, H, W) to a layer's output, (B, units, *map)."""


class _Reached(BaseException):
    """The layer has its output; not an Exception, so that no model can take it for a failure of its own."""


class Tap:
    """A model cut open behind one layer; use it as `with tap(model, layer) as forward:`.

    Inside, `forward(x)` takes clips (B, C, T, H, W) and gives the layer's output as (B, units, *map), in
    whatever order the layer itself has them (`layout.py`): gradients flow to `x`, not to weights, and layers
    beyond are not run. Of a layer that is called several times, the first call counts, or call N (from 0) of
    `LAYER@N`; of an output with several tensors, the first. Hooks of the caller's own keep working.
    With `units`, the output holds these units only; a last convolution or linear layer computes no others.
    """

    def __init__(
        self,
        model: nn.Module,
        layer: str,
        *,
        units: Sequence[int] | None = None,
        device: str | torch.device | None = None,
        precision: str = "fp32",
    ) -> None:
        """Name what is wanted; nothing happens before `with`.

        Args:
            model: any module; it comes back as it was, whatever happens inside.
            layer: dotted name as in `model.named_modules()`, with `@N` for its call N.
            units: indices of the units wanted, in the order wanted; None: all.
            device: where to compute, on copies of the weights; None: where the weights are.
            precision: `fp32` (float64 models stay so), or `bf16`: convolutions and matrix products in bf16 on
                channels-last copies, what torch lacks or rounds badly in bf16 in fp32; the output is fp32.

        Raises:
            LayerNotFound: the model has no such layer.
            SettingInvalid: `precision` is neither.
        """
        if precision not in ("fp32", "bf16"):
            raise SettingInvalid(f"precision is 'fp32' or 'bf16', not {precision!r}")
        self._target, self._call = find_layer(model, layer), split_layer(layer)[1]
        self._model, self._layer, self._device = model, layer, device
        self._units, self._narrowed = units, False
        self._dtype, self._half = working_dtype(model), precision == "bf16"
        self._layout = Layout(model)
        self._calls: list[Any] = []
        self._recomputed = self._looked = False
        self._stand_ins: StandIns | None = None

    def __enter__(self) -> "Tap":
        """Lend the model out.

        Raises:
            ModelUnusable: weights that are not finite or not there yet, or a TorchScript model.
        """
        check_weights(self._model)
        self._device = self._device or next((t.device for t in state_of(self._model).values()), "cpu")
        self._stand_ins = StandIns(self._model, self._stand_in)
        if self._units is not None:
            self._narrowed = self._call == 0 and self._stand_ins.narrow(self._target, self._units)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the model back.

        Raises:
            ModelUnusable: a backward pass inside failed in the network's own code.
        """
        if self._stand_ins is not None:
            self._stand_ins.put_back()
        self._stand_ins = None
        if error is not None:
            explain_backward(error, self._layer)

    def __call__(self, x: Tensor) -> Tensor:
        """The layer's output for normalized clips.

        Args:
            x: (B, C, T, H, W), as the network takes it; moved and cast as the tap was told.

        Returns:
            The output, (B, units, *map), in the model's precision; the units asked for, or all.

        Raises:
            LayerNotFound: the layer or that call of it is never reached, or gives no tensor of real numbers.
            ClipTooSmall: a map became smaller than a kernel, or does not fit a linear layer.
            ModelUnusable: `x` asks for a gradient and gets none, a convolution takes other channels, or the
                network's own code fails.
        """
        if self._stand_ins is None:
            raise SettingInvalid(
                "a tap works inside its with-block only: with tap(model, layer) as forward: ..."
            )
        found = first_tensor(output := self._reach(x))
        if found is None:
            kind = type(output).__name__
            raise LayerNotFound(f"layer {self._layer!r} gives {kind}, no tensor; choose a layer inside it")
        if not found.is_floating_point():
            raise LayerNotFound(
                f"layer {self._layer!r} gives {found.dtype}, no real numbers; choose a layer before it"
            )
        if len(x) > 1 and found.shape[:1] != x.shape[:1]:  # clips and frames share an axis in unknown order
            return torch.cat([self(clip) for clip in x.split(1)])
        check_gradient(found, x, self._layer, self._recomputed)
        laid_out = self._layout.units_first(self._target, output, len(x))
        assert laid_out is not None
        self._check_numbers(laid_out, x)
        if self._units is not None and not self._narrowed:
            laid_out = laid_out[:, self._units]
        return laid_out.to(self._dtype) if self._half else laid_out

    def _check_numbers(self, output: Tensor, x: Tensor) -> None:
        """Once, for it costs a wait for the device: a layer of nothing but NaN; single units may be."""
        # a clip of one colour is divided by its own spread in some networks
        if self._looked or output.device.type == "meta" or not bool((x != x.flatten()[0]).any()):
            return
        self._looked = True
        if bool(output.detach().isnan().all()):
            raise ModelUnusable(
                f"layer {self._layer!r} gives NaN on a clip of {'x'.join(map(str, x.shape[2:]))} (TxHxW); "
                "mend the division, root or logarithm in forward, or choose a layer before it"
            )

    def _reach(self, x: Tensor) -> Any:
        """What the layer gives, as it gives it."""
        memory = torch.channels_last_3d if self._half and x.ndim == 5 else torch.preserve_format
        given = x.to(device=self._device, dtype=self._dtype, memory_format=memory)
        if given is x:  # a first layer that works in place must not rewrite the caller's clip
            given = x.clone()
        assert self._stand_ins is not None
        hook = self._target.register_forward_hook(self._catch)  # last of all hooks, and only for this call
        try:
            with (
                explained(self._model, tuple(x.shape[2:]), self._layer),
                self._stand_ins.in_place(),
                self._layout.following(),
                arithmetic(given.device.type, self._half),
            ):
                self._model(given)
        except _Reached:
            return self._calls[-1]
        finally:
            hook.remove()
            count = len(self._calls)
            self._calls.clear()
        if count:
            raise LayerNotFound(f"layer {self._layer!r} is called {count} times only: @0 to @{count - 1}")
        raise LayerNotFound(
            f"layer {self._layer!r} exists, but the forward pass never reaches it; choose one it does"
        )

    def _catch(self, module: nn.Module, args: Any, output: Any) -> None:
        self._calls.append(output)
        if len(self._calls) > self._call:
            self._recomputed = not torch.is_grad_enabled() and is_recomputing()
            raise _Reached

    def _stand_in(self, tensor: Tensor) -> Tensor:
        dtype = self._dtype if tensor.is_floating_point() else tensor.dtype
        moved = tensor.to(device=self._device, dtype=dtype)
        if self._half and tensor.ndim == 5 and tensor.is_floating_point():
            return moved.to(torch.bfloat16, memory_format=torch.channels_last_3d)
        return moved


def tap(
    model: nn.Module,
    layer: str,
    *,
    units: Sequence[int] | None = None,
    device: str | torch.device | None = None,
    precision: str = "fp32",
) -> Tap:
    """Cut a model open behind `layer`: `with tap(model, layer) as forward: output = forward(x)`.

    Arguments and errors as for `Tap`.

    Examples:
        >>> clips = torch.rand(1, 3, 16, 32, 48, requires_grad=True)
        >>> with ks.tap(ks.load_model("motion13"), "conv1") as forward:
        ...     forward(clips)[:, 5].mean().backward()
        >>> clips.grad.shape
        torch.Size([1, 3, 16, 32, 48])
    """
    return Tap(model, layer, units=units, device=device, precision=precision)


def split_layer(layer: str) -> tuple[str, int]:
    """The dotted name and the call, from 0, that `LAYER` or `LAYER@N` means."""
    name, at, call = layer.rpartition("@")
    return (name, int(call)) if at and call.isdecimal() else (layer, 0)


def find_layer(model: nn.Module, layer: str) -> nn.Module:
    """The module of that dotted name, with or without `@N`.

    Raises:
        LayerNotFound: there is none.
    """
    modules = {name: module for name, module in model.named_modules() if name}
    name = split_layer(layer)[0]
    if name not in modules:
        raise LayerNotFound(f"the model has no layer {name!r}; closest: {closest(name, modules)}")
    return modules[name]


def output_shape(model: nn.Module, layer: str, clip_shape: tuple[int, int, int, int]) -> tuple[int, ...]:
    """Shape of a layer's output for one clip, (units, *map).

    A large model or clip needs no arithmetic where torch can tell the shape without.

    Args:
        clip_shape: (C, T, H, W).

    Raises:
        LayerNotFound: there is no such layer, or it is never reached.
        ClipTooSmall: the clip is too small for the layer.
    """

    def shape_on(device: str | None) -> tuple[int, ...]:
        with Tap(model, layer, device=device) as forward, torch.no_grad():
            return tuple(forward(torch.zeros(1, *clip_shape)).shape[1:])

    return meta_first(shape_on, model, clip_shape)
