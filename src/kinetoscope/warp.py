"""Sampling, composing and inverting fields: the only file that knows how a pixel position becomes a grid.

Pixel centres are integers, so position (0, 0) is the centre of the first pixel and (W-1, H-1) of the last
(the `align_corners=True` convention). Positions and displacements are in pixels, component 0 is x (right),
component 1 is y (down). Outside an image its border is repeated. Before the channel there may be any number
of dimensions: time, and clips of a batch.
"""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

Positions = Float[Tensor, "*#batch 2 height width"]
Images = Float[Tensor, "*#batch channel rows columns"]
Fields = Float[Tensor, "*#batch 2 rows columns"]


def by_image(change: Callable[[Tensor], Tensor], maps: Tensor) -> Tensor:
    """What takes (N, C, H, W), done to maps with any number of dimensions before the channel."""
    return change(maps.flatten(0, -4)).unflatten(0, maps.shape[:-3])


def pixel_grid(
    height: int, width: int, *, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
) -> Positions:
    """Positions of the pixel centres, (1, 2, H, W)."""
    y = torch.arange(height, device=device, dtype=dtype)
    x = torch.arange(width, device=device, dtype=dtype)
    rows, columns = torch.meshgrid(y, x, indexing="ij")
    return torch.stack([columns, rows])[None]


def from_middle(height: int, width: int) -> Float[Tensor, "1 2 height width"]:
    """Pixel positions counted from the frame's middle, x then y."""
    return pixel_grid(height, width) - torch.tensor([(width - 1) / 2, (height - 1) / 2]).view(1, 2, 1, 1)


def sample(images: Images, positions: Positions) -> Float[Tensor, "*_ channel height width"]:
    """Bilinear values of `images` at `positions`; differentiable in both (Li & Li 2025, eq. 2-3).

    Args:
        images: (..., C, h, w); along a dimension of 1 one image serves every position map.
        positions: (..., 2, H, W), pixels of `images`; likewise.
    """
    rows, columns = images.shape[-2:]
    batch = np.broadcast_shapes(images.shape[:-3], positions.shape[:-3])
    scale = positions.new_tensor([2 / max(columns - 1, 1), 2 / max(rows - 1, 1)])
    grid = (positions.movedim(-3, -1) * scale - 1).expand(*batch, -1, -1, -1)
    if images.shape[-4] < batch[-1] and len(images.flatten(0, -4)) > 1:
        # one below the other, all maps of an image ask it at once: copies of it would cost more than they do
        images = images.expand(*batch[:-1], -1, -1, -1, -1).flatten(0, -4)
        values = _grid_sample(images, grid.flatten(-4, -3).flatten(0, -4)).unflatten(-2, grid.shape[-4:-2])
        return values.movedim(-3, -4).unflatten(0, batch[:-1])
    values = _grid_sample(images.expand(*batch, -1, -1, -1).flatten(0, -4), grid.flatten(0, -4))
    return values.unflatten(0, batch)


def _grid_sample(images: Tensor, grid: Tensor) -> Tensor:
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=True)


def resize_field(field: Fields, height: int, width: int) -> Float[Tensor, "*#batch 2 _ _"]:
    """A field on another grid over the same frame, corner pixels on corner pixels; values keep their unit."""
    if field.shape[-2:] == (height, width):
        return field

    def resized(images: Tensor) -> Tensor:
        return F.interpolate(images, size=(height, width), mode="bilinear", align_corners=True)

    return by_image(resized, field)


def compose(inner: Fields, outer: Fields, cell: Float[Tensor, "1 2 1 1"]) -> Fields:
    """The displacement p -> p + inner(p) + outer(p + inner(p)).

    Args:
        inner, outer: displacements in pixels, stored on a grid whose nodes are `cell` pixels apart.
        cell: node spacing (x, y) in pixels; ones for a field stored per pixel.
    """
    nodes = pixel_grid(*inner.shape[-2:], device=inner.device, dtype=inner.dtype)
    return inner + sample(outer, nodes + inner / cell)


def accumulate(
    steps: Float[Tensor, "*clip steps 2 rows columns"], cell: Float[Tensor, "1 2 1 1"]
) -> Float[Tensor, "*clip time 2 rows columns"]:
    """Chain per-frame sampling steps into displacements back to the first frame.

    Args:
        steps: (..., T-1, 2, h, w), pixels: content at q in frame t+1 was at q + steps_t(q) in frame t.
        cell: as in `compose`.

    Returns:
        (..., T, 2, h, w): content at q in frame t was at q + result_t(q) in frame 0; the first is zero.
    """
    chain = [torch.zeros_like(steps[..., :1, :, :, :])]
    for step in steps.split(1, dim=-4):  # each builds on the one before
        chain.append(compose(step, chain[-1], cell))
    return torch.cat(chain, dim=-4)


def invert(field: Fields, cell: Float[Tensor, "1 2 1 1"], iterations: int = 8) -> Fields:
    """The displacement v with v(p) = -field(p + v(p)), by fixed point; exact for fields of small gradient."""
    nodes = pixel_grid(*field.shape[-2:], device=field.device, dtype=field.dtype)
    inverse = -field
    for _ in range(iterations):
        inverse = -sample(field, nodes + inverse / cell)
    return inverse


def content_velocity(
    displacement: Float[Tensor, "*clip time 2 height width"],
    start: Float[Tensor, "*clip steps 2 height width"],
    iterations: int = 12,
) -> Float[Tensor, "*clip steps 2 height width"]:
    """Solve D_t(p) = u_t(p) + D_{t+1}(p + u_t(p)) for the content velocity u.

    A damped fixed point from `start`, keeping per pixel the iterate that fits best: where D folds there is
    no exact solution, and the best approximation stands.

    Args:
        displacement: D, (..., T, 2, H, W), pixels, a sampling field.
        start: first guess of u, (..., T-1, 2, H, W), pixels per frame.
    """
    now, following = displacement[..., :-1, :, :, :], displacement[..., 1:, :, :, :]
    pixels = pixel_grid(*displacement.shape[-2:], device=displacement.device, dtype=displacement.dtype)
    velocity, best = start, start
    least = torch.full_like(start[..., :1, :, :], float("inf"))
    for _ in range(iterations):
        step = now - sample(following, pixels + velocity) - velocity
        misfit = step.square().sum(dim=-3, keepdim=True)
        better = misfit < least
        best, least = torch.where(better, velocity, best), torch.where(better, misfit, least)
        velocity = velocity + 0.7 * step
    return best


def interpolation_matrix(positions: Float[Tensor, " out"], size: int) -> Float[Tensor, "out size"]:
    """Rows that interpolate linearly along one axis: `values_out = matrix @ values`; borders are repeated.

    Args:
        positions: where to sample, in cells of an axis of `size` cells.
    """
    clamped = positions.clamp(0, size - 1)
    cells = torch.arange(size, device=positions.device, dtype=positions.dtype)
    return (1 - (clamped[:, None] - cells).abs()).clamp(min=0)
