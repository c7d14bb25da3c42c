"""Planted answers: clips with a known velocity field, and kernels tuned to a known motion."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..types import Image, Velocity, Video, VideoBatch
from ..warp import pixel_grid, sample

Motion = Callable[[Tensor, float], Tensor]
"""Where content seen at p (1, 2, H, W), pixels from the frame's middle, at a time t was at time 0."""


def still() -> Motion:
    """No motion."""
    return lambda p, t: p


def translation(direction_deg: float, speed: float) -> Motion:
    """A drift; 0 degrees is right, 90 up, `speed` in pixels per frame."""
    angle = math.radians(direction_deg)
    step = speed * torch.tensor([math.cos(angle), -math.sin(angle)]).view(1, 2, 1, 1)
    return lambda p, t: p - step * t


def rotation(radians_per_frame: float) -> Motion:
    """Turning about the middle, counter-clockwise on screen positive (y points down)."""

    def back(p: Tensor, t: float) -> Tensor:
        angle = radians_per_frame * t
        x, y = p[:, 0], p[:, 1]
        turned = (
            x * math.cos(angle) - y * math.sin(angle),
            x * math.sin(angle) + y * math.cos(angle),
        )
        return torch.stack(turned, dim=1)

    return back


def expansion(growth_per_frame: float) -> Motion:
    """Growth about the middle; 0.02 is 2 % per frame, a divergence of 0.04."""
    return lambda p, t: p / (1 + growth_per_frame) ** t


@dataclass(frozen=True)
class PlantedClip:
    """A clip and the truth about it.

    Attributes:
        video: (T, C, H, W) in [0, 1].
        velocity: the true content velocity, (T-1, 2, H, W), pixels per frame.
    """

    video: Video
    velocity: Velocity


def planted_clip(texture: Image, motion: Motion, frames: int, height: int, width: int) -> PlantedClip:
    """Move a texture; content enters from beyond the frame, so the texture should be larger than it.

    Args:
        texture: (C, h, w) in [0, 1]; its middle is the frame's middle at time 0.
    """
    middle = torch.tensor([(width - 1) / 2, (height - 1) / 2]).view(1, 2, 1, 1)
    rows, columns = texture.shape[-2:]
    texture_middle = torch.tensor([(columns - 1) / 2, (rows - 1) / 2]).view(1, 2, 1, 1)
    places = pixel_grid(height, width) - middle
    video = torch.cat([sample(texture[None], motion(places, t) + texture_middle) for t in range(frames)])
    # the field does not depend on time: content at p moves to where content of a frame earlier came from
    velocity = motion(places, -1.0) - places
    return PlantedClip(video, velocity.expand(frames - 1, -1, -1, -1))


def noise_texture(height: int, width: int, generator: torch.Generator) -> Image:
    """Colour noise with the 1/f amplitude spectrum of natural images, (3, H, W) in [0, 1]."""
    y, x = torch.fft.fftfreq(height)[:, None], torch.fft.fftfreq(width)
    frequency = torch.hypot(y, x).clamp(min=1 / max(height, width))
    spectrum = torch.fft.fft2(torch.randn(3, height, width, generator=generator)) / frequency
    noise = torch.fft.ifft2(spectrum).real
    return (0.5 + 0.18 * (noise - noise.mean()) / noise.std()).clamp(0, 1)


class MotionEnergy(nn.Module):
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
        super().__init__()
        self.tuning = tuple(tuning)
        frames, side = size
        t = (torch.arange(frames) - frames // 2).view(-1, 1, 1).float()
        y, x = pixel_grid(side, side)[0].flip(0) - side // 2
        envelope = torch.exp(-0.5 * ((t / (frames / 4.5)) ** 2 + (x**2 + y**2) / (side / 3.7) ** 2))
        kernels = []
        for direction_deg, speed in tuning:
            angle = math.radians(direction_deg)
            along = x * math.cos(angle) - y * math.sin(angle)
            phase = 2 * math.pi / wavelength * (along - speed * t)
            for wave in (phase.cos(), phase.sin()):
                gabor = envelope * wave
                gabor = gabor - envelope * (gabor.sum() / envelope.sum())  # no response to a flat clip
                kernels.append(gabor / gabor.norm())
        weight = torch.stack(kernels)[:, None].repeat(1, 3, 1, 1, 1) / 3
        same = (frames // 2, side // 2, side // 2)
        self.conv = nn.Conv3d(3, len(kernels), (frames, side, side), padding=same, bias=False)
        self.conv.weight = nn.Parameter(weight)
        self.energy = PairEnergy()

    def forward(self, clips: VideoBatch) -> Float[Tensor, "batch pair time height width"]:
        """The energy of each pair, (B, K, T, H, W)."""
        return self.energy(self.conv(clips))


class PairEnergy(nn.Module):
    """Sum of squares of neighbouring channels."""

    def forward(self, responses: VideoBatch) -> Float[Tensor, "batch pair time height width"]:
        """(B, 2K, T, H, W) to (B, K, T, H, W)."""
        return responses.square().unflatten(1, (-1, 2)).sum(dim=2)
