"""The clips that excite a unit, playing side by side, with its optimal input first."""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float
from torch import Tensor

from .animation import Panel, Picture, draw_panels, resized, size_within
from .colour import PAPER
from .frames import to_frames

_CELL = 224


def hit_pictures(clips: Sequence[tuple[str, Float[Tensor, "_ _ _ _"]]], words: str = "") -> Iterator[Picture]:
    """One picture a frame; shorter clips begin again.

    Args:
        clips: captions, and clips (T, C, H, W) in [0, 1] of any size.
        words: printed below.
    """
    frames = [to_frames(clip) for _, clip in clips]
    columns = min(5, len(clips))
    for t in range(max(map(len, frames))):
        panels: list[Panel] = [
            (caption, in_cell(pictures[t % len(pictures)]))
            for (caption, _), pictures in zip(clips, frames, strict=True)
        ]
        yield draw_panels(panels, columns, bar=words)


def in_cell(picture: Picture) -> Picture:
    """A picture as large as it fits into a square cell; small ones in whole pixels."""
    longest = max(picture.shape[:2])
    size = size_within(picture, _CELL if longest > _CELL else _CELL // longest * longest)
    cell = np.full((_CELL, _CELL, 3), PAPER, np.uint8)
    top, left = (_CELL - size[0]) // 2, (_CELL - size[1]) // 2
    cell[top : top + size[0], left : left + size[1]] = resized(picture, *size, smooth=longest > _CELL)
    return cell
