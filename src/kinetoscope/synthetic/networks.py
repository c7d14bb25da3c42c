"""Planted networks: kernels whose preferred motion is known because they were built for it."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..types import VideoBatch
from ..warp import pixel_grid
from .planted import Motion, drift, from_middle, planted_clip

Kernel = Float[Tensor, "channel depth height width"]
"""Weights of one unit, (C, D, h, w)."""


def gabor(
    direction_deg: float,
    speed: float,
    *,
    wavelength: float = 8.0,
    size: tuple[int, int] = (7, 11),
    phase: float = 0.0,
) -> Float[Tensor, "depth side side"]:
    """A spatiotemporal Gabor of unit norm, without response to a flat clip (Adelson & Bergen 1985).

    Args:
        direction_deg: where its stripes drift, 90 is up.
        speed: pixels per frame.
        wavelength: pixels.
        size: frames and pixels, both odd.
        phase: radians; 0 is even.
    """
    frames, side = size
    t = (torch.arange(frames) - frames // 2).view(-1, 1, 1).float()
    y, x = pixel_grid(side, side)[0].flip(0) - side // 2
    envelope = torch.exp(-0.5 * ((t / (frames / 4.5)) ** 2 + (x**2 + y**2) / (side / 3.7) ** 2))
    angle = math.radians(direction_deg)
    along = x * math.cos(angle) - y * math.sin(angle)
    wave = envelope * torch.cos(2 * math.pi / wavelength * (along - speed * t) - phase)
    wave = wave - envelope * (wave.sum() / envelope.sum())
    return wave / wave.norm()


def flicker_kernel(period: float = 6.0, size: tuple[int, int] = (7, 11)) -> Float[Tensor, "depth side side"]:
    """Light that comes and goes, without stripes or motion; `period` in frames."""
    frames, side = size
    t = (torch.arange(frames) - frames // 2).view(-1, 1, 1).float()
    y, x = pixel_grid(side, side)[0].flip(0) - side // 2
    window = torch.exp(-0.5 * ((t / (frames / 4.5)) ** 2))
    wave = window * torch.cos(2 * math.pi / period * t)
    wave = wave - window * (wave.sum() / window.sum())
    kernel = wave * torch.exp(-0.5 * (x**2 + y**2) / (side / 3.7) ** 2)
    return kernel / kernel.norm()


def affine_kernel(texture: Float[Tensor, "3 rows columns"], motion: Motion, size: tuple[int, int]) -> Kernel:
    """A patch of a texture that an affine motion carries from slice to slice, under a round window.

    Such kernels are what a temporally factorized convolution holds (one slice, and an affine step per frame).

    Args:
        motion: about the kernel's middle.
        size: frames and pixels, both odd.

    Returns:
        (3, D, h, w), unit norm, each slice without response to an even grey.
    """
    frames, side = size
    patch = planted_clip(texture, motion, frames, side, side).video
    window = torch.exp(-0.5 * from_middle(side, side).square().sum(dim=1) / (side / 4) ** 2)
    centred = patch - (patch * window).sum((2, 3), keepdim=True) / window.sum()
    kernel = (centred * window).transpose(0, 1)
    return kernel / kernel.norm()


class LinearKernels(nn.Module):
    """One 3D convolution, `conv`, with given weights; its map has the clip's size."""

    def __init__(self, kernels: Float[Tensor, "units 3 depth height width"]) -> None:
        """Args: kernels: (N, 3, D, h, w), sizes odd."""
        super().__init__()
        units, _, *size = kernels.shape
        depth, height, width = size
        same = (depth // 2, height // 2, width // 2)
        self.conv = nn.Conv3d(3, units, (depth, height, width), padding=same, bias=False)
        # several times faster on a CPU, where kernels are large and units few
        self.conv.weight = nn.Parameter(kernels.contiguous(memory_format=torch.channels_last_3d))

    def forward(self, clips: VideoBatch) -> Float[Tensor, "batch unit time height width"]:
        """The responses, (B, N, T, H, W)."""
        return self.conv(clips)


def grey(kernel: Float[Tensor, "depth height width"]) -> Kernel:
    """The same weights for each of three colours."""
    return kernel.expand(3, -1, -1, -1) / 3


class MotionEnergy(LinearKernels):
    """Spatiotemporal Gabor quadrature pairs, squared and summed (Adelson & Bergen 1985).

    Takes RGB clips; unit k of the layer `energy` prefers `tuning[k]`: (direction in degrees, speed in pixels
    per frame).
    """

    def __init__(
        self,
        tuning: list[tuple[float, float]],
        *,
        wavelength: float = 8.0,
        size: tuple[int, int] = (7, 11),
    ) -> None:
        """Args: wavelength: pixels. size: of the kernels, frames and pixels, both odd."""
        phases = (0.0, math.pi / 2)
        super().__init__(
            torch.stack(
                [
                    grey(gabor(direction, speed, wavelength=wavelength, size=size, phase=phase))
                    for direction, speed in tuning
                    for phase in phases
                ]
            )
        )
        self.tuning = tuple(tuning)
        self.energy = PairEnergy()

    def forward(self, clips: VideoBatch) -> Float[Tensor, "batch pair time height width"]:
        """The energy of each pair, (B, K, T, H, W)."""
        return self.energy(self.conv(clips))


class PairEnergy(nn.Module):
    """Sum of squares of neighbouring channels."""

    def forward(self, responses: VideoBatch) -> Float[Tensor, "batch pair time height width"]:
        """(B, 2K, T, H, W) to (B, K, T, H, W)."""
        return responses.square().unflatten(1, (-1, 2)).sum(dim=2)


class JoinedDirections(nn.Module):
    """Two layers: motion energy of two directions, and a unit, `join`, that wants both at one place.

    The second layer sums logarithms, so it answers to the product: a plaid of two gratings, not to either.
    """

    def __init__(self, directions_deg: tuple[float, float], speed: float, *, wavelength: float = 8.0) -> None:
        """Args: directions_deg: of the gratings. speed: of each, pixels per frame. wavelength: pixels."""
        super().__init__()
        self.first = MotionEnergy([(direction, speed) for direction in directions_deg], wavelength=wavelength)
        self.join = nn.Conv3d(2, 1, 1, bias=False)
        nn.init.ones_(self.join.weight)

    def forward(self, clips: VideoBatch) -> Float[Tensor, "batch 1 time height width"]:
        """How much of both directions there is, (B, 1, T, H, W)."""
        return self.join((self.first(clips) + 1e-3).log())


class EitherDirection(nn.Module):
    """Motion energy of several directions, and a unit, `either`, that is content with any of some of them.

    The unit gives the largest of its directions' mean energies, so it has as many preferences, and a clip of
    several directions at once is worth less than one of them.
    """

    def __init__(
        self,
        directions_deg: tuple[float, ...],
        wanted: tuple[int, ...],
        speed: float,
        *,
        wavelength: float = 8.0,
        size: tuple[int, int] = (7, 11),
    ) -> None:
        """Args: directions_deg: of the energies. wanted: places in them. speed: pixels per frame."""
        super().__init__()
        tuning = [(direction, speed) for direction in directions_deg]
        self.first = MotionEnergy(tuning, wavelength=wavelength, size=size)
        self.either = LargestOf(wanted)

    def forward(self, clips: VideoBatch) -> Float[Tensor, "batch 1"]:
        """How much there is of the direction that there is most of, (B, 1)."""
        return self.either(self.first(clips))


class LargestOf(nn.Module):
    """The largest of some channels' means."""

    def __init__(self, wanted: tuple[int, ...]) -> None:
        """Args: wanted: the channels."""
        super().__init__()
        self.wanted = wanted

    def forward(self, values: VideoBatch) -> Float[Tensor, "batch 1"]:
        """(B, C, T, H, W) to (B, 1)."""
        return values[:, list(self.wanted)].mean(dim=(2, 3, 4)).amax(dim=1, keepdim=True)


def plaid_velocity(directions_deg: tuple[float, float], speed: float) -> Float[Tensor, "2"]:
    """The one velocity (x, y) at which both gratings drift as they do (intersection of constraints)."""
    normals = torch.stack([drift(direction, 1.0) for direction in directions_deg])
    return torch.linalg.solve(normals, torch.full((2,), speed))
