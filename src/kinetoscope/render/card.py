"""One unit as the templates print it, on the page of a run and in a notebook's cell."""

from collections.abc import Mapping, Sequence
from typing import Any

from .figure import SHARE_COLOURS
from .words import (
    MISSING,
    activation_rows,
    confidence_rows,
    direction_words,
    headline,
    index_rows,
    number,
    number_rows,
    share_rows,
    title_of,
)


def unit_card(record: Mapping[str, Any]) -> dict[str, Any]:
    """What a template prints of a unit, or of a given video, from its `unit.json`."""
    motion, decomposition = record["motion"], record["decomposition"]
    layer, unit, name = (record.get(key) for key in ("layer", "unit", "unit_name"))
    of_unit = layer is not None and unit is not None
    seconds = [value for value in record["seconds"].values() if number(value) != MISSING]
    return {
        "layer": layer if of_unit else "",
        "unit": unit,
        "name": str(name) if name not in (None, "") else f"unit {unit}" if of_unit else title_of(record),
        "named": of_unit and name not in (None, ""),
        "headline": headline(motion),
        "hue": _hue(motion),
        "rows": number_rows(motion, decomposition),
        "shares": [
            {"words": words, "percent": round(100 * share, 1), "colour": SHARE_COLOURS[key]}
            for key, words, share in share_rows(decomposition)
        ],
        "bars": _bars(activation_rows(record["activation"])),
        "truth": [
            *index_rows(record.get("indices") or {}),
            *confidence_rows(record.get("confidence")),
        ],
        "seconds": number(sum(seconds), "{:.1f}", "s") if seconds else "",
        "steps": record["steps"],
    }


def _bars(rows: Sequence[tuple[str, float | None]]) -> list[dict[str, Any]]:
    """Bars from a common zero line, in percent of the width, for values of either sign."""
    known = [value for _, value in rows if value is not None]
    low, high = min([0.0, *known]), max([0.0, *known])
    span = (high - low) or 1.0
    bars = []
    for words, value in rows:
        start = min(value or 0.0, 0.0)
        bars.append(
            {
                "words": words,
                "text": number(value, "{:.3g}"),
                "left": round(100 * (start - low) / span, 2),
                "width": round(100 * abs(value or 0.0) / span, 2),
            }
        )
    return bars


def _hue(motion: Mapping[str, Any]) -> int | None:
    """The wheel's hue for the unit's direction, degrees; None when it does not go anywhere."""
    return None if direction_words(motion) == MISSING else round(motion["direction_deg"]) % 360
