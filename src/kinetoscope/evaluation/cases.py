"""The list of what is planted: clips with their fields, networks with the motion they were built for."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..card import ModelCard
from ..synthetic.light import (
    coloured_light,
    contrast_reversal,
    cross_fade,
    dimming,
    gain_ramp,
    light_edge,
    standing,
    whole_field_flicker,
)
from ..synthetic.networks import (
    JoinedDirections,
    LinearKernels,
    MotionEnergy,
    affine_kernel,
    flicker_kernel,
    gabor,
    grey,
    plaid_velocity,
)
from ..synthetic.pieces import covering, objects_apart, patches
from ..synthetic.planted import (
    Motion,
    PlantedClip,
    drift,
    expansion,
    flickering,
    from_middle,
    grating_texture,
    jittering,
    noise_texture,
    planted_clip,
    rotation,
    shear,
    still,
    translation,
)
from ..synthetic.textures import make_textures
from ..types import Image, Velocity
from .metrics import Where

Size = tuple[int, int, int]
DIRECTIONS = tuple(range(0, 360, 45))
SPEEDS = (0.5, 1.0, 2.0)
FAST = (3.0, 5.0, 8.0, 12.0)
"""Speeds of the family that is to find the limit, pixels per frame."""
CARD = ModelCard(mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
"""What planted networks expect: a grey clip is all zeros to them, as to most networks."""


@dataclass(frozen=True)
class ClipCase:
    """A planted clip, its family (a row of the report) and its name."""

    family: str
    name: str
    clip: PlantedClip


@dataclass(frozen=True)
class NetworkCase:
    """A planted network and the motion it was built for.

    Attributes:
        family: a row of the report.
        name: of the case.
        model, layer, objective: what to visualize, unit 0.
        size: of the clip, (T, H, W).
        velocity: the motion the unit was built for, (T-1, 2, H, W), pixels per frame.
        texture: an image with the kernel's own spectrum, (3, H, W); None where none was planted.
        where: the pixels that the kernel speaks about; None: all.
    """

    family: str
    name: str
    model: nn.Module
    layer: str
    objective: str
    size: Size
    velocity: Velocity
    texture: Image | None = None
    where: Where | None = None


def speed_of(index: int, seed: int) -> float:
    """Speeds take turns, so that three seeds meet every direction with every speed."""
    return SPEEDS[(index + seed) % len(SPEEDS)]


def clip_cases(seed: int, size: Size) -> Iterator[ClipCase]:
    """All planted clips of one seed; textures, signs and speeds change with the seed.

    Args:
        size: (T, H, W).
    """
    frames, height, width = size
    draw = torch.Generator().manual_seed(seed)
    rows, columns = height + 6 * frames, width + 6 * frames  # 2 px per frame to either side, and some
    sign = 1 - 2 * (seed % 2)

    def natural() -> Image:
        return noise_texture(rows, columns, draw)

    def moved(family: str, name: str, motion: Motion, texture: Image) -> ClipCase:
        return ClipCase(family, name, planted_clip(texture, motion, *size))

    yield moved("still", "still", still(), natural())
    for index, direction in enumerate(DIRECTIONS):
        speed = speed_of(index, seed)
        motion, name = translation(direction, speed), f"{direction}°, {speed} px/frame"
        yield moved("translation", name, motion, natural())
        if index % 2:
            shapes = make_textures(1, max(rows, columns), draw, families=("shapes",))[0]
            yield moved("translation, flat shapes", name, motion, shapes)
    angle, speed = 30.0 + 90 * seed, speed_of(1, seed)
    stripes = grating_texture(rows, columns, angle, 8.0)
    grating = translation(angle, speed)
    yield moved("grating, 8 px", f"{angle % 360:.0f}°, {speed} px/frame", grating, stripes)
    for turn in (0.02 * sign, -0.04 * sign):
        yield moved("rotation", f"{turn:+} rad/frame", rotation(turn), natural())
    for growth in (0.02 * sign, -0.03 * sign):
        yield moved("expansion", f"{growth:+} per frame", expansion(growth), natural())
    yield moved("shear", f"{0.03 * sign:+} per frame", shear(0.03 * sign), natural())
    apart = objects_apart(natural(), (natural(), natural()), speed, *size)
    yield ClipCase("two objects apart", f"{speed} px/frame each", apart)
    yield ClipCase("local jitter", "0.7 px, 16 px apart", jittering(natural(), 0.7, *size, draw))
    blinking = flickering(planted_clip(natural(), still(), *size), 0.3, draw)
    yield ClipCase("flicker, no motion", "contrast ± 0.3", blinking)
    both = flickering(planted_clip(natural(), translation(angle, 1.0), *size), 0.3, draw)
    yield ClipCase("motion and flicker", f"{angle % 360:.0f}°, 1.0 px/frame, contrast ± 0.3", both)
    yield from _light_cases(seed, size, draw)
    yield from _fast_cases(seed, size, draw)
    yield from _piece_cases(seed, size, draw)


def _light_cases(seed: int, size: Size, draw: torch.Generator) -> Iterator[ClipCase]:
    """Light that changes over what stands still, and over what moves."""
    frames, height, width = size
    rows, columns = height + 4 * frames, width + 4 * frames

    def natural() -> Image:
        return noise_texture(rows, columns, draw)

    yield ClipCase("cross-fade", "one texture into another", cross_fade(natural(), natural(), *size))
    for speed in (1.0, 3.0):
        edge = light_edge(natural(), speed * (1 - 2 * (seed % 2)), *size)
        yield ClipCase("light edge", f"sweeps at {speed} px/frame", edge)
    yield ClipCase("contrast reversal", "period 8 frames", contrast_reversal(natural(), 8.0, *size))
    blinking = whole_field_flicker(natural(), 0.15, *size, draw)
    yield ClipCase("whole-field flicker", "over a faint texture", blinking)
    yield ClipCase("dimming", "to a half", dimming(natural(), 0.5, *size))
    yield ClipCase("coloured light", "three lamps", coloured_light(standing(natural(), *size), 0.4))
    angle = 75.0 + 90 * seed
    moving = planted_clip(natural(), translation(angle, 1.0), *size)
    name = f"{angle % 360:.0f}°, 1.0 px/frame"
    yield ClipCase("motion under a gain ramp", f"{name}, to 0.4", gain_ramp(moving, 0.4))
    yield ClipCase("motion under coloured light", f"{name}, three lamps", coloured_light(moving, 0.4))


def _fast_cases(seed: int, size: Size, draw: torch.Generator) -> Iterator[ClipCase]:
    """Drifts whose texture is large enough to carry them to the end."""
    frames, height, width = size
    for index, speed in enumerate(FAST):
        margin = 2 * int(speed * frames) + 16
        texture = noise_texture(height + margin, width + margin, draw)
        angle = 20.0 + 90 * ((seed + index) % 4)
        clip = planted_clip(texture, translation(angle, speed), *size)
        yield ClipCase(f"fast, {speed:.0f} px/frame", f"{angle:.0f}°", clip)


def _piece_cases(seed: int, size: Size, draw: torch.Generator) -> Iterator[ClipCase]:
    """Several motions side by side, and one in front of the other."""
    frames, height, width = size
    rows, columns = height + 6 * frames, width + 6 * frames
    for side in (8, 16, 32):
        board = patches(noise_texture(rows, columns, draw), side, 1.0, *size, draw)
        yield ClipCase(f"patches, {side} px", "1.0 px/frame each", board)
    for fast in (1.0, 2.0):
        ways = ((200.0 + 90 * seed, 0.5), (20.0 + 90 * seed, fast))
        back, front = (noise_texture(rows, columns, draw) for _ in range(2))
        yield ClipCase("occlusion", f"{fast} px/frame before 0.5", covering(back, front, ways, *size))


def network_cases(seed: int, size: Size) -> Iterator[NetworkCase]:
    """All planted networks of one seed; speeds, directions and affine patches change with the seed.

    Args:
        size: of their clips, (T, H, W); kernels with an affine trajectory take as many frames as they have.
    """
    wavelengths = ((8.0, DIRECTIONS), (6.0, (45, 180)), (12.0, (0, 225)))
    for wavelength, directions in wavelengths:
        for index, direction in enumerate(directions):
            speed = speed_of(index, seed)
            model = MotionEnergy([(direction, speed)], wavelength=wavelength)
            name = f"{direction}°, {speed} px/frame"
            wanted = drift(direction, speed)
            stripes = _placed(gabor(direction, 0.0, wavelength=wavelength)[3], size)
            family = f"motion energy, {wavelength:.0f} px"
            yield NetworkCase(
                family, name, model, "energy", "channel-relu", size, _everywhere(wanted, size), stripes
            )
    yield from _linear_cases(seed, size)
    pair, speed = (45.0 * seed, 45.0 * seed + 90), speed_of(1, seed)
    name = f"{pair[0] % 360:.0f}° and {pair[1] % 360:.0f}°, {speed} px/frame each"
    plaid = _everywhere(plaid_velocity(pair, speed), size)
    both = torch.stack([_placed(gabor(direction, 0.0)[3], size) for direction in pair]).sum(dim=0)
    yield NetworkCase(
        "two layers, two directions",
        name,
        JoinedDirections(pair, speed),
        "join",
        "channel",
        size,
        plaid,
        both,
    )
    yield from _affine_cases(seed, size)


def _linear_cases(seed: int, size: Size) -> Iterator[NetworkCase]:
    """A drifting Gabor with a response to flat light, one that stands still, and flicker."""
    direction, speed = 60.0 + 90 * seed, speed_of(1, seed)
    name = f"{direction % 360:.0f}°, {speed} px/frame"
    drifting, standing = gabor(direction, speed), gabor(direction, 0.0)
    blob = standing.abs()
    constant = 0.2 * drifting.abs().sum() * blob / blob.sum()
    light = LinearKernels(grey(drifting + constant)[None])
    none, wanted = _everywhere(torch.zeros(2), size), _everywhere(drift(direction, speed), size)
    stripes = _placed(standing[3], size)
    yield NetworkCase("with DC response, mean", name, light, "conv", "channel", size, none)
    yield NetworkCase(
        "with DC response, positive part", name, light, "conv", "channel-relu", size, wanted, stripes
    )
    texture = LinearKernels(grey(standing)[None])
    yield NetworkCase(
        "static texture", f"{direction % 360:.0f}°", texture, "conv", "channel-relu", size, none, stripes
    )
    flicker = LinearKernels(grey(flicker_kernel())[None])
    yield NetworkCase("flicker", "period 6 frames", flicker, "conv", "channel-relu", size, none)


def _affine_cases(seed: int, size: Size) -> Iterator[NetworkCase]:
    """Kernels that carry a patch along an affine trajectory; judged where their window is."""
    frames, side = 9, 25
    _, height, width = size
    sign = 1 - 2 * (seed % 2)
    draw = torch.Generator().manual_seed(1000 + seed)
    angle = 150.0 + 90 * seed
    motions = {
        f"drift {angle % 360:.0f}°, 1.0 px/frame": translation(angle, 1.0),
        f"turn {0.08 * sign:+} rad/frame": rotation(0.08 * sign),
        f"growth {0.05 * sign:+} per frame": expansion(0.05 * sign),
    }
    # the unit stands at the map's centre, (n // 2): half a pixel off the middle of an even frame
    places = from_middle(height, width) - torch.tensor([1 - width % 2, 1 - height % 2]).view(1, 2, 1, 1) / 2
    near = places.norm(dim=1, keepdim=True) <= side / 3
    for name, motion in motions.items():
        kernel = affine_kernel(noise_texture(3 * side, 3 * side, draw), motion, (frames, side))
        velocity = (motion(places, -1.0) - places).expand(frames - 1, -1, -1, -1)
        yield NetworkCase(
            "affine trajectory", name, LinearKernels(kernel[None]), "conv", "unit",
            (frames, height, width), velocity, _placed(kernel[:, frames // 2], size), near,
        )  # fmt: skip


def _everywhere(velocity: Tensor, size: Size) -> Velocity:
    frames, height, width = size
    return velocity.view(1, 2, 1, 1).expand(frames - 1, -1, height, width)


def _placed(patch: Tensor, size: Size) -> Image:
    """A patch, (h, w) or (3, h, w), in the middle of an image (3, H, W) that is empty or too small for it."""
    rows, columns = (n - m for n, m in zip(size[1:], patch.shape[-2:], strict=True))
    around = (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2)
    return F.pad(patch, around).expand(3, -1, -1)
