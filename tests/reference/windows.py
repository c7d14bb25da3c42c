"""TensorFlow's SAME windows, spelled out position by position."""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor


def same_windows(size: int, kernel: int, stride: int) -> Iterator[range]:
    """Positions under each window along one axis, as TensorFlow defines SAME; some lie outside the axis."""
    count = math.ceil(size / stride)
    missing = max((count - 1) * stride + kernel - size, 0)
    for i in range(count):
        start = i * stride - missing // 2
        yield range(start, start + kernel)


def slide(
    clip: Tensor, windows: tuple[list[range], list[range], list[range]], answer: Callable[[Tensor], Tensor]
) -> Tensor:
    """`answer` of every window of a clip (C, T, H, W), which is zero outside; (outputs, T', H', W')."""

    def cut(t: range, y: range, x: range) -> Tensor:
        patch = clip.new_zeros(len(clip), len(t), len(y), len(x))
        for i, ti in enumerate(t):
            for j, yj in enumerate(y):
                for k, xk in enumerate(x):
                    if all(0 <= p < n for p, n in zip((ti, yj, xk), clip.shape[1:], strict=True)):
                        patch[:, i, j, k] = clip[:, ti, yj, xk]
        return answer(patch)

    rows = [[[cut(t, y, x) for x in windows[2]] for y in windows[1]] for t in windows[0]]
    return torch.stack([torch.stack([torch.stack(r, -1) for r in plane], -2) for plane in rows], -3)
