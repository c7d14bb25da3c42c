"""`kinetoscope models`: what can be named."""

import json

import typer

from .options import Debug, Json


def models(as_json: Json = False, debug: Debug = False) -> None:
    """List the registered models and their weights."""
    from ..zoo.registry import registered

    rows = registered()
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    from ..errors import one_line
    from ..zoo.elsewhere import registered_elsewhere
    from .table import print_table

    cells = []
    for row in rows:
        clip = row["clip"]
        absent = "missing" if row["bundled"] else "downloaded when asked for"
        weights = ", ".join(
            w["name"] if w["available"] else f"{w['name']} ({absent})" for w in row["weights"]
        )
        size = f"{clip['frames']}x{clip['height']}x{clip['width']}"
        millions = f"{row['parameters'] / 1e6:.2f} M"
        cells.append([row["name"], row["architecture"], millions, size, weights or "random only"])
    print_table(["model", "architecture", "parameters", "clip (TxHxW)", "weights"], cells)
    for row in rows:
        typer.echo(f"{row['name']}: {row['citation']}")
    for name, point in registered_elsewhere().items():
        package = point.dist.name if point.dist else "another package"
        typer.echo(one_line(f"{name}: registered by {package} as {point.value}"))
    typer.echo("Also: torchvision:NAME, hf:NAME, package.module:factory, path/to/file.py:factory")
