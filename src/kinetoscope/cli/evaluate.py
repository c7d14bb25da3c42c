"""`kinetoscope evaluate`: how far to trust the pictures, measured."""

import time
from dataclasses import dataclass
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
    takes,
)
from .progress import Reporter
from .tuned import LayerTuning, tuned_layers

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


@dataclass(frozen=True, kw_only=True)
class Depth:
    """What `evaluate depth` is asked for."""

    model: Model
    out: Out
    weights: Weights = "default"
    layers: Annotated[
        str | None, typer.Option(metavar="L1,L2", help="Shallow to deep; all with weights.")
    ] = None
    units: Annotated[int, typer.Option(min=1, metavar="N", help="Per layer, spread evenly.")] = 8
    preset: PresetChoice = Preset.default
    size: Size = None
    steps: Steps = None
    seed: Seed = 0
    device: Device = "cpu"
    precision: PrecisionChoice = Precision.fp32
    quiet: Quiet = False
    debug: Debug = False


@evaluate.command()
@takes(Depth)
def depth(asked: Depth) -> None:
    """Measure how motion changes with depth: speed, coherence, affine fit, directions, per layer."""
    from ..card import card_of
    from ..evaluation.depth import UnitMotion, evaluate_depth, plan_depth
    from ..evaluation.report import depth_report
    from ..render.evaluation import draw_depth
    from ..zoo.registry import load_model
    from .folder import ensure_device, writable_folder

    clip = read_size(asked.size)
    ensure_device(asked.device)
    network = load_model(asked.model, weights=asked.weights, seed=asked.seed)
    names = None if asked.layers is None else asked.layers.split(",")
    plan = plan_depth(network, card_of(network), names, asked.units, clip)
    found: list[UnitMotion] = []
    labels = [f"{layer}:{unit}" for layer, chosen in plan for unit in chosen]
    with writable_folder(asked.out), Reporter(labels, quiet=asked.quiet) as reporter:
        motions = evaluate_depth(
            network,
            plan,
            preset=asked.preset.value,
            size=clip,
            steps=asked.steps,
            seed=asked.seed,
            device=asked.device,
            precision=asked.precision.value,
            progress=lambda _, step, count: reporter.step(len(found), step, count),
        )
        for motion in motions:
            found.append(motion)
        rows = [motion.to_json() for motion in found]
        facts = {
            "model": asked.model,
            "weights": asked.weights,
            "preset": asked.preset.value,
            "size": clip,
            "steps": asked.steps,
            "seed": asked.seed,
            "device": asked.device,
            "precision": asked.precision.value,
            **_environment(),
        }
        title = f"Motion by depth: {asked.model}, weights {asked.weights}"
        content = {"settings": facts, "rows": rows}
        _leave(asked.out, "depth", content, depth_report(rows, title, facts), draw_depth(rows, title))
    typer.echo(asked.out / "report.md")


@evaluate.command()
@takes(LayerTuning)
def tuning(asked: LayerTuning) -> None:
    """Hold pictures against what is measured, layer by layer: directions and speeds, shown and preferred.

    Finished pictures and finished layers are kept: running the same command again goes on.
    """
    typer.echo(tuned_layers(asked))


def _environment() -> dict[str, Any]:
    """What the seconds depend on."""
    import torch

    from ..inquiry.request import versions

    return {**versions(), "threads": torch.get_num_threads()}


def _leave(out: Path, name: str, content: dict[str, Any], report: str, figure: bytes) -> None:
    """Figure and numbers first, the report that speaks of them last."""
    from ..records import write_bytes_atomically, write_json

    write_bytes_atomically(out / f"{name}.png", figure)
    write_json(out / f"{name}.json", content)
    write_bytes_atomically(out / "report.md", report.encode())
