"""What `evaluate tuning` does: pictures of several layers, each layer measured, one report."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import (
    Computing,
    Model,
    Out,
    Precision,
    PrecisionChoice,
    Preset,
    PresetChoice,
    Size,
    Steps,
    Weights,
    read_size,
)
from .progress import Reporter

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, kw_only=True)
class LayerTuning(Computing):
    """What `evaluate tuning` is asked for."""

    model: Model
    out: Out
    weights: Weights = "default"
    layers: Annotated[
        str | None, typer.Option(metavar="L1,L2", help="Shallow to deep; all with weights.")
    ] = None
    units: Annotated[int, typer.Option(min=1, metavar="N", help="Per layer, spread evenly.")] = 8
    compare: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="A `visualize` run of these layers; else one is made, from noise."),
    ] = None
    preset: PresetChoice = Preset.default
    size: Size = None
    steps: Steps = None
    precision: PrecisionChoice = Precision.fp32


def tuned_layers(asked: LayerTuning) -> Path:
    """Measure every layer that is not finished, and write `report.md`; returns its path."""
    from ..card import card_of
    from ..evaluation.depth import plan_depth
    from ..evaluation.tuned import tuning_report
    from ..inquiry.request import versions
    from ..records import write_bytes_atomically, write_json
    from ..render.tuned_layer import draw_layers
    from ..zoo.registry import load_model
    from .folder import ensure_device, writable_folder

    ensure_device(asked.device)
    network = load_model(asked.model, weights=asked.weights, seed=asked.seed)
    names = None if asked.layers is None else asked.layers.split(",")
    plan = plan_depth(network, card_of(network), names, asked.units, read_size(asked.size))
    with writable_folder(asked.out):
        found = [_layer(asked, network, layer, units) for layer, units in plan]
        facts = {
            "model": asked.model,
            "weights": asked.weights,
            "preset": asked.preset.value,
            "size": asked.size,
            "steps": asked.steps,
            "seed": asked.seed,
            "device": asked.device,
            **versions(),
        }
        title = f"Pictures against measurements: {asked.model}"
        write_bytes_atomically(asked.out / "tuning.png", draw_layers(found, title))
        write_json(asked.out / "tuning.json", {"settings": facts, "layers": found})
        report = tuning_report(found, title, facts)
        return write_bytes_atomically(asked.out / "report.md", report.encode("utf-8", "backslashreplace"))


def _layer(asked: LayerTuning, network: "nn.Module", layer: str, units: list[int]) -> dict[str, Any]:
    """One layer's `tuning.json`, from its folder where it lies finished there."""
    from ..records import safe_component
    from ..tuning.answers import STAGES
    from ..tuning.files import RECORD
    from .record import is_finished, read_record
    from .tune import Task, pictures_of

    wanted = ",".join(map(str, units))
    run = asked.compare or _pictures(asked, network, layer, wanted)
    out = asked.out / "layers" / safe_component(layer)
    pictures, missing = pictures_of(run, layer, wanted, network)
    task = Task(
        model=asked.model,
        network=network,
        layer=layer,
        units=wanted,
        pictures=pictures,
        seed=asked.seed,
        device=asked.device,
        precision=asked.precision.value,
    )
    if asked.force or not is_finished(out / RECORD, task.to_json()):
        with Reporter([f"{layer}: {words}" for words in STAGES], quiet=asked.quiet) as reporter:
            if missing:
                reporter.note(f"not in {run}, so measured only: units {', '.join(missing)}")
            task.run(out, reporter)
    return read_record(out / RECORD)


def _pictures(asked: LayerTuning, network: "nn.Module", layer: str, units: str) -> Path:
    """Visualize the units that lie not finished; returns the run's folder."""
    from ..inquiry.request import Options
    from .run import Work, one_by_one, plan, run_units
    from .workers import together

    options = Options(
        preset=asked.preset.value,
        size=read_size(asked.size),
        steps=asked.steps,
        seed=asked.seed,
        seeds=1,
        start="noise",
        device=asked.device,
        precision=asked.precision.value,
    )
    run = plan(asked.model, network, layer, units, asked.out / "pictures", options)
    work: Work = one_by_one
    if asked.device == "cpu":
        work = together(asked.model, options, weights=asked.weights, seed=asked.seed)
    return run_units(run, force=asked.force, quiet=asked.quiet, work=work).parent
