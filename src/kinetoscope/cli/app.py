"""The verbs under one command."""

from typing import Annotated

import typer

from ..version import __version__
from .ablate import ablate
from .atlas import atlas
from .attribute import attribute
from .compass import compass
from .decode import decode
from .decompose import decompose
from .demo import demo
from .diversity import diversity
from .dress import dress
from .evaluate import evaluate
from .examples import welcome
from .feature_maps import feature_maps
from .gallery import gallery
from .kernels import kernels
from .layers import layers
from .models import models
from .naturalness import naturalness
from .options import Context, Debug
from .redo import redo
from .sanity import sanity
from .search import search
from .sweep import sweep
from .temporal import temporal
from .train import train
from .tune import tune
from .visualize import visualize

app = typer.Typer(invoke_without_command=True, pretty_exceptions_enable=False, rich_markup_mode=None)


def _show_version(asked: bool) -> bool:
    if asked:
        typer.echo(f"kinetoscope {__version__}")
        raise typer.Exit
    return asked


@app.callback()
def kinetoscope(
    context: Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Debug = False,
) -> None:
    """See what a unit of a 3D video network looks for: its optimal input, texture and motion."""
    if context.invoked_subcommand is None:
        typer.echo(welcome())


VERBS = (
    demo, models, layers, visualize, redo, decompose, sanity, ablate, diversity, sweep,
    feature_maps, kernels, attribute, search, decode, temporal, train, tune, compass,
    naturalness, gallery,
)  # fmt: skip
for verb in VERBS:
    app.command()(verb)
app.add_typer(atlas, name="atlas")
app.add_typer(evaluate, name="evaluate")
for group, before in ((app, ""), (atlas, "atlas "), (evaluate, "evaluate ")):
    dress(group, before)
