"""What `evaluate tuning` does: pictures of several layers, each layer measured, one report."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .by_layer import ByLayer, loaded, pictures
from .progress import Reporter

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, kw_only=True)
class LayerTuning(ByLayer):
    """What `evaluate tuning` is asked for."""

    compare: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="A `visualize` run of these layers; else one is made, from noise."),
    ] = None


def tuned_layers(asked: LayerTuning) -> Path:
    """Measure every layer that is not finished, and write `report.md`; returns its path."""
    from ..evaluation.tuned import tuning_report
    from ..files import write_bytes_atomically, write_json
    from ..render.tuned_layer import draw_layers
    from .folder import writable_folder

    network, plan = loaded(asked)
    with writable_folder(asked.out):
        found = [_layer(asked, network, layer, units) for layer, units in plan]
        title = f"Pictures against measurements: {asked.model}"
        write_bytes_atomically(asked.out / "tuning.png", draw_layers(found, title))
        write_json(asked.out / "tuning.json", {"settings": asked.facts(), "layers": found})
        report = tuning_report(found, title, asked.facts())
        return write_bytes_atomically(asked.out / "report.md", report.encode("utf-8", "backslashreplace"))


def _layer(asked: LayerTuning, network: "nn.Module", layer: str, units: list[int]) -> dict[str, Any]:
    """One layer's `tuning.json`, from its folder where it lies finished there."""
    from ..files import safe_component
    from ..tuning.answers import STAGES
    from ..tuning.files import RECORD
    from .record import is_finished, read_record
    from .tune import Task, pictures_of

    wanted = ",".join(map(str, units))
    run = asked.compare or pictures(asked, network, layer, units)
    out = asked.out / "layers" / safe_component(layer)
    shown, missing = pictures_of(run, layer, wanted, network)
    task = Task(
        model=asked.model,
        network=network,
        layer=layer,
        units=wanted,
        pictures=shown,
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
