"""What is stored of a unit beside its pictures, numbers and arrays; nothing here loads what draws figures."""

import sys
from typing import Any

import torch
from torch import Tensor

from ..files import UNIT_FILE, plain
from ..records import SCHEMA
from ..results import UnitResult
from ..types import Video
from .colour import DEFAULT_SCALE
from .frames import as_rgb, colour_words

_MOTION_KEYS = (
    "direction_deg",
    "speed_px_per_frame",
    "mean_speed_px_per_frame",
    "coherence",
    "divergence_per_frame",
    "rotation_per_frame",
    "label",
)


def arrays_of(result: UnitResult) -> dict[str, Tensor]:
    """What `arrays.safetensors` holds; grey is repeated, flows are in pixels (per frame)."""
    name, clip = clip_of(result)
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


def clip_of(result: UnitResult) -> tuple[str, Video]:
    """The clip that a result is of, and its name among the arrays."""
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
