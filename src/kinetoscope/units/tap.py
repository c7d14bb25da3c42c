"""Run a model up to one layer, and put everything back.

The caller's parameters are never touched: inside a tap, detached stand-ins (or copies on another device,
or in bf16) take their places for the length of one forward call. `torch.func.functional_call` does the same
at ten times the price, which a loop of hundreds of steps would feel.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter
from torch.utils._pytree import tree_leaves

from ..errors import ClipTooSmall, LayerNotFound, ModelUnusable, SettingInvalid, closest

Convert = Callable[[Tensor], Tensor]

# what torch says when a map has become smaller than a kernel, and nothing else
_TOO_SMALL = (
    "Kernel size can't be greater than actual input size",
    "Output size is too small",
    "smaller than kernel size",
)
_MISFIT = ("mat1 and mat2 shapes cannot be multiplied", "size mismatch, got input")


class _Reached(BaseException):
    """The layer has its output; not an Exception, so that no model can take it for a failure of its own."""


class Loan:
    """A model that can be lent out: in evaluation mode and with stand-ins for its tensors inside `lent`."""

    def __init__(self, model: nn.Module, convert: Convert) -> None:
        """Args: model: untouched after `close`. convert: makes the stand-in of a detached tensor."""
        if isinstance(model, torch.jit.ScriptModule):
            raise ModelUnusable(
                "a TorchScript model cannot be stopped at a layer; give the Python module instead"
            )
        self._modules = list(model.modules())
        self._plain = [
            (module, {k: v for k, v in vars(module).items() if isinstance(v, Tensor)})
            for module in self._modules
        ]
        self._tables: list[tuple[dict[str, Any], dict[str, Any]]] = []
        made: dict[int, Tensor] = {}
        for module in self._modules:
            for table, buffers in ((module._parameters, False), (module._buffers, True)):
                own = {name: t for name, t in table.items() if t is not None}
                for t in own.values():
                    if id(t) not in made:  # tied tensors stay tied
                        stand_in = convert(t.detach())
                        # a buffer may be written in place by a forward; a weight is only read
                        shared = buffers and stand_in.untyped_storage()._cdata == t.untyped_storage()._cdata
                        made[id(t)] = stand_in.clone() if shared else stand_in
                if own:
                    self._tables.append((table, {name: made[id(t)] for name, t in own.items()}))

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Inside, the stand-ins are in place and every mode is evaluation; between two loans nothing is."""
        modes = [module.training for module in self._modules]
        owned = [{name: table[name] for name in stand_ins} for table, stand_ins in self._tables]
        try:
            for module in self._modules:
                vars(module)["training"] = False  # train() and eval() may be a model's own
            for table, stand_ins in self._tables:
                table.update(stand_ins)
            yield
        finally:
            for (table, _), own in zip(self._tables, owned, strict=True):
                table.update(own)
            for module, mode in zip(self._modules, modes, strict=True):
                vars(module)["training"] = mode

    def close(self) -> None:
        """Put plain tensor attributes back: caches, and what old-style weight norm recomputes."""
        for module, plain in self._plain:
            kept = {k: v for k, v in vars(module).items() if not isinstance(v, Tensor)} | plain
            for name in vars(module).keys() - kept.keys():
                del vars(module)[name]  # what a forward pass left lying about
            vars(module).update(kept)


class Tap:
    """A model cut open behind one layer; use it as `with tap(model, layer) as forward:`.

    Inside, `forward(x)` takes clips (B, C, T, H, W) and gives the layer's output: gradients flow to `x`,
    not to weights, and layers beyond are not run. Of a layer that is called several times, the first call
    counts; of an output with several tensors, the first tensor. Hooks of the caller's own keep working.
    """

    def __init__(
        self,
        model: nn.Module,
        layer: str,
        *,
        device: str | torch.device | None = None,
        precision: str = "fp32",
    ) -> None:
        """Name what is wanted; nothing happens before `with`.

        Args:
            model: any module; it comes back as it was, whatever happens inside.
            layer: dotted name as in `model.named_modules()`.
            device: where to compute, on copies of the weights; None: where the weights are.
            precision: `fp32` (float64 models stay so), or `bf16`: convolutions and matrix products in bf16 on
                channels-last copies, what torch lacks or rounds badly in bf16 in fp32; the output is fp32.

        Raises:
            LayerNotFound: the model has no such layer.
            SettingInvalid: `precision` is neither.
        """
        if precision not in ("fp32", "bf16"):
            raise SettingInvalid(f"precision is 'fp32' or 'bf16', not {precision!r}")
        self._target = find_layer(model, layer)
        self._model, self._layer, self._device = model, layer, device
        self._dtype, self._half = working_dtype(model), precision == "bf16"
        self._captured: list[Any] = []
        self._loan: Loan | None = None

    def __enter__(self) -> "Tap":
        """Lend the model out.

        Raises:
            ModelUnusable: weights that are not finite or not there yet, or a TorchScript model.
        """
        check_weights(self._model)
        self._device = self._device or next((t.device for t in _state(self._model).values()), "cpu")
        self._loan = Loan(self._model, self._stand_in)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the model back."""
        if self._loan is not None:
            self._loan.close()
        self._loan = None
        self._captured.clear()

    def __call__(self, x: Tensor) -> Tensor:
        """The layer's output for normalized clips.

        Args:
            x: (B, C, T, H, W), as the network takes it; moved and cast as the tap was told.

        Returns:
            The output, (B, units, ...), in the model's precision.

        Raises:
            LayerNotFound: the forward pass never reaches the layer, or the layer gives no tensor.
            ClipTooSmall: a map became smaller than a kernel, or does not fit a linear layer.
        """
        if self._loan is None:
            raise SettingInvalid(
                "a tap works inside its with-block only: with tap(model, layer) as forward: ..."
            )
        layout = torch.channels_last_3d if self._half and x.ndim == 5 else torch.preserve_format
        given = x.to(device=self._device, dtype=self._dtype, memory_format=layout)
        if given is x:  # a first layer that works in place must not rewrite the caller's clip
            given = x.clone()
        hook = self._target.register_forward_hook(self._catch)  # last of all hooks, and only for this call
        try:
            with self._loan.lent(), torch.autocast(given.device.type, torch.bfloat16, enabled=self._half):
                self._model(given)
        except _Reached:
            return self._taken()
        except RuntimeError as error:
            explain_misfit(error, self._model, tuple(x.shape[2:]), self._layer)
            raise
        finally:
            hook.remove()
        raise LayerNotFound(
            f"layer {self._layer!r} exists, but the forward pass never reaches it; choose one it does"
        )

    def _catch(self, module: nn.Module, args: Any, output: Any) -> None:
        self._captured.append(output)
        raise _Reached

    def _taken(self) -> Tensor:
        output = self._captured.pop()
        found = first_tensor(output)
        if found is None:
            kind = type(output).__name__
            raise LayerNotFound(f"layer {self._layer!r} gives {kind}, no tensor; choose a layer inside it")
        return found.to(self._dtype) if self._half and found.is_floating_point() else found

    def _stand_in(self, tensor: Tensor) -> Tensor:
        dtype = self._dtype if tensor.is_floating_point() else tensor.dtype
        moved = tensor.to(device=self._device, dtype=dtype)
        if self._half and tensor.ndim == 5 and tensor.is_floating_point():
            return moved.to(torch.bfloat16, memory_format=torch.channels_last_3d)
        return moved


def tap(
    model: nn.Module, layer: str, *, device: str | torch.device | None = None, precision: str = "fp32"
) -> Tap:
    """Cut a model open behind `layer`: `with tap(model, layer) as forward: output = forward(x)`.

    Arguments and errors as for `Tap`.
    """
    return Tap(model, layer, device=device, precision=precision)


def find_layer(model: nn.Module, layer: str) -> nn.Module:
    """The module of that dotted name.

    Raises:
        LayerNotFound: there is none.
    """
    modules = {name: module for name, module in model.named_modules() if name}
    if layer not in modules:
        raise LayerNotFound(f"the model has no layer {layer!r}; closest: {closest(layer, modules)}")
    return modules[layer]


def check_weights(model: nn.Module) -> None:
    """Make sure that all floating weights are there and finite.

    Raises:
        ModelUnusable: naming the tensors that are not.
    """
    state = _state(model)
    lazy = [name for name, t in state.items() if isinstance(t, (UninitializedParameter, UninitializedBuffer))]
    if lazy:
        raise ModelUnusable(
            f"weights not initialized yet: {_listed(lazy)}; run the model once on a clip first"
        )
    bad = [
        name for name, t in state.items() if t.is_floating_point() and not bool(t.detach().isfinite().all())
    ]
    if bad:
        raise ModelUnusable(f"weights that are not finite: {_listed(bad)}; load a sound checkpoint")


def working_dtype(model: nn.Module) -> torch.dtype:
    """float64 for a model with float64 weights, float32 for any other."""
    wide = any(t.dtype == torch.float64 for t in _state(model).values())
    return torch.float64 if wide else torch.float32


def explain_misfit(error: RuntimeError, model: nn.Module, clip: tuple[int, ...], layer: str) -> None:
    """Do nothing unless `error` says that the clip (T, H, W) was too small or did not fit a linear layer.

    Raises:
        ClipTooSmall: naming the layer that failed (`layer` if that cannot be told), the size, and the repair.
    """
    message, size = str(error), "x".join(map(str, clip))
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


def first_tensor(output: Any) -> Tensor | None:
    """The first tensor in a layer's output, however nested; None when there is none."""
    return next((leaf for leaf in tree_leaves(output) if isinstance(leaf, Tensor)), None)


def output_shape(model: nn.Module, layer: str, clip_shape: tuple[int, int, int, int]) -> tuple[int, ...]:
    """Shape of a layer's output for one clip, without the batch; no arithmetic is done where torch can tell.

    Args:
        clip_shape: (C, T, H, W).

    Raises:
        LayerNotFound: there is no such layer, or it is never reached.
        ClipTooSmall: the clip is too small for the layer.
    """
    try:
        with Tap(model, layer, device="meta") as forward, torch.device("meta"), torch.no_grad():
            return tuple(forward(torch.empty(1, *clip_shape)).shape[1:])
    except RuntimeError:  # the forward pass looks at values, and meta tensors have none
        with Tap(model, layer) as forward, torch.no_grad():
            return tuple(forward(torch.zeros(1, *clip_shape)).shape[1:])


def _state(model: nn.Module) -> dict[str, Tensor]:
    return dict(model.named_parameters()) | dict(model.named_buffers())


def _listed(names: list[str], limit: int = 5) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more
