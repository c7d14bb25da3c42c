"""`kinetoscope layers`: where in a model one can look."""

import json

import typer

from .boundary import wrong_usage
from .options import Debug, Json, Model, Seed, Size, Weights


def layers(
    model: Model,
    weights: Weights = "default",
    size: Size = None,
    seed: Seed = 0,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """List a model's layers: output shapes, units, and how much of the clip a unit sees."""
    from ..models.registry import card_of, load_model
    from ..units.layers import list_layers
    from ..units.unit import parse_size

    with wrong_usage("--size"):
        clip = None if size is None else parse_size(size)
    network = load_model(model, weights=weights, seed=seed)
    rows = list_layers(network, card_of(network), size=clip)
    if as_json:
        typer.echo(json.dumps([row.to_json() for row in rows], indent=2))
        return
    from .table import print_table

    cells = []
    for row in rows:
        field = row.receptive_field
        seen = "x".join("?" if n is None else str(n) for n in (field.frames, field.height, field.width))
        cells.append([row.name, row.type, "x".join(map(str, row.output_shape)), str(row.units), seen])
    print_table(["layer", "type", "output", "units", "a unit sees (TxHxW)"], cells)
