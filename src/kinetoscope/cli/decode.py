"""`kinetoscope decode`: units of any layer as filters on the network's input."""

import json
import time
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import (
    Debug,
    Force,
    Layer,
    Model,
    Out,
    Quiet,
    Seed,
    Size,
    Units,
    Weights,
    check_units,
    read_size,
    takes,
)
from .progress import Reporter

if TYPE_CHECKING:
    from torch import nn

    from ..card import ModelCard
    from ..filters.decode import DecodedFilter


RECORD = "decoded.json"
"""Written last: a unit's folder that holds it is finished."""


class Unpool(StrEnum):
    """Interpolation where the network pools."""

    nearest = "nearest"
    bilinear = "bilinear"
    bicubic = "bicubic"


@dataclass(frozen=True, kw_only=True)
class Decode:
    """What `decode` is asked for."""

    model: Model
    layer: Layer
    units: Units
    out: Out
    unpool: Annotated[Unpool, typer.Option(help="Interpolation where the network pools.")] = Unpool.bicubic
    images: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="idx files to measure how well filters stand for the layer."),
    ] = None
    decompose: Annotated[
        bool, typer.Option("--decompose", help="Also split decoded videos into texture and motion.")
    ] = False
    size: Size = None
    weights: Weights = "default"
    seed: Seed = 0
    force: Force = False
    quiet: Quiet = False
    debug: Debug = False

    def to_json(self, network: "nn.Module", card: "ModelCard") -> dict[str, Any]:
        """What a unit's record has under `request`, but for the unit: all that the filters depend on."""
        from ..inquiry.request import versions
        from ..zoo.registry import weights_of
        from .record import content_of

        weights = weights_of(network)
        return {
            "model": self.model,
            "name": weights.name,
            "sha256": weights.sha256,
            **content_of(network, card),
            "layer": self.layer,
            "unpool": self.unpool.value,
            "size": read_size(self.size),
            "decompose": self.decompose,
            "versions": versions(),
        }


@takes(Decode)
def decode(asked: Decode) -> None:
    """Decode units into filters on the network's input, by substitution.

    Finished units are kept and skipped: running the same command again goes on where it was stopped.
    """
    from ..units.unit import parse_units

    check_units(asked.units)
    clip = read_size(asked.size)
    from ..card import card_of
    from ..filters.decode import read_chain
    from ..zoo.registry import load_model

    network = load_model(asked.model, weights=asked.weights, seed=asked.seed)
    card = card_of(network)
    request = asked.to_json(network, card)
    shape = read_chain(network, asked.layer, size=clip).target.shape
    _run(asked, network, parse_units(asked.units, shape[1], card.names_of(asked.layer)), request)
    typer.echo(asked.out / "decode.json")


def _run(asked: Decode, network: "nn.Module", units: list[int], request: dict[str, Any]) -> None:
    """Decode what is not finished yet, save each unit at once, then what is true of all of them."""
    from ..card import card_of
    from ..files import unit_directory, write_json
    from ..filters.decode import decode_filters
    from .folder import writable_folder
    from .record import is_finished, refuse_other

    layer, card, force = asked.layer, card_of(network), asked.force
    names = card.names_of(layer)
    records = {unit: unit_directory(asked.out, layer, unit) / RECORD for unit in units}
    labels = [f"{layer}:{unit}" for unit in units]
    with writable_folder(asked.out), Reporter(labels, quiet=asked.quiet) as reporter:
        todo = [unit for unit in units if force or not is_finished(records[unit], {**request, "unit": unit})]
        if skipped := len(units) - len(todo):
            reporter.note(f"{skipped} of {len(units)} units are finished; --force does them again")
        for unit in todo:
            refuse_other(records[unit], request, "model", force=force)
        start = time.perf_counter()
        found = decode_filters(network, layer, todo, asked.unpool.value, size=read_size(asked.size))
        for filter in found:
            name = names[filter.unit] if filter.unit < len(names) else ""
            _save(filter, card, records[filter.unit], {**request, "unit": filter.unit}, name)
            reporter.finished(units.index(filter.unit), time.perf_counter() - start)
            start = time.perf_counter()
        errors = [] if asked.images is None else _errors(network, card, layer, asked.images)
        rows = [json.loads(record.read_text(encoding="utf-8"))["filter"] for record in records.values()]
        _draw_family(asked, card, [(row["unit"], row["unit_name"], records[row["unit"]]) for row in rows])
        write_json(asked.out / "decode.json", {**request, "units": rows, "errors": errors})


def _save(
    filter: "DecodedFilter", card: "ModelCard", record: Path, request: dict[str, Any], name: str
) -> None:
    """Write a unit's arrays, picture or film, and last the record that marks it as finished."""
    from ..files import write_bytes_atomically
    from ..inquiry.given import decompose_video
    from ..records import ARRAYS_FILE, write_arrays
    from ..render.animation import save_animation
    from ..render.decoded import decoded_picture, decoded_pictures
    from ..render.files import save_decomposition
    from ..render.frames import encode_png
    from .record import begin_record, end_record

    folder = record.parent
    begin_record(record)
    write_arrays(folder / ARRAYS_FILE, {"decoded": filter.decoded})
    shown = replace(filter, decoded=filter.decoded.flip(0)) if card.channel_order == "BGR" else filter
    parts = (shown.decoded, *shown.thresholded())
    title = f"{filter.layer}:{filter.unit}" + (f" ({name})" if name else "")
    if filter.decoded.ndim == 3:
        write_bytes_atomically(folder / "decoded.png", encode_png(decoded_picture(*parts, title)))
    else:
        save_animation(folder, "decoded", decoded_pictures(*parts, title=title), filter.decoded.shape[1])
    if request["decompose"]:
        save_decomposition(decompose_video(shown.video), folder / "decomposition")
    facts = {
        "unit": filter.unit,
        "unit_name": name,
        "shape": tuple(filter.decoded.shape),
        "corner_px": filter.corner,
        "stride_px": filter.stride,
        "peak": float(filter.decoded.abs().max()),
    }
    end_record(record, request, {"filter": facts})


def _draw_family(asked: Decode, card: "ModelCard", units: list[tuple[int, str, Path]]) -> None:
    """All units of the run side by side, in the layer's folder; of a network without time."""
    from ..files import write_bytes_atomically
    from ..records import ARRAYS_FILE, read_arrays
    from ..render.decoded import family_picture
    from ..render.frames import encode_png

    filters = []
    for unit, name, record in units:
        values = read_arrays(record.parent / ARRAYS_FILE)["decoded"]
        if values.ndim != 3:
            return
        values = values.flip(0) if card.channel_order == "BGR" else values
        filters.append((f"{unit} {name}".strip(), values))
    picture = family_picture(filters, f"{asked.model} / {asked.layer}")
    write_bytes_atomically(units[0][2].parents[1] / "decoded.png", encode_png(picture))


def _errors(network: "nn.Module", card: "ModelCard", layer: str, folder: Path) -> list[dict[str, Any]]:
    """Eq. 3 over the images of a folder, for each interpolation."""
    from ..filters.compare import decoding_errors
    from ..training.digits import read_images

    images = read_images(folder).expand(-1, card.channels, -1, -1)
    return [
        asdict(row) for row in decoding_errors(network, layer, card.normalize(images[:, :, None])[:, :, 0])
    ]
