"""`kinetoscope layers`: where in a model one can look."""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import one_line
from .boundary import tell
from .options import Debug, Json, Model, Seed, Size, Weights, read_size

if TYPE_CHECKING:
    from torch import nn

    from ..card import ModelCard
    from ..tuning.effective import EffectiveField
    from ..units.layers import LayerInfo, ReceptiveField

_KNOWN = "default with --measure, else random"


def layers(
    model: Model,
    weights: Weights = _KNOWN,
    size: Size = None,
    seed: Seed = 0,
    measure: Annotated[
        bool, typer.Option("--measure", help="Also how much of that a unit uses: where its gradient lies.")
    ] = False,
    samples: Annotated[int, typer.Option(min=1, metavar="N", help="Clips of noise of --measure.")] = 8,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """List a model's layers: output shapes, units, and how much of the clip a unit sees.

    Weights matter to --measure only, so without it none are fetched unless asked for. Where a clip of --size
    goes only part of the way, the layers it does not reach are listed with 0 calls, and the reason is told.
    """
    from ..card import card_of
    from ..units.layers import list_reached
    from ..zoo.registry import load_model

    clip = read_size(size)
    if weights == _KNOWN:
        weights = "default" if measure else "random"
    network = load_model(model, weights=weights, seed=seed)
    card = card_of(network)
    rows, stopped = list_reached(network, card, size=clip)
    if stopped is not None:
        if not any(row.calls for row in rows):
            raise stopped
        tell(f"{stopped}; layers with 0 calls are not reached")
    used = None
    if measure:
        reached = [row.name for row in rows if row.calls]
        used = _measured(network, card, reached, clip, samples, seed)
    if as_json:
        typer.echo(json.dumps([_json(row, used) for row in rows], indent=2))
        return
    _print(rows, used)
    for line in _of_the_card(card):
        typer.echo(one_line(line))


def _measured(
    network: "nn.Module",
    card: "ModelCard",
    names: Sequence[str],
    clip: tuple[int, int, int] | None,
    samples: int,
    seed: int,
) -> "dict[str, EffectiveField | None]":
    from ..tuning.effective import effective_fields
    from .progress import Reporter

    began = time.perf_counter()
    with Reporter(["layers"]) as reporter:
        found = effective_fields(
            network,
            card,
            names,
            size=clip,
            clips=samples,
            seed=seed,
            progress=lambda done: reporter.step(0, done, len(names)),
            told=reporter.note,
        )
        reporter.finished(0, time.perf_counter() - began)
    return found


def _json(row: "LayerInfo", used: "dict[str, EffectiveField | None] | None") -> dict[str, object]:
    if used is None:
        return row.to_json()
    found = used.get(row.name)
    return {**row.to_json(), "effective_field": None if found is None else asdict(found)}


def _print(rows: "Sequence[LayerInfo]", used: "dict[str, EffectiveField | None] | None") -> None:
    from .table import print_table

    names = ["layer", "type", "output", "units", "map", "calls"]
    names += ["a unit sees (TxHxW)", "first centre (T,Y,X)"]
    if used is not None:
        names += ["95 % of its gradient (TxHxW)", "deviation (T,Y,X)"]
    cells = []
    for row in rows:
        field = row.receptive_field
        middle = ",".join("?" if n is None else str(n) for n in field.centre)
        shapes = ["x".join(map(str, shape)) for shape in (row.output_shape, row.map_shape)]
        line = [
            row.name,
            row.type,
            shapes[0],
            str(row.units),
            shapes[1],
            str(row.calls),
            _seen(field),
            middle,
        ]
        if not row.calls:
            line = [row.name, row.type, "not reached", "", "", "0", "", ""]
        if used is not None:
            found = used.get(row.name)
            line += ["?", "?"] if found is None else [_seen(found), _rounded(found.deviation)]
        cells.append(line)
    print_table(names, cells)


def _seen(field: "ReceptiveField | EffectiveField") -> str:
    return "x".join("?" if n is None else str(n) for n in (field.frames, field.height, field.width))


def _rounded(numbers: Sequence[float]) -> str:
    return ",".join(f"{number:.1f}" for number in numbers)


def _of_the_card(card: "ModelCard") -> Iterator[str]:
    """What the card says for people: where to look first, how fast clips were, who published the network."""
    if card.suggested_layers:
        yield f"look first at: {', '.join(card.suggested_layers)}"
    if card.clip[0] > 1:
        yield f"made for {card.frames_per_second:g} frames per second"
    if card.citation:
        yield card.citation
