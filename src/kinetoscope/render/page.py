"""The page of a run: every finished unit on one sheet that opens from disk, without network or scripts."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
from PIL import Image as PillowImage
from PIL import UnidentifiedImageError

from ..records import RecordUnreadable, finished_units, read_unit, unit_directory, write_bytes_atomically
from .colour import DEFAULT_SCALE, legend, scale_number
from .figure import SHARE_COLOURS
from .frames import encode_png
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
)

_FACTS = ("model", "weights", "layer", "objective", "seed", "precision", "device", "colours")


def write_index(
    directory: str | Path,
    *,
    title: str,
    units: Sequence[tuple[str, int]] | None = None,
    scale: float = DEFAULT_SCALE,
    notes: Sequence[str] = (),
) -> Path:
    """Write `index.html` from the units that lie finished in a run's folder.

    Nothing but the folder is read, so the page may be written again at any time, after an interruption too.

    Args:
        directory: the run's folder, with DIR/LAYER/UNIT/unit.json below it.
        title: of the page.
        units: the (layer, unit) asked for, in the order to show; those not finished are counted as missing.
            None: whatever is there.
        scale: speed at full brightness in the motion pictures, pixels per frame.
        notes: sentences to print under the title.

    Returns:
        The path of the page.

    Raises:
        OutputUnwritable: the page cannot be written.
    """
    directory = Path(directory)
    folders = finished_units(directory)
    asked = [unit_directory(directory, layer, unit) for layer, unit in units or ()]
    order = {folder: index for index, folder in enumerate(asked)}
    folders.sort(key=lambda folder: order.get(folder, len(order)))
    cards, records, problems = [], [], []
    for folder in folders:
        try:
            record = read_unit(folder)
        except RecordUnreadable as error:
            problems.append(str(error))
            continue
        records.append(record)
        cards.append(_card(folder, directory, record))
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("kinetoscope", "render"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    html = environment.get_template("page.html.j2").render(
        title=title,
        notes=list(notes),
        problems=problems,
        facts=_facts(records),
        versions=_versions(records),
        cards=cards,
        asked=len(asked),
        missing=sum(folder not in folders for folder in asked),
        legend=base64.b64encode(encode_png(legend(scale))).decode("ascii"),
        scale=scale_number(scale),
    )
    return write_bytes_atomically(directory / "index.html", html.encode("utf-8", "backslashreplace"))


def _card(folder: Path, directory: Path, record: Mapping[str, Any]) -> dict[str, Any]:
    """What the template prints for one unit."""
    base = quote(folder.relative_to(directory).as_posix(), safe="/", errors="surrogatepass")
    motion, decomposition = record["motion"], record["decomposition"]
    unit, name = record.get("unit", folder.name), record.get("unit_name")
    seconds = [value for value in record["seconds"].values() if number(value) != MISSING]
    return {
        "base": base,
        "layer": record.get("layer", folder.parent.name),
        "unit": unit,
        "name": str(name) if name not in (None, "") else f"unit {unit}",
        "named": name not in (None, ""),
        "headline": headline(motion),
        "hue": _hue(motion),
        "aspect": _aspect(folder / "static.png"),
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


def _aspect(picture: Path) -> str:
    """Width / height of the clip, as CSS wants it."""
    try:
        with PillowImage.open(picture) as image:
            return f"{image.width} / {image.height}"
    except (OSError, UnidentifiedImageError):
        return "1 / 1"


def _facts(records: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """What all units share, or each value once where they differ."""
    found: dict[str, list[str]] = {key: [] for key in _FACTS}
    for record in records:
        for key in _FACTS:
            value = record.get(key)
            if value is not None and str(value) not in found[key]:
                found[key].append(str(value))
    return [(key, ", ".join(values)) for key, values in found.items() if values]


def _versions(records: Iterable[Mapping[str, Any]]) -> str:
    lines = []
    for record in records:
        versions = record.get("versions")
        if isinstance(versions, Mapping):
            line = ", ".join(f"{name} {version}" for name, version in versions.items())
            if line not in lines:
                lines.append(line)
    return "; ".join(lines)
