"""`kinetoscope visualize`: optimal input, texture and motion of units."""

from typing import Annotated, Any

import typer

from .boundary import wrong_usage
from .options import (
    Contrast,
    Debug,
    Device,
    Force,
    Layer,
    Model,
    MotionScale,
    Objective,
    Out,
    Precision,
    PrecisionChoice,
    Preset,
    PresetChoice,
    Quiet,
    Seed,
    Size,
    Start,
    Steps,
    Units,
    Weights,
    check_units,
    read_size,
)


def visualize(
    model: Model,
    layer: Layer,
    units: Units,
    out: Out,
    preset: PresetChoice = Preset.default,
    objective: Annotated[
        Objective | None, typer.Option(help="channel-relu; channel for outputs without a map.")
    ] = None,
    position: Annotated[
        str | None,
        typer.Option(
            metavar="T,Y,X", help="Of the unit in the layer's map, one number per axis; the centre."
        ),
    ] = None,
    size: Size = None,
    steps: Steps = None,
    contrast: Contrast = None,
    start: Start = "bank",
    seed: Seed = 0,
    seeds: Annotated[
        int,
        typer.Option(min=1, metavar="N", help="Runs whose motions are compared; 1 saves the others' time."),
    ] = 3,
    device: Device = "cpu",
    precision: PrecisionChoice = Precision.fp32,
    weights: Weights = "default",
    motion_scale: MotionScale = None,
    force: Force = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Find the optimal input of units, and show it as texture and motion.

    Finished units are kept and skipped: running the same command again goes on where it was stopped.
    """
    from ..units.unit import parse_position

    check_units(units)
    clip = read_size(size)
    with wrong_usage("--position"):
        place = None if position is None else parse_position(position)
    from ..models.registry import load_model
    from .run import plan, run_units, starting_clip

    options: dict[str, Any] = {
        "objective": None if objective is None else objective.value,
        "position": place,
        "size": clip,
        "preset": preset.value,
        "steps": steps,
        "seed": seed,
        "seeds": seeds,
        "device": device,
        "precision": precision.value,
        "contrast": contrast,
    }
    network = load_model(model, weights=weights, seed=seed)
    options["start"] = start if start in ("noise", "bank") else starting_clip(start, network, clip)
    request = plan(model, network, layer, units, out, options, motion_scale)
    typer.echo(run_units(request, force=force, quiet=quiet))
