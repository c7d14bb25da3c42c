"""What `ablate` and `sanity` share: one unit, taken many times, ends in one figure and one JSON file."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import typer

from .boundary import wrong_usage
from .options import (
    Computing,
    Layer,
    Model,
    MotionScale,
    OneUnit,
    Out,
    Size,
    Steps,
    Weights,
    check_units,
    read_size,
)
from .progress import Reporter

if TYPE_CHECKING:
    from ..evaluation.ablate import Ablation, Variant
    from ..evaluation.sanity import Check, Sanity
    from ..inquiry.diversity import Diversity
    from ..inquiry.request import Request
    from ..inquiry.run import Progress
    from ..inquiry.sweep import Sweep


@dataclass(frozen=True, kw_only=True)
class OneUnitAsked(Computing):
    """What `ablate` and `sanity` are asked for."""

    model: Model
    layer: Layer
    unit: OneUnit
    out: Out
    size: Size = None
    steps: Steps = None
    weights: Weights = "default"
    motion_scale: MotionScale = None


@dataclass(frozen=True)
class Study:
    """One unit to be studied, checked.

    Attributes:
        asked: as it was written.
        weights: name of the weights.
        request: which unit, and how it is looked at.
        scale: speed at full brightness, pixels per frame.
        beside: what else makes it this very study, plain JSON values.
    """

    asked: OneUnitAsked
    weights: str
    request: "Request"
    scale: float
    beside: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """What the JSON file has under `request`: what makes it this very study."""
        (unit,) = self.request.units
        named = {"model": self.asked.model, "weights": self.weights, "steps": self.asked.steps}
        return {**named, **self.request.to_json(unit), "motion_scale": self.scale, **self.beside}

    def run(
        self,
        name: str,
        parts: Sequence[str],
        find: "Callable[[Study, Progress], tuple[dict[str, Any], bytes]]",
    ) -> None:
        """Compute unless it lies finished; write NAME.png, then NAME.json, which marks it as finished.

        Args:
            name: of the files.
            parts: what is computed one after the other, for progress lines.
            find: gives what the JSON file holds, and the figure as a PNG.
        """
        from ..files import write_bytes_atomically
        from .folder import writable_folder
        from .record import begin_record, end_record, is_finished, refuse_other, tell_replaced

        out, force, request = self.asked.out, self.asked.force, self.to_json()
        record, figure = out / f"{name}.json", out / f"{name}.png"
        with writable_folder(out), Reporter(list(parts), quiet=self.asked.quiet) as reporter:
            if not force and is_finished(record, request):
                reporter.note(f"{record} is finished; --force does it again")
            else:
                refuse_other(record, request, "model", "layer", "unit", force=force)
                tell_replaced(record, request, reporter.note)
                begin_record(record)
                found, picture = find(self, reporter.step)
                write_bytes_atomically(figure, picture)
                end_record(record, request, found)
        typer.echo(figure)

    def record_of(self, found: "Ablation | Sanity | Diversity | Sweep") -> dict[str, Any]:
        """What the JSON file says of the unit, beside the rows."""
        return {"model": self.asked.model, "weights": self.weights, **found.record}


def row_of(part: "Variant | Check") -> dict[str, Any]:
    """A row of the JSON file: what was done, and the numbers that came of it."""
    return {"group": part.group, "name": part.name, "note": part.note, **part.numbers}


def facts_of(record: dict[str, Any]) -> str:
    """The line below a figure's title."""
    return f"objective: {record['objective']}   ·   weights: {record['weights']}   ·   seed {record['seed']}"


def plan_study(asked: OneUnitAsked, **more: Any) -> Study:
    """Check everything that can be checked before computing.

    Args:
        more: further options of the request, by their names in `Options`.

    Raises:
        KinetoscopeError: as `request_for`.
    """
    check_units(asked.unit, "--unit")
    clip = read_size(asked.size)
    from ..errors import SettingInvalid
    from ..inquiry.request import Options
    from ..inquiry.settle import request_for
    from ..render.colour import DEFAULT_SCALE
    from ..zoo.registry import load_model, weights_of
    from .folder import ensure_device

    ensure_device(asked.device)
    network = load_model(asked.model, weights=asked.weights, seed=asked.seed)
    options = Options(size=clip, steps=asked.steps, seed=asked.seed, seeds=1, device=asked.device)
    options = replace(options, **more)
    request = request_for(network, asked.layer, [asked.unit], options)
    if len(request.units) > 1:
        with wrong_usage("--unit"):
            raise SettingInvalid(f"{asked.unit!r} means {len(request.units)} units; give one")
    scale = DEFAULT_SCALE if asked.motion_scale is None else asked.motion_scale
    return Study(asked, weights_of(network).name, request, scale)
