"""What `ablate` and `sanity` share: one unit, taken many times, ends in one figure and one JSON file."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from .boundary import wrong_usage
from .options import check_units, read_size
from .progress import Reporter

if TYPE_CHECKING:
    from torch import nn

    from ..account import Progress
    from ..studies.ablate import Ablation, Variant
    from ..studies.sanity import Check, Sanity


@dataclass(frozen=True)
class Study:
    """One unit to be studied, checked.

    Attributes:
        network: the model, from `load_model`.
        layer: dotted name.
        unit: index.
        options: keyword arguments of `account_for`.
        scale: speed at full brightness, pixels per frame.
        request: what makes it this very study, plain JSON values.
    """

    network: "nn.Module"
    layer: str
    unit: int
    options: dict[str, Any]
    scale: float
    request: dict[str, Any]

    def run(
        self,
        name: str,
        parts: Sequence[str],
        find: "Callable[[Study, Progress], tuple[dict[str, Any], bytes]]",
        out: Path,
        *,
        force: bool,
        quiet: bool,
    ) -> None:
        """Compute unless it lies finished; write NAME.png, then NAME.json, which marks it as finished.

        Args:
            name: of the files.
            parts: what is computed one after the other, for progress lines.
            find: gives what the JSON file holds, and the figure as a PNG.
            out: the folder.
            force: compute even so.
            quiet: tell no progress.
        """
        from ..records import write_bytes_atomically
        from .folder import writable_folder
        from .record import begin_record, end_record, is_recorded, refuse_other, tell_replaced

        record, figure = out / f"{name}.json", out / f"{name}.png"
        with writable_folder(out), Reporter(list(parts), quiet=quiet) as reporter:
            if not force and is_recorded(record, self.request):
                reporter.note(f"{record} is finished; --force does it again")
            else:
                subject = {key: self.request[key] for key in ("model", "layer", "unit")}
                refuse_other(record, subject, force=force)
                tell_replaced(record, self.request, reporter.note)
                begin_record(record)
                found, picture = find(self, reporter.step)
                write_bytes_atomically(figure, picture)
                end_record(record, self.request, found)
        typer.echo(figure)

    def record_of(self, found: "Ablation | Sanity") -> dict[str, Any]:
        """What the JSON file says of the unit, beside the rows."""
        return {"model": self.request["model"], "weights": self.request["weights"], **found.record}


def row_of(part: "Variant | Check") -> dict[str, Any]:
    """A row of the JSON file: what was done, and the numbers that came of it."""
    return {"group": part.group, "name": part.name, "note": part.note, **part.numbers}


def facts_of(record: dict[str, Any]) -> str:
    """The line below a figure's title."""
    return f"objective: {record['objective']}   ·   weights: {record['weights']}   ·   seed {record['seed']}"


def plan_study(
    model: str,
    layer: str,
    unit: str,
    weights: str,
    size: str | None,
    steps: int | None,
    seed: int,
    device: str,
    scale: float | None,
) -> Study:
    """Check everything that can be checked before computing; arguments as they were written.

    Raises:
        KinetoscopeError: as `account_for`.
    """
    check_units(unit, "--unit")
    clip = read_size(size)
    from ..errors import SettingInvalid
    from ..models.registry import load_model
    from ..pipeline import account_for
    from ..render.colour import DEFAULT_SCALE
    from .folder import ensure_device

    ensure_device(device)
    network = load_model(model, weights=weights, seed=seed)
    options: dict[str, Any] = {"size": clip, "steps": steps, "seed": seed, "device": device}
    account, chosen = account_for(network, layer, [unit], **options, seeds=1)
    if len(chosen) > 1:
        with wrong_usage("--unit"):
            raise SettingInvalid(f"{unit!r} means {len(chosen)} units; give one")
    speed = DEFAULT_SCALE if scale is None else scale
    name = network.kinetoscope_weights["name"]  # type: ignore[index]
    request = {"model": model, "weights": name, **account.record, "unit": chosen[0], "motion_scale": speed}
    return Study(network, layer, chosen[0], options, speed, request)
