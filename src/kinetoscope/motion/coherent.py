"""Velocity that accumulates: the smooth motion that carries content through the whole clip.

Fields fitted frame by frame against one image cannot tell a drift from a jump back by a wavelength, so their
mean says nothing about motion. Here the unknown is the step from each frame to the one before it. Steps are
chained (`warp.compose`) over 1, 2 and 4 frames, and each chain must carry a frame into the other: the short
ones fix the direction, the long ones the precision. Frames are compared after local normalization, on the
places that both show, so that a change of light moves nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from ..types import Velocities, Videos
from ..warp import by_image, compose, pixel_grid, resize_field, sample
from .affine import nearest_affine
from .clips import CLIP, put, taken, where
from .nodes import Nodes, Normalizer, gradient, over_time, smooth
from .pyramid import along_stripes, pyramid
from .shifts import nearest_match
from .solve import Smoothness, blocks, conjugate_gradients, handed_out, summed

Term = tuple[int, Tensor, Tensor]
"""One chain length with its normal equations at the nodes: 2x2 matrices, and right-hand sides."""


APART = 0.5
"""Difference in pixels per frame from which on two answers mean different stripes."""


@dataclass(frozen=True)
class CoherentSettings:
    """How the accumulating velocity is found.

    Attributes:
        window: of the local normalization, pixels of the pyramid's level.
        floor: of the local deviation, as a share of the clip's own.
        levels: of the image pyramid at most; coarsest: shortest side of its smallest pictures, pixels.
        search: how far content is looked for at the coarsest level, its pixels.
        cells: distance of the velocity grid's nodes at each level, finest first, frame pixels.
        rounds: Gauss-Newton rounds at each level, finest first, at most;
        settled: root mean square change of the steps below which no other round is taken, pixels.
        reach: longest chain at each level, finest first, frames; a power of two.
        spatial, temporal: weights of the velocity differences of neighbouring nodes and frames; those in
            space count after the nearest affine field is taken away, so that turning and growing cost
            nothing.
        edge: differences beyond it count linearly, pixels per frame.
        haste: likewise for the differences in time.
        magnitude: weight of the squared velocity.
        aperture: weight of the squared velocity along stripes, where only the motion across them can be seen.
        stripes: ratio of the structure tensor's eigenvalues below which a video counts as striped.
        tolerance: residual, in pixels of displacement, below which the penalty is quadratic.
        iterations: of conjugate gradients in each round, finest level first: what shows no detail is filled
            in on coarse grids, where it costs little.
        better: the far start replaces the near one where its misfit is below this share of the other's.
    """

    window: float = 5.0
    floor: float = 0.15
    levels: int = 3
    coarsest: int = 12
    search: int = 4
    cells: tuple[float, ...] = (2.0, 4.0, 8.0)
    rounds: tuple[int, ...] = (12, 5, 4)
    settled: float = 1e-3
    reach: tuple[int, ...] = (4, 2, 1)
    spatial: float = 28.0
    temporal: float = 6.0
    edge: tuple[float, ...] = (0.005, 1.0, 1.0)
    haste: tuple[float, ...] = (0.007, 0.02, 0.1)
    magnitude: float = 1e-3
    aperture: float = 2.0
    stripes: float = 0.2
    tolerance: float = 0.1
    iterations: tuple[int, ...] = (8, 30, 60)
    better: float = 0.7


@dataclass(frozen=True)
class CoherentSteps:
    """Backward steps on a grid: content at q in frame t+1 was at q + field_t(q) in frame t.

    Attributes:
        field: (B, T-1, 2, h, w), pixels.
        cell: (1, 2, 1, 1), node spacing (x, y) in pixels.
    """

    field: Velocities
    cell: Tensor


def estimate_steps(videos: Videos, settings: CoherentSettings) -> CoherentSteps:
    """Find the steps whose chains carry every frame into its successors, for each clip by itself.

    Args:
        videos: (B, T, C, H, W) in [0, 1], at least two frames.
    """
    levels: list[Normalizer] = []
    for frames in pyramid(videos, settings.coarsest, settings.levels):
        usual = levels[0].deviation if levels else None
        levels.append(Normalizer(frames, settings.window, settings.floor, usual))
    x, y = along_stripes(videos, settings.stripes).unbind(dim=-3)
    return _Search(levels, settings.aperture * torch.stack([x * x, x * y, y * y], dim=-3), settings).run()


@dataclass(frozen=True)
class _Search:
    """The pyramids of some clips, finest level first, and what is known about their stripes.

    Attributes:
        blind: weight of the squares and the product of a velocity's components, (B, 1, 3, 1, 1).
    """

    levels: list[Normalizer]
    blind: Tensor
    settings: CoherentSettings

    def of(self, clips: Tensor) -> "_Search":
        """The same for some of the clips."""
        if len(clips) == len(self.blind):
            return self
        return replace(self, levels=[level.of(clips) for level in self.levels], blind=self.blind[clips])

    def run(self) -> CoherentSteps:
        """From two starts, standing still and the best match of small pictures, to the finest level."""
        top = len(self.levels) - 1
        middle = min(1, top)
        clips, frames = self.levels[0].frames.shape[:2]
        still = self.levels[0].frames.new_zeros(clips, frames - 1, 2, 2, 2)
        near = self._descend(still, middle, middle).field
        far = self._descend(
            nearest_match(self.levels[top].frames, self.settings.search) * 2**top, top, middle
        )
        steps = CoherentSteps(self._better(far.field, near, middle), far.cell)
        steps = self._descend(steps.field, middle - 1, 0) if middle > 0 else steps
        striped = where((self.blind != 0).flatten(1).any(dim=1))
        if middle == 0 or not len(striped):
            return steps
        some, field = self.of(striped), taken(steps.field, striped)
        closer = some._closer(field, taken(still, striped))
        return CoherentSteps(put(steps.field, striped, closer), steps.cell)

    def _closer(self, field: Tensor, still: Tensor) -> Tensor:
        """The steps, or those found at the finest level alone where these fit no worse.

        Narrow stripes alias in small pictures: a drift then looks like the way to another stripe.
        """
        close = self._descend(self._descend(still, 0, 0, reach=1).field, 0, 0).field
        apart = (field - close).norm(dim=-3, keepdim=True) > APART
        return torch.where(apart, self._better(field, close, 0), field)

    def _better(self, far: Tensor, near: Tensor, level: int) -> Tensor:
        """The near steps, and the far ones where those fit clearly better."""
        wins = self._misfit(far, level) < self.settings.better * self._misfit(near, level) - 0.02
        shares = by_image(lambda maps: F.interpolate(maps, near.shape[-2:], mode="area"), wins.to(near))
        return torch.where(shares > 0.5, far, near)

    def _descend(self, field: Tensor, first: int, last: int, reach: int | None = None) -> CoherentSteps:
        """Refine steps from level `first` to the finer `last`; `reach` of chains is the level's own."""
        cell = field.new_ones(1, 2, 1, 1)
        for level in range(first, last - 1, -1):
            nodes = Nodes(self.levels[level].frames, self.settings.cells[level] / 2**level)
            field = self._settle(
                resize_field(field, nodes.rows, nodes.columns),
                nodes,
                level,
                reach or self.settings.reach[level],
            )
            cell = nodes.cell * 2**level
        return CoherentSteps(field, cell)

    def _settle(self, field: Tensor, nodes: Nodes, level: int, reach: int) -> Tensor:
        """Rounds at one level, for each clip until it changes no more."""
        going, search, before = torch.arange(len(field), device=field.device), self, field
        for _ in range(self.settings.rounds[level]):
            after = search._round(before, nodes, level, reach)
            field = put(field, going, after)
            change = (after - before).square().mean(dim=CLIP).sqrt()
            left = where(~(change < self.settings.settled))
            if not len(left):
                break
            going, search, before = taken(going, left), search.of(left), taken(after, left)
        return field

    def _round(self, field: Tensor, nodes: Nodes, level: int, reach: int) -> Tensor:
        """One Gauss-Newton step: linearize every chain about the field, solve for all steps at once."""
        settings, terms, chain, length = self.settings, [], field, 1
        frames, cell = self.levels[level].frames.shape[1], nodes.cell * 2**level
        while True:
            terms.append((length, *self._normal_equations(level, length, chain, nodes)))
            if length >= reach or 2 * length >= frames:
                break
            chain = compose(chain[:, length:], chain[:, :-length], cell)
            length *= 2
        system = self._system(field, terms, level)
        return conjugate_gradients(*system, settings.iterations[level])

    def _normal_equations(
        self, level: int, length: int, chain: Tensor, nodes: Nodes
    ) -> tuple[Tensor, Tensor]:
        """Of one chain length, averaged at the nodes; matrices without unit, right-hand sides in pixels."""
        normalizer, scale = self.levels[level], 2**level
        before, after = normalizer.source[:, :-length], normalizer.source[:, length:]
        moved, inside = self._places(level, chain)
        warped, seen = normalizer(inside, sample(before, moved), after)
        residual = (warped - seen) / normalizer.slope
        x, y = (part / (normalizer.slope * scale) for part in gradient((warped + seen) / 2))
        misfit = residual.square().mean(dim=-3, keepdim=True) + (self.settings.tolerance * length) ** 2
        weight = inside / misfit.sqrt() / length
        pairs = ((x, x), (x, y), (y, y), (x, residual), (y, residual))
        products = torch.stack([(first * second).mean(dim=-3) for first, second in pairs], dim=-3)
        found = nodes.mean(weight * products)
        return found[:, :, :3], found[:, :, 3:]

    def _places(self, level: int, chain: Tensor) -> tuple[Tensor, Tensor]:
        """Where each pixel of a level was, and 1 where that lies inside the frame."""
        height, width = self.levels[level].frames.shape[-2:]
        moved = pixel_grid(height, width, device=chain.device) + resize_field(chain, height, width) / 2**level
        limit = moved.new_tensor([width - 1, height - 1]).view(1, 2, 1, 1)
        return moved, ((moved >= 0) & (moved <= limit)).all(dim=-3, keepdim=True).to(moved)

    def _system(
        self, field: Tensor, terms: list[Term], level: int
    ) -> tuple[Callable[[Tensor], Tensor], Tensor, Tensor, Tensor]:
        """Operator, right-hand side, start and diagonal of the equations for all steps."""
        settings = self.settings
        spatial = settings.spatial * (4 / settings.cells[level] if settings.cells[level] < 8 else 1.0)
        affine = nearest_affine(field)
        bent = Smoothness(field - affine, (spatial, spatial, 0.0), settings.edge[level])
        hasty = Smoothness(field, (0.0, 0.0, settings.temporal), settings.haste[level])

        striped = bool(self.blind.any())

        def apply(steps: Tensor) -> Tensor:
            pull = settings.magnitude * steps + bent(steps) + hasty(steps)
            if striped:
                pull = pull + blocks(self.blind, steps)
            for length, matrix, _ in terms:
                pull = pull + handed_out(blocks(matrix, summed(steps, length)), length)
            return pull

        wanted = bent(affine)
        diagonal = bent.diagonal(field) + hasty.diagonal(field) + settings.magnitude
        for length, matrix, side in terms:
            wanted = wanted + handed_out(blocks(matrix, summed(field, length)) - side, length)
            trace = (matrix[:, :, :1] + matrix[:, :, 2:]) * (length / 2)
            diagonal = diagonal + handed_out(trace, length)
        return apply, wanted, field, diagonal

    def _misfit(self, field: Tensor, level: int) -> Tensor:
        """How badly neighbouring frames fit, (B, T-1, 1, h, w), over 9 pixels and 5 frames; at most 2."""
        normalizer = self.levels[level]
        moved, inside = self._places(level, field)
        before, after = normalizer.source[:, :-1], normalizer.source[:, 1:]
        warped, seen = normalizer(inside, sample(before, moved), after)
        error = (warped - seen).square().mean(dim=-3, keepdim=True).clamp(max=2) * inside
        error, count = (over_time(smooth(part, 4)) for part in (error, inside))
        return torch.where(count < 0.5, 2.0, error / count.clamp(min=0.5))
