"""One pure function: from a first slice and its trajectory to the 3D kernel."""

import torch
from jaxtyping import Float
from torch import Tensor

from ..warp import affine_matrices

FirstSlice = Float[Tensor, "out channel 1 height width"]
Kernel = Float[Tensor, "out channel depth height width"]
Steps = Float[Tensor, "step out"]
"""One number for every step from a slice to the next, and every output channel."""


def temporal_kernel(
    first: FirstSlice, scale: Steps, rotate: Steps, translate_x: Steps, translate_y: Steps, margin: int = 0
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
        margin: slices left out at either end, as on clips so short that they would meet padding only.

    Returns:
        (out, in, D - 2 margin, h, w), differentiable in all arguments. At the identity every sample falls on
        a cell centre, where the derivative with respect to the trajectory is one-sided.
    """
    height, width = first.shape[3:]
    used = len(scale) - margin
    scale, rotate, translate_x, translate_y = (p[:used] for p in (scale, rotate, translate_x, translate_y))
    slices = slice_matrices(scale, rotate, translate_x, translate_y, height, width)
    slices = slices[:, :, margin * height * width :]
    return (first.flatten(2) @ slices).unflatten(2, (used + 1 - margin, height, width))


def slice_matrices(
    scale: Steps, rotate: Steps, translate_x: Steps, translate_y: Steps, height: int, width: int
) -> Float[Tensor, "out cells all_cells"]:
    """What makes all slices at once: flattened kernel = flattened slice 0 @ matrix, for each output channel.

    Resampling is linear in the slice, so that the steps are chained as small matrices, which is far cheaper
    than resampling every input channel.
    """
    matrices = affine_matrices(sampling_transform(scale, rotate, translate_x, translate_y), height, width)
    still = torch.eye(height * width, device=scale.device, dtype=scale.dtype)
    chain = [still.expand(scale.shape[1], -1, -1)]
    for step in matrices.unflatten(0, scale.shape):
        chain.append(chain[-1] @ step)
    return torch.cat(chain, dim=2)


def sampling_transform(
    scale: Steps, rotate: Steps, translate_x: Steps, translate_y: Steps
) -> Float[Tensor, "count 2 3"]:
    """theta of equation (3) for every step and channel, steps first."""
    cosine, sine = scale * rotate.cos(), scale * rotate.sin()
    rows = [
        [cosine, -sine, translate_x * cosine - translate_y * sine],
        [sine, cosine, translate_x * sine + translate_y * cosine],
    ]
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2).flatten(0, 1)
