"""The affine field nearest to a velocity field, step by step, robustly."""

import torch
from jaxtyping import Float
from torch import Tensor


def nearest_affine(
    field: Float[Tensor, "step 2 rows columns"], rounds: int = 3, edge: float = 0.1
) -> Float[Tensor, "step 2 rows columns"]:
    """Six numbers per step, by least squares with weights that fall where the field departs from them.

    Args:
        field: on a grid over the frame.
        rounds: of reweighting.
        edge: departure from which on a node counts less, unit of the field.
    """
    rows, columns = field.shape[-2:]
    y, x = torch.linspace(-1, 1, rows).to(field), torch.linspace(-1, 1, columns).to(field)
    basis = torch.stack([torch.ones(rows, columns).to(field), *torch.broadcast_tensors(x, y[:, None])])
    basis, flat = basis.flatten(1).T.double(), field.flatten(2).mT.double()  # (n, 3), (T, n, 2)
    weight = torch.ones_like(flat[..., :1])
    found = torch.zeros_like(flat)
    for _ in range(rounds):
        weighted = basis * weight
        coefficients = torch.linalg.solve(weighted.mT @ basis, weighted.mT @ flat)
        found = basis @ coefficients
        departure = (flat - found).square().sum(dim=2, keepdim=True)
        weight = 1 / (1 + departure / edge**2)
    return found.mT.reshape(field.shape).to(field)
