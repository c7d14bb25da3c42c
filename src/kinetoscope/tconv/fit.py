"""The slice and the trajectory that come nearest to a given kernel."""

from dataclasses import dataclass
from itertools import pairwise, product

import torch
from jaxtyping import Float
from torch import Tensor

from ..brief import Brief
from .kernel import FirstSlice, Kernel
from .slices import slice_matrices

Trajectory = Float[Tensor, "4 step out"]
"""s, r, t_x and t_y of every step and output channel."""

_SEARCH, _POLISH = (60, 0.05), (150, 0.02)  # iterations and first rate
_SCALES = (0.7, 0.85, 1.0, 1.18, 1.43)
_TURNS = (-0.8, -0.4, 0.0, 0.4, 0.8)


@dataclass(frozen=True, eq=False, repr=False)
class KernelFit(Brief):
    """The nearest kernel that a first slice and a trajectory can make.

    Attributes:
        first: slice 0, (out, in, 1, h, w).
        trajectory: s, r, t_x, t_y as `temporal_kernel` takes them, (4, D-1, out).
        explained: share of each output channel's energy (sum of squares) that is reproduced, (out,).
        still: the same for the best kernel whose slices are all alike: what is more, motion explains.
        energy: sum of squares of each output channel, (out,).
    """

    first: FirstSlice
    trajectory: Trajectory
    explained: Float[Tensor, " out"]
    still: Float[Tensor, " out"]
    energy: Float[Tensor, " out"]


def fit_kernel(kernel: Kernel) -> KernelFit:
    """Fit slice and trajectory to a kernel by least squares, each output channel for itself.

    For a given trajectory the best slice is linear least squares, so that only the trajectory is searched
    (variable projection, Golub & Pereyra 1973): by gradient descent from standing still, from the step of a
    grid that serves all slices best, and from the best step of the grid for each slice; the best of the three
    is polished.
    """
    kernel = kernel.detach()
    flat = kernel.flatten(2)
    energy = flat.square().sum(dim=(1, 2))
    # Only products over the input channels matter: a triangular factor of few rows has the same ones.
    given = torch.linalg.qr(flat, mode="r").R if flat.shape[1] > flat.shape[2] else flat
    given = given / energy.clamp(min=torch.finfo(kernel.dtype).tiny).sqrt()[:, None, None]
    size = kernel.shape[2:]
    starts = _starts(given, *size)
    still = 1 - _misfit(given, starts[0], size)
    found = [_descend(given, start, size, *_SEARCH) for start in starts]
    best = torch.stack([_misfit(given, trajectory, size) for trajectory in found]).argmin(dim=0)
    promising = torch.stack(found)[best, :, :, torch.arange(len(flat), device=flat.device)].permute(1, 2, 0)
    trajectory = _descend(given, promising, size, *_POLISH)
    explained = 1 - _misfit(given, trajectory, size)
    first = _best_slice(flat, slice_matrices(*trajectory, *size[1:])).unflatten(2, (1, *size[1:]))
    return KernelFit(first, trajectory, explained, still, energy)


def _best_slice(
    given: Float[Tensor, "out row all_cells"], slices: Float[Tensor, "out cells all_cells"]
) -> Float[Tensor, "out row cells"]:
    """The X that brings X @ slices nearest to `given`."""
    normal = torch.linalg.cholesky(slices @ slices.mT)  # never singular: slice 0 is the identity
    return torch.cholesky_solve(slices @ given.mT, normal).mT


def _misfit(given: Tensor, trajectory: Trajectory, size: tuple[int, ...]) -> Float[Tensor, " out"]:
    """Share of the energy that is left over, by channel; `given` has energy 1."""
    slices = slice_matrices(*trajectory, *size[1:])
    return (given - _best_slice(given, slices) @ slices).square().sum(dim=(1, 2))


def _descend(
    given: Tensor, start: Trajectory, size: tuple[int, ...], iterations: int, rate: float
) -> Trajectory:
    """Follow the gradient of all channels at once, and keep the best place each of them has been at."""
    trajectory = start.clone().requires_grad_()
    optimizer = torch.optim.Adam([trajectory], lr=rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, iterations)
    best, least = start, torch.full_like(given[:, 0, 0], float("inf"))
    for _ in range(iterations):
        optimizer.zero_grad()
        misfit = _misfit(given, trajectory, size)
        misfit.sum().backward()
        better = misfit.detach() < least
        best = torch.where(better, trajectory.detach(), best)
        least = torch.where(better, misfit.detach(), least)
        optimizer.step()
        schedule.step()
    return best


def _starts(given: Tensor, depth: int, height: int, width: int) -> list[Trajectory]:
    """Standing still; one step of a grid for all slices; the best step of the grid for each slice."""
    shifts = [torch.linspace(-1, 1, min(n, 5)).tolist() if n > 1 else [0.0] for n in (width, height)]
    steps = given.new_tensor(list(product(_SCALES, _TURNS, *shifts))).T
    matrices = slice_matrices(*steps[:, None], height=height, width=width, early=1)
    squares = matrices @ matrices.mT
    slices = given.unflatten(2, (depth, height * width)).unbind(dim=2)
    costs = []
    for now, following in pairwise(slices):
        # |following - now @ M|^2, but for a constant
        alike = (now.mT @ following).flatten(1) @ matrices.flatten(1).T
        costs.append((now.mT @ now).flatten(1) @ squares.flatten(1).T - 2 * alike)
    cost = torch.stack(costs)
    still = given.new_tensor([1.0, 0.0, 0.0, 0.0])[:, None, None].expand(-1, depth - 1, len(given))
    common = cost.sum(dim=0).argmin(dim=1).expand(depth - 1, -1)
    return [still, steps[:, common], steps[:, cost.argmin(dim=2)]]
