"""Which stimuli are shown, in what order: blocks of them, each with the axes its answers are laid out in."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product

import torch
from torch import Tensor

from ..stimuli import (
    Shape,
    Stimulus,
    colours,
    counterphase,
    drifted,
    flat,
    grating,
    noise_planes,
    plaid,
)
from .listen import Shown
from .scenes import FLOWS, bar, disc, dots, flash, flicker, turning

CONTRAST = 0.2
"""Root mean square about mid grey of all stimuli but flashes and own textures: that of films."""

DIRECTIONS = tuple(15.0 * k for k in range(24))
PLAID_DIRECTIONS = DIRECTIONS[::2]
TEXTURE_DIRECTIONS = tuple(22.5 * k for k in range(16))
SPEEDS = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0)
TEXTURE_SPEEDS = (0.5, 1.0, 2.0, 4.0)
CONTRASTS = (0.05, 0.1, 0.2, 0.35)
PHASES = (0.0, math.pi / 2)
EIGHT_PHASES = tuple(math.pi / 4 * k for k in range(8))
FREQUENCIES = (1 / 16, 1 / 8, 1 / 4, 1 / 2)
"""Of the flicker, cycles per frame."""
COHERENCES = (0.25, 0.5, 1.0)
TURNS = {
    "counter-clockwise": (1.0, 0.0),
    "clockwise": (-1.0, 0.0),
    "expansion": (0.0, 1.0),
    "contraction": (0.0, -1.0),
}
RATES = (0.03, 0.1)
"""Of turning (radians) and growth (its logarithm), per frame."""

SERIES = "contrast series"
"""Of other contrasts than the rest, and never the best of anything."""

Optimum = tuple[float, float, float]
"""Wavelength, speed, direction of the moving grating that a unit answers to most."""


@dataclass(frozen=True)
class Block:
    """Stimuli of one sort.

    Attributes:
        key: of the answers in `responses.safetensors`.
        axes: how many there are along each axis, the last one changing fastest.
        shown: the stimuli, in that order.
    """

    key: str
    axes: tuple[int, ...]
    shown: tuple[Shown, ...]


def wavelengths(shape: Shape) -> tuple[float, ...]:
    """In pixels, up to half the shorter side of the frame."""
    side = min(shape[2:])
    return tuple(w for w in (4.0, 6.0, 9.0, 14.0, 22.0, 34.0, 54.0, 85.0) if w <= max(side / 2, 6.0))


def cells(shape: Shape) -> tuple[tuple[float, float], ...]:
    """Pairs of wavelength and speed, no more than a third of a cycle per frame: beyond, stripes turn back."""
    return tuple((w, s) for w, s in product(wavelengths(shape), SPEEDS) if 3 * s <= w)


def common(shape: Shape, contrast: float, seed: int) -> list[Block]:
    """What every unit of a layer is shown, but for flashes."""
    return [
        *_gratings(shape, contrast),
        *_textures(shape, contrast, seed),
        *_scenes(shape, contrast, seed),
        *_light(shape, contrast),
    ]


def _gratings(shape: Shape, contrast: float) -> list[Block]:
    pairs, long, axes = cells(shape), wavelengths(shape), colours(shape[0])
    moving = [
        drifting((w, s, d), shape, phase, contrast) for (w, s), d, phase in product(pairs, DIRECTIONS, PHASES)
    ]
    static = [
        Shown(
            "static grating",
            f"sine, {w:g} px, across {d:g} deg, still",
            partial(grating, shape, w, d, 0.0, phase=phase),
            contrast,
        )
        for w, d, phase in product(long, DIRECTIONS[:12], PHASES)
    ]
    square = [
        Shown(
            "square grating",
            f"square wave, {w:g} px, across {d:g} deg, still",
            partial(grating, shape, w, d, 0.0, square=True),
            contrast,
        )
        for w, d in product(long[1:], DIRECTIONS[:12:3])
    ]
    coloured = [
        Shown(
            "coloured grating",
            f"{name}, {w:g} px, to {d:g} deg, {s:g} px/frame",
            partial(grating, shape, w, d, s, colour=axes[name], phase=phase),
            contrast,
        )
        for name, w, s, d, phase in product(list(axes)[1:], long[1::2], (0.0, 1.0), DIRECTIONS[::3], PHASES)
    ]
    blocks = [
        Block("gratings", (len(pairs), len(DIRECTIONS), len(PHASES)), tuple(moving)),
        Block("static_gratings", (len(long), 12, len(PHASES)), tuple(static)),
        Block("square_gratings", (len(square),), tuple(square)),
        Block("coloured_gratings", (len(coloured),), tuple(coloured)),
    ]
    return [block for block in blocks if block.shown]


def drifting(optimum: Optimum, shape: Shape, phase: float, contrast: float) -> Shown:
    """A grey grating in one phase."""
    wavelength, speed, direction = optimum
    name = f"sine, {wavelength:g} px, to {direction:g} deg, {speed:g} px/frame"
    make = partial(grating, shape, wavelength, direction, speed, phase=phase)
    return Shown("drifting grating", name, make, contrast, direction)


def _textures(shape: Shape, contrast: float, seed: int) -> list[Block]:
    """1 / f noise that drifts, stands, turns and grows: two textures."""
    generator = torch.Generator().manual_seed(seed)
    planes = noise_planes(2, max(shape[2:]), generator)
    larger = noise_planes(2, 2 * max(shape[2:]), generator)
    moving = [
        Shown(
            "1/f texture",
            f"1/f noise, to {d:g} deg, {s:g} px/frame",
            partial(cropped, shape, plane[None], d, s),
            contrast,
            d,
        )
        for s, d, plane in product(TEXTURE_SPEEDS, TEXTURE_DIRECTIONS, planes)
    ]
    still = [
        Shown("static texture", "1/f noise, still", partial(cropped, shape, plane[None], 0.0, 0.0), contrast)
        for plane in planes
    ]
    turned = [
        Shown(
            "turning texture" if turn else "growing texture",
            f"1/f noise, {name}, {rate:g} per frame",
            partial(turning, shape, plane, rate * turn, rate * growth),
            contrast,
        )
        for (name, (turn, growth)), rate, plane in product(TURNS.items(), RATES, larger)
    ]
    return [
        Block("textures", (len(TEXTURE_SPEEDS), len(TEXTURE_DIRECTIONS), 2), tuple(moving)),
        Block("static_textures", (2,), tuple(still)),
        Block("turning_textures", (len(TURNS), len(RATES), 2), tuple(turned)),
    ]


def _scenes(shape: Shape, contrast: float, seed: int) -> list[Block]:
    bars = [
        Shown(
            "bar",
            f"{'white' if sign > 0 else 'black'} bar, to {d:g} deg, 1 px/frame",
            partial(bar, shape, d, 1.0, sign=sign),
            contrast,
            d,
        )
        for d, sign in product(DIRECTIONS, (1.0, -1.0))
    ]
    moving = [
        Shown(
            "dots",
            f"dots, {flow}, {round(100 * coherence)} % coherent, 1 px/frame",
            partial(_seeded_dots, shape, flow, coherence, seed + number),
            contrast,
        )
        for flow, coherence, number in product(FLOWS, COHERENCES, range(2))
    ]
    discs = [
        Shown(
            "disc",
            f"{'white' if sign > 0 else 'black'} disc, {'looming' if growth > 0 else 'receding'}, "
            f"{abs(growth):g} px/frame",
            partial(disc, shape, growth, sign=sign),
            contrast,
        )
        for growth, sign in product((1.0, -1.0, 0.5, -0.5), (1.0, -1.0))
    ]
    return [
        Block("bars", (len(DIRECTIONS), 2), tuple(bars)),
        Block("dots", (len(FLOWS), len(COHERENCES), 2), tuple(moving)),
        Block("discs", (4, 2), tuple(discs)),
    ]


def _light(shape: Shape, contrast: float) -> list[Block]:
    flickers = [
        Shown("flicker", f"flicker, {f:g} cycles/frame", partial(flicker, shape, f, phase), contrast)
        for f, phase in product(FREQUENCIES, (math.pi / 4, 3 * math.pi / 4))
    ]
    even = [
        Shown(
            "flat colour",
            f"flat, {'more' if sign > 0 else 'less'} {name}",
            partial(flat, shape, tuple(sign * value for value in axis)),
            contrast,
        )
        for (name, axis), sign in product(colours(shape[0]).items(), (1.0, -1.0))
    ]
    return [
        Block("flicker", (len(FREQUENCIES), 2), tuple(flickers)),
        Block("flat_colours", (len(even),), tuple(even)),
    ]


def flashes(shape: Shape, contrast: float) -> Block:
    """Light and dark from the middle of the clip on."""
    shown = [
        Shown("flash", f"flash, {word}", partial(_scaled_flash, shape, sign * contrast), None)
        for word, sign in (("on", 1.0), ("off", -1.0))
    ]
    return Block("flashes", (2,), tuple(shown))


def around(shape: Shape, optima: Sequence[Optimum], contrast: float) -> list[Block]:
    """Contrast series and counterphase about the gratings that units answer to most, each of these once."""
    series = [drifting(optimum, shape, phase, c) for optimum, c, phase in product(optima, CONTRASTS, PHASES)]
    series = [
        Shown(
            SERIES, f"{each.name}, contrast {each.contrast:g}", each.make, each.contrast, each.direction_deg
        )
        for each in series
    ]
    reversing = [
        Shown(
            "counterphase grating",
            f"sine, {w:g} px, across {d:g} deg, reversing at {s / w:.3g} cycles/frame",
            partial(counterphase, shape, w, d, s / w, phase=phase, lead=lead),
            contrast,
        )
        for (w, s, d), phase, lead in product(optima, PHASES, PHASES)
    ]
    return [
        Block("contrast_series", (len(optima), len(CONTRASTS), len(PHASES)), tuple(series)),
        Block("counterphase", (len(optima), 2, 2), tuple(reversing)),
    ]


def plaids(shape: Shape, pairs: Sequence[tuple[float, float]], contrast: float) -> Block:
    """Plaids of gratings of these wavelengths and speeds, in twelve directions."""
    shown = [
        Shown(
            "plaid",
            f"plaid of sines, {w:g} px, {s:g} px/frame each, to {d:g} deg",
            partial(plaid, shape, w, d, s, phase=phase),
            contrast,
            d,
        )
        for (w, s), d, phase in product(pairs, PLAID_DIRECTIONS, PHASES)
    ]
    return Block("plaids", (len(pairs), len(PLAID_DIRECTIONS), len(PHASES)), tuple(shown))


def phases(shape: Shape, optima: Sequence[Optimum], contrast: float) -> Block:
    """Each of these gratings in eight phases."""
    shown = [drifting(optimum, shape, phase, contrast) for optimum, phase in product(optima, EIGHT_PHASES)]
    return Block("phases", (len(optima), len(EIGHT_PHASES)), tuple(shown))


def there_and_back(shape: Shape, optima: Sequence[Optimum], contrast: float) -> Block:
    """Each of these gratings in eight phases, and in two of them drifting the other way."""
    shown = [
        each
        for w, s, d in optima
        for each in (
            *phases(shape, [(w, s, d)], contrast).shown,
            *(drifting((w, s, (d + 180) % 360), shape, phase, contrast) for phase in PHASES),
        )
    ]
    return Block("there_and_back", (len(optima), len(EIGHT_PHASES) + len(PHASES)), tuple(shown))


def cropped(shape: Shape, planes: Tensor, direction_deg: float, speed: float) -> Stimulus:
    """A texture that drifts, as much of it as the frame shows, in as many channels as the clip has."""
    clip = drifted(planes, shape[1], direction_deg, speed)[:, :, : shape[2], : shape[3]]
    return clip.expand(shape)


def _seeded_dots(shape: Shape, flow: str, coherence: float, seed: int) -> Stimulus:
    return dots(shape, flow, 1.0, coherence, torch.Generator().manual_seed(seed))


def _scaled_flash(shape: Shape, height: float) -> Stimulus:
    return 2 * abs(height) * flash(shape, math.copysign(1.0, height))
