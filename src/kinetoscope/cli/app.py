"""The verbs under one command."""

from typing import Annotated

import typer

from ..version import __version__
from .ablate import ablate
from .atlas import atlas
from .attribute import attribute
from .decode import decode
from .decompose import decompose
from .demo import demo
from .diversity import diversity
from .evaluate import evaluate
from .feature_maps import feature_maps
from .gallery import gallery
from .kernels import kernels
from .layers import layers
from .models import models
from .options import Debug
from .sanity import sanity
from .search import search
from .sweep import sweep
from .temporal import temporal
from .train import train
from .tune import tune
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


VERBS = (
    demo, models, layers, visualize, decompose, sanity, ablate, diversity, sweep,
    feature_maps, kernels, attribute, search, decode, temporal, train, tune, gallery,
)  # fmt: skip
for verb in VERBS:
    app.command()(verb)
app.add_typer(atlas, name="atlas")
app.add_typer(evaluate, name="evaluate")
