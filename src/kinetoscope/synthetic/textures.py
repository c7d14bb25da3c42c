"""Still textures of many kinds for procedural clips: filtered noise, plaids, shapes and crops of photographs.

Training and held-out textures never share a source: the photographs are cut in two, and the random numbers of
the rest come from generators whose seeds `split_generator` keeps apart.
"""

import math
from functools import lru_cache
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from ..errors import SettingInvalid

Split = Literal["train", "held-out"]
Textures = Float[Tensor, "batch 3 size size"]

FAMILIES = ("noise", "plaid", "shapes", "photograph")
_HELD_OUT_OFFSET = 1 << 40


def split_generator(seed: int, split: Split) -> torch.Generator:
    """Give the random numbers of one half of the split; the two halves never start from the same seed."""
    offset = _HELD_OUT_OFFSET if split == "held-out" else 0
    return torch.Generator().manual_seed((seed + offset) % 2**63)


def uniform(generator: torch.Generator, low: float | int, high: float | int, *shape: int) -> Tensor:
    """Draw from the uniform distribution on [low, high)."""
    return low + (high - low) * torch.rand(*shape, generator=generator)


def make_textures(
    count: int,
    size: int,
    generator: torch.Generator,
    split: Split = "train",
    families: tuple[str, ...] = FAMILIES,
) -> Textures:
    """Make colour textures of some families, equally likely, with random colours and contrast.

    Args:
        count: how many.
        size: width and height in texels.
        generator: where all randomness comes from.
        split: which half of each photograph the crops come from.
        families: which of `FAMILIES` to choose from.

    Returns:
        (count, 3, size, size), about 0.5 on average, in [0, 1].

    Raises:
        SettingInvalid: a size below 8, or scikit-learn (the photographs) is missing.
    """
    if size < 8:
        raise SettingInvalid(f"a texture is at least 8 texels wide, not {size}; ask for a larger one")
    family = torch.randint(len(families), (count,), generator=generator)
    textures = torch.empty(count, 3, size, size)
    makers = dict(
        zip(FAMILIES, (_noise, _plaids, _shapes, lambda n, s, g: _photographs(n, s, g, split)), strict=True)
    )
    for index, name in enumerate(families):
        make, chosen = makers[name], (family == index).nonzero()[:, 0]
        if len(chosen):
            textures[chosen] = make(len(chosen), size, generator)
    return tint(textures, generator)


def tint(textures: Textures, generator: torch.Generator) -> Textures:
    """Mix the channels at random, then set the mean to 0.4-0.6 and the deviation to 0.08-0.3."""
    count = len(textures)
    # between grey (all channels alike) and wholly mixed colours
    grey = torch.full((3, 3), 1 / 3).expand(count, 3, 3)
    colour = torch.randn(count, 3, 3, generator=generator)
    share = uniform(generator, 0, 1, count, 1, 1)
    sign = torch.where(uniform(generator, 0, 1, count, 1, 1) < 0.5, -1.0, 1.0)
    mixed = torch.einsum("bij,bjhw->bihw", sign * ((1 - share) * grey + share * colour), textures)
    mixed = mixed - mixed.mean((2, 3), keepdim=True)
    deviation = mixed.pow(2).mean((1, 2, 3), keepdim=True).sqrt().clamp_min(1e-6)
    contrast = uniform(generator, 0.08, 0.3, count, 1, 1, 1)
    level = uniform(generator, 0.4, 0.6, count, 3, 1, 1)
    return (level + contrast * mixed / deviation).clamp(0, 1)


def _noise(count: int, size: int, generator: torch.Generator) -> Textures:
    """Filter white noise to a falling spectrum with a random slope, stretch, orientation and cut-off."""
    fy = torch.fft.fftfreq(size)[:, None]
    fx = torch.fft.rfftfreq(size)[None, :]
    angle = uniform(generator, 0, math.pi, count, 1, 1)
    stretch = uniform(generator, 1, 1.7, count, 1, 1)
    along, across = fx * angle.cos() + fy * angle.sin(), fy * angle.cos() - fx * angle.sin()
    frequency = (along.pow(2) * stretch + across.pow(2) / stretch).sqrt()
    slope = uniform(generator, 0.3, 1.8, count, 1, 1)
    cut = uniform(generator, 0.05, 0.3, count, 1, 1)
    low = uniform(generator, 0.0, 0.04, count, 1, 1)
    gain = frequency.clamp_min(1 / size).pow(-slope) * torch.exp(-(frequency / cut).pow(2))
    gain = gain * (1 - torch.exp(-(frequency / low.clamp_min(1 / size)).pow(2)))
    white = torch.fft.rfft2(torch.randn(count, 3, size, size, generator=generator))
    return torch.fft.irfft2(white * gain[:, None], s=(size, size))


def _plaids(count: int, size: int, generator: torch.Generator) -> Textures:
    """Sum or multiply gratings of at least two orientations: one alone would not tell its direction."""
    place = torch.arange(size, dtype=torch.float32)
    first = uniform(generator, 0, math.pi, count, 1)
    angle = first + torch.tensor([0.0, math.pi / 2, 0.8]) + uniform(generator, -0.25, 0.25, count, 3)
    number = 2 * math.pi / torch.exp(uniform(generator, math.log(9), math.log(36), count, 3))
    phase = uniform(generator, 0, 2 * math.pi, count, 3, 1, 1)
    number_x, number_y = (part[..., None, None] for part in (number * angle.cos(), number * angle.sin()))
    waves = torch.sin(number_x * place + number_y * place[:, None] + phase)
    checker = waves[:, :1] * waves[:, 1:2]
    hardness = uniform(generator, 0.5, 5, count, 1, 1, 1)
    kind = uniform(generator, 0, 1, count, 1, 1, 1)
    weights = torch.randn(count, 3, 3, generator=generator)
    weights[:, :, :2] = weights[:, :, :2].sign() * weights[:, :, :2].abs().clamp_min(0.5)
    summed = torch.einsum("bcw,bwhx->bchx", weights, torch.tanh(hardness * waves))
    return torch.where(kind < 0.4, torch.tanh(hardness * checker).expand_as(summed), summed)


def _shapes(count: int, size: int, generator: torch.Generator, number: int = 18) -> Textures:
    """Paint discs, bars and convex polygons of random colours over one another."""
    place = torch.arange(size, dtype=torch.float32)
    textures = torch.randn(count, 3, 1, 1, generator=generator).expand(count, 3, size, size).clone()
    for _ in range(number):
        centre = uniform(generator, 0, size, count, 2, 1, 1)
        x, y = place - centre[:, 0], place[:, None] - centre[:, 1]
        angle = uniform(generator, 0, 2 * math.pi, count, 1, 1)
        radius = uniform(generator, 3, size / 6, count, 1, 1)
        sides = torch.randint(3, 7, (count, 1, 1), generator=generator)
        along, across = x * angle.cos() + y * angle.sin(), y * angle.cos() - x * angle.sin()
        width = uniform(generator, 0.15, 1, count, 1, 1)
        bar = torch.maximum(along.abs() / 2, across.abs() / width)
        turn = 2 * math.pi / sides
        bearing = torch.atan2(across, along)
        length = (x.pow(2) + y.pow(2)).sqrt()
        polygon = length * torch.cos(bearing - turn * torch.round(bearing / turn))
        kind = torch.randint(3, (count, 1, 1), generator=generator)
        distance = torch.where(kind == 0, length, torch.where(kind == 1, bar, polygon)) - radius
        softness = uniform(generator, 0.5, 1.5, count, 1, 1)
        cover = torch.sigmoid(-2 * distance / softness)[:, None]
        colour = torch.randn(count, 3, 1, 1, generator=generator)
        textures = textures + cover * (colour - textures)
    return textures


@lru_cache(maxsize=2)
def _half_photographs(split: Split) -> tuple[Float[Tensor, "3 height width"], ...]:
    try:
        from sklearn.datasets import load_sample_image
    except ImportError as missing:
        raise SettingInvalid(
            "textures from photographs need scikit-learn, which is missing; pip install 'kinetoscope[train]'"
        ) from missing
    halves = []
    for name in ("china.jpg", "flower.jpg"):
        image = torch.tensor(load_sample_image(name)).permute(2, 0, 1) / 255
        middle = image.shape[2] // 2
        halves.append(image[:, :, :middle] if split == "train" else image[:, :, middle:])
    return tuple(halves)


def _photographs(count: int, size: int, generator: torch.Generator, split: Split) -> Textures:
    """Cut squares from the split's halves, between half and the whole of their width, maybe mirrored."""
    halves = _half_photographs(split)
    crops = []
    for _ in range(count):
        which, flip = torch.randint(2, (2,), generator=generator).tolist()
        image = halves[which]
        height, width = image.shape[1:]
        side = int(uniform(generator, 0.45, 1, 1).item() * min(height, width))
        top, left = (
            int(u * (n - side + 1))
            for u, n in zip(torch.rand(2, generator=generator).tolist(), (height, width), strict=True)
        )
        crop = image[None, :, top : top + side, left : left + side]
        crop = F.interpolate(crop, (size, size), mode="bilinear", align_corners=True, antialias=True)
        crops.append(crop.flip(3) if flip else crop)
    return _even_out(torch.cat(crops))


def _even_out(textures: Textures, reach: int = 12) -> Textures:
    """Divide by the local contrast: sky and blurred leaves would show no motion at all."""
    window = 2 * reach + 1

    def local_mean(values: Tensor) -> Tensor:
        padded = F.pad(values, (reach, reach, reach, reach), mode="replicate")
        return F.avg_pool2d(F.avg_pool2d(padded, (window, 1), stride=1), (1, window), stride=1)

    centred = textures - local_mean(textures)
    contrast = local_mean(centred.pow(2).mean(1, keepdim=True)).sqrt()
    return centred / (contrast + 0.02)
