"""Short clips of sixteen kinds of texture, moving at random: only the texture tells the class.

The counterpart of `motions.py`, where the same textures are in all classes and only the motion tells them.
Motion, colours, contrast and all disturbances are drawn as there, whatever the class.
"""

import math

import torch
from jaxtyping import Int
from torch import Tensor

from ..errors import SettingInvalid
from ..types import MOTION_LABELS, VideoBatch
from .motions import ClipSettings, add_nuisances, draw_motions, render_clips
from .textures import tint, uniform

_GRATINGS = {  # waves, degrees between them, texels of a period
    "fine stripes": (1, 0, 5.0),
    "coarse stripes": (1, 0, 11.0),
    "fine checks": (2, 90, 5.0),
    "coarse checks": (2, 90, 11.0),
    "fine hexagons": (3, 60, 6.0),
    "coarse hexagons": (3, 60, 13.0),
}
_NOISES = {  # texels of the finest and of the coarsest detail, how much longer than wide
    "speckle": (2.5, 6.0, 1.0),
    "clouds": (9.0, 24.0, 1.0),
    "fine streaks": (2.5, 6.0, 5.0),
    "coarse streaks": (6.0, 14.0, 5.0),
}
_SHAPES = ("discs", "rings", "squares", "triangles", "bars", "crosses")

TEXTURE_KINDS = (*_GRATINGS, *_NOISES, *_SHAPES)
"""The classes: six of gratings, four of noise, six of scattered shapes."""


def make_appearance_clips(
    labels: Int[Tensor, " batch"], generator: torch.Generator, settings: ClipSettings
) -> VideoBatch:
    """Make one clip per label, an index into `TEXTURE_KINDS`; its motion is one of the thirteen, at random.

    Returns:
        (B, 3, T, H, W) in [0, 1].

    Raises:
        SettingInvalid: a label out of range.
    """
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < len(TEXTURE_KINDS):
        raise SettingInvalid(f"labels lie in 0..{len(TEXTURE_KINDS) - 1}, not {labels.tolist()}")
    size = settings.texture_size
    textures = torch.stack([_texture(TEXTURE_KINDS[label], size, generator) for label in labels.tolist()])
    moving = torch.randint(len(MOTION_LABELS), labels.shape, generator=generator)
    motions = draw_motions(moving, generator, settings)
    video = render_clips(tint(textures, generator), motions, settings.clip, generator)
    return add_nuisances(video, generator, settings)


def _texture(kind: str, size: int, generator: torch.Generator) -> Tensor:
    """One texture, (3, size, size), channels alike."""
    place = torch.arange(size, dtype=torch.float32)
    x, y = place.expand(size, size), place[:, None].expand(size, size)
    if kind in _GRATINGS:
        values = _grating(*_GRATINGS[kind], x, y, generator)
    elif kind in _NOISES:
        values = _noise(*_NOISES[kind], size, generator)
    else:
        values = _scattered(kind, x, y, generator)
    return values.expand(3, size, size)


def _grating(
    waves: int, apart: float, period: float, x: Tensor, y: Tensor, generator: torch.Generator
) -> Tensor:
    first, hardness = (float(uniform(generator, low, high, 1)) for low, high in ((0, math.pi), (0.7, 3)))
    total = torch.zeros_like(x)
    for wave in range(waves):
        angle = first + math.radians(apart) * wave
        phase = uniform(generator, 0, 2 * math.pi, 1)
        total = total + torch.sin(2 * math.pi / period * (x * math.cos(angle) + y * math.sin(angle)) + phase)
    return torch.tanh(hardness * total)


def _noise(fine: float, coarse: float, stretch: float, size: int, generator: torch.Generator) -> Tensor:
    angle = float(uniform(generator, 0, math.pi, 1))
    fy, fx = torch.fft.fftfreq(size)[:, None], torch.fft.rfftfreq(size)[None, :]
    along = fx * math.cos(angle) + fy * math.sin(angle)
    across = fy * math.cos(angle) - fx * math.sin(angle)
    frequency = ((along * stretch).square() + across.square()).sqrt()
    gain = torch.exp(-((frequency * fine).square())) - torch.exp(-((frequency * coarse).square()))
    white = torch.fft.rfft2(torch.randn(size, size, generator=generator))
    return torch.fft.irfft2(white * gain, s=(size, size))


def _scattered(kind: str, x: Tensor, y: Tensor, generator: torch.Generator) -> Tensor:
    """Shapes of one kind, bright or dark, at random places, of about the same area."""
    size = len(x)
    values = torch.zeros_like(x)
    for _ in range(size * size // 220):
        cx, cy, angle, radius = (
            float(uniform(generator, low, high, 1))
            for low, high in ((0, size), (0, size), (0, math.tau), (3.5, 5.5))
        )
        # on a torus, so that no shape is cut
        dx, dy = (x - cx + size / 2) % size - size / 2, (y - cy + size / 2) % size - size / 2
        u = dx * math.cos(angle) + dy * math.sin(angle)
        v = dy * math.cos(angle) - dx * math.sin(angle)
        sign = 1.0 if float(uniform(generator, 0, 1, 1)) < 0.5 else -1.0
        cover = torch.sigmoid(-3 * _distance(kind, u, v, radius))
        values = values + cover * (sign - values)
    return values


def _distance(kind: str, u: Tensor, v: Tensor, radius: float) -> Tensor:
    """How far outside (or, negative, inside) a shape each place is, about."""
    far = (u.square() + v.square()).sqrt()
    if kind == "discs":
        return far - radius
    if kind == "rings":
        return (far - radius).abs() - radius / 4
    if kind == "squares":
        return torch.maximum(u.abs(), v.abs()) - 0.9 * radius
    if kind == "triangles":
        return torch.maximum(-v, 0.866 * u.abs() + 0.5 * v) - 0.65 * radius
    bar = torch.maximum(u.abs() - 1.5 * radius, v.abs() - radius / 3)
    if kind == "bars":
        return bar
    return torch.minimum(bar, torch.maximum(v.abs() - 1.5 * radius, u.abs() - radius / 3))
