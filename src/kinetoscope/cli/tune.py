"""`kinetoscope tune`: what units answer to, measured, and their pictures held against it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import (
    Context,
    Debug,
    Device,
    Force,
    Layer,
    Model,
    Out,
    Precision,
    PrecisionChoice,
    Quiet,
    Seed,
    Size,
    Units,
    Weights,
    check_units,
    read_size,
    refuse_unused,
)
from .progress import Reporter

if TYPE_CHECKING:
    from ..results import UnitResult


def tune(
    context: Context,
    model: Model,
    layer: Layer,
    units: Units,
    out: Out,
    size: Size = None,
    compare: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="A `visualize` run of these units; stimuli take its size."),
    ] = None,
    clips: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Natural videos; what the best window of them is answered."),
    ] = None,
    contrast: Annotated[
        float, typer.Option(min=0.01, max=0.35, metavar="R", help="RMS about mid grey of the stimuli.")
    ] = 0.2,
    weights: Weights = "default",
    seed: Seed = 0,
    device: Device = "cpu",
    precision: PrecisionChoice = Precision.fp32,
    export: Annotated[
        bool, typer.Option("--export", help="Write stimuli and predicted answers for an experiment.")
    ] = False,
    degrees_per_pixel: Annotated[
        float, typer.Option(min=0.001, metavar="D", help="Of the display; with --export.")
    ] = 1.0,
    frame_rate: Annotated[
        float, typer.Option(min=0.1, metavar="F", help="Frames per second of the display; with --export.")
    ] = 30.0,
    force: Force = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Measure what units answer to: direction, speed, wavelength, plaids, textures; where and when they look.

    With --compare the motion that a run shows is held against what is measured.
    """
    check_units(units)
    extent = read_size(size)
    refuse_unused(context, not export, "degrees_per_pixel", "frame_rate", because="without --export")
    from ..activations.clips import find_clips
    from ..models.registry import load_model
    from ..pipeline import versions
    from .folder import ensure_device, writable_folder
    from .record import is_recorded, refuse_other, tell_replaced

    ensure_device(device)
    network = load_model(model, weights=weights, seed=seed)
    held: dict[str, Any] = network.kinetoscope_weights  # type: ignore[assignment]
    request = {
        "model": model,
        "weights": held["name"],
        "weights_sha256": held["sha256"],
        "layer": layer,
        "units": units,
        "size": extent,
        "compare": None if compare is None else str(compare),
        "clips": None if clips is None else [str(file) for file in find_clips(clips, without=out).files],
        "contrast": contrast,
        "seed": seed,
        "device": device,
        "precision": precision.value,
        "export": [degrees_per_pixel, frame_rate] if export else None,
        "versions": versions(),
    }
    from ..tuning.answers import STAGES
    from ..tuning.files import RECORD

    with writable_folder(out), Reporter(list(STAGES), quiet=quiet) as reporter:
        if not force and is_recorded(out / RECORD, request):
            reporter.note(f"{out} is finished; --force does it again")
        else:
            subject = {key: request[key] for key in ("model", "layer")}
            refuse_other(out / RECORD, subject, force=force)
            tell_replaced(out / RECORD, request, reporter.note)
            pictures = [] if compare is None else pictures_of(compare, layer, units, network, reporter)
            tune_into(out, network, request, pictures, reporter)
    typer.echo(out / "index.html")


def pictures_of(run: Path, layer: str, units: str, network: Any, reporter: Reporter) -> "list[UnitResult]":
    """The finished units of a run that are asked for; those that lack are told.

    Raises:
        SettingInvalid: none of them is finished there.
        RecordUnreadable: one is damaged.
    """
    from ..errors import SettingInvalid
    from ..models.registry import card_of
    from ..reading import load_result
    from ..records import finished_units, safe_component, unit_directory
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
    names = card.class_names if layer == card.output_layer else ()
    chosen = parse_units(units, output_shape(network, layer, shape)[0], names)
    wanted = [unit_directory(run, layer, unit) for unit in chosen]
    missing = [folder.name for folder in wanted if folder not in folders]
    if len(missing) == len(wanted):
        raise SettingInvalid(
            f"{str(run)!r} holds none of the units {units} of {layer!r}; visualize them there"
        )
    if missing:
        reporter.note(f"not in {run}, so measured only: units {', '.join(missing)}")
    return [load_result(folder) for folder in wanted if folder in folders]


def tune_into(
    out: Path, network: Any, request: dict[str, Any], pictures: "list[UnitResult]", reporter: Reporter
) -> None:
    """Measure, and write everything into a folder.

    Args:
        out: the folder.
        network: from `load_model`.
        request: model, weights, layer, units and seed, and what else is to be recorded; `size`, `clips`,
            `contrast`, `precision` and `export` may be left out.
        pictures: to compare with.
    """
    from ..tuning.files import RECORD, document, write_parts
    from ..tuning.measure import tune
    from ..tuning.sets import CONTRAST
    from .record import begin_record, end_record

    begin_record(out / RECORD)
    tuning = tune(
        network,
        request["layer"],
        [request["units"]],
        size=request.get("size"),
        compare=pictures,
        clips=request.get("clips") or (),
        contrast=request.get("contrast", CONTRAST),
        seed=request["seed"],
        device=request["device"],
        precision=request.get("precision", "fp32"),
        progress=reporter.step,
    )
    named = {key: request[key] for key in ("model", "weights")}
    write_parts(tuning, out, named)
    if request.get("export") is not None:
        from ..tuning.export import ExportSettings, export_stimuli

        degrees, rate = request["export"]
        how = ExportSettings(degrees_per_pixel=degrees, frames_per_second=rate)
        export_stimuli(network, tuning, out / "stimuli", settings=how)
    end_record(out / RECORD, request, document(tuning, named))
    reporter.note(f"{len(tuning.units)} units of {tuning.layer} measured in {tuning.record['seconds']:.1f} s")
