"""`kinetoscope tune`: what units answer to, measured, and their pictures held against it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import (
    Computing,
    Context,
    Layer,
    Model,
    Out,
    Precision,
    PrecisionChoice,
    Size,
    Units,
    Weights,
    check_units,
    read_size,
    refuse_unused,
    takes,
)
from .progress import Reporter

if TYPE_CHECKING:
    from torch import nn

    from ..results import UnitResult
    from ..tuning.export import ExportSettings

CONTRAST = 0.2


@dataclass(frozen=True, kw_only=True)
class Tune(Computing):
    """What `tune` is asked for."""

    context: Context
    model: Model
    layer: Layer
    units: Units
    out: Out
    size: Size = None
    compare: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="A `visualize` run of these units; stimuli take its size."),
    ] = None
    clips: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Natural videos; what the best window of them is answered."),
    ] = None
    contrast: Annotated[
        float, typer.Option(min=0.01, max=0.35, metavar="R", help="RMS about mid grey of the stimuli.")
    ] = CONTRAST
    weights: Weights = "default"
    precision: PrecisionChoice = Precision.fp32
    export: Annotated[
        bool, typer.Option("--export", help="Write stimuli and predicted answers for an experiment.")
    ] = False
    degrees_per_pixel: Annotated[
        float, typer.Option(min=0.001, metavar="D", help="Of the display; with --export.")
    ] = 1.0
    frame_rate: Annotated[
        float, typer.Option(min=0.1, metavar="F", help="Frames per second of the display; with --export.")
    ] = 30.0


@dataclass(frozen=True, kw_only=True)
class Task:
    """Units of a layer to be measured, and what they are compared with.

    Attributes:
        model, network: as it was named, and from `load_model`.
        layer, units: dotted name, and units as a person writes them.
        pictures: results of `visualize` to compare with.
        size: of the stimuli, (frames, height, width); None: that of the pictures, else the card's.
        clips: natural videos.
        contrast, seed, device, precision: as for `tuning.measure.tune`.
        export: how stimuli are written for an experiment; None: they are not.
    """

    model: str
    network: "nn.Module"
    layer: str
    units: str
    pictures: "Sequence[UnitResult]" = ()
    size: tuple[int, int, int] | None = None
    clips: Sequence[Path] = ()
    contrast: float = CONTRAST
    seed: int = 0
    device: str = "cpu"
    precision: str = "fp32"
    export: "ExportSettings | None" = None

    def to_json(self) -> dict[str, Any]:
        """What `tuning.json` has under `request`: all that its numbers depend on."""
        from ..card import card_of
        from ..inquiry.request import versions
        from ..records import sha256_of
        from ..zoo.registry import weights_of
        from .record import content_of, sha256_of_files

        return {
            "model": self.model,
            "weights": weights_of(self.network).name,
            **content_of(self.network, card_of(self.network)),
            "layer": self.layer,
            "units": self.units,
            "size": self.size,
            "compared": [
                [p.record["unit"], sha256_of(p.video), sha256_of(p.decomposition.static_image[None])]
                for p in self.pictures
            ],
            "clips": [str(file) for file in self.clips],
            "clips_sha256": [sha256_of_files(file) for file in self.clips],
            "contrast": self.contrast,
            "seed": self.seed,
            "device": self.device,
            "precision": self.precision,
            "export": None if self.export is None else asdict(self.export),
            "versions": versions(),
        }

    def run(self, out: Path, reporter: Reporter) -> None:
        """Measure, and write everything into a folder; `tuning.json` comes last."""
        from ..tuning.export import export_stimuli
        from ..tuning.files import RECORD, document, write_parts
        from ..tuning.measure import tune as measure
        from ..zoo.registry import weights_of
        from .drawing import drawing
        from .record import begin_record, end_record

        request = self.to_json()
        begin_record(out / RECORD)
        tuning = measure(
            self.network,
            self.layer,
            [self.units],
            size=self.size,
            compare=self.pictures,
            clips=self.clips,
            contrast=self.contrast,
            seed=self.seed,
            device=self.device,
            precision=self.precision,
            progress=reporter.step,
        )
        named = {"model": self.model, "weights": weights_of(self.network).name}
        with drawing(len(tuning.units)) as draw:
            write_parts(tuning, out, named, draw)
        if self.export is not None:
            export_stimuli(self.network, tuning, out / "stimuli", settings=self.export)
        end_record(out / RECORD, request, document(tuning, named))
        seconds = tuning.record["seconds"]
        reporter.note(f"{len(tuning.units)} units of {tuning.layer} measured in {seconds:.1f} s")


@takes(Tune)
def tune(asked: Tune) -> None:
    """Measure what units answer to: direction, speed, wavelength, plaids, textures; where and when they look.

    With --compare the motion that a run shows is held against what is measured.
    """
    check_units(asked.units)
    extent, unasked = read_size(asked.size), not asked.export
    refuse_unused(asked.context, unasked, "degrees_per_pixel", "frame_rate", because="without --export")
    from ..clips.folder import find_clips
    from ..tuning.answers import STAGES
    from ..tuning.export import ExportSettings
    from ..tuning.files import RECORD
    from ..zoo.registry import load_model
    from .folder import ensure_device, writable_folder
    from .record import is_finished, refuse_other, tell_replaced

    ensure_device(asked.device)
    network = load_model(asked.model, weights=asked.weights, seed=asked.seed)
    pictures, missing = (
        ([], []) if asked.compare is None else pictures_of(asked.compare, asked.layer, asked.units, network)
    )
    how = ExportSettings(degrees_per_pixel=asked.degrees_per_pixel, frames_per_second=asked.frame_rate)
    task = Task(
        model=asked.model,
        network=network,
        layer=asked.layer,
        units=asked.units,
        pictures=pictures,
        size=extent,
        clips=() if asked.clips is None else find_clips(asked.clips, without=asked.out).files,
        contrast=asked.contrast,
        seed=asked.seed,
        device=asked.device,
        precision=asked.precision.value,
        export=how if asked.export else None,
    )
    request, record = task.to_json(), asked.out / RECORD
    with writable_folder(asked.out), Reporter(list(STAGES), quiet=asked.quiet) as reporter:
        if missing:
            reporter.note(f"not in {asked.compare}, so measured only: units {', '.join(missing)}")
        if not asked.force and is_finished(record, request):
            reporter.note(f"{asked.out} is finished; --force does it again")
        else:
            refuse_other(record, request, "model", "layer", force=asked.force)
            tell_replaced(record, request, reporter.note)
            task.run(asked.out, reporter)
    typer.echo(asked.out / "index.html")


def pictures_of(
    run: Path, layer: str, units: str, network: "nn.Module"
) -> "tuple[list[UnitResult], list[str]]":
    """The finished units of a run that are asked for, and the names of those it lacks.

    Raises:
        SettingInvalid: none of them is finished there.
        RecordUnreadable: one is damaged.
    """
    from ..card import card_of
    from ..errors import SettingInvalid
    from ..files import finished_units, safe_component, unit_directory
    from ..reading import load_result
    from ..units.tap import output_shape
    from ..units.unit import parse_units

    card, folders = card_of(network), finished_units(run)
    here = [folder for folder in folders if folder.parent.name == safe_component(layer)]
    if not here:
        raise SettingInvalid(
            f"{str(run)!r} holds no finished unit of layer {layer!r}; give a visualize run of it"
        )
    first = load_result(here[0])
    shape = (card.channels, len(first.video), *first.video.shape[2:])
    chosen = parse_units(units, output_shape(network, layer, shape)[0], card.names_of(layer))
    wanted = [unit_directory(run, layer, unit) for unit in chosen]
    missing = [folder.name for folder in wanted if folder not in folders]
    if len(missing) == len(wanted):
        raise SettingInvalid(
            f"{str(run)!r} holds none of the units {units} of {layer!r}; visualize them there"
        )
    return [load_result(folder) for folder in wanted if folder in folders], missing
