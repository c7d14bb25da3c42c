"""A unit's numbers as words a person reads, the same in the figure and on the page."""

from collections.abc import Mapping
from typing import Any

from ..errors import one_line
from ..results import DEAD, FLAT, UNDIRECTED_SPEED, Decomposition, UnitResult
from ..types import MOTION_LABELS

ARROWS = "→↗↑↖←↙↓↘"
MISSING = "\N{EN DASH}"

ACTIVATION_WORDS = {
    "optimal": "optimal input",
    "reconstruction": "reconstruction",
    "static_only": "still texture",
    "flat_colour": "mean colour",
    "reversed": "played backwards",
    "shuffled": "frames shuffled",
    "slowed": "half speed",
    "sped_up": "double speed",
    "random_input": "random input",
}
NOTHING_WORDS = {
    DEAD: "dead: no clip changes the response",
    FLAT: "flat: noise or a colour does as well",
}
SHARE_WORDS = {
    "coherent": "coherent motion",
    "light": "light",
    "jitter": "jitter",
    "residual": "residual",
}
FILM_WORDS = {
    "flicker": "flicker: light changes",
    "jitter": "jitter: trembling",
    "unexplained": "unexplained by motion or light",
}
"""Labels of films in which something other than coherent motion leads."""


def compass(direction_deg: float) -> int:
    """Which of the eight directions, 45 degrees apart from 0 = right, is nearest."""
    return round(direction_deg / 45.0) % 8


def number(value: Any, pattern: str = "{:.2f}", unit: str = "") -> str:
    """A number with its unit, or a dash for one that is not known."""
    if not isinstance(value, (int, float)) or isinstance(value, bool) or value != value:
        return MISSING
    text = pattern.format(value).replace("-", "\N{MINUS SIGN}")
    return f"{text} {unit}".rstrip()


def direction_words(motion: Mapping[str, Any]) -> str:
    """Degrees, arrow and word; a dash when nothing moves or motion has no common direction to speak of."""
    direction, speed = motion.get("direction_deg"), motion.get("speed_px_per_frame")
    if direction is None or speed is None or speed < UNDIRECTED_SPEED or motion.get("label") in NOTHING_WORDS:
        return MISSING
    index = compass(direction)
    return f"{direction:.0f}° {ARROWS[index]} {MOTION_LABELS[index]}"


def headline(motion: Mapping[str, Any]) -> str:
    """The motion in a few words: what it is and how fast."""
    label = motion.get("label") or "unknown"
    if label in MOTION_LABELS[:8]:
        arrow = ARROWS[MOTION_LABELS.index(label)]
        return f"{label} {arrow} {number(motion.get('speed_px_per_frame'), unit='px/frame')}"
    if label in ("expansion", "contraction"):
        return f"{label} {number(motion.get('divergence_per_frame'), '{:+.3f}', '/frame')}"
    if label in ("counter-clockwise", "clockwise"):
        return f"{label} {number(motion.get('rotation_per_frame'), '{:+.3f}', 'rad/frame')}"
    return {**NOTHING_WORDS, **FILM_WORDS}.get(label, str(label))


def decibels(value: Any) -> str:
    """A signal-to-noise ratio; infinite (null in a record) means that nothing differs."""
    if value is None or value == float("inf"):
        return "exact"
    return number(value, "{:.1f}", "dB")


def number_rows(motion: Mapping[str, Any], decomposition: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Name and value, with units, of everything measured about the motion and the fit.

    The motion of a unit that shows nothing is noise, and gets dashes.
    """
    if motion.get("label") in NOTHING_WORDS:
        motion = {}
    return [
        ("direction", direction_words(motion)),
        ("speed of mean", number(motion.get("speed_px_per_frame"), unit="px/frame")),
        ("mean speed", number(motion.get("mean_speed_px_per_frame"), unit="px/frame")),
        ("coherence", number(motion.get("coherence"))),
        ("divergence", number(motion.get("divergence_per_frame"), "{:+.3f}", "/frame")),
        ("rotation (ccw +)", number(motion.get("rotation_per_frame"), "{:+.3f}", "rad/frame")),
        ("PSNR, reconstruction", decibels(decomposition.get("psnr_db"))),
        ("PSNR, texture at t = 0", decibels(decomposition.get("static_psnr_db"))),
        ("carried between frames", number(decomposition.get("carried"))),
        ("texture lasts", number(decomposition.get("texture_lifetime_frames"), "{:.1f}", "frames")),
        ("roughness (TV of D)", number(decomposition.get("displacement_tv"), "{:.4f}")),
    ]


def activation_rows(activation: Mapping[str, Any]) -> list[tuple[str, float | None]]:
    """Name and value of the unit's responses in a fixed order; None where one is not known."""
    rows = []
    for key, words in ACTIVATION_WORDS.items():
        if key in activation:
            value = activation[key]
            rows.append((words, float(value) if number(value) != MISSING else None))
    return rows


def index_rows(indices: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Name and value of what is derived from the responses; nothing for a given video."""
    if not indices:
        return []
    return [
        ("kept by reconstruction", number(indices.get("reconstruction_kept"))),
        ("motion dependence", number(indices.get("motion_dependence"))),
        ("direction index", number(indices.get("direction_index"), "{:+.2f}")),
        ("colour dependence", number(indices.get("colour_dependence"))),
    ]


def confidence_rows(confidence: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """Name and value of the agreement across seeds; nothing where one seed was asked for."""
    if not confidence:
        return []
    seeds = len(confidence.get("seeds") or ())
    same = number(confidence.get("label_agreement"))
    if same != MISSING:
        same = f"{round(confidence['label_agreement'] * seeds)} of {seeds} seeds"
    return [
        ("same motion", same),
        ("variance of direction", number(confidence.get("circular_variance"))),
        ("variance of field", number(confidence.get("field_circular_variance"))),
        ("speed spread", number(confidence.get("speed_spread_px_per_frame"), unit="px/frame")),
    ]


def share_rows(decomposition: Mapping[str, Any]) -> list[tuple[str, str, float]]:
    """Key, name and share in [0, 1] of the video's temporal variance, in a fixed order."""
    shares = decomposition.get("variance_explained") or {}
    return [
        (key, words, min(max(float(shares[key]), 0.0), 1.0))
        for key, words in SHARE_WORDS.items()
        if number(shares.get(key)) != MISSING
    ]


def title_of(record: Mapping[str, Any]) -> str:
    """MODEL / LAYER / unit N (name), or what was asked of the layer; or the name of the given video."""
    asked = record.get("asked")
    if record.get("layer") is None or (record.get("unit") is None and asked is None):
        return f"Decomposition of {record.get('video') or 'a given video'}"
    name = f" ({record['unit_name']})" if record.get("unit_name") not in (None, "") else ""
    model = record.get("model") or record.get("network")
    parts = [str(model)] if model else []
    what = str(asked) if asked is not None else f"unit {record['unit']}{name}"
    return " / ".join([*parts, str(record["layer"]) or "(whole model)", what])


def brief_rows(result: UnitResult) -> list[tuple[str, str]]:
    """Name and value of the five numbers to look at first; of a given video, which drives no unit, four."""
    parts, indices = result.decomposition, result.indices
    driven = [
        ("response", number(result.activation.get("optimal"), "{:.3g}")),
        ("kept", number(indices.get("reconstruction_kept"))),
        ("motion dependence", number(indices.get("motion_dependence"))),
    ]
    given = [
        ("speed", number(result.motion.speed_px_per_frame, unit="px/frame")),
        ("carried", number(parts.carried)),
    ]
    return [
        *(driven if result.optimal is not None else given),
        ("coherent", number(parts.variance_explained.get("coherent"))),
        ("PSNR", decibels(parts.psnr_db)),
    ]


def result_words(result: UnitResult) -> str:
    """A result on one line: model, layer, unit, label, and the numbers to look at first."""
    title = one_line(title_of(result.record))
    title = title if len(title) <= 80 else title[:79] + "…"
    numbers = ", ".join(f"{name} {value}" for name, value in brief_rows(result))
    return f"{title}: {result.motion.label}; {numbers}"


def decomposition_words(parts: Decomposition) -> str:
    """A decomposition on one line: its size, its shares, its fit."""
    frames, _, height, width = parts.reconstruction.shape
    shares = ", ".join(f"{name} {number(share)}" for name, share in parts.variance_explained.items())
    return f"{frames} frames of {width} x {height} px: {shares}, PSNR {decibels(parts.psnr_db)}"
