"""The small matrices that move a kernel's first slice on, and their gradients by hand.

Resampling is linear in the slice, so that the steps are chained as matrices of a few cells, which is far
cheaper than resampling every input channel. What is left is so little that the number of operations counts,
not their size: hence one function with its own gradient, twice as fast as what torch derives.
"""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

Steps = Float[Tensor, "step out"]
"""One number for every step from a slice to the next, and every output channel."""

Matrices = Float[Tensor, "out cells all_cells"]


def slice_matrices(
    scale: Steps,
    rotate: Steps,
    translate_x: Steps,
    translate_y: Steps,
    height: int,
    width: int,
    early: int = 0,
    late: int = 0,
) -> Matrices:
    """What makes all slices at once: flattened kernel = flattened slice 0 @ matrix, for each output channel.

    A cell at p of slice t+1 fetches from `q = s R(r) (p + t)` in slice t (Ras2020, eq. 3; the coordinates are
    those of `temporal_kernel`), bilinearly: cell c gives the share max(0, 1 - |q_x - c_x|)
    max(0, 1 - |q_y - c_y|), in cells. Where q falls exactly on one, the derivative is that towards larger q.

    Args:
        scale, rotate, translate_x, translate_y: as `temporal_kernel` takes them, (D-1, out).
        height, width: of a slice, whose cells are counted row by row.
        early, late: so many slices are left out at the beginning and at the end.

    Returns:
        (out, h w, (D - early - late) h w), once differentiable in the trajectory.
    """
    matrices: Tensor = _SliceMatrices.apply(
        scale, rotate, translate_x, translate_y, (height, width), early, late
    )
    return matrices


class _SliceMatrices(torch.autograd.Function):
    """Axes in between are (cell's y, its x, step, channel, cell fetching): the long ones are the last."""

    @staticmethod
    def forward(
        ctx: Any,
        scale: Steps,
        rotate: Steps,
        x: Steps,
        y: Steps,
        size: tuple[int, int],
        early: int,
        late: int,
    ) -> Matrices:
        """The matrices of `slice_matrices`, whose arguments these are; size is (height, width)."""
        if late:
            scale, rotate, x, y = (part[:-late] for part in (scale, rotate, x, y))
        cosine, sine = rotate.cos(), rotate.sin()
        a, b = scale * cosine, scale * sine
        theta = torch.stack([a, -b, x * a - y * b, b, a, x * b + y * a], dim=-1).view(-1, 2, 3)
        unit, cells, centred = _places_of(size, theta)
        apart = ((theta * unit).transpose(0, 1) @ centred).unflatten(1, scale.shape)[:, None] - cells
        across, down = _share(apart)
        across, down = across[: size[1]], down[: size[0]]
        moves = (down[:, None] * across).flatten(0, 1).permute(1, 2, 0, 3)  # (step, channel, cell, fetching)
        chain = [torch.eye(size[0] * size[1], device=a.device, dtype=a.dtype).expand(a.shape[1], -1, -1)]
        for move in moves:
            chain.append(chain[-1] @ move if len(chain) > 1 else move)
        ctx.save_for_backward(cosine, sine, x, y, a, b, unit, centred, apart, across, down, moves, *chain)
        ctx.early, ctx.late = early, late
        return torch.cat(chain[early:], dim=2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients by scale, rotate, x and y, each (D-1, out), from that by the matrices."""
        cosine, sine, x, y, a, b, unit, centred, apart, across, down, moves, *chain = ctx.saved_tensors
        given = grad.split(grad.shape[1], dim=2)
        by_move = []
        later: Tensor | None = None
        for t in range(len(moves), 0, -1):
            if t >= ctx.early:
                own = given[t - ctx.early]
                later = own if later is None else torch.baddbmm(own, later, moves[t].mT)
            else:
                later = later @ moves[t].mT
            by_move.append(later if t == 1 else chain[t - 1].mT @ later)
        by_share = torch.stack([part.transpose(0, 1) for part in reversed(by_move)], dim=1)
        by_share = by_share.unflatten(0, (len(down), len(across)))
        below = apart.floor()
        rise = _share(below + 1) - _share(below)  # slope of the share, towards larger places
        along_x = ((by_share * down[:, None]).sum(dim=0) * rise[0, : len(across)]).sum(dim=0)
        along_y = ((by_share * across).sum(dim=1) * rise[1, : len(down)]).sum(dim=0)
        by_theta = (torch.stack([along_x, along_y]) @ centred.mT) * unit[:, None, None]
        (ax, bx, shift_x), (ay, by, shift_y) = (row.unbind(dim=-1) for row in by_theta)
        by_a = (ax + by).addcmul_(shift_x, x).addcmul_(shift_y, y)
        by_b = (ay - bx).addcmul_(shift_y, x).addcmul_(shift_x, y, value=-1)
        found = (
            (by_a * cosine).addcmul_(by_b, sine),
            (by_b * a).addcmul_(by_a, b, value=-1),
            (shift_x * a).addcmul_(shift_y, b),
            (shift_y * a).addcmul_(shift_x, b, value=-1),
        )
        # steps that were not taken have no say
        return (*(F.pad(part, (0, 0, 0, ctx.late)) if ctx.late else part for part in found), None, None, None)


def _share(apart: Tensor) -> Tensor:
    return (1 - apart.abs()).clamp_(min=0)


def _places_of(size: tuple[int, int], like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What brings theta to cells, (2, 3); the cells along x and y, counted from the middle; all cells.

    In cells the identity lands on whole numbers exactly, whatever the size.
    """
    height, width = size
    half = ((width - 1) / 2, (height - 1) / 2)
    unit = [[own / max(other, 0.5) for other in half] + [own] for own in half]
    cells = [[place - middle for place in range(max(size))] for middle in half]
    centred = [
        [place - half[0] for _ in range(height) for place in range(width)],
        [place - half[1] for place in range(height) for _ in range(width)],
        [1.0] * (height * width),
    ]
    return like.new_tensor(unit), like.new_tensor(cells)[:, :, None, None, None], like.new_tensor(centred)
