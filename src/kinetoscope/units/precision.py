"""The arithmetic a forward pass runs in, whatever the caller has set."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F

from .operators import Catching

_POOLS = {
    getattr(home, f"max_pool{axes}d{result}")
    for home, result in ((torch, ""), (F, ""), (F, "_with_indices"))
    for axes in (1, 2, 3)
}


class _PoolUncast(Catching):
    """Maxima are taken in the type they come in: autocast would turn maps into fp32 for the same result."""

    def __init__(self, device: str) -> None:
        super().__init__()
        self._device = device

    def called(self, func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        if func in _POOLS:
            with torch.autocast(self._device, enabled=False):
                return func(*args, **kwargs)
        return func(*args, **kwargs)


@contextmanager
def arithmetic(device: str, half: bool) -> Iterator[None]:
    """bf16 where asked for, and no autocast of the caller's otherwise.

    Args:
        device: kind, as `torch.device(...).type`; meta tensors know no autocast.
        half: convolutions and matrix products in bf16, as `torch.autocast` chooses them.
    """
    if not torch.amp.is_autocast_available(device):
        yield
    elif half:
        with torch.autocast(device, torch.bfloat16), _PoolUncast(device):
            yield
    else:
        with torch.autocast(device, enabled=False):
            yield
