"""Do pictures agree with what was measured, layer by layer? Tables of the agreement."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..render.words import MISSING, number

LayerRows = Mapping[str, Any]
"""One layer: `layer`, `agreement` and `units`, as in its `tuning.json`."""

COLUMNS = (
    ("units", "units", "{:d}"),
    ("median error, deg", "median_error_deg", "{:.1f}"),
    ("within 45 deg", "within_45_deg", "{:.2f}"),
    ("circular correlation", "circular_correlation", "{:.2f}"),
    ("speed correlation", "speed_correlation", "{:.2f}"),
    ("shown still", "shown_still", "{:d}"),
    ("without preference", "without_preference", "{:d}"),
)


def tuning_report(layers: Sequence[LayerRows], title: str, facts: Mapping[str, Any]) -> str:
    """The report of `evaluate tuning`.

    Args:
        layers: from shallow to deep.
        title: of the page.
        facts: settings and versions; printed.
    """
    known = ", ".join(f"{name} {value}" for name, value in facts.items() if value is not None)
    parts = [f"# {title}", f"{known}.\nDefinitions: `docs/tuning.md`."]
    for name, words in (("texture", "By each unit's own texture"), ("gratings", "By drifting gratings")):
        parts += [f"## {words}", _table(layers, name)]
    parts += ["## Units more than 45 degrees off", _outside(layers), "## Beaten optima", _beaten(layers)]
    return "\n\n".join(parts) + "\n"


def _table(layers: Sequence[LayerRows], name: str) -> str:
    lines = [
        "| layer | " + " | ".join(head for head, _, _ in COLUMNS) + " |",
        "|---" * (len(COLUMNS) + 1) + "|",
    ]
    for layer in layers:
        values = [number(layer["agreement"][name][key], pattern) for _, key, pattern in COLUMNS]
        lines.append(f"| {layer['layer']} | {' | '.join(values)} |")
    return "\n".join(lines)


def _outside(layers: Sequence[LayerRows]) -> str:
    lines = ["| layer | unit | shown | by texture (dsi) | by gratings (dsi) |", "|---" * 5 + "|"]
    for layer in layers:
        off = {*layer["agreement"]["texture"]["outside"], *layer["agreement"]["gratings"]["outside"]}
        for row in layer["units"]:
            if row["unit"] in off:
                shown = f"{row['shown']['label']}, {_degrees(row['shown']['direction_deg'])}"
                measured = (
                    f"{_degrees(part['preferred_direction_deg'])} ({number(part['dsi'])})"
                    for part in (row["texture"], row)
                )
                lines.append(f"| {layer['layer']} | {row['unit']} | {shown} | {' | '.join(measured)} |")
    return "\n".join(lines) if len(lines) > 2 else "None."


def _beaten(layers: Sequence[LayerRows]) -> str:
    lines = ["| layer | unit | optimal input | best stimulus |", "|---" * 4 + "|"]
    for layer in layers:
        for row in layer["units"]:
            if row.get("beaten_by"):
                answers = number(row["optimum_response"], "{:.3g}"), number(row["best_response"], "{:.3g}")
                lines.append(
                    f"| {layer['layer']} | {row['unit']} | {answers[0]} | {answers[1]}, {row['beaten_by']} |"
                )
    return "\n".join(lines) if len(lines) > 2 else "None."


def _degrees(value: float | None) -> str:
    return MISSING if value is None else number(value, "{:.0f}")
