"""Lending a model out: stand-ins for its tensors, evaluation mode, and everything back in its place.

The caller's parameters are never touched: for the length of one forward call detached stand-ins (or copies on
another device, or in bf16) take their places. `torch.func.functional_call` does the same at ten times the
price, which a loop of hundreds of steps would feel.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import ModelUnusable

Convert = Callable[[Tensor], Tensor]


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
