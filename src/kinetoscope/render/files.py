"""Everything a unit leaves on disk: arrays, pictures, films and numbers, each file whole or not at all."""

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import SettingInvalid
from ..files import UNIT_FILE, plain, unit_directory, unwritable, write_bytes_atomically, write_json
from ..records import ARRAYS_FILE, SCHEMA, write_arrays
from ..results import UnitResult
from ..types import Video
from .colour import DEFAULT_SCALE
from .figure import draw_summary
from .frames import (
    DEFAULT_FPS,
    as_rgb,
    colour_words,
    encode_gif,
    encode_mp4,
    encode_png,
    motion_frames,
    motion_palette,
    to_frame,
    to_frames,
    view_factor,
)

_MOTION_KEYS = (
    "direction_deg",
    "speed_px_per_frame",
    "mean_speed_px_per_frame",
    "coherence",
    "divergence_per_frame",
    "rotation_per_frame",
    "label",
)


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


def arrays_of(result: UnitResult) -> dict[str, Tensor]:
    """What `arrays.safetensors` holds; grey is repeated, flows are in pixels (per frame)."""
    name, clip = _clip(result)
    parts, optimal = result.decomposition, result.optimal
    beside = {} if optimal is None or optimal.alpha is None else {"alpha": optimal.alpha}
    if optimal is not None and optimal.given is not None:
        beside["given_clip"] = _stored(optimal.given)
    return {
        name: _stored(clip),
        "static_image": _stored(parts.static_image[None])[0],
        "displacement": parts.displacement,
        "velocity": parts.velocity,
        "coherent_velocity": parts.coherent_velocity,
        "reconstruction": _stored(parts.reconstruction),
        "textures": _stored(parts.textures),
        "texture_times": torch.tensor(parts.texture_times),
        "light_gain": parts.light_gain,
        "light_offset": _stored(parts.light_offset),
        "covered": parts.covered,
        "entered": parts.entered,
        **beside,
    }


def _stored(video: Video) -> Tensor:
    return as_rgb(video) if video.shape[1] == 1 else video


def record_of(result: UnitResult, render_seconds: float | None = None) -> dict[str, Any]:
    """What `unit.json` holds, as plain JSON: the result's record and everything measured."""
    parts, optimal, given = result.decomposition, result.optimal, result.record
    measured = {
        "activation": dict(result.activation),
        "indices": dict(result.indices),
        "confidence": result.confidence,
        "decomposition": {
            "psnr_db": parts.psnr_db,
            "single_texture_psnr_db": parts.single_psnr_db,
            "static_psnr_db": parts.static_psnr_db,
            "displacement_tv": parts.displacement_tv,
            "variance_explained": parts.variance_explained,
            "change_share": parts.change_share,
            "carried": parts.carried,
            "texture_lifetime_frames": parts.texture_lifetime_frames,
        },
        "motion": {key: getattr(result.motion, key) for key in _MOTION_KEYS},
        "history": None if optimal is None else optimal.history,
        "steps": given.get("steps", optimal.steps if optimal else None),
        "seconds": {
            "optimize": optimal.seconds if optimal else None,
            "decompose": parts.seconds,
            **(given.get("seconds") or {}),
            "render": render_seconds,
        },
        "channels": result.video.shape[1],
        "colours": colour_words(result.video.shape[1]),
        "peak_memory_mb": given.get("peak_memory_mb", peak_memory_mb()),
    }
    defaults = {"settings": {"decompose": parts.settings}}
    return plain({"schema": SCHEMA, **defaults, **given, **measured}, UNIT_FILE)


def scale_of(result: UnitResult) -> float:
    """Speed at full brightness in a result's pictures, pixels per frame: that of the run, if it was saved."""
    render = result.record.get("render")
    return render["motion_scale_px_per_frame"] if isinstance(render, dict) else DEFAULT_SCALE


def _write_set(result: UnitResult, folder: Path, scale: float, fps: float) -> Path:
    start = time.perf_counter()
    clip, parts = _clip(result)[1], result.decomposition
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


def _clip(result: UnitResult) -> tuple[str, Video]:
    if result.optimal is not None:
        return "optimal_video", result.optimal.video
    return "video", result.video


def peak_memory_mb() -> float | None:
    """The process's largest resident size so far, MB; None where the system does not say."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 1024)
