"""Films of any length, drawn and encoded frame by frame, and pictures made of captioned panels."""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from math import ceil
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image as PillowImage
from PIL import ImageDraw
from torch import Tensor

from ..files import write_bytes_atomically
from .colour import CHALK, FAINT, PAPER, font, printable
from .frames import DEFAULT_FPS, Picture, encode_gif, encode_mp4

Panel = tuple[str, Picture]
"""A caption and what it stands above."""

GIF_FRAMES, GIF_SIDE = 64, 720
"""A GIF shows at most so many frames of a film, and its longer side is at most so many pixels."""

_CAPTION, _GAP, _BAR = 18, 8, 34


def heat_scale(map_: Float[Tensor, "..."]) -> float:
    """The value shown at full colour: 99.5 % of all places lie below it, so that one speck does not rule."""
    values = map_.abs().flatten()
    return float(values.kthvalue(max(1, round(0.995 * len(values)))).values) or float(values.max()) or 1.0


def signed_rgb(values: Float[Tensor, "rows columns"], scale: float) -> Picture:
    """Colours for signed numbers: blue below zero, white at zero, red above; full colour at +-`scale`."""
    levels = (torch.nan_to_num(values.float()) / (scale or 1.0)).clamp(-1.0, 1.0)
    return _signed_table()[((levels + 1.0) * 127.5).round().to(torch.uint8).numpy()]


@lru_cache(maxsize=1)
def _signed_table() -> UInt8[np.ndarray, "256 3"]:
    import matplotlib

    # 255 is odd, so that zero falls between two entries of 256; both are white here
    table = (matplotlib.colormaps["RdBu_r"](np.linspace(0.0, 1.0, 255))[:, :3] * 255).round()
    return np.insert(table, 128, table[127], axis=0).astype(np.uint8)


def resized(picture: Picture, height: int, width: int, *, smooth: bool = True) -> Picture:
    """A picture at another size; not smooth: nearest neighbour."""
    how = PillowImage.Resampling.BILINEAR if smooth else PillowImage.Resampling.NEAREST
    return np.asarray(PillowImage.fromarray(picture).resize((width, height), how))


def draw_panels(panels: Sequence[Panel], columns: int, *, bar: str = "", scale: float = 0.0) -> Picture:
    """Panels of one size in rows of `columns`, each below its caption.

    Args:
        panels: captions and pictures, all pictures of one size.
        columns: panels in a row.
        bar: words below; "" for none.
        scale: draw the colour bar of `signed_rgb` with its ends in numbers; 0: none.
    """
    height, width = panels[0][1].shape[:2]
    rows = ceil(len(panels) / columns)
    size = (
        columns * (width + _GAP) + _GAP,
        rows * (height + _CAPTION + _GAP) + _GAP + (_BAR if bar or scale else 0),
    )
    page = PillowImage.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(page)
    for index, (caption, picture) in enumerate(panels):
        x = _GAP + index % columns * (width + _GAP)
        y = _GAP + index // columns * (height + _CAPTION + _GAP)
        draw.text((x, y + _CAPTION - 5), _fitted(caption, width), CHALK, font(12), anchor="ls")
        page.paste(PillowImage.fromarray(picture), (x, y + _CAPTION))
    if bar or scale:
        _draw_bar(page, draw, bar, scale)
    return np.asarray(page)


def _draw_bar(page: PillowImage.Image, draw: ImageDraw.ImageDraw, words: str, scale: float) -> None:
    middle, x = page.height - _BAR // 2 - _GAP // 2, _GAP
    if scale:
        left, right = f"\N{MINUS SIGN}{scale:.3g}", f"+{scale:.3g}"
        draw.text((x, middle), left, CHALK, font(12), anchor="lm")
        x += int(draw.textlength(left, font(12))) + 6
        x = draw_ramp(page, draw, x, middle, right)
        x += int(draw.textlength(right, font(12))) + 14
    draw.text((x, middle), _fitted(words, page.width - x - _GAP), FAINT, font(12), anchor="lm")


def draw_ramp(page: PillowImage.Image, draw: ImageDraw.ImageDraw, x: int, middle: int, largest: str) -> int:
    """The colours of `signed_rgb`, the largest value in words behind them; returns where these begin."""
    ramp = torch.linspace(-1.0, 1.0, 120).expand(12, -1)
    page.paste(PillowImage.fromarray(signed_rgb(ramp, 1.0)), (x, middle - 6))
    draw.text((x + 126, middle), largest, CHALK, font(12), anchor="lm")
    return x + 126


def size_within(picture: Picture, side: int) -> tuple[int, int]:
    """Height and width, whole pixels, of a picture whose longer side becomes `side`."""
    height, width = picture.shape[:2]
    factor = side / max(height, width)
    return max(1, round(height * factor)), max(1, round(width * factor))


def _fitted(words: str, width: int) -> str:
    """As much of a line as fits, with an ellipsis where it was cut; what cannot be drawn becomes a space."""
    words = printable(words)
    if font(12).getlength(words) <= width:
        return words
    while words and font(12).getlength(words + "…") > width:
        words = words[:-1]
    return words + "…"


def save_animation(
    folder: Path, name: str, pictures: Iterable[Picture], count: int, *, fps: float = DEFAULT_FPS
) -> None:
    """Write NAME.mp4, and NAME.gif with every n-th picture at the same tempo.

    Args:
        pictures: of one size; drawn as they are asked for.
        count: how many there are.
        fps: of the film.

    Raises:
        OutputUnwritable: a file cannot be written.
    """
    every = ceil(count / GIF_FRAMES)
    kept: list[Picture] = []

    def passing() -> Iterator[Picture]:
        for t, picture in enumerate(pictures):
            if t % every == 0:
                kept.append(_shrunk(picture))
            yield picture

    write_bytes_atomically(folder / f"{name}.mp4", encode_mp4(passing(), fps=fps))
    write_bytes_atomically(
        folder / f"{name}.gif", encode_gif(np.stack(kept), fps=fps / every, palette=_palette(kept))
    )


def _palette(pictures: Sequence[Picture]) -> PillowImage.Image:
    """One palette for a whole GIF, a quarter of it colours of `signed_rgb` as they are: zero stays white."""
    size = (64, 64)
    thumbs = [
        np.asarray(PillowImage.fromarray(picture).resize(size, PillowImage.Resampling.NEAREST))
        for picture in pictures
    ]
    shown = PillowImage.fromarray(np.concatenate(thumbs))
    rest = shown.quantize(192, method=PillowImage.Quantize.MEDIANCUT).getpalette() or []
    palette = PillowImage.new("P", (1, 1))
    palette.putpalette([*_signed_table()[::4].flatten().tolist(), *rest[: 3 * 192]])
    return palette


def _shrunk(picture: Picture) -> Picture:
    if max(picture.shape[:2]) <= GIF_SIDE:
        return picture
    height, width = size_within(picture, GIF_SIDE)
    return np.asarray(PillowImage.fromarray(picture).resize((width, height), PillowImage.Resampling.LANCZOS))
