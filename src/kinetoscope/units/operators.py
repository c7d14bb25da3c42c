"""Functions of torch as they are called, and arguments of tensor operations as modes are given them."""

import sys
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from types import MethodType
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode


class Catching(TorchFunctionMode):
    """Inside, every function of torch that is called comes by here first, however the network is written."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """What torch calls."""
        return self.called(func, args, dict(kwargs or {}))

    @abstractmethod
    def called(self, func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        """What a call gives: `func(*args, **kwargs)`, or something in its place."""


class Watching(TorchDispatchMode):
    """Inside, every operation on tensors comes by here, however small the parts it is made of.

    Torch hides such modes from its compiler, for which it loads all of it, a second and more; here that is
    done only where something else has loaded it, for only then can a network be compiled.
    """

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False

    def __enter__(self) -> Any:
        """What begins it; some enter themselves again at every operation, and are hidden once."""
        if "torch._dynamo" in sys.modules and "__torch_dispatch__" not in vars(self):
            hidden = torch._disable_dynamo(type(self).__torch_dispatch__, recursive=True)
            vars(self)["__torch_dispatch__"] = MethodType(hidden, self)
        return super().__enter__()


def named_arguments(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of an operation by the names of its schema, defaults filled in."""
    known = func._schema.arguments
    named = {a.name: a.default_value for a in known if a.has_default_value()}
    return named | {a.name: value for a, value in zip(known, args, strict=False)} | dict(kwargs)


def per_axis(value: int | Sequence[int], axes: int) -> list[int]:
    """A stride, padding or size for each axis; a single number holds for all."""
    values = [value] if isinstance(value, int) else list(value)
    return values * axes if len(values) == 1 else values
