"""`kinetoscope train`: a network, by a recipe."""

from pathlib import Path
from typing import Annotated

import typer

from .boundary import Interrupted
from .options import Debug, Device, Out, Quiet


def train(
    out: Out,
    config: Annotated[
        Path | None, typer.Argument(metavar="CONFIG.toml", help="The recipe; or one by name with --recipe.")
    ] = None,
    recipe: Annotated[
        str | None, typer.Option(metavar="NAME", help="One that comes with kinetoscope.")
    ] = None,
    change: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Another setting, as data.folder=DIR; repeatable."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where the run in DIR was stopped.")] = False,
    device: Device = "cpu",
    devices: Annotated[int, typer.Option(min=1, metavar="N", help="How many of them share the work.")] = 1,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Train a network on motion clips, textures, Jester or UCF-101; a killed run can be taken up again."""
    if (config is None) == (recipe is None):
        raise typer.BadParameter("give either CONFIG.toml or --recipe NAME", param_hint="'CONFIG.toml'")
    from ..training.recipes import bundled_recipe, parse_recipe, recipe_text

    text = bundled_recipe(recipe) if config is None else recipe_text(config)  # type: ignore[arg-type]
    chosen = parse_recipe(text, change or ())
    from ..training.checkpoint import LAST, PREVIOUS
    from ..training.train import BEST, finished
    from ..training.train import train as run
    from .folder import ensure_device, writable_folder
    from .progress import Reporter

    ensure_device(device)
    with writable_folder(out, alone=False), Reporter([chosen.model.name], quiet=quiet) as reporter:
        if resume and finished(chosen, out):
            reporter.note(f"{out} is finished; another run needs another --out")
        else:
            try:
                done = run(
                    chosen,
                    out,
                    resume=resume,
                    device=device,
                    devices=devices,
                    progress=lambda step, steps: reporter.step(0, step, steps, "training"),
                    note=reporter.note,
                )
            except Interrupted as stop:
                kept = (out / LAST).exists() or (out / PREVIOUS).exists()
                what = f"finished epochs are kept in {out}" if kept else "no epoch was finished"
                stop.advice = f"{what}; --resume goes on"
                raise
            if not done.leads:  # the first process tells
                return
            reporter.note(
                f"best of {len(done.rows)} epochs is {done.best['epoch']:g}: validation accuracy "
                f"{done.best['validation_accuracy']:.3f}"
            )
            if done.faults:
                reporter.note(f"{len(done.faults)} videos could not be read; they are listed in train.json")
    typer.echo(out / BEST)
