"""`kinetoscope evaluate`: how far to trust the pictures, measured."""

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from .options import (
    Debug,
    Device,
    Model,
    Out,
    Precision,
    PrecisionChoice,
    Preset,
    PresetChoice,
    Quiet,
    Seed,
    Size,
    Steps,
    Weights,
    read_size,
)
from .progress import Reporter

evaluate = typer.Typer(no_args_is_help=True, help="Measure what the pictures claim.")

SHOWN = ("translation", "rotation", "expansion", "two objects apart", "grating, 8 px")
"""Families of which the figure shows one field each."""


@evaluate.command()
def planted(
    out: Out = Path("planted"),
    quick: Annotated[bool, typer.Option("--quick", help="Smaller clips, one seed, fewer steps.")] = False,
    seeds: Annotated[int | None, typer.Option(min=1, metavar="N", help="How many; 3, or 1 if quick.")] = None,
    tuning: Annotated[bool, typer.Option("--tuning", help="The seeds on which settings are chosen.")] = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Recover clips and networks whose motion is known, beside the paper's formulation."""
    from dataclasses import asdict, replace

    from ..evaluation.planted import QUICK, TUNING, Finding, PlantedSettings, judge, planted_cases
    from ..evaluation.report import planted_report
    from ..render.evaluation import draw_planted
    from .folder import writable_folder

    settings = QUICK if quick else PlantedSettings()
    settings = settings if seeds is None else replace(settings, seeds=seeds)
    settings = replace(settings, first=TUNING) if tuning else settings
    findings: list[Finding] = []
    started = time.perf_counter()
    with writable_folder(out), Reporter(["planted cases"], quiet=quiet) as reporter:
        cases = planted_cases(settings)
        for index, (seed, case) in enumerate(cases):
            reporter.step(0, index, len(cases))
            findings += judge(case, seed, settings)
        facts = {**_environment(), "seconds": round(time.perf_counter() - started)}
        rows = [finding.to_json() for finding in findings]
        fields: dict[str, dict[str, Any]] = {}
        for finding in findings:
            if finding.family in SHOWN and finding.seed == settings.first:
                named = fields.setdefault(finding.family, {"truth": finding.truth_field})
                named.setdefault(finding.formulation, finding.result_field)
        report = planted_report(rows, asdict(settings), facts)
        content = {"settings": asdict(settings), "environment": facts, "rows": rows}
        _leave(out, "planted", content, report, draw_planted(rows, fields))
    typer.echo(out / "report.md")


@evaluate.command()
def depth(
    model: Model,
    out: Out,
    weights: Weights = "default",
    layers: Annotated[
        str | None, typer.Option(metavar="L1,L2", help="Shallow to deep; all with weights.")
    ] = None,
    units: Annotated[int, typer.Option(min=1, metavar="N", help="Per layer, spread evenly.")] = 8,
    preset: PresetChoice = Preset.default,
    size: Size = None,
    steps: Steps = None,
    seed: Seed = 0,
    device: Device = "cpu",
    precision: PrecisionChoice = Precision.fp32,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Measure how motion changes with depth: speed, coherence, affine fit, directions, per layer."""
    from ..evaluation.depth import UnitMotion, evaluate_depth, plan_depth
    from ..evaluation.report import depth_report
    from ..models.registry import card_of, load_model
    from ..render.evaluation import draw_depth
    from .folder import ensure_device, writable_folder

    clip = read_size(size)
    ensure_device(device)
    network = load_model(model, weights=weights, seed=seed)
    names = None if layers is None else layers.split(",")
    plan = plan_depth(network, card_of(network), names, units, clip)
    options = {
        "preset": preset.value,
        "size": clip,
        "steps": steps,
        "seed": seed,
        "device": device,
        "precision": precision.value,
    }
    found: list[UnitMotion] = []
    labels = [f"{layer}:{unit}" for layer, chosen in plan for unit in chosen]
    with writable_folder(out), Reporter(labels, quiet=quiet) as reporter:
        for motion in evaluate_depth(
            network, plan, progress=lambda _, step, count: reporter.step(len(found), step, count), **options
        ):
            found.append(motion)
        rows = [motion.to_json() for motion in found]
        facts = {"model": model, "weights": weights, **options, **_environment()}
        title = f"Motion by depth: {model}, weights {weights}"
        content = {"settings": facts, "rows": rows}
        _leave(out, "depth", content, depth_report(rows, title, facts), draw_depth(rows, title))
    typer.echo(out / "report.md")


@evaluate.command()
def tuning(
    model: Model,
    out: Out,
    weights: Weights = "default",
    layers: Annotated[
        str | None, typer.Option(metavar="L1,L2", help="Shallow to deep; all with weights.")
    ] = None,
    units: Annotated[int, typer.Option(min=1, metavar="N", help="Per layer, spread evenly.")] = 8,
    compare: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="A `visualize` run of these layers; else one is made, from noise."),
    ] = None,
    preset: PresetChoice = Preset.default,
    size: Size = None,
    steps: Steps = None,
    seed: Seed = 0,
    device: Device = "cpu",
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Hold pictures against what is measured, layer by layer: directions and speeds, shown and preferred.

    Finished pictures and finished layers are kept: running the same command again goes on.
    """
    from .tuned import LayerTuning, tuned_layers

    asked = {"preset": preset.value, "size": read_size(size), "steps": steps, "seed": seed, "device": device}
    names = None if layers is None else layers.split(",")
    task = LayerTuning(model, weights, names, units, compare, out, asked, quiet)
    typer.echo(tuned_layers(task))


def _environment() -> dict[str, Any]:
    """What the seconds depend on."""
    import torch

    from ..pipeline import versions

    return {**versions(), "threads": torch.get_num_threads()}


def _leave(out: Path, name: str, content: dict[str, Any], report: str, figure: bytes) -> None:
    """Figure and numbers first, the report that speaks of them last."""
    from ..records import write_bytes_atomically, write_json

    write_bytes_atomically(out / f"{name}.png", figure)
    write_json(out / f"{name}.json", content)
    write_bytes_atomically(out / "report.md", report.encode())
