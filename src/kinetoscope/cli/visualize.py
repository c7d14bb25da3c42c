"""`kinetoscope visualize`: optimal input, texture and motion of units."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import typer

from ..optimal.expression import VECTORS, is_expression, read_expression
from .boundary import wrong_usage
from .options import (
    Alpha,
    Computing,
    Context,
    Contrast,
    Layer,
    Mask,
    Model,
    MotionScale,
    Objective,
    Out,
    Precision,
    PrecisionChoice,
    Preset,
    PresetChoice,
    Size,
    Spectrum,
    Start,
    Stay,
    Steps,
    Weights,
    check_objective,
    check_units,
    read_size,
    refuse_unused,
    takes,
)

if TYPE_CHECKING:
    from torch import nn

    from ..inquiry.request import Options


@dataclass(frozen=True, kw_only=True)
class Searching(Computing):
    """How optimal inputs are looked for, whatever units of whatever layers they are of."""

    preset: PresetChoice = Preset.default
    objective: Objective = None
    size: Size = None
    steps: Steps = None
    contrast: Contrast = None
    start: Start = "bank"
    mask: Mask = None
    stay: Stay = None
    alpha: Alpha = False
    spectrum: Spectrum = None
    seeds: Annotated[
        int,
        typer.Option(min=1, metavar="N", help="Runs whose motions are compared; 1 saves the others' time."),
    ] = 3
    precision: PrecisionChoice = Precision.fp32
    weights: Weights = "default"
    motion_scale: MotionScale = None

    def options(self, network: "nn.Module", position: tuple[int, ...] | None = None) -> "Options":
        """How the units are to be looked at; a clip to start from is read as the network takes it."""
        from ..card import card_of
        from ..inquiry.request import Options
        from ..optimal.held import read_mask
        from .run import measured_spectrum, starting_clip

        size = read_size(self.size)
        given = self.start not in ("noise", "bank")
        if self.stay is not None and not given:
            raise typer.BadParameter("give the clip to stay near to with --start", param_hint="'--stay'")
        if self.spectrum is not None and self.preset != Preset.maco:
            raise typer.BadParameter("a spectrum is for --preset maco", param_hint="'--spectrum'")
        with wrong_usage("--mask"):
            mask = None if self.mask is None else read_mask(self.mask, size or card_of(network).clip)
        return Options(
            objective=self.objective,
            position=position,
            size=size,
            preset=self.preset.value,
            steps=self.steps,
            contrast=self.contrast,
            start=starting_clip(self.start, network, size) if given else self.start,
            mask=mask,
            stay=self.stay,
            alpha=self.alpha,
            spectrum=None if self.spectrum is None else measured_spectrum(self.spectrum, network, size),
            seed=self.seed,
            seeds=self.seeds,
            device=self.device,
            precision=self.precision.value,
        )


@dataclass(frozen=True, kw_only=True)
class Visualize(Searching):
    """What `visualize` is asked for."""

    context: Context
    model: Model
    layer: Layer
    out: Out
    units: Annotated[
        str | None,
        typer.Option(
            metavar="UNITS",
            help="Such as 0,3,8-15, all, or names of classes; a sum is filed under its first term's.",
        ),
    ] = None
    position: Annotated[
        str | None,
        typer.Option(
            metavar="T,Y,X", help="Of the unit in the layer's map, one number per axis; the centre."
        ),
    ] = None
    vector: Annotated[
        str | None,
        typer.Option(
            metavar="FILE:NAME",
            help="Directions in the layer's channels, safetensors (n, C): its rows are the units.",
        ),
    ] = None
    cosine: Annotated[
        float,
        typer.Option(
            min=0.0, max=16.0, metavar="P", help="With --vector: power of the cosine that weighs a place."
        ),
    ] = 0.0
    mean_with: Annotated[
        str | None,
        typer.Option(
            metavar="W1,W2", help="Further weights; what is made large is the mean over all networks."
        ),
    ] = None

    def check(self) -> None:
        """End the command with status 2 where an option is written wrongly, before anything is read."""
        check_objective(self.objective)
        if self.units is None and not is_expression(self.objective or ""):
            raise typer.BadParameter("give the units, such as 0,3,8-15 or all", param_hint="'--units'")
        check_units("0" if self.units is None else self.units)
        read_size(self.size)
        self.place()
        refuse_unused(self.context, self.vector is None, "cosine", because="without --vector")

    def filed_under(self) -> str:
        """Units as a person writes them; of a sum, the unit of its first term of this layer, else 0."""
        if self.units is not None or not is_expression(self.objective or ""):
            return self.units or ""
        mine = (
            said.unit for said in read_expression(self.objective or "") if said.layer in (self.layer, VECTORS)
        )
        return str(next((unit for unit in mine if unit is not None), 0))

    def asked_of(self, network: "nn.Module") -> "Options":
        """How the units are to be looked at, with vectors and further networks read."""
        from ..units.vectors import read_vectors
        from ..zoo.registry import load_model

        return replace(
            self.options(network, self.place()),
            vectors=None if self.vector is None else read_vectors(self.vector, self.cosine),
            networks=tuple(
                load_model(self.model, weights=weights, seed=self.seed)
                for weights in (self.mean_with or "").split(",")
                if weights
            ),
        )

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
    asked.check()
    from ..zoo.registry import load_model
    from .run import plan, run_units

    network = load_model(asked.model, weights=asked.weights, seed=asked.seed)
    options, units = asked.asked_of(network), asked.filed_under()
    run = plan(asked.model, network, asked.layer, units, asked.out, options, asked.motion_scale)
    typer.echo(run_units(run, force=asked.force, quiet=asked.quiet))
