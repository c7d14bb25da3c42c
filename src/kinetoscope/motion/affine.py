"""The affine field nearest to a velocity field, step by step, robustly."""

import torch
from jaxtyping import Float
from torch import Tensor

EDGES = (0.1,) * 6 + (0.05,) * 2 + (0.02,) * 3
"""Departure from which on a node counts less, unit of the field, one per round: nearer and nearer to the
motion of most, so that objects that move otherwise do not pull at it."""

ENOUGH = 24
"""Nodes along an axis that suffice for six numbers; of more, every second, third, ... is asked."""


def nearest_affine(
    field: Float[Tensor, "*step 2 rows columns"], edges: tuple[float, ...] = EDGES
) -> Float[Tensor, "*step 2 rows columns"]:
    """Six numbers per step, by least squares with weights that fall where the field departs from them.

    Args:
        field: on a grid over the frame.
        edges: see `EDGES`.
    """
    rows, columns = field.shape[-2:]
    y, x = torch.linspace(-1, 1, rows).to(field), torch.linspace(-1, 1, columns).to(field)
    basis = torch.stack([torch.ones(rows, columns).to(field), *torch.broadcast_tensors(x, y[:, None])])
    down, across = (max(1, size // ENOUGH) for size in (rows, columns))
    few = basis[:, ::down, ::across].flatten(1).T.double()  # (n, 3)
    flat = field[..., ::down, ::across].flatten(-2).mT.double()  # (..., n, 2)
    weight, coefficients = torch.ones_like(flat[..., :1]), flat.new_zeros(*flat.shape[:-2], 3, 2)
    for edge in edges:
        weighted = few * weight
        coefficients = torch.linalg.solve(weighted.mT @ few, weighted.mT @ flat)
        departure = (flat - few @ coefficients).square().sum(dim=-1, keepdim=True)
        weight = 1 / (1 + departure / edge**2)
    return (basis.flatten(1).T.double() @ coefficients).mT.reshape(field.shape).to(field)
