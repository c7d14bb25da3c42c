"""What a texture looks like in forty numbers: grain by fineness and orientation, and colour. No torch."""

from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from ..processes import context, processors

Look = tuple[np.ndarray, np.ndarray]
"""Descriptor, (LENGTH,) float32, and the texture, (SPRITE, SPRITE, 3) bytes."""

SPRITE, SIDE = 40, 64
RINGS, TURNS = 5, 8
LENGTH = RINGS * TURNS + 6

_ALONE = 400
"""Fewer units than that are not worth other processes."""

_COLOUR = 1.5
"""How much colour counts beside grain."""


def describe_all(tasks: Sequence[tuple[Path, tuple[int, int, int]]]) -> list[Look | None]:
    """Look at the textures of many strips, each file once; None for those that cannot be read.

    Args:
        tasks: file, and its number of frames and a cell's height and width.
    """
    keys = [(_same(path), layout) for path, layout in tasks]
    once = dict(zip(keys, tasks, strict=True))
    count = processors()
    if len(once) < _ALONE or count == 1:
        looks: Iterable[Look | None] = map(describe, once.values())
    else:
        with ProcessPoolExecutor(count, mp_context=context(__name__)) as pool:
            looks = list(pool.map(describe, once.values(), chunksize=64))
    found = dict(zip(once, looks, strict=True))
    return [found[key] for key in keys]


def _same(path: Path) -> tuple[int, int] | Path:
    """The same for all names of one file."""
    try:
        facts = path.stat()
    except OSError:
        return path
    return (facts.st_dev, facts.st_ino) if facts.st_ino else path


def describe(task: tuple[Path, tuple[int, int, int]]) -> Look | None:
    """Look at the texture of one strip."""
    path, (frames, height, width) = task
    try:
        with Image.open(path, formats=("WEBP",)) as strip:
            if strip.size != (width * (frames + 2), height):
                return None
            cell = strip.convert("RGB").crop((width * frames, 0, width * (frames + 1), height))
    except (OSError, ValueError, Image.DecompressionBombError):
        return None
    texture = np.asarray(cell.resize((SIDE, SIDE), Image.Resampling.BILINEAR), np.float32) / 255.0
    sprite = np.asarray(cell.resize((SPRITE, SPRITE), Image.Resampling.BOX), np.uint8)
    return descriptor(texture), sprite


def descriptor(texture: np.ndarray) -> np.ndarray:
    """Grain and colour of a texture, wherever in the frame its parts lie.

    Args:
        texture: (SIDE, SIDE, 3) in [0, 1].

    Returns:
        (LENGTH,): roots of the shares that rings of frequency and sectors of orientation have in the power
        of the light, so that their squares sum to 1 (or 0 for a plain one); then means and deviations of
        light, red against green, and blue against yellow.
    """
    light = texture.mean(axis=2)
    window, bins = _bins()
    power = np.abs(np.fft.fft2((light - light.mean()) * window)) ** 2
    shares = np.bincount(bins.ravel(), weights=power.ravel(), minlength=RINGS * TURNS + 1)[1:]
    total = shares.sum()
    grain = np.sqrt(shares / total) if total > 1e-6 else np.zeros_like(shares)
    red, green, blue = texture[..., 0], texture[..., 1], texture[..., 2]
    axes = (light, red - green, blue - (red + green) / 2)
    colour = [value for axis in axes for value in (axis.mean(), axis.std())]
    return np.concatenate([grain, _COLOUR * np.asarray(colour)]).astype(np.float32)


@lru_cache(maxsize=1)
def _bins() -> tuple[np.ndarray, np.ndarray]:
    """A window that fades to the borders, and the bin of each frequency, from 1; 0 is left out."""
    fade = np.hanning(SIDE)
    cycles = np.fft.fftfreq(SIDE, 1 / SIDE)
    y, x = np.broadcast_arrays(cycles[:, None], cycles)
    radius = np.hypot(x, y)
    ring = np.clip(np.floor(np.log2(np.maximum(radius, 1.0))), 0, RINGS - 1).astype(int)
    turn = np.floor(np.mod(np.arctan2(y, x), np.pi) / np.pi * TURNS + 0.5).astype(int) % TURNS
    bins = 1 + ring * TURNS + turn
    bins[(radius < 1) | (radius > SIDE // 2)] = 0
    return np.outer(fade, fade), bins
