"""What `evaluate tuning` does: pictures of several layers, each layer measured, one report."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .progress import Reporter

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class LayerTuning:
    """What is asked for.

    Attributes:
        model, weights: as they were named.
        layers: from shallow to deep; None: all that hold weights.
        units: per layer.
        compare: a run that holds pictures; None: they are made in OUT/pictures, from noise and one seed.
        out: the folder.
        options: preset, size, steps, seed and device.
        quiet: tell no progress.
    """

    model: str
    weights: str
    layers: list[str] | None
    units: int
    compare: Path | None
    out: Path
    options: dict[str, Any]
    quiet: bool


def tuned_layers(task: LayerTuning) -> Path:
    """Measure every layer that is not finished, and write `report.md`; returns its path."""
    from ..evaluation.depth import plan_depth
    from ..evaluation.tuned import tuning_report
    from ..models.registry import card_of, load_model
    from ..pipeline import versions
    from ..records import write_bytes_atomically, write_json
    from ..render.tuned_layer import draw_layers
    from .folder import ensure_device, writable_folder

    ensure_device(task.options["device"])
    network = load_model(task.model, weights=task.weights, seed=task.options["seed"])
    plan = plan_depth(network, card_of(network), task.layers, task.units, task.options["size"])
    with writable_folder(task.out):
        found = [_layer(task, network, layer, units) for layer, units in plan]
        facts = {"model": task.model, "weights": task.weights, **task.options, **versions()}
        title = f"Pictures against measurements: {task.model}"
        write_bytes_atomically(task.out / "tuning.png", draw_layers(found, title))
        write_json(task.out / "tuning.json", {"settings": facts, "layers": found})
        report = tuning_report(found, title, facts)
        return write_bytes_atomically(task.out / "report.md", report.encode("utf-8", "backslashreplace"))


def _layer(task: LayerTuning, network: "nn.Module", layer: str, units: list[int]) -> dict[str, Any]:
    """One layer's `tuning.json`, from its folder where it lies finished there."""
    from ..records import safe_component
    from ..tuning.files import RECORD
    from .record import begin_record, is_recorded, read_record
    from .tune import pictures_of, tune_into

    wanted = ",".join(map(str, units))
    run = task.compare or _pictures(task, network, layer, wanted)
    out = task.out / "layers" / safe_component(layer)
    held: dict[str, Any] = network.kinetoscope_weights  # type: ignore[assignment]
    request = {
        "model": task.model,
        "weights": held["name"],
        "weights_sha256": held["sha256"],
        "layer": layer,
        "units": wanted,
        "compare": str(run),
        **task.options,
    }
    if not is_recorded(out / RECORD, request):
        with Reporter([f"{layer}: {words}" for words in _stages()], quiet=task.quiet) as reporter:
            begin_record(out / RECORD)
            pictures = pictures_of(run, layer, wanted, network, reporter)
            tune_into(out, network, request, pictures, reporter)
    return read_record(out / RECORD)


def _stages() -> tuple[str, ...]:
    from ..tuning.answers import STAGES

    return STAGES


def _pictures(task: LayerTuning, network: "nn.Module", layer: str, units: str) -> Path:
    """Visualize the units that lie not finished; returns the run's folder."""
    from .run import plan, run_units

    options = {
        "objective": None,
        "position": None,
        "precision": "fp32",
        "contrast": None,
        "start": "noise",
        "seeds": 1,
        **task.options,
    }
    request = plan(task.model, network, layer, units, task.out / "pictures", options)
    return run_units(request, quiet=task.quiet).parent
