"""Least squares for fields on nodes: robust smoothness by reweighting, and conjugate gradients.

Fields are (..., T, 2, h, w): the last four dimensions are one clip's, and each clip has equations of its own.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from .clips import CLIP

Operator = Callable[[Tensor], Tensor]


class Smoothness:
    """A Charbonnier penalty on differences of neighbours along x, y and t, as weights of its quadratic bound.

    Beyond `edge` a difference counts linearly: few large steps cost less than many small ones.
    """

    def __init__(self, field: Tensor, weights: tuple[float, float, float], edge: float | None) -> None:
        """Weigh the differences of a field.

        Args:
            field: (..., T, 2, h, w), the present estimate.
            weights: along x, y and t.
            edge: where the penalty turns from square to line, unit of the field; None: never.
        """
        self._weights = []
        for axis, weight in zip((-1, -2, -4), weights, strict=True):
            step = field.diff(dim=axis)
            even = torch.full_like(step[..., :1, :, :], weight)
            if edge is not None:
                even = even / (1 + step.square().sum(dim=-3, keepdim=True) / edge**2).sqrt()
            if even.numel() and weight:
                self._weights.append((axis, even))

    def __call__(self, field: Tensor) -> Tensor:
        """Half the gradient of the weighted squares at `field`."""
        out = torch.zeros_like(field)
        for axis, weight in self._weights:
            pull, size = weight * field.diff(dim=axis), field.shape[axis]
            out.narrow(axis, 1, size - 1).add_(pull)
            out.narrow(axis, 0, size - 1).sub_(pull)
        return out

    def diagonal(self, field: Tensor) -> Tensor:
        """Of this operator on a field of that shape, the weights that meet at a node, (..., T, 1, h, w)."""
        out = torch.zeros_like(field[..., :1, :, :])
        for axis, weight in self._weights:
            size = field.shape[axis]
            out.narrow(axis, 1, size - 1).add_(weight)
            out.narrow(axis, 0, size - 1).add_(weight)
        return out


def blocks(matrix: Tensor, field: Tensor) -> Tensor:
    """Symmetric 2x2 matrices (..., 3, h, w), as xx, xy, yy, times vectors (..., 2, h, w)."""
    x, y = field.split(1, dim=-3)
    return torch.addcmul(matrix[..., :2, :, :] * x, matrix[..., 1:, :, :], y)


def summed(field: Tensor, length: int) -> Tensor:
    """Sums of `length` successive fields, (..., T - length + 1, 2, h, w)."""
    if length == 1:
        return field
    count = field.shape[-4] - length + 1
    total = field.narrow(-4, 0, count).clone()
    for k in range(1, length):
        total += field.narrow(-4, k, count)
    return total


def handed_out(field: Tensor, length: int) -> Tensor:
    """The adjoint of `summed`."""
    if length == 1:
        return field
    count = field.shape[-4]
    total = field.new_zeros(*field.shape[:-4], count + length - 1, *field.shape[-3:])
    for k in range(length):
        total.narrow(-4, k, count).add_(field)
    return total


def conjugate_gradients(
    apply: Operator, wanted: Tensor, start: Tensor, diagonal: Tensor | float, iterations: int
) -> Tensor:
    """Solve `apply(x) = wanted` for each clip, from `start`; `diagonal` preconditions.

    Args:
        apply: symmetric and positive; what it gives of one clip does not depend on the others.
        wanted, start: (..., T, C, h, w).
    """
    found = start
    rest = wanted - apply(found)
    scaled = rest / diagonal
    direction, energy = scaled, (rest * scaled).sum(dim=CLIP, keepdim=True)
    for _ in range(iterations):
        curved = apply(direction)
        length = energy / ((direction * curved).sum(dim=CLIP, keepdim=True) + 1e-20)
        found = torch.addcmul(found, direction, length)
        rest = torch.addcmul(rest, curved, length, value=-1)
        scaled = rest / diagonal
        previous, energy = energy, (rest * scaled).sum(dim=CLIP, keepdim=True)
        direction = torch.addcmul(scaled, direction, energy / (previous + 1e-20))
    return found
