"""A unit small: a strip of its frames, texture and motion, and two films, to be kept by the thousand."""

import numpy as np

from ..results import UnitResult
from .animation import resized
from .colour import flow_to_rgb
from .frames import DEFAULT_FPS, Frames, Picture, encode_mp4, encode_webp, pick, to_frame, to_frames

TILE, OPTIMAL, MOTION = "tile.webp", "optimal.mp4", "motion.mp4"

CELL = 96
"""Longer side of a cell of the strip, pixels."""

MOST_FRAMES = 32
"""Frames of the optimum in a strip at most, spread over the clip."""

FILM_SIDE = 96
"""Films of smaller clips are enlarged by a whole factor until their longer side reaches this, pixels."""

FILM_BYTES = 2**17
"""A film that takes more loses detail until it does not."""

_MOST_LOSS = 8


def draw_small(result: UnitResult, scale: float, fps: float = DEFAULT_FPS) -> dict[str, bytes]:
    """Strip and films of a unit, by file name.

    `tile.webp` is one row of cells: frames of the optimum, then the texture, then the coherent motion's mean
    over time as colour. Motion is shown without a legend.

    Args:
        scale: speed at full brightness, pixels per frame.
        fps: playback of the films, frames per second.
    """
    parts = result.decomposition
    frames, motion = to_frames(result.video), to_frames(flow_to_rgb(parts.velocity, scale))
    factor = max(1, -(-FILM_SIDE // max(frames.shape[1:3])))
    mean = parts.coherent_velocity.mean(dim=0, keepdim=True)
    shown = [frames[index] for index in pick(len(frames), MOST_FRAMES)]
    last = [to_frame(parts.static_image), to_frames(flow_to_rgb(mean, scale))[0]]
    return {
        TILE: encode_webp(np.concatenate([_cell(one) for one in [*shown, *last]], axis=1)[None], quality=75),
        OPTIMAL: _film(frames, factor, fps),
        MOTION: _film(motion, factor, fps),
    }


def _film(frames: Frames, factor: int, fps: float) -> bytes:
    for loss in range(_MOST_LOSS):
        film = encode_mp4(frames, fps=fps, factor=factor, loss=loss)
        if len(film) <= FILM_BYTES:
            break
    return film


def tile_layout(frames: int, height: int, width: int) -> dict[str, int]:
    """How `tile.webp` is laid out: how many of its cells are frames, and a cell's size in pixels."""
    rows, columns = _cell_size(height, width)
    return {"frames": len(pick(frames, MOST_FRAMES)), "cell_height": rows, "cell_width": columns}


def _cell_size(height: int, width: int) -> tuple[int, int]:
    shrink = CELL / max(height, width)
    return max(1, round(height * shrink)), max(1, round(width * shrink))


def _cell(picture: Picture) -> Picture:
    return resized(picture, *_cell_size(*picture.shape[:2]))
