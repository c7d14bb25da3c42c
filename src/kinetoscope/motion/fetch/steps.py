"""Velocity that accumulates: the smooth motion that carries content through the whole clip.

Fields fitted frame by frame against one image cannot tell a drift from a jump back by a wavelength, so their
mean says nothing about motion. Here the unknown is the step from each frame to the one before it, on a coarse
grid. Steps are chained (`warp.compose`) over 1, 2 and 4 frames, and each chain must carry a frame into the
other: the short ones fix the direction, the long ones the precision.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ...schedule import cosine
from ...types import Velocity, Video
from ...warp import compose, pixel_grid, sample
from ..metrics import contrast
from ..pyramid import along_stripes, pyramid


@dataclass(frozen=True)
class StepSettings:
    """How the accumulating velocity is found.

    Attributes:
        cell: distance of the velocity grid's nodes, pixels.
        steps: Adam steps at each level of the image pyramid.
        rate: Adam's step size, pixels per frame.
        reach: longest chain at the finest level, frames; coarser ones compare neighbouring frames only.
        coarsest: shortest side of the coarsest level, pixels.
        spatial, temporal: weights of the squared velocity differences between neighbouring nodes and frames.
        magnitude: weight of the squared velocity.
        aperture: weight of the squared velocity along stripes, where only the motion across them can be seen.
        stripes: ratio of the structure tensor's eigenvalues below which a video counts as striped.
        tolerance: residual, in pixels of displacement, below which the penalty is quadratic.
        lattice: at the finest level a step compares one pixel in so many along x and y, others at each step;
            one fewer at each coarser level.
    """

    cell: int = 8
    steps: int = 40
    rate: float = 0.1
    reach: int = 4
    coarsest: int = 16
    spatial: float = 0.3
    temporal: float = 1.0
    magnitude: float = 1e-3
    aperture: float = 2.0
    stripes: float = 0.2
    tolerance: float = 0.03
    lattice: int = 3


@dataclass(frozen=True)
class CoherentSteps:
    """Backward steps on the coarse grid: content at q in frame t+1 was at q + field_t(q) in frame t.

    Attributes:
        field: (T-1, 2, h, w), pixels.
        cell: (1, 2, 1, 1), node spacing (x, y) in pixels.
    """

    field: Velocity
    cell: Tensor


def chain_misfit(
    video: Video,
    steps: CoherentSteps,
    scale: int,
    reach: int,
    slope: float,
    tolerance: float,
    window: tuple[slice, slice],
) -> Tensor:
    """How badly the chained steps carry frames into each other, in pixels, averaged over frames and chains.

    Args:
        video: one level of the pyramid, `scale` times smaller than the frame.
        steps: the steps on trial.
        reach: longest chain, frames; a power of two.
        slope: grey levels per pixel (`contrast`).
        tolerance: as in `StepSettings`.
        window: rows and columns of the pixels that are compared.
    """
    height, width = video.shape[-2:]
    pixels = pixel_grid(height, width, device=video.device)[..., *window]
    seen = video[..., *window]
    limit = video.new_tensor([width - 1, height - 1]).view(1, 2, 1, 1)
    chain, length, total = steps.field, 1, video.new_zeros(())
    while True:
        moved = pixels + sample(chain, pixels * scale / steps.cell) / scale
        inside = ((moved >= 0) & (moved <= limit)).all(dim=1, keepdim=True)
        residual = (sample(video[:-length], moved) - seen[length:]) / slope
        misfit = (residual.square().mean(dim=1, keepdim=True) + (tolerance * length) ** 2).sqrt()
        total = total + (misfit * inside).mean() / length
        if length >= reach or 2 * length >= len(video):
            return total
        chain = compose(chain[length:], chain[:-length], steps.cell)
        length *= 2


def lattice(step: int, spacing: int) -> tuple[slice, slice]:
    """Rows and columns of one pixel in `spacing` x `spacing`; `spacing` squared steps visit every pixel."""
    row, column = divmod(step * (spacing + 1) % spacing**2, spacing)
    return slice(row, None, spacing), slice(column, None, spacing)


def roughness(field: Velocity, stripes: Tensor, settings: StepSettings) -> Tensor:
    """Penalty on velocity that varies over space and time, is large without need, or cannot be seen."""
    total = settings.magnitude * field.square().mean()
    total = total + settings.aperture * (field * stripes).sum(dim=1).square().mean()
    for axis, weight in ((3, settings.spatial), (2, settings.spatial), (0, settings.temporal)):
        change = field.diff(dim=axis)
        if change.numel():
            total = total + weight * change.square().mean()
    return total


def estimate_steps(video: Video, settings: StepSettings) -> CoherentSteps:
    """Find the steps whose chains carry every frame into its successors.

    Args:
        video: (T, C, H, W) in [0, 1], at least two frames.
    """
    frames, _, height, width = video.shape
    rows, columns = max(2, height // settings.cell + 1), max(2, width // settings.cell + 1)
    cell = video.new_tensor([(width - 1) / (columns - 1), (height - 1) / (rows - 1)]).view(1, 2, 1, 1)
    field = video.new_zeros(frames - 1, 2, rows, columns).requires_grad_()
    steps = CoherentSteps(field, cell)
    levels = pyramid(video, settings.coarsest)
    slope = contrast(video)
    stripes = along_stripes(video, settings.stripes)
    for level in reversed(range(len(levels))):
        reach = settings.reach if level == 0 else 1  # a long chain may begin half a stripe off and stay there
        optimizer = torch.optim.Adam([field], lr=settings.rate, betas=(0.9, 0.95), fused=True)
        for step in range(settings.steps):
            optimizer.param_groups[0]["lr"] = settings.rate * cosine(step, settings.steps)
            window = lattice(step, max(1, settings.lattice - level))
            misfit = chain_misfit(levels[level], steps, 2**level, reach, slope, settings.tolerance, window)
            optimizer.zero_grad()
            (misfit + roughness(field, stripes, settings)).backward()
            optimizer.step()
    return CoherentSteps(field.detach(), cell)
