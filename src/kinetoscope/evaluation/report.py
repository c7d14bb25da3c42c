"""Findings as Markdown tables: medians with their range, in the order of the cases."""

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

from ..render.words import MISSING
from ..tuning.agreement import rank_correlation
from .metrics import Spread, interval, spread

Row = Mapping[str, Any]
Column = tuple[str, Callable[[Row], float | None], str]
"""Head, value of a row, and how to print it."""


def planted_report(rows: Sequence[Row], settings: Mapping[str, Any], environment: Mapping[str, Any]) -> str:
    """The report of `evaluate planted`.

    Args:
        rows: as in `planted.json`.
        settings: `PlantedSettings`, plain.
        environment: versions and threads; printed.
    """
    parts = ["# What was planted, and what came back", _planted_notes(settings, environment)]
    for planted, title in (("clip", "Planted clips"), ("network", "Planted networks")):
        chosen = [row for row in rows if row["planted"] == planted]
        parts += [f"## {title}", _table(chosen, ("family", "formulation"), _PLANTED_COLUMNS)]
    parts += ["## Why fields per frame lose the motion", _why(rows)]
    return "\n\n".join(parts) + "\n"


def _error(name: str) -> Callable[[Row], float | None]:
    return lambda row: row["errors"][name]


def _share(name: str) -> Callable[[Row], float | None]:
    return lambda row: (row["variance_explained"] or {}).get(name)


_PLANTED_COLUMNS: tuple[Column, ...] = (
    ("end-point error, px/frame", _error("endpoint_px"), ".3f"),
    ("nine of ten below", _error("endpoint_p90_px"), ".2f"),
    ("angular error, deg", _error("angular_deg"), ".1f"),
    ("direction error, deg", _error("direction_deg"), ".1f"),
    ("speed ratio", _error("speed_ratio"), ".2f"),
    ("texture correlation", _error("texture_correlation"), ".2f"),
    ("coherent", _share("coherent"), ".2f"),
    ("light", _share("light"), ".2f"),
    ("jitter", _share("jitter"), ".2f"),
    ("residual", _share("residual"), ".2f"),
    ("true motion", lambda row: row["motion_share"], ".2f"),
    ("seconds", lambda row: row["seconds"]["decompose"], ".1f"),
)


def _planted_notes(settings: Mapping[str, Any], environment: Mapping[str, Any]) -> str:
    clip, network = ("x".join(map(str, settings[key])) for key in ("clip", "network_clip"))
    facts = ", ".join(f"{name} {value}" for name, value in environment.items())
    return f"""\
Clips of {clip}, networks' clips of {network} (frames x height x width), {settings["seeds"]} seed(s); {facts}.
Each cell: median [least, greatest] over all cases of the family and all seeds. A dash: the truth has no such
number (no drift, no speed, no texture). Definitions: `docs/evaluation.md`.

- **layered**: the default; velocities that accumulate, then light, then jitter.
- **fetch**: the default of version 0.1.0; velocities that accumulate, then free fields that fetch pixels.
- **paper**: the published formulation, {settings["paper_steps"]} steps (it states 2000).

- **dis**, **farneback**: flow programs of OpenCV, where it is installed; clips only.

Coherent, light, jitter and residual are the shares of temporal variance that each accounts for; *true
motion* is what the planted motion explains (the rest is flicker). Seconds are wall clock, of the
decomposition alone: upper bounds when the machine did other work beside."""


def _table(rows: Sequence[Row], keys: Sequence[str], columns: Sequence[Column]) -> str:
    """A line per combination of the keys' values that occurs, in the order of the rows."""
    heads = [*keys, "n", *(head for head, _, _ in columns)]
    lines = [heads, ["---"] * len(heads)]
    for group in dict.fromkeys(tuple(row[key] for key in keys) for row in rows):
        alike = [row for row in rows if tuple(row[key] for key in keys) == group]
        cells = [cell(spread([value(row) for row in alike]), form) for _, value, form in columns]
        lines.append([*group, str(len(alike)), *cells])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def cell(values: Spread | None, form: str) -> str:
    """Median and range in a table's cell; the range is left out where there is none, a dash for nothing."""
    if values is None:
        return MISSING
    least, middle, greatest = (format(v, form) for v in (values.least, values.median, values.greatest))
    return middle if least == greatest else f"{middle} [{least}, {greatest}]"


def _why(rows: Sequence[Row]) -> str:
    """How far content travelled along the truth, for each formulation on the grating."""
    distances = []
    for row in rows:
        if row["family"].startswith("grating") and row["seed"] == 0:
            distances.append(
                f"{row['formulation']} {along(row['result_path'], row['truth_path'])[-1]:.1f} px"
            )
            planted = along(row["truth_path"], row["truth_path"])[-1]
    if not distances:
        return "No grating was among the cases."
    return f"""\
Matching each frame with the nearest stripe costs a free field least, so on stripes it follows the drift for
half a wavelength and jumps back by a whole one. The grating of seed 0 travelled {planted:.1f} px; what each
formulation's fields say, first frame to last: {", ".join(distances)}. On textures that do not repeat nothing
forces the jump, but a field must be rough to travel far, and what that costs grows with the distance: part of
the speed is lost. The paper's constant step of a tenth of the frame also leaves its fields trembling by about
a pixel, even on a clip that does not move."""


def along(path: Sequence[Sequence[float]], truth: Sequence[Sequence[float]]) -> list[float]:
    """Distance travelled in the true direction, pixels, one number per frame; zeros where nothing travels."""
    end_x, end_y = truth[-1]
    length = (end_x**2 + end_y**2) ** 0.5 or 1.0
    return [(x * end_x + y * end_y) / length for x, y in path]


_DEPTH_COLUMNS: tuple[Column, ...] = (
    ("mean speed, px/frame", lambda row: row["mean_speed_px_per_frame"], ".2f"),
    ("coherence", lambda row: row["coherence"], ".2f"),
    ("affine fit R²", lambda row: row["affine_r2"], ".2f"),
    ("distinct directions, of 8", lambda row: row["directions"], ".1f"),
    ("patches, px", lambda row: row["patch_px"], ".1f"),
    ("coherent share", lambda row: row["coherent_share"], ".2f"),
    ("PSNR, dB", lambda row: row["psnr_db"], ".1f"),
    ("seconds", lambda row: row["seconds"], ".1f"),
)


def depth_report(rows: Sequence[Row], title: str, facts: Mapping[str, Any]) -> str:
    """The report of `evaluate depth`: a line per layer, then how each number goes with depth.

    Args:
        rows: as in `depth.json`.
        facts: settings and versions; printed.
    """
    printed = ", ".join(f"{name} {value}" for name, value in facts.items() if value is not None)
    notes = (
        f"{printed}. Each cell: median over the layer's units and its 95 % interval (bootstrap). Velocities "
        "include jitter, patches do not. Definitions: `docs/evaluation.md`. Seconds are wall clock, upper "
        "bounds on a busy machine."
    )
    by_layer = {layer: [row for row in rows if row["layer"] == layer] for layer in _in_order(rows)}
    heads = ["layer", "n", *(head for head, _, _ in _DEPTH_COLUMNS)]
    lines = [heads, ["---"] * len(heads)]
    for layer, alike in by_layer.items():
        cells = [_middle([value(row) for row in alike], form) for _, value, form in _DEPTH_COLUMNS]
        lines.append([layer, str(len(alike)), *cells])
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"# {title}\n\n{notes}\n\n{table}\n\n## With depth\n\n{_trends(by_layer)}\n"


def _in_order(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(row["layer"] for row in rows))


def _middle(values: Sequence[float | None], form: str) -> str:
    """Median and its interval in a cell."""
    known = [value for value in values if value is not None]
    if not known:
        return MISSING
    bounds = interval([known], lambda groups: median(groups[0]))
    return _with_bounds(median(known), bounds, form)


def _with_bounds(value: float | None, bounds: tuple[float, float] | None, form: str) -> str:
    if value is None:
        return MISSING
    if bounds is None or bounds[0] == bounds[1]:
        return format(value, form)
    return f"{value:{form}} [{bounds[0]:{form}}, {bounds[1]:{form}}]"


def _trends(by_layer: Mapping[str, Sequence[Row]]) -> str:
    """Rank correlation of each number with the layer's place, over all units, and its interval."""
    lines = [
        "Spearman's rank correlation with the layer's place, over all units, and its 95 % interval "
        "(units drawn anew within each layer): above 0 the number grows with depth.",
        "",
        "| number | with depth |",
        "|---|---|",
    ]
    for head, value, _ in _DEPTH_COLUMNS[:-2]:
        groups = [[known for row in rows if (known := value(row)) is not None] for rows in by_layer.values()]
        lines.append(f"| {head} | {_with_bounds(with_depth(groups), interval(groups, with_depth), '.2f')} |")
    return "\n".join(lines)


def with_depth(groups: Sequence[Sequence[float]]) -> float | None:
    """Spearman's correlation of numbers with the place of their group; None for fewer than three numbers."""
    values = [value for group in groups for value in group]
    return rank_correlation([float(place) for place, group in enumerate(groups) for _ in group], values)
