"""The page of a run: every finished unit on one sheet that opens from disk, without network or scripts."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from PIL import Image as PillowImage
from PIL import UnidentifiedImageError

from ..files import finished_units, unit_directory, write_bytes_atomically
from ..records import RecordUnreadable, read_unit
from ..results import UnitResult
from .card import unit_card
from .colour import DEFAULT_SCALE, legend, scale_number
from .files import save_unit
from .frames import encode_png
from .templates import template

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
    html = template("page.html.j2").render(
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
    named = {"layer": folder.parent.name, "unit": folder.name, **record}
    return {**unit_card(named), "base": base, "aspect": _aspect(folder / "static.png")}


def save_all(results: Iterable[UnitResult], directory: str | Path) -> Path:
    """Save units, and write the page that shows them; returns the page's path."""
    results = list(results)
    for result in results:
        save_unit(result, directory)
    asked = [(str(result.record["layer"]), result.record["unit"]) for result in results]
    layers = ", ".join(dict.fromkeys(layer for layer, _ in asked))
    return write_index(directory, title=f"Units of {layers}", units=asked)


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
