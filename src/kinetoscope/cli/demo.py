"""`kinetoscope demo`: the bundled network, all of it, at once."""

from pathlib import Path

import typer

from .options import Debug, Device, Force, Out, Quiet, Seed, Steps


def demo(
    out: Out = Path("demo"),
    seed: Seed = 0,
    steps: Steps = None,
    device: Device = "cpu",
    force: Force = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Show what every class of the bundled motion network looks for."""
    from ..models.registry import card_of, load_model
    from ..records import read_unit, unit_directory
    from .run import plan, run_units
    from .table import print_table

    options = {
        "objective": None,
        "position": None,
        "size": None,
        "preset": "default",
        "steps": steps,
        "seed": seed,
        "device": device,
        "precision": "fp32",
    }
    network = load_model("motion13")
    layer = card_of(network).output_layer
    request = plan("motion13", network, layer, "all", out, options)
    page = run_units(request, force=force, quiet=quiet)
    rows = []
    for unit in request.units:
        motion = read_unit(unit_directory(out, layer, unit))["motion"]
        direction = _number(motion["direction_deg"], ".0f")
        speed = _number(motion["mean_speed_px_per_frame"], ".2f")
        rows.append([card_of(network).class_names[unit], motion["label"], direction, speed])
    print_table(["class", "motion shown", "direction (deg)", "speed (px/frame)"], rows)
    typer.echo(page)


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
