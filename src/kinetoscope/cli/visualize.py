"""`kinetoscope visualize`: optimal input, texture and motion of units."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from .boundary import wrong_usage
from .options import (
    Computing,
    Contrast,
    Layer,
    Model,
    MotionScale,
    Objective,
    Out,
    Precision,
    PrecisionChoice,
    Preset,
    PresetChoice,
    Size,
    Start,
    Steps,
    Units,
    Weights,
    check_units,
    read_size,
    takes,
)

if TYPE_CHECKING:
    from torch import nn

    from ..inquiry.request import Options


@dataclass(frozen=True, kw_only=True)
class Searching(Computing):
    """How optimal inputs are looked for, whatever units of whatever layers they are of."""

    preset: PresetChoice = Preset.default
    objective: Annotated[
        Objective | None, typer.Option(help="channel-relu; channel for outputs without a map.")
    ] = None
    size: Size = None
    steps: Steps = None
    contrast: Contrast = None
    start: Start = "bank"
    seeds: Annotated[
        int,
        typer.Option(min=1, metavar="N", help="Runs whose motions are compared; 1 saves the others' time."),
    ] = 3
    precision: PrecisionChoice = Precision.fp32
    weights: Weights = "default"
    motion_scale: MotionScale = None

    def options(self, network: "nn.Module", position: tuple[int, ...] | None = None) -> "Options":
        """How the units are to be looked at; a clip to start from is read as the network takes it."""
        from ..inquiry.request import Options
        from .run import starting_clip

        size = read_size(self.size)
        given = self.start not in ("noise", "bank")
        return Options(
            objective=None if self.objective is None else self.objective.value,
            position=position,
            size=size,
            preset=self.preset.value,
            steps=self.steps,
            contrast=self.contrast,
            start=starting_clip(self.start, network, size) if given else self.start,
            seed=self.seed,
            seeds=self.seeds,
            device=self.device,
            precision=self.precision.value,
        )


@dataclass(frozen=True, kw_only=True)
class Visualize(Searching):
    """What `visualize` is asked for."""

    model: Model
    layer: Layer
    units: Units
    out: Out
    position: Annotated[
        str | None,
        typer.Option(
            metavar="T,Y,X", help="Of the unit in the layer's map, one number per axis; the centre."
        ),
    ] = None

    def place(self) -> tuple[int, ...] | None:
        """The position asked for; status 2 where it is written wrongly."""
        from ..units.unit import parse_position

        with wrong_usage("--position"):
            return None if self.position is None else parse_position(self.position)


@takes(Visualize)
def visualize(asked: Visualize) -> None:
    """Find the optimal input of units, and show it as texture and motion.

    Finished units are kept and skipped: running the same command again goes on where it was stopped.
    """
    check_units(asked.units)
    read_size(asked.size)
    asked.place()
    from ..zoo.registry import load_model
    from .run import plan, run_units

    network = load_model(asked.model, weights=asked.weights, seed=asked.seed)
    options = asked.options(network, asked.place())
    run = plan(asked.model, network, asked.layer, asked.units, asked.out, options, asked.motion_scale)
    typer.echo(run_units(run, force=asked.force, quiet=asked.quiet))
