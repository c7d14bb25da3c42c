"""Everything a unit leaves on disk: arrays, pictures, films and numbers, each file whole or not at all."""

import time
from pathlib import Path

import numpy as np

from ..errors import SettingInvalid
from ..files import UNIT_FILE, unit_directory, unwritable, write_bytes_atomically, write_json
from ..records import ARRAYS_FILE, write_arrays
from ..results import UnitResult
from .colour import DEFAULT_SCALE
from .figure import draw_summary
from .frames import (
    DEFAULT_FPS,
    encode_gif,
    encode_mp4,
    encode_png,
    motion_frames,
    motion_palette,
    to_frame,
    to_frames,
    view_factor,
)
from .stored import arrays_of, clip_of, record_of


def save_unit(
    result: UnitResult, directory: str | Path, *, scale: float = DEFAULT_SCALE, fps: float = DEFAULT_FPS
) -> Path:
    """Write a unit's files into `directory`/LAYER/UNIT; `unit.json` comes last and marks it as finished.

    Args:
        result: with `optimal` set, and `layer` and `unit` in its record.
        directory: the run's folder; missing folders are made.
        scale: speed shown at full brightness, pixels per frame; the same for every unit of a run.
        fps: playback, frames per second.

    Returns:
        The unit's folder.

    Raises:
        SettingInvalid: the result is of a given video, or its record does not name layer and unit.
        OutputUnwritable: a file cannot be written.
    """
    if result.optimal is None:
        raise SettingInvalid("this result has no optimal input; save a given video with save_decomposition")
    missing = [key for key in ("layer", "unit") if result.record.get(key) is None]
    if missing:
        raise SettingInvalid(
            f"the result's record lacks {' and '.join(missing)}; they name the unit's folder"
        )
    folder = unit_directory(directory, str(result.record["layer"]), result.record["unit"])
    return _write_set(result, folder, scale, fps)


def save_decomposition(
    result: UnitResult, directory: str | Path, *, scale: float = DEFAULT_SCALE, fps: float = DEFAULT_FPS
) -> Path:
    """Write a given video's files straight into `directory`: the set of `save_unit` without `optimal.*`.

    Raises:
        OutputUnwritable: a file cannot be written.
    """
    return _write_set(result, Path(directory), scale, fps)


def _write_set(result: UnitResult, folder: Path, scale: float, fps: float) -> Path:
    start = time.perf_counter()
    clip, parts = clip_of(result)[1], result.decomposition
    factor = view_factor(*clip.shape[2:])
    try:
        # While its files change, the folder must not look finished.
        (folder / UNIT_FILE).unlink(missing_ok=True)
    except OSError as error:
        raise unwritable(folder / UNIT_FILE, error) from error
    write_arrays(folder / ARRAYS_FILE, arrays_of(result))
    if result.optimal is not None:
        frames = to_frames(clip)
        write_bytes_atomically(folder / "optimal.mp4", encode_mp4(frames, fps=fps, factor=factor))
        write_bytes_atomically(folder / "optimal.gif", encode_gif(frames, fps=fps, factor=factor))
    write_bytes_atomically(folder / "static.png", encode_png(to_frame(parts.static_image)))
    if len(parts.textures) > 1:
        write_bytes_atomically(
            folder / "textures.png", encode_png(np.concatenate(to_frames(parts.textures), axis=1))
        )
    motion = motion_frames(parts.velocity, scale)
    write_bytes_atomically(folder / "motion.mp4", encode_mp4(motion, fps=fps))
    write_bytes_atomically(
        folder / "motion.gif", encode_gif(motion, fps=fps, hold_last=2, palette=motion_palette(motion))
    )
    frames = to_frames(parts.reconstruction)
    write_bytes_atomically(folder / "reconstruction.gif", encode_gif(frames, fps=fps, factor=factor))
    write_bytes_atomically(folder / "summary.png", draw_summary(result, record_of(result), scale))
    record = record_of(result, time.perf_counter() - start)
    record["render"] = {"motion_scale_px_per_frame": float(scale), "frames_per_second": float(fps)}
    write_json(folder / UNIT_FILE, record)
    return folder
