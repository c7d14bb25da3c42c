"""What `evaluate depth` and `evaluate tuning` share: units of several layers, visualized and kept."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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

if TYPE_CHECKING:
    from torch import nn

    from ..evaluation.depth import Plan


@dataclass(frozen=True, kw_only=True)
class ByLayer(Computing):
    """What is asked for."""

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
    precision: PrecisionChoice = Precision.fp32

    def facts(self) -> dict[str, str | int | None]:
        """What reports print of the settings, and what else numbers depend on."""
        from ..inquiry.request import versions

        return {
            "model": self.model,
            "weights": self.weights,
            "preset": self.preset.value,
            "size": self.size,
            "steps": self.steps,
            "seed": self.seed,
            "device": self.device,
            "precision": self.precision.value,
            **versions(),
        }


def loaded(asked: ByLayer) -> "tuple[nn.Module, Plan]":
    """The network, and which units of which layers are looked at.

    Raises:
        KinetoscopeError: as `load_model` and `plan_depth`.
    """
    from ..card import card_of
    from ..evaluation.depth import plan_depth
    from ..zoo.registry import load_model
    from .folder import ensure_device

    extent = read_size(asked.size)
    ensure_device(asked.device)
    network = load_model(asked.model, weights=asked.weights, seed=asked.seed)
    names = None if asked.layers is None else asked.layers.split(",")
    return network, plan_depth(network, card_of(network), names, asked.units, extent)


def pictures(asked: ByLayer, network: "nn.Module", layer: str, units: list[int]) -> Path:
    """Visualize units that lie not finished in OUT/pictures, by one seed; returns that folder.

    They begin with noise: a stimulus of the bank would bring its own motion along.
    """
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
    run = plan(asked.model, network, layer, ",".join(map(str, units)), asked.out / "pictures", options)
    work: Work = one_by_one
    if asked.device == "cpu":
        work = together(asked.model, options, weights=asked.weights, seed=asked.seed)
    return run_units(run, force=asked.force, quiet=asked.quiet, work=work).parent
