"""The numbers of a unit by which a person looks for it: what they are called, and their units."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Field:
    """A number as a person reads it.

    Attributes:
        key: as in `units.csv`.
        title, unit: in words; "" where it has no unit.
        digits: behind the point.
        range: what it can be at most, where that is known.
        about: a line that explains it.
    """

    key: str
    title: str
    unit: str = ""
    digits: int = 2
    range: tuple[float, float] | None = None
    about: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


SPEED, DIRECTION = "motion_speed_px_per_frame", "motion_direction_deg"
STEADINESS = "confidence_steadiness"

SHARE = (0.0, 1.0)

FIRST = (
    Field(SPEED, "speed", "px/frame", about="length of the mean velocity"),
    Field(DIRECTION, "direction", "°", 0, (0, 360), "of the mean velocity: 0 right, 90 up"),
    Field(
        "indices_motion_dependence", "motion dependence", range=SHARE,
        about="share of the response that is lost when the texture stands still",
    ),
    Field(
        "confidence_label_agreement", "agreement", range=SHARE,
        about="share of runs from other seeds that found the same motion word",
    ),
    Field(
        STEADINESS, "confidence", range=SHARE,
        about="how alike the runs' directions are, place by place: 1 less their circular variance",
    ),
    Field("activation_optimal", "response", "", 3, about="to the optimal input, in the layer's own scale"),
    Field(
        "indices_reconstruction_kept", "kept", about="share of the response that texture and motion keep",
    ),
    Field("indices_direction_index", "direction index", range=(-1, 1), about="forward against backward play"),
    Field(
        "indices_colour_dependence", "colour dependence", range=SHARE,
        about="share of the response that is lost without colour",
    ),
    Field("motion_mean_speed_px_per_frame", "mean speed", "px/frame", about="mean length of the velocity"),
    Field("motion_coherence", "coherence", range=SHARE, about="speed of the mean over mean speed"),
    Field("motion_divergence_per_frame", "divergence", "/frame", 3, about="positive is expansion"),
    Field("motion_rotation_per_frame", "rotation", "rad/frame", 3, about="positive is counter-clockwise"),
    Field("decomposition_variance_explained_coherent", "coherent motion", range=SHARE,
          about="share of change"),
    Field("decomposition_variance_explained_light", "light", range=SHARE, about="share of change"),
    Field("decomposition_variance_explained_jitter", "jitter", range=SHARE, about="share of change"),
    Field("decomposition_variance_explained_residual", "residual", range=SHARE, about="share of change"),
    Field("decomposition_psnr_db", "PSNR", "dB", 1, about="texture and motion against the optimal input"),
)  # fmt: skip
"""What the page opens with; all other numbers are read when one is asked for."""

_NOT_NUMBERS = {
    "schema", "settings", "versions", "files", "batch", "render", "seed", "channels", "unit", "history",
    "record_sha256",
}  # fmt: skip
_NOTHING = {"dead", "flat"}
_STILL = 0.05
"""Below this mean speed, pixels per frame, a direction says nothing."""


def numbers(record: Mapping[str, Any], tuning: Mapping[str, Any]) -> dict[str, float]:
    """Every number of a record, groups joined by `_`; those of tuning begin with `tuning_`."""
    flat = _flat({key: value for key, value in record.items() if key not in _NOT_NUMBERS}, "")
    flat.update(_flat(tuning, "tuning_"))
    motion = record["motion"]
    if motion.get("label") in _NOTHING:
        for key in [name for name in flat if name.startswith("motion_")]:
            flat.pop(key)
    elif not flat.get(SPEED, 0.0) >= _STILL:
        flat.pop(DIRECTION, None)
    spread = flat.get("confidence_field_circular_variance")
    if spread is not None:
        flat[STEADINESS] = 1.0 - spread
    return flat


def _flat(group: Mapping[str, Any], before: str) -> dict[str, float]:
    flat: dict[str, float] = {}
    for key, value in group.items():
        if isinstance(value, Mapping):
            flat.update(_flat(value, f"{before}{key}_"))
        elif isinstance(value, (int, float)) and math.isfinite(value):
            flat[f"{before}{key}"] = float(value)
    return flat


def known(key: str) -> Field:
    """The field of that key; a title is made for those that have none."""
    for field in FIRST:
        if field.key == key:
            return field
    words = key.replace("_", " ")
    for ending, unit in (("px per frame", "px/frame"), ("deg", "°"), (" db", "dB"), ("frames", "frames")):
        if words.endswith(ending):
            return Field(key, words.removesuffix(ending).strip() or words, unit)
    return Field(key, words, digits=3)
