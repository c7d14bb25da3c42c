"""Fields on a coarse grid: hat-weighted means of pixels at its nodes, and back; frames normalized locally."""

from copy import copy

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from ..warp import by_image, interpolation_matrix
from .clips import CLIP, taken

Maps = Float[Tensor, "*#time #channel height width"]
AtNodes = Float[Tensor, "*#time #channel rows columns"]


class Nodes:
    """A grid over the frame, corner nodes on corner pixels, at least two nodes along each axis.

    Attributes:
        rows, columns: how many nodes.
        cell: their distance (x, y) in pixels, (1, 2, 1, 1).
        weight: hat-weighted number of pixels at each node.
    """

    def __init__(self, like: Tensor, distance: float) -> None:
        height, width = like.shape[-2:]
        self.rows, self.columns = (max(2, round(n / distance) + 1) for n in (height, width))
        self._down, self._across = _hats(height, self.rows, like), _hats(width, self.columns, like)
        self.weight = self._down.sum(dim=0)[:, None] * self._across.sum(dim=0)
        self.cell = like.new_tensor([(width - 1) / (self.columns - 1), (height - 1) / (self.rows - 1)])
        self.cell = self.cell.view(1, 2, 1, 1)

    def sum(self, maps: Maps) -> AtNodes:
        """Hat-weighted sums of pixels at the nodes."""
        return self._down.T @ maps @ self._across

    def mean(self, maps: Maps) -> AtNodes:
        """Hat-weighted means of pixels at the nodes."""
        return self.sum(maps) / self.weight

    def spread(self, values: AtNodes) -> Maps:
        """Values at the nodes, interpolated linearly to the pixels."""
        return self._down @ values @ self._across.T


def _hats(size: int, nodes: int, like: Tensor) -> Tensor:
    return interpolation_matrix(
        torch.linspace(0, nodes - 1, size, device=like.device, dtype=like.dtype), nodes
    )


def smooth(maps: Maps, radius: int) -> Maps:
    """Means over a triangle window that reaches `radius` twice; borders count as far as they exist."""

    def twice(images: Tensor) -> Tensor:
        for _ in range(2):
            images = F.avg_pool2d(images, 2 * radius + 1, 1, radius, count_include_pad=False)
        return images

    return by_image(twice, maps)


def over_time(maps: Tensor, weights: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0, 1.0)) -> Tensor:
    """Weighted sums over neighbouring frames, the middle weight for the frame itself; fewer at the ends."""
    reach = len(weights) // 2
    padded = F.pad(maps, (0,) * 6 + (reach, reach))
    total = torch.zeros_like(maps)
    for k, weight in enumerate(weights):
        total += weight * padded.narrow(-4, k, maps.shape[-4])
    return total


def gradient(maps: Maps) -> tuple[Tensor, Tensor]:
    """Central differences along x and along y, per pixel."""
    padded = by_image(lambda images: F.pad(images, (1, 1, 1, 1), mode="replicate"), maps)
    x = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2
    y = (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) / 2
    return x, y


class Normalizer:
    """Frames less their local mean, over their local deviation: what is left is the same in any light.

    Attributes:
        source: the frames that it was made for; frames: the same, normalized.
        slope: root mean square gradient of the normalized frames, per pixel: turns a residual into pixels.
        deviation: usual local deviation, grey levels; this and `slope` for each clip, (..., 1, 1, 1, 1).
    """

    def __init__(self, frames: Maps, window: float, floor: float, deviation: Tensor | None = None) -> None:
        """Make one for frames of this size.

        Args:
            window: distance of the nodes between which mean and deviation are interpolated, pixels.
            floor: added to each deviation, as a share of `deviation`.
            deviation: usual local deviation, grey levels; None: that of `frames`.
        """
        self.source, self._nodes = frames, Nodes(frames, window)
        everywhere = torch.ones_like(frames[..., :1, :1, :, :])
        if deviation is None:
            rest = frames - self._mean(frames, everywhere, self._nodes.sum(everywhere))
            deviation = rest.square().mean(dim=CLIP, keepdim=True).sqrt().double()
        self.deviation = deviation
        self._floor = (floor * deviation + 1e-4).to(frames)  # what does not change at all stays finite
        (self.frames,) = self(everywhere, frames)
        x, y = gradient(self.frames)
        steep = x.square().mean(dim=CLIP, keepdim=True) + y.square().mean(dim=CLIP, keepdim=True)
        self.slope = (steep.sqrt().double() + 1e-3).to(frames)

    def of(self, clips: Tensor) -> "Normalizer":
        """The same for some clips of a batch."""
        some = copy(self)
        for name in ("source", "frames", "slope", "deviation", "_floor"):
            setattr(some, name, taken(getattr(self, name), clips))
        return some

    def _mean(self, maps: Maps, mask: Maps, weight: AtNodes) -> Maps:
        return self._nodes.spread(self._nodes.sum(maps * mask) / weight)

    def __call__(self, mask: Maps, *frames: Maps) -> list[Tensor]:
        """Each of `frames` normalized; only pixels where `mask` is 1 count for mean and deviation."""
        weight = self._nodes.sum(mask) + 1e-3
        normalized = []
        for maps in frames:
            rest = maps - self._mean(maps, mask, weight)
            power = self._mean(rest.square().mean(dim=-3, keepdim=True), mask, weight)
            normalized.append(rest / (power.clamp(min=0).sqrt() + self._floor))
        return normalized
