"""`kinetoscope layers`: where in a model one can look."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer

from ..errors import one_line
from .boundary import tell
from .options import Debug, Json, Model, Seed, Size, Weights, read_size

if TYPE_CHECKING:
    from ..card import ModelCard


def layers(
    model: Model,
    weights: Weights = "random",
    size: Size = None,
    seed: Seed = 0,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """List a model's layers: output shapes, units, and how much of the clip a unit sees.

    Weights do not matter to any of it, so none are fetched unless asked for. Where a clip of --size goes only
    part of the way, the layers it does not reach are listed with 0 calls, and the reason is told.
    """
    from ..card import card_of
    from ..units.layers import list_reached
    from ..zoo.registry import load_model

    clip = read_size(size)
    network = load_model(model, weights=weights, seed=seed)
    card = card_of(network)
    rows, stopped = list_reached(network, card, size=clip)
    if stopped is not None:
        if not any(row.calls for row in rows):
            raise stopped
        tell(f"{stopped}; layers with 0 calls are not reached")
    if as_json:
        typer.echo(json.dumps([row.to_json() for row in rows], indent=2))
        return
    from .table import print_table

    cells = []
    for row in rows:
        field = row.receptive_field
        seen = "x".join("?" if n is None else str(n) for n in (field.frames, field.height, field.width))
        middle = ",".join("?" if n is None else str(n) for n in field.centre)
        shapes = ["x".join(map(str, shape)) for shape in (row.output_shape, row.map_shape)]
        if not row.calls:
            cells.append([row.name, row.type, "not reached", "", "", "0", "", ""])
            continue
        cells.append([row.name, row.type, shapes[0], str(row.units), shapes[1], str(row.calls), seen, middle])
    names = ["layer", "type", "output", "units", "map", "calls"]
    print_table([*names, "a unit sees (TxHxW)", "first centre (T,Y,X)"], cells)
    for line in _of_the_card(card):
        typer.echo(one_line(line))


def _of_the_card(card: "ModelCard") -> Iterator[str]:
    """What the card says for people: where to look first, how fast clips were, who published the network."""
    if card.suggested_layers:
        yield f"look first at: {', '.join(card.suggested_layers)}"
    if card.clip[0] > 1:
        yield f"made for {card.frames_per_second:g} frames per second"
    if card.citation:
        yield card.citation
