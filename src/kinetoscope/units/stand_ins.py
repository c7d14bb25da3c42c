"""Stand-ins for the tensors of a model while it runs, evaluation mode, and everything back in its place.

The caller's parameters are never touched: for the length of one forward call detached stand-ins (or copies on
another device, or in bf16) take their places. `torch.func.functional_call` does the same at ten times the
price, which a loop of hundreds of steps would feel.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import ModelUnusable

Convert = Callable[[Tensor], Tensor]

_PLAIN = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)


class StandIns:
    """Of one model: inside `in_place` it has stand-ins for its tensors and is in evaluation mode."""

    def __init__(self, model: nn.Module, convert: Convert) -> None:
        """Args: model: untouched after `put_back`. convert: makes the stand-in of a detached tensor."""
        self._modules = list(model.modules())
        if any(isinstance(module, torch.jit.ScriptModule) for module in self._modules):
            raise ModelUnusable(
                "a TorchScript model cannot be stopped at a layer; give the Python module instead"
            )
        self._before = [(module, dict(vars(module))) for module in self._modules]
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

    def narrow(self, module: nn.Module, rows: Sequence[int]) -> bool:
        """Let a plain convolution or linear layer compute these outputs only; False if it cannot.

        It cannot if its weights serve another layer too, or a hook might look at its outputs.
        """
        plain = type(module) in _PLAIN and getattr(module, "groups", 1) == 1
        if not plain or module._forward_hooks or module._forward_pre_hooks or module._backward_hooks:
            return False
        ((weights, stand_ins),) = (pair for pair in self._tables if pair[0] is module._parameters)
        owners = [table for table, _ in self._tables if any(t is weights["weight"] for t in table.values())]
        if len(owners) > 1:
            return False
        index = torch.tensor(rows, device=stand_ins["weight"].device)
        stand_ins.update({name: t.index_select(0, index) for name, t in stand_ins.items()})
        return True

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Inside, the stand-ins are in place and every mode is evaluation; outside nothing is."""
        # a wrapper of torch.compile has no mode but that of what it wraps
        modes = [(vars(module), module.training) for module in self._modules if "training" in vars(module)]
        owned = [{name: table[name] for name in stand_ins} for table, stand_ins in self._tables]
        try:
            for attributes, _ in modes:
                attributes["training"] = False  # train() and eval() may be a model's own
            for table, stand_ins in self._tables:
                table.update(stand_ins)
            yield
        finally:
            for (table, _), own in zip(self._tables, owned, strict=True):
                table.update(own)
            for attributes, mode in modes:
                attributes["training"] = mode

    def put_back(self) -> None:
        """Put back plain attributes that are or were tensors: caches, and what weight norm recomputes."""
        for module, before in self._before:
            now = vars(module)
            for name in now.keys() | before.keys():
                if not isinstance(now.get(name), Tensor) and not isinstance(before.get(name), Tensor):
                    continue
                if name in before:
                    now[name] = before[name]
                else:
                    del now[name]  # what a forward pass left lying about
