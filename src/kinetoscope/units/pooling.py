"""Average pooling over whatever is left of a map, so that a network's last layers take clips of any size."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .operators import Catching

_AVERAGES = {torch.avg_pool1d: 1, F.avg_pool2d: 2, F.avg_pool3d: 3}
_NAMES = ("input", "kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override")


SUMS_UP = 4
"""Height and width from which a window sums a map up; smaller ones thin maps out on the way."""


class _WhatIsLeft(Catching):
    def called(self, func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        if func not in _AVERAGES:
            return func(*args, **kwargs)
        given = dict(zip(_NAMES, args, strict=False)) | kwargs
        axes, asked = _AVERAGES[func], given["kernel_size"]
        if min(_each(asked, axes)[-2:]) < SUMS_UP:
            return func(*args, **kwargs)
        # torch's default for the stride is the window that was asked for
        given |= {"kernel_size": _fitting(given, axes), "stride": given.get("stride") or _each(asked, axes)}
        return func(given.pop("input"), **given)


def _fitting(given: Mapping[str, Any], axes: int) -> tuple[int, ...]:
    """The window, no larger than the map; in one and two axes torch counts the padding in."""
    x: Tensor = given["input"]
    padding = _each(given.get("padding", 0) if axes < 3 else 0, axes)
    windows = zip(_each(given["kernel_size"], axes), x.shape[-axes:], padding, strict=True)
    return tuple(min(window, size + 2 * pad) for window, size, pad in windows)


def _each(value: int | Sequence[int], axes: int) -> tuple[int, ...]:
    values = (value,) if isinstance(value, int) else tuple(value)
    return values * axes if len(values) == 1 else values


@contextmanager
def pooled_over_what_is_left() -> Iterator[None]:
    """Inside, an average-pooling window that is larger than the map takes the whole map, instead of failing.

    The windows before a classifier are made for one size of clip (I3D's 7x7 for 224 pixels); a smaller clip
    leaves a smaller map, and its mean means the same. Windows that fit are left as they are, and so are those
    below `SUMS_UP`: where two pixels are too many for a map, the clip is too small.
    """
    with _WhatIsLeft():
        yield
