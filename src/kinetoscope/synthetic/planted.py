"""Planted clips: a known texture, a known velocity field, and how much of the change is motion."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from ..motion.metrics import temporal_variance
from ..types import Flow, Image, Velocity, Video
from ..warp import content_velocity, from_middle, resize_field, sample

Motion = Callable[[Tensor, float], Tensor]
"""Where content seen at p (1, 2, H, W), pixels from the frame's middle, at a time t was at time 0."""


def still() -> Motion:
    """No motion."""
    return lambda p, t: p


def translation(direction_deg: float, speed: float) -> Motion:
    """A drift; 0 degrees is right, 90 up, `speed` in pixels per frame."""
    step = drift(direction_deg, speed).view(1, 2, 1, 1)
    return lambda p, t: p - step * t


def drift(direction_deg: float, speed: float) -> Float[Tensor, "2"]:
    """A velocity (x, y) in pixels per frame; y points down, 90 degrees up."""
    angle = math.radians(direction_deg)
    return speed * torch.tensor([math.cos(angle), -math.sin(angle)])


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


def shear(slope_per_frame: float) -> Motion:
    """Sliding along x in proportion to y: u_x = slope y, u_y = 0."""

    def back(p: Tensor, t: float) -> Tensor:
        return torch.stack([p[:, 0] - slope_per_frame * t * p[:, 1], p[:, 1]], dim=1)

    return back


@dataclass(frozen=True)
class PlantedClip:
    """A clip and the truth about it.

    Attributes:
        video: (T, C, H, W) in [0, 1].
        velocity: the true content velocity, (T-1, 2, H, W), pixels per frame.
        motion_share: share of the temporal variance that the true motion explains, in [0, 1]; 1 but for
            flicker.
    """

    video: Video
    velocity: Velocity
    motion_share: float = 1.0

    @property
    def texture(self) -> Image:
        """What should come back as the static image: the first frame, (C, H, W)."""
        return self.video[0]


def planted_clip(texture: Image, motion: Motion, frames: int, height: int, width: int) -> PlantedClip:
    """Move a texture; content enters from beyond the frame, so the texture should be larger than it.

    Args:
        texture: (C, h, w) in [0, 1]; its middle is the frame's middle at time 0.
    """
    places = from_middle(height, width)
    middle = middle_of(texture)
    video = torch.cat([sample(texture[None], motion(places, t) + middle) for t in range(frames)])
    # the field does not depend on time: content at p moves to where content of a frame earlier came from
    velocity = motion(places, -1.0) - places
    return PlantedClip(video, velocity.expand(frames - 1, -1, -1, -1))


def middle_of(texture: Image) -> Float[Tensor, "1 2 1 1"]:
    """Position of an image's middle, x then y."""
    rows, columns = texture.shape[-2:]
    return torch.tensor([(columns - 1) / 2, (rows - 1) / 2]).view(1, 2, 1, 1)


def jittering(
    texture: Image, deviation: float, frames: int, height: int, width: int, generator: torch.Generator
) -> PlantedClip:
    """Neighbourhoods of 16 pixels tremble, anew in every frame, about where they are in the first.

    Args:
        deviation: of the displacement's x and y at the nodes, pixels.
    """
    nodes = torch.randn(frames, 2, height // 16 + 1, width // 16 + 1, generator=generator)
    displacement: Flow = deviation * resize_field(nodes, height, width)
    displacement[0] = 0
    video = sample(texture[None], from_middle(height, width) + displacement + middle_of(texture))
    velocity = content_velocity(displacement, torch.zeros_like(displacement[:-1]), iterations=60)
    return PlantedClip(video, velocity)


def flickering(clip: PlantedClip, strength: float, generator: torch.Generator) -> PlantedClip:
    """The same motion under changing light: contrast and brightness vary at random from frame to frame.

    Args:
        strength: standard deviation of the contrast's factor; brightness varies by a quarter of it.
    """
    light = strength * torch.randn(2, len(clip.video), 1, 1, 1, generator=generator)
    light[:, 0] = 0
    middle = clip.video.mean()
    video = (middle + (clip.video - middle) * (1 + light[0]) + light[1] / 4).clamp(0, 1)
    unexplained = float((video - clip.video).square().mean()) / temporal_variance(video)
    return replace(clip, video=video, motion_share=max(0.0, 1 - unexplained))


def noise_texture(height: int, width: int, generator: torch.Generator) -> Image:
    """Colour noise with the 1/f amplitude spectrum of natural images, (3, H, W) in [0, 1]."""
    y, x = torch.fft.fftfreq(height)[:, None], torch.fft.fftfreq(width)
    frequency = torch.hypot(y, x).clamp(min=1 / max(height, width))
    spectrum = torch.fft.fft2(torch.randn(3, height, width, generator=generator)) / frequency
    noise = torch.fft.ifft2(spectrum).real
    return (0.5 + 0.18 * (noise - noise.mean()) / noise.std()).clamp(0, 1)


def grating_texture(height: int, width: int, direction_deg: float, wavelength: float) -> Image:
    """Grey sinusoidal stripes across `direction_deg`, (3, H, W) in [0, 1]; `wavelength` in pixels."""
    along = (from_middle(height, width) * drift(direction_deg, 1.0).view(1, 2, 1, 1)).sum(dim=1)
    return (0.5 + 0.4 * torch.sin(2 * math.pi / wavelength * along)).expand(3, -1, -1)
