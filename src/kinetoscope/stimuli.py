"""Stimuli of known content: gratings, drifting 1/f noise, flat colours; what physiologists show to cells.

Each is a clip about mid grey, (C, T, H, W); `to_contrast` brings it to a contrast, 0.5 + clip is what a
network sees. Directions are as seen on screen: 0 right, 90 up.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import torch
from jaxtyping import Float
from torch import Tensor

from .warp import pixel_grid

Stimulus = Float[Tensor, "channel time height width"]
"""A clip about mid grey, values in [-0.5, 0.5]."""

Shape = tuple[int, int, int, int]
"""(C, T, H, W)."""


@dataclass(frozen=True)
class Named:
    """A stimulus and what it is called.

    Attributes:
        name: such as "sine, 7 px, to 90 deg, 1 px/frame, grey".
        flat: one colour without structure.
        clip: about mid grey.
    """

    name: str
    flat: bool
    clip: Stimulus


def colours(channels: int) -> dict[str, tuple[float, ...]]:
    """Axes of colour by name: grey; for RGB also two opponent ones; else each channel alone."""
    axes: dict[str, tuple[float, ...]] = {"grey": (1.0,) * channels}
    if channels == 3:
        axes |= {"red-green": (1.0, -1.0, 0.0), "blue-yellow": (-0.5, -0.5, 1.0)}
    elif channels > 1:
        for index in range(min(channels, 4)):
            axes[f"channel {index}"] = tuple(float(index == other) for other in range(channels))
    return axes


def contrast(clips: Tensor) -> Tensor:
    """Root mean square about mid grey of each clip (B, ...), shaped to divide them by."""
    return clips.square().mean(dim=tuple(range(1, clips.ndim)), keepdim=True).sqrt()


def to_contrast(clips: Tensor, wanted: float | Tensor, rounds: int = 8) -> Tensor:
    """Scale clips about mid grey (B, ...) to a contrast; what leaves [-0.5, 0.5] is cut, the rest grows."""
    scaled = clips * (wanted / contrast(clips).clamp(min=1e-12))
    for _ in range(rounds):
        if float(scaled.abs().amax()) <= 0.5:
            return scaled
        scaled = scaled.clamp(-0.5, 0.5)
        scaled = scaled * (wanted / contrast(scaled).clamp(min=1e-12))
    return scaled.clamp(-0.5, 0.5)


def grating(
    shape: Shape,
    wavelength: float,
    direction_deg: float,
    speed: float,
    *,
    colour: tuple[float, ...] | None = None,
    square: bool = False,
    phase: float = 0.0,
) -> Stimulus:
    """Stripes that drift across themselves.

    Args:
        wavelength: pixels.
        direction_deg: where they drift.
        speed: pixels per frame; 0 stands.
        colour: amplitude of each channel; None: grey.
        square: black and white instead of a sine.
        phase: radians, at the first pixel of the first frame.
    """
    channels, frames, height, width = shape
    x, y = pixel_grid(height, width)[0]
    angle = math.radians(direction_deg)
    along = x * math.cos(angle) - y * math.sin(angle)
    moved = along - speed * torch.arange(frames).view(-1, 1, 1)
    wave = torch.sin(2 * math.pi / wavelength * moved + phase)
    axis = torch.tensor(colour or (1.0,) * channels).view(-1, 1, 1, 1)
    return 0.5 * axis / axis.abs().max() * (wave.sign() if square else wave)


def counterphase(
    shape: Shape,
    wavelength: float,
    direction_deg: float,
    frequency: float,
    *,
    phase: float = 0.0,
    lead: float = 0.0,
) -> Stimulus:
    """Stripes that stand and reverse their contrast: two gratings that drift against each other.

    Args:
        wavelength: pixels.
        direction_deg: across the stripes.
        frequency: cycles per frame.
        phase: of the stripes, radians; `lead`: of the reversal.
    """
    stripes = grating(shape, wavelength, direction_deg, 0.0, phase=phase)
    time = torch.arange(shape[1]).view(-1, 1, 1)
    return stripes * torch.cos(2 * math.pi * frequency * time + lead)


def plaid(
    shape: Shape,
    wavelength: float,
    direction_deg: float,
    speed: float,
    *,
    between_deg: float = 120.0,
    phase: float = 0.0,
) -> Stimulus:
    """Two gratings over one another, half the angle to either side (Movshon et al. 1985).

    Args:
        wavelength: of each, pixels.
        direction_deg: where the pattern drifts, midway between the two.
        speed: of each grating across itself, pixels per frame; the pattern is faster, by 1 / cos of half the
            angle.
        between_deg: the angle between their directions.
        phase: of each, radians.
    """
    sides = (direction_deg - between_deg / 2, direction_deg + between_deg / 2)
    first, second = (grating(shape, wavelength, side, speed, phase=phase) for side in sides)
    return 0.5 * (first + second)


def noise_planes(count: int, side: int, generator: torch.Generator) -> Float[Tensor, "count side side"]:
    """Random textures with amplitudes 1 / f that fit themselves at opposite edges; mean 0, peak 0.5."""
    fy, fx = torch.fft.fftfreq(side)[:, None], torch.fft.rfftfreq(side)
    scale = 1 / (fx**2 + fy**2).sqrt().clamp(min=1 / side)
    scale[0, 0] = 0
    spectrum = torch.fft.rfft2(torch.randn(count, side, side, generator=generator)) * scale
    planes = torch.fft.irfft2(spectrum, s=(side, side))
    return 0.5 * planes / planes.abs().amax(dim=(1, 2), keepdim=True)


def drifted(
    planes: Float[Tensor, "channel rows columns"], frames: int, direction_deg: float, speed: float
) -> Stimulus:
    """A texture that drifts by parts of a pixel too, and comes in again where it has gone out."""
    rows, columns = planes.shape[1:]
    fy, fx = torch.fft.fftfreq(rows)[:, None], torch.fft.rfftfreq(columns)
    spectrum, angle = torch.fft.rfft2(planes), math.radians(direction_deg)
    slip = speed * (fx * math.cos(angle) - fy * math.sin(angle))
    turn = torch.exp(-2j * math.pi * torch.arange(frames).view(-1, 1, 1) * slip)
    return torch.fft.irfft2(spectrum[:, None] * turn, s=(rows, columns))


def drifting_noise(
    shape: Shape,
    direction_deg: float,
    speed: float,
    generator: torch.Generator,
    *,
    mix: Float[Tensor, "channel channel"] | None = None,
) -> Stimulus:
    """A random texture with amplitudes 1 / f that drifts, by parts of a pixel too.

    Args:
        mix: what makes colours of independent channels; None: one grey texture.
    """
    channels, frames, height, width = shape
    planes = noise_planes(channels if mix is not None else 1, 2 * max(height, width), generator)
    clip = drifted(planes, frames, direction_deg, speed)[:, :, :height, :width]
    coloured = clip.expand(channels, -1, -1, -1) if mix is None else torch.einsum("ij,jthw->ithw", mix, clip)
    return to_contrast(coloured[None], 0.25)[0]


def without_seam(planes: Float[Tensor, "channel rows columns"]) -> Float[Tensor, "channel rows columns"]:
    """The part of a texture that fits itself at opposite edges, so that it can drift round and round.

    What is taken away is the smooth field that makes up for the jump from edge to edge (Moisan 2011).
    """
    rows, columns = planes.shape[1:]
    jump = torch.zeros_like(planes)
    down, across = planes[:, -1] - planes[:, 0], planes[:, :, -1] - planes[:, :, 0]
    jump[:, 0] += down
    jump[:, -1] -= down
    jump[:, :, 0] += across
    jump[:, :, -1] -= across
    fy, fx = torch.fft.fftfreq(rows)[:, None], torch.fft.rfftfreq(columns)
    bend = 2 * torch.cos(2 * math.pi * fy) + 2 * torch.cos(2 * math.pi * fx) - 4
    bend[0, 0] = 1
    smooth = torch.fft.rfft2(jump) / bend
    smooth[:, 0, 0] = 0
    return planes - torch.fft.irfft2(smooth, s=(rows, columns))


def flat(shape: Shape, colour: tuple[float, ...]) -> Stimulus:
    """One colour everywhere, `colour` being its difference to mid grey."""
    axis = torch.tensor(colour).view(-1, 1, 1, 1)
    return (0.5 * axis / axis.abs().max()).expand(shape)


WAVELENGTHS = (4.0, 7.0, 12.0, 22.0)
SPEEDS = (0.0, 1.0, 3.0)


def bank(shape: Shape, seed: int = 0) -> Iterator[Named]:
    """About a hundred stimuli of all kinds, one after the other: what an optimal input must not be beaten by.

    Sines of four wavelengths in eight directions at three speeds (faster than a third of the wavelength per
    frame left out), square waves, coloured stripes, drifting 1 / f noise, and flat colours.
    """
    generator = torch.Generator().manual_seed(seed)
    axes = colours(shape[0])
    for wavelength, speed in product(WAVELENGTHS, SPEEDS):
        if 3 * speed > wavelength:
            continue
        for direction in range(0, 360 if speed else 180, 45):
            name = f"sine, {wavelength:g} px, to {direction} deg, {speed:g} px/frame"
            yield Named(name, False, grating(shape, wavelength, direction, speed))
    for wavelength, direction in product(WAVELENGTHS[1:], range(0, 180, 45)):
        name = f"square wave, {wavelength:g} px, {direction} deg, still"
        yield Named(name, False, grating(shape, wavelength, direction, 0.0, square=True))
    for colour in list(axes)[1:]:
        for wavelength, direction in product((7.0, 22.0), range(0, 180, 45)):
            name = f"{colour}, {wavelength:g} px, {direction} deg, still"
            yield Named(name, False, grating(shape, wavelength, direction, 0.0, colour=axes[colour]))
    for direction in range(0, 360, 45):
        yield Named(
            f"1/f noise, to {direction} deg, 1 px/frame",
            False,
            drifting_noise(shape, direction, 1.0, generator),
        )
    single = {f"channel {k}": tuple(float(k == j) for j in range(shape[0])) for k in range(min(shape[0], 4))}
    for colour, axis in (axes | (single if shape[0] > 1 else {})).items():
        for sign in (1.0, -1.0):
            name = f"flat, {'more' if sign > 0 else 'less'} {colour}"
            yield Named(name, True, flat(shape, tuple(sign * value for value in axis)))
