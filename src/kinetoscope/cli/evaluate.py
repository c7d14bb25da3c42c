"""`kinetoscope evaluate`: how far to trust the pictures, measured."""

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from .by_layer import ByLayer, loaded, pictures
from .options import (
    Debug,
    Out,
    Quiet,
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


@evaluate.command()
@takes(ByLayer)
def depth(asked: ByLayer) -> None:
    """Measure how motion changes with depth: speed, coherence, affine fit, directions, patches, per layer.

    Finished pictures are kept: running the same command again goes on.
    """
    from ..evaluation.depth import measure
    from ..evaluation.report import depth_report
    from ..files import unit_directory
    from ..reading import load_result
    from ..render.evaluation import draw_depth
    from .folder import writable_folder

    network, plan = loaded(asked)
    rows = []
    with writable_folder(asked.out):
        for place, (layer, units) in enumerate(plan):
            run = pictures(asked, network, layer, units)
            for unit in units:
                result = load_result(unit_directory(run, layer, unit))
                rows.append(measure(result, layer, unit, place).to_json())
        title, facts = f"Motion by depth: {asked.model}, weights {asked.weights}", asked.facts()
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
    from ..files import write_bytes_atomically, write_json

    write_bytes_atomically(out / f"{name}.png", figure)
    write_json(out / f"{name}.json", content)
    write_bytes_atomically(out / "report.md", report.encode())
