"""Every layer's output as (B, units, *map): which axis counts the units, and what places the others are.

Convolutions have their channels on axis 1; linear layers, layer norms and recurrent layers on the last axis.
A module that is neither (an activation, a block) has them where the module that ran last before its output
had them. Tokens (B, N, C) get the grid they were made from: the one given beside them in a tuple, else the
map of the last convolution with as many places; a class token in front of the grid is left out. Where there
are as many tokens as units, what follows a convolution is tokens in a network that normalizes or attends over
a last axis of that width, and a map in any other.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from math import prod
from typing import Any, NamedTuple

from torch import Tensor, nn
from torch.utils._pytree import tree_leaves


class _Declared(NamedTuple):
    """What a module says of its output: how many units, and whether they lie on the last axis."""

    width: int
    last: bool


class Layout:
    """Follows the forward passes of a model, and lays out what its layers give."""

    def __init__(self, model: nn.Module) -> None:
        self._declaring = [(module, said) for module in model.modules() if (said := _declared(module))]
        self._token_widths = {width for module in model.modules() if (width := _last_axis(module))}
        self._ran: _Declared | None = None
        self._grids: list[tuple[int, ...]] = []

    @contextmanager
    def following(self) -> Iterator[None]:
        """Around one forward pass, from its start."""
        self._ran = None
        self._grids.clear()
        with ExitStack() as hooks:
            for module, said in self._declaring:
                hooks.callback(module.register_forward_hook(self._note(said)).remove)
            yield

    def _note(self, said: _Declared) -> Any:
        def note(module: nn.Module, args: Any, output: Any) -> None:
            self._ran = said
            if not said.last and isinstance(output, Tensor) and output.ndim > 3:
                self._grids.append(tuple(output.shape[2:]))

        return note

    def units_first(self, module: nn.Module, output: Any, clips: int) -> Tensor | None:
        """The first tensor in `output` of `module`, just called, as (clips, units, *map); None without one.

        Frames, heads or windows that the model has folded into the batch, behind the clips, become the first
        axis of the map; a batch in second place is put first.
        """
        tensor = first_tensor(output)
        if tensor is None:
            return None
        if tensor.ndim == 3 and _batch_second(module, tensor, clips):
            tensor = tensor.transpose(0, 1)
        if tensor.ndim < 2:
            return tensor.reshape(clips, -1)
        if tensor.ndim > 2 and self._units_last(module, tensor):
            tensor = tensor.movedim(-1, 1)
            if tensor.ndim == 3 and (grid := self._grid(output, tensor.shape[2])):
                tensor = tensor[:, :, -prod(grid) :].unflatten(2, grid)
        return tensor if len(tensor) == clips else tensor.unflatten(0, (clips, -1)).movedim(1, 2)

    def _units_last(self, module: nn.Module, tensor: Tensor) -> bool:
        if own := _declared(module):
            return own.last
        if self._ran is None:
            return False
        width, last = self._ran
        first_fits, last_fits = tensor.shape[1] == width, tensor.shape[-1] == width
        tokens = tensor.ndim == 3
        if first_fits and last_fits:  # as many places as units: a map is then more often channels first
            return tokens and (last or width in self._token_widths)
        return last_fits and (last or tokens)

    def _grid(self, output: Any, tokens: int) -> tuple[int, ...] | None:
        parts = output if isinstance(output, (tuple, list)) else ()
        given = [tuple(part) for part in parts if _is_extent(part)]
        grids = [*given, *reversed(self._grids)]
        return next((grid for grid in grids if prod(grid) in (tokens, tokens - 1)), None)


def first_tensor(output: Any) -> Tensor | None:
    """The first tensor in a layer's output, however nested; None when there is none."""
    return next((leaf for leaf in tree_leaves(output) if isinstance(leaf, Tensor)), None)


def _declared(module: nn.Module) -> _Declared | None:
    if isinstance(module, (nn.LayerNorm, nn.RMSNorm)):
        return _Declared(module.normalized_shape[-1], True) if len(module.normalized_shape) == 1 else None
    if isinstance(module, nn.RNNBase):
        return _Declared((module.proj_size or module.hidden_size) * (1 + module.bidirectional), True)
    if isinstance(module, nn.MultiheadAttention):
        return _Declared(module.embed_dim, True)
    if isinstance(module, nn.modules.batchnorm._NormBase):
        return _Declared(module.num_features, False)
    if isinstance(module, nn.GroupNorm):
        return _Declared(module.num_channels, False)
    # convolutions and linear layers, and other people's that follow torch's words
    for name, last in (("out_channels", False), ("out_features", True)):
        if isinstance(width := getattr(module, name, None), int) and not any(module.children()):
            return _Declared(width, last)
    return None


def _last_axis(module: nn.Module) -> int | None:
    """The last axis that a module normalizes or attends over; None for others, heads of classifiers too."""
    if isinstance(module, (nn.LayerNorm, nn.RMSNorm, nn.MultiheadAttention)) and (said := _declared(module)):
        return said.width
    return None


def _batch_second(module: nn.Module, tensor: Tensor, clips: int) -> bool:
    said = getattr(module, "batch_first", None)
    return said is False if isinstance(said, bool) else len(tensor) != clips == tensor.shape[1]


def _is_extent(part: Any) -> bool:
    return isinstance(part, (tuple, list)) and len(part) == 3 and all(isinstance(n, int) for n in part)
