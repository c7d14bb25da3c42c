"""`kinetoscope naturalness`: how natural the optimal inputs of a run are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import Computing, Out, Precision, PrecisionChoice, Weights, takes
from .progress import Reporter

if TYPE_CHECKING:
    from torch import nn

    from ..results import UnitResult


@dataclass(frozen=True, kw_only=True)
class Naturalness(Computing):
    """What `naturalness` is asked for."""

    run: Annotated[Path, typer.Argument(metavar="RUN", help="A finished run of `visualize`.")]
    clips: Annotated[Path, typer.Option(metavar="FOLDER", help="Natural videos, in folders at any depth.")]
    out: Out
    weights: Weights = "default"
    second_weights: Annotated[
        str | None,
        typer.Option(metavar="W", help="Of a second network of the same architecture; random, a file, ..."),
    ] = None
    second_seed: Annotated[
        int, typer.Option(min=0, max=2**63 - 1, metavar="N", help="Of its random weights.")
    ] = 1
    layers: Annotated[
        str | None,
        typer.Option(metavar="L1,L2", help="Layers to follow clips through; the model's suggested ones."),
    ] = None
    most: Annotated[int, typer.Option(min=8, metavar="N", help="Natural clips to use at most.")] = 200
    precision: PrecisionChoice = Precision.fp32

    def to_json(
        self,
        model: str,
        network: "nn.Module",
        second: "nn.Module | None",
        results: "Sequence[UnitResult]",
        files: Sequence[Path],
    ) -> dict[str, Any]:
        """What `naturalness.json` has under `request`: all that its numbers depend on."""
        from ..card import card_of
        from ..inquiry.request import versions
        from ..records import sha256_of
        from ..zoo.registry import weights_of
        from .record import content_of, sha256_of_files

        return {
            "model": model,
            "weights": weights_of(network).name,
            **content_of(network, card_of(network)),
            "second_weights_sha256": None if second is None else weights_of(second).sha256,
            "results": [
                [r.record["layer"], r.record["unit"], r.record["objective"], sha256_of(r.video)]
                for r in results
            ],
            "folder": str(self.clips),
            "clips": [str(file) for file in files],
            "clips_sha256": [sha256_of_files(file) for file in files],
            "layers": self.layers,
            "most": self.most,
            "seed": self.seed,
            "device": self.device,
            "precision": self.precision,
            "versions": versions(),
        }


@takes(Naturalness)
def naturalness(asked: Naturalness) -> None:
    """Say of each optimal input of a run where it lies among natural clips.

    Its response, its spectrum, its values at the limits, its way through the layers, and what a second
    network answers to it.
    """
    from ..clips.folder import find_clips
    from ..natural.files import RECORD
    from ..natural.measure import STAGES
    from ..zoo.registry import load_model
    from .folder import ensure_device, writable_folder
    from .record import is_finished, refuse_other, tell_replaced

    ensure_device(asked.device)
    results = results_of(asked.run)
    model = model_of(results, asked.run)
    network = load_model(model, weights=asked.weights, seed=_seed_of(results))
    second = (
        None
        if asked.second_weights is None
        else load_model(model, weights=asked.second_weights, seed=asked.second_seed)
    )
    files = find_clips(asked.clips, without=asked.out).files
    request, record = asked.to_json(model, network, second, results, files), asked.out / RECORD
    with writable_folder(asked.out), Reporter(list(STAGES), quiet=asked.quiet) as reporter:
        if not asked.force and is_finished(record, request):
            reporter.note(f"{asked.out} is finished; --force does it again")
        else:
            refuse_other(record, request, "model", force=asked.force)
            tell_replaced(record, request, reporter.note)
            _run(asked, network, second, results, files, request, reporter)
    typer.echo(asked.out / "index.html")


def _run(
    asked: Naturalness,
    network: "nn.Module",
    second: "nn.Module | None",
    results: "Sequence[UnitResult]",
    files: Sequence[Path],
    request: Mapping[str, Any],
    reporter: Reporter,
) -> None:
    """Measure, and write everything; `naturalness.json` comes last."""
    from ..natural.files import RECORD, document, write_parts
    from ..natural.measure import naturalness as measure
    from .record import begin_record, end_record

    begin_record(asked.out / RECORD)
    found = measure(
        network,
        results,
        files,
        second=second,
        layers=None if asked.layers is None else asked.layers.split(","),
        most=asked.most,
        seed=asked.seed,
        device=asked.device,
        precision=asked.precision.value,
        progress=reporter.step,
    )
    named = {name: request[name] for name in ("model", "weights")}
    write_parts(found, asked.out, named)
    end_record(asked.out / RECORD, request, document(found, named))
    reporter.note(f"{len(results)} optimal inputs in {found.record['seconds']:.1f} s")


def results_of(run: Path) -> "list[UnitResult]":
    """The finished units of a run.

    Raises:
        SettingInvalid: there is none.
        RecordUnreadable: one is damaged.
    """
    from ..errors import SettingInvalid
    from ..files import finished_units
    from ..reading import load_result

    folders = finished_units(run)
    if not folders:
        raise SettingInvalid(f"{str(run)!r} holds no finished unit; give the folder of a visualize run")
    return [load_result(folder) for folder in folders]


def model_of(results: "Sequence[UnitResult]", run: Path) -> str:
    """The model that a run was made with, as it was named.

    Raises:
        SettingInvalid: it is not told, or there are several.
    """
    from ..errors import SettingInvalid

    names = sorted({str(result.record["model"]) for result in results if result.record.get("model")})
    if len(names) != 1:
        told = f"names the models {', '.join(names)}" if names else "does not name its model"
        raise SettingInvalid(f"{str(run)!r} {told}; give a run of one model that the command made")
    return names[0]


def _seed_of(results: "Sequence[UnitResult]") -> int:
    """The run's seed: where weights are random, they came from it."""
    seed = results[0].record.get("seed")
    return seed if isinstance(seed, int) else 0
