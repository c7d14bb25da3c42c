"""The verbs under one command."""

from typing import Annotated

import typer

from .. import __version__
from .decompose import decompose
from .demo import demo
from .layers import layers
from .models import models
from .options import Debug
from .visualize import visualize

app = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None
)


def _show_version(asked: bool) -> bool:
    if asked:
        typer.echo(f"kinetoscope {__version__}")
        raise typer.Exit
    return asked


@app.callback()
def kinetoscope(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Debug = False,
) -> None:
    """See what a unit of a 3D video network looks for: its optimal input, texture and motion."""


for verb in (demo, models, layers, visualize, decompose):
    app.command()(verb)
