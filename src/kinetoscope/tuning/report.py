"""The numbers of a unit as a row of `tuning.json` and of `tuning.csv`."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from .classes import Rivals
from .curves import DirectionTuning, difference_deg
from .found import UnitTuning

UNCLASSED = "unclassed"


def vivit_deg(direction_deg: float | None) -> float | None:
    """A direction as ViV1T counts them: 0 leftward, 90 downward."""
    return None if direction_deg is None else (direction_deg + 180) % 360


def class_of(rivals: Rivals | None, first: str, second: str) -> str | None:
    """The winner's name."""
    return None if rivals is None else (UNCLASSED, first, second)[rivals.winner]


def unit_row(tuning: UnitTuning) -> dict[str, Any]:
    """What `tuning.json` says of one unit; keys as in docs/tuning.md."""
    gratings, best = tuning.gratings, tuning.best[tuning.best_kind]
    speed, wavelength = tuning.preferred_speed_px_per_frame, tuning.preferred_wavelength_px
    return {
        "unit": tuning.unit,
        "unit_name": tuning.unit_name,
        "preferred_direction_deg": gratings.direction_deg,
        "preferred_direction_vivit_deg": vivit_deg(gratings.direction_deg),
        "preferred_speed_px_per_frame": speed,
        "preferred_wavelength_px": wavelength,
        "preferred_temporal_frequency_per_frame": None
        if speed is None or not wavelength
        else speed / wavelength,
        **_curve(gratings),
        "dsi_with_grey": tuning.dsi_with_grey,
        "moving_grating": tuning.optimum,
        "response_to_grey": tuning.response_to_grey,
        "best_response": best[0],
        "best_stimulus": best[1],
        "best_contrast": best[2],
        "f1_f0": tuning.f1_f0,
        "speed_tuning": _rivals(tuning.speed, "speed", "temporal_frequency"),
        "plaids": _rivals(tuning.plaid, "pattern", "component"),
        "contrast_half": tuning.contrast_half,
        "flash_latency_frames": tuning.flash_latency_frames,
        "noise": {"preferred_direction_deg": tuning.noise.direction_deg, **_curve(tuning.noise)},
        "receptive_field": tuning.field,
        "responses": _responses(tuning),
        "natural_response": tuning.natural_response,
        **(_compared(tuning) if tuning.shown is not None else {}),
    }


def _curve(curve: DirectionTuning) -> dict[str, Any]:
    return {
        "dsi": curve.dsi,
        "osi": curve.osi,
        "direction_index": curve.direction_index,
        "orientation_index": curve.orientation_index,
        "tuning_width_deg": curve.width_deg,
        "p": curve.p,
    }


def _rivals(rivals: Rivals | None, first: str, second: str) -> dict[str, Any] | None:
    if rivals is None:
        return None
    return {
        "class": class_of(rivals, first, second),
        f"{first}_partial": rivals.first,
        f"{second}_partial": rivals.second,
        f"{first}_z": rivals.z_first,
        f"{second}_z": rivals.z_second,
    }


def _responses(tuning: UnitTuning) -> dict[str, dict[str, Any]]:
    def share(value: float, whole: float | None) -> float | None:
        return value / whole if whole is not None and whole > 0 else None

    return {
        kind: {
            "response": value,
            "stimulus": name,
            "contrast": contrast,
            "of_optimum": share(value, tuning.optimum_response),
            "of_natural": share(value, tuning.natural_response),
        }
        for kind, (value, name, contrast) in tuning.best.items()
    }


def _compared(tuning: UnitTuning) -> dict[str, Any]:
    shown, texture = tuning.shown, tuning.texture
    assert shown is not None
    assert texture is not None

    def error(measured: float | None) -> float | None:
        if measured is None or shown.direction_deg is None:
            return None
        return difference_deg(shown.direction_deg, measured)

    return {
        "shown": shown,
        "texture": {
            "preferred_direction_deg": texture.direction.direction_deg,
            "preferred_speed_px_per_frame": texture.speed_px_per_frame,
            **_curve(texture.direction),
            "best_response": texture.best_response,
            "still_response": texture.still_response,
            "grey_response": texture.grey_response,
        },
        "error_deg": {
            "gratings": error(tuning.gratings.direction_deg),
            "texture": error(texture.direction.direction_deg),
        },
        "optimum_response": tuning.optimum_response,
        "beaten_by": tuning.beaten_by,
    }


def flattened(row: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """One level: groups become `group.key`, lists words."""
    flat: dict[str, Any] = {}
    for key, value in row.items():
        if isinstance(value, Mapping):
            flat |= flattened(value, f"{before}{key}.")
        else:
            flat[before + key] = " ".join(map(str, value)) if isinstance(value, list) else value
    return flat


def as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows of `tuning.json` as a table; what a unit lacks is empty."""
    flat = [flattened(row) for row in rows]
    columns = list(dict.fromkeys(key for row in flat for key in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return text.getvalue()
