"""`kinetoscope demo`: the bundled network, all of it, at once."""

from pathlib import Path
from typing import Annotated

import typer

from .options import Debug, Device, Force, Out, Quiet, Seed, Steps

QUICK = "up-left"


def demo(
    out: Out = Path("demo"),
    quick: Annotated[bool, typer.Option("--quick", help=f"The class {QUICK!r} only, from one seed.")] = False,
    seed: Seed = 0,
    steps: Steps = None,
    device: Device = "cpu",
    force: Force = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Show what every class of the bundled motion network looks for, or one of them, in under a minute."""
    from ..card import card_of
    from ..inquiry.request import SEEDS, Options
    from ..records import read_unit
    from ..types import MOTION_LABELS
    from ..zoo.registry import load_model
    from .run import one_by_one, plan, run_units
    from .table import print_table
    from .workers import together

    network = load_model("motion13")
    card = card_of(network)
    options = Options(steps=steps, seed=seed, seeds=1 if quick else SEEDS, device=device)
    run = plan("motion13", network, card.output_layer, QUICK if quick else "all", out, options)
    work = together("motion13", options) if device == "cpu" and not quick else one_by_one
    page = run_units(run, force=force, quiet=quiet, work=work)
    rows = []
    for unit in run.request.units:
        motion = read_unit(run.folder(unit))["motion"]
        drifts = motion["label"] in MOTION_LABELS[:8]
        direction = format(motion["direction_deg"], ".0f") if drifts else "-"
        drift, speed = (
            format(motion[key], ".2f") for key in ("speed_px_per_frame", "mean_speed_px_per_frame")
        )
        rows.append([card.class_names[unit], motion["label"], direction, drift, speed])
    print_table(["class", "motion shown", "direction (deg)", "drift (px/frame)", "mean speed"], rows)
    typer.echo(page)
