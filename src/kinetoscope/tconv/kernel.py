"""One pure function: from a first slice and its trajectory to the 3D kernel."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from .slices import Steps, slice_matrices

FirstSlice = Float[Tensor, "out channel 1 height width"]
Kernel = Float[Tensor, "out channel depth height width"]


def temporal_kernel(
    first: FirstSlice,
    scale: Steps,
    rotate: Steps,
    translate_x: Steps,
    translate_y: Steps,
    early: int = 0,
    late: int = 0,
) -> Kernel:
    """The kernel whose slice t+1 is slice t, resampled bilinearly with zeros outside (Ras2020, eq. 2-5).

    `theta = s R(r) [I | t]` says where a slice fetches from in the one before: it is a *sampling* transform.
    Content moves the other way: s > 1 shrinks it, r > 0 turns it counter-clockwise as seen on screen, t_x > 0
    moves it left, t_y > 0 up. All input channels of an output channel share one trajectory.

    Args:
        first: slice 0, (out, in, 1, h, w), which meets the earliest frame.
        scale, rotate, translate_x, translate_y: s, r (radians) and t, each (D-1, out); 1, 0, 0, 0 changes
            nothing. Coordinates run from -1 to 1 between the outermost cell centres, so a translation of 1
            is (w-1)/2 or (h-1)/2 cells, and a kernel that is not square is turned in those coordinates.
        early, late: so many slices are left out at the beginning and at the end, as on clips so short that
            they would meet padding only.

    Returns:
        (out, in, D - early - late, h, w), once differentiable in all arguments. At the identity every sample
        falls on a cell centre, where the derivative with respect to the trajectory is one-sided.
    """
    if len(scale) == late:
        return first.clone()
    size = (first.shape[3], first.shape[4])
    slices = slice_matrices(scale, rotate, translate_x, translate_y, *size, max(early, 1), late)
    kernel: Tensor = _Resampled.apply(first.flatten(2), slices, early == 0)
    return kernel.unflatten(2, (-1, *size))


_SHORT = 16
"""A product of at most so many columns is slow."""


class _Resampled(torch.autograd.Function):
    """`first @ slices` for each output channel: the product's own gradients, in the order that is fastest.

    These are many products with one short side, the cells of a slice. Where that side is the result's last
    one they take up to four times as long as its transpose and a copy. Slice 0 is the first slice as it is:
    it takes no part in the products, and comes before them where it is `kept`.
    """

    @staticmethod
    def forward(
        first: Float[Tensor, "out channel cells"], slices: Float[Tensor, "out cells later_cells"], kept: bool
    ) -> Float[Tensor, "out channel all_cells"]:
        """The kernel's slices beside each other; later_cells are those of all slices but slice 0."""
        later = first @ slices if slices.shape[2] > _SHORT else (slices.mT @ first.mT).mT
        return torch.cat([first, later], dim=2) if kept else later.contiguous()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, bool], output: Tensor) -> None:
        """Keep what the gradients need."""
        first, slices, ctx.kept = inputs
        ctx.save_for_backward(first, slices)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        """Gradients by first slice and matrices, shaped like them."""
        first, slices = ctx.saved_tensors
        cells = first.shape[2] if ctx.kept else 0
        later = grad[:, :, cells:]
        by_first = (slices @ later.mT).mT
        by_first = grad[:, :, :cells] + by_first if ctx.kept else by_first.contiguous()
        return by_first, first.mT @ later, None
