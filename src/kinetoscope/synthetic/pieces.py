"""Planted clips of several motions in one frame: discs that part, patches, a square that covers."""

import torch

from ..types import Image
from ..warp import sample
from .planted import PlantedClip, drift, from_middle, middle_of, planted_clip, still, translation


def objects_apart(
    background: Image, objects: tuple[Image, Image], speed: float, frames: int, height: int, width: int
) -> PlantedClip:
    """Two textured discs part along x, each at `speed` pixels per frame, before a still background."""
    places = from_middle(height, width)
    radius = height / 4
    video = planted_clip(background, still(), frames, height, width).video.clone()
    velocity = torch.zeros(frames, 2, height, width)
    for side, texture in zip((-1.0, 1.0), objects, strict=True):
        for t in range(frames):
            centre = torch.tensor([side * (radius + 1 + speed * t), 0.0]).view(1, 2, 1, 1)
            cover = (radius + 0.5 - (places - centre).norm(dim=1)).clamp(0, 1)
            seen = sample(texture[None], places - centre + middle_of(texture))[0]
            video[t] = video[t] + cover * (seen - video[t])
            velocity[t, 0] = torch.where(cover[0] > 0.5, side * speed, velocity[t, 0])
    return PlantedClip(video, velocity[:-1])


def patches(
    texture: Image,
    side: int,
    speed: float,
    frames: int,
    height: int,
    width: int,
    generator: torch.Generator,
) -> PlantedClip:
    """A board of square windows, each on content of its own that drifts in one of eight directions.

    Args:
        texture: larger than the frame; each window begins at another place of it.
        side: of a window, pixels; neighbours never share a direction.
        speed: of all, pixels per frame.
    """
    places = from_middle(height, width)
    video = torch.empty(frames, texture.shape[0], height, width)
    velocity = torch.empty(frames - 1, 2, height, width)
    for row in range(0, height, side):
        for column in range(0, width, side):
            parity = (row // side + column // side) % 2  # even and odd windows take turns on the circle
            angle = 90.0 * int(torch.randint(4, (), generator=generator)) + 45.0 * parity
            shift = 12 * torch.rand(1, 2, 1, 1, generator=generator) - 6
            here = places[..., row : row + side, column : column + side] + shift + middle_of(texture)
            step = drift(angle, speed).view(1, 2, 1, 1)
            times = torch.arange(frames, dtype=torch.float32).view(-1, 1, 1, 1)
            window = (..., slice(row, row + side), slice(column, column + side))
            video[window] = sample(texture[None], here - step * times)
            velocity[window] = step
    return PlantedClip(video, velocity)


def covering(
    background: Image,
    square: Image,
    velocities: tuple[tuple[float, float], tuple[float, float]],
    frames: int,
    height: int,
    width: int,
) -> PlantedClip:
    """A textured square, 0.45 of the shorter side, crosses the frame before a background that drifts too.

    Args:
        velocities: of the background and of the square, (direction in degrees, pixels per frame).
    """
    places = from_middle(height, width)
    back, front = (drift(*velocity).view(1, 2, 1, 1) for velocity in velocities)
    clip = planted_clip(background, translation(*velocities[0]), frames, height, width)
    video, velocity = clip.video.clone(), clip.velocity.clone()
    half = 0.225 * min(height, width)
    for t in range(frames):
        local = places - front * (t - (frames - 1) / 2)
        cover = (half + 0.5 - local.abs().amax(dim=1, keepdim=True)).clamp(0, 1)
        seen = sample(square[None], local + middle_of(square))
        video[t] = video[t] + cover[0] * (seen[0] - video[t])
        if t < frames - 1:
            velocity[t] = torch.where(cover[0] > 0.5, front[0], back[0])
    return PlantedClip(video, velocity)
