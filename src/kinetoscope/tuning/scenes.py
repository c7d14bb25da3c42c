"""Stimuli that are neither gratings nor drifting textures: dots, discs, bars, turning textures, light.

Each is a clip about mid grey, (C, T, H, W), in [-0.5, 0.5] as in `stimuli`: 0 right, 90 up,
counter-clockwise on screen positive.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from ..stimuli import Shape, Stimulus
from ..warp import from_middle, sample

FLOWS = {"expansion": 0.0, "contraction": 180.0, "counter-clockwise": 90.0, "clockwise": 270.0}
"""Angle between where a dot moves and the line from the middle to it, degrees."""


def bar(
    shape: Shape, direction_deg: float, speed: float, *, width: float = 4.0, sign: float = 1.0
) -> Stimulus:
    """A long bar that moves across itself and passes the middle in the middle of the clip.

    Args:
        direction_deg: where it moves.
        speed: pixels per frame.
        width: pixels.
        sign: 1 white, -1 black.
    """
    from_bar = _along(shape, direction_deg) - speed * _time(shape)
    # one pixel of soft edge, so that parts of a pixel count
    return _grey(shape, 0.5 * sign * (width / 2 + 0.5 - from_bar.abs()).clamp(0, 1))


def disc(shape: Shape, growth: float, *, sign: float = 1.0) -> Stimulus:
    """A disc in the middle that looms or recedes; its radius is a fifth of the frame in mid-clip.

    Args:
        growth: of the radius, pixels per frame; below 0 it recedes.
        sign: 1 white, -1 black.
    """
    _, _, height, width = shape
    radius = (min(height, width) / 5 + growth * _time(shape)).clamp(min=0)
    distance = from_middle(height, width)[0].norm(dim=0)
    return _grey(shape, 0.5 * sign * (radius + 0.5 - distance).clamp(0, 1))


def turning(
    shape: Shape, plane: Float[Tensor, "rows columns"], rotation: float, growth: float = 0.0
) -> Stimulus:
    """A texture that turns and grows about the middle of the frame.

    Args:
        plane: the texture about mid grey, larger than the frame; beyond it its border is repeated.
        rotation: radians per frame, counter-clockwise positive.
        growth: logarithm of the growth per frame.
    """
    _, _, height, width = shape
    away, middle = from_middle(height, width)[0], torch.tensor(plane.shape).flip(0).view(2, 1, 1) / 2 - 0.5
    angle, scale = rotation * _time(shape), torch.exp(-growth * _time(shape))
    x, y = away
    back = torch.stack(
        [x * angle.cos() - y * angle.sin(), x * angle.sin() + y * angle.cos()], dim=1
    )  # where what is seen here was before it turned; y points down
    return _grey(shape, sample(plane[None, None], middle + scale[:, None] * back)[:, 0])


def dots(
    shape: Shape,
    flow: str,
    speed: float,
    coherence: float,
    generator: torch.Generator,
    *,
    spacing: float = 7.0,
    size: float = 1.2,
) -> Stimulus:
    """Black and white dots, some of which move along one radial or tangential flow, the others anywhere.

    A dot lives for eight frames, then it starts elsewhere, so that dots do not pile up or run out.

    Args:
        flow: a key of `FLOWS`.
        speed: of every dot, pixels per frame.
        coherence: share of dots that move along the flow, in [0, 1].
        spacing: mean distance between neighbours, pixels.
        size: of a dot, pixels: the deviation of a Gaussian.
    """
    _, frames, height, width = shape
    count = max(8, round(height * width / spacing**2))
    extent = torch.tensor([width, height], dtype=torch.float32)
    middle = (extent - 1) / 2

    def anywhere() -> Tensor:
        return torch.rand(count, 2, generator=generator) * extent - 0.5

    place, age = anywhere(), torch.randint(8, (count,), generator=generator)
    sign = torch.randint(2, (count,), generator=generator) * 2.0 - 1.0
    along = torch.rand(count, generator=generator) < coherence
    stray = 2 * math.pi * torch.rand(count, generator=generator)
    places = []
    for _ in range(frames):
        places.append(place)
        away = place - middle
        outward = torch.atan2(-away[:, 1], away[:, 0]) + math.radians(FLOWS[flow])
        angle = torch.where(along, outward, stray)
        place, age = place + speed * torch.stack([angle.cos(), -angle.sin()], dim=1), age + 1
        gone = (age >= 8) | ((place - middle).abs() > extent / 2).any(dim=1)
        place, age = torch.where(gone[:, None], anywhere(), place), torch.where(gone, 0, age)
    x, y = torch.stack(places).unbind(dim=2)
    rows, columns = (
        torch.exp(-0.5 * ((axis[..., None] - torch.arange(side)) / size) ** 2)
        for axis, side in ((y, height), (x, width))
    )
    return _grey(shape, 0.5 * torch.einsum("n,tnh,tnw->thw", sign, rows, columns).clamp(-1, 1))


def flicker(shape: Shape, frequency: float, phase: float = 0.0) -> Stimulus:
    """The whole field grows light and dark; `frequency` in cycles per frame, `phase` in radians."""
    return _grey(
        shape, 0.5 * torch.sin(2 * math.pi * frequency * torch.arange(shape[1]) + phase).view(-1, 1, 1)
    )


def flash(shape: Shape, sign: float) -> Stimulus:
    """Grey until the middle of the clip (frame T // 2), then light for 1, dark for -1."""
    return _grey(shape, 0.5 * sign * (torch.arange(shape[1]) >= shape[1] // 2).float().view(-1, 1, 1))


def _grey(shape: Shape, clip: Tensor) -> Stimulus:
    return clip.expand(shape)


def _time(shape: Shape) -> Float[Tensor, "time 1 1"]:
    """Frames from the middle of the clip."""
    return (torch.arange(shape[1]) - (shape[1] - 1) / 2).view(-1, 1, 1)


def _along(shape: Shape, direction_deg: float) -> Float[Tensor, "height width"]:
    x, y = from_middle(*shape[2:])[0]
    angle = math.radians(direction_deg)
    return x * math.cos(angle) - y * math.sin(angle)
