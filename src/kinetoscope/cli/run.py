"""Visualising a list of units into a folder: what is finished is kept, skipped, and shown on the page."""

import dataclasses
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from .. import pipeline
from ..errors import ClipTooSmall, SettingInvalid
from ..models.registry import card_of
from ..optimal.objective import usual_kind
from ..records import UNIT_FILE, finished_units, unit_directory
from ..render.colour import DEFAULT_SCALE
from ..render.files import save_unit
from ..render.page import write_index
from ..types import Video
from ..units.pooling import pooled_over_what_is_left
from ..units.tap import output_shape
from ..units.unit import check_position, parse_units
from ..video import fit_clip, read_windows
from .boundary import Interrupted, wrong_usage
from .folder import ensure_device, is_finished, writable_folder
from .progress import Reporter
from .record import refuse_other


@dataclass(frozen=True)
class Request:
    """What a person asked for, checked.

    Attributes:
        model: as it was named.
        network: the model, from `load_model`.
        layer: dotted name.
        units: indices, in the order asked for.
        out: the run's folder.
        options: keyword arguments of `pipeline.visualize_each`.
        scale: speed at full brightness, pixels per frame.
        title: of the page.
    """

    model: str
    network: nn.Module
    layer: str
    units: tuple[int, ...]
    out: Path
    options: dict[str, Any]
    scale: float
    title: str

    def name(self, unit: int) -> str:
        """How a unit is called in progress lines."""
        card = card_of(self.network)
        named = self.layer == card.output_layer and unit < len(card.class_names)
        return f"{self.layer}:{unit}" + (f" ({card.class_names[unit]})" if named else "")

    def expected(self, unit: int) -> dict[str, Any]:
        """What `unit.json` says when it was made by this very request."""
        weights = self.network.kinetoscope_weights
        return {
            "model": self.model,
            "weights": weights["name"],  # type: ignore[index]
            "weights_sha256": weights["sha256"],  # type: ignore[index]
            "layer": self.layer,
            "unit": unit,
            "objective": self.options["objective"],
            "seed": self.options["seed"],
            "precision": self.options["precision"],
            "settings": pipeline.request_settings(**self.options),
            "versions": pipeline.versions(),
        }


def plan(
    model: str,
    network: nn.Module,
    layer: str,
    units: str,
    out: Path,
    options: dict[str, Any],
    scale: float | None = None,
) -> Request:
    """Check everything that can be checked before computing.

    Args:
        model: as it was named.
        network: from `load_model`.
        layer: dotted name.
        units: as a person writes them.
        out: the run's folder.
        options: keyword arguments of `pipeline.visualize_each`, but for the card.
        scale: speed at full brightness, pixels per frame; None: the usual one.

    Raises:
        LayerNotFound, UnitOutOfRange, ClipTooSmall, ModelUnusable, SettingInvalid: as their names say.
    """
    ensure_device(options["device"])
    card = card_of(network)
    with pooled_over_what_is_left():
        shape = output_shape(network, layer, (card.channels, *(options["size"] or card.clip)))
    chosen = parse_units(units, shape[0], card.class_names if layer == card.output_layer else ())
    if options["position"] is not None:
        with wrong_usage("--position"):
            check_position(options["position"], shape[1:])
    # who names a place means the unit there
    usual = usual_kind(shape, options["preset"]) if options["position"] is None else "unit"
    if options["position"] is not None and options["objective"] not in (None, "unit"):
        raise SettingInvalid(
            f"a position is of one unit, and the objective {options['objective']} is of the whole channel; "
            "give --objective unit, or leave --position out"
        )
    return Request(
        model=model,
        network=network,
        layer=layer,
        units=tuple(chosen),
        out=out,
        options={
            **options,
            "card": card,
            "objective": options["objective"] or usual,
        },
        scale=DEFAULT_SCALE if scale is None else scale,
        title=f"{model} {layer}",
    )


def starting_clip(path: str, network: nn.Module, size: tuple[int, int, int] | None) -> Video:
    """The first frames of a film, brought to the clip that the network is given, (T, C, H, W).

    Args:
        size: frames, height, width; None: the card's.

    Raises:
        VideoUnreadable, ClipTooSmall: the film cannot be read, or has too few frames.
    """
    card = card_of(network)
    frames, height, width = size or card.clip
    with closing(read_windows(path, frames, frames, channels=card.channels)) as windows:
        video = next(windows).video
    if len(video) < frames:
        raise ClipTooSmall(f"{path} has {len(video)} frames, and a start needs {frames}; give a longer one")
    return fit_clip(video, card.channels, height, width)


def run_units(request: Request, *, force: bool = False, quiet: bool = False) -> Path:
    """Visualise the units that are not finished yet, save each at once, and write the page.

    Returns:
        The path of the page.

    Raises:
        OutputUnwritable: `request.out` cannot be written; found out before anything is computed.
        Interrupted: on Ctrl-C or SIGTERM, after the page of what is finished has been written.
    """
    with writable_folder(request.out):
        todo = [unit for unit in request.units if force or not _lies_finished(request, unit)]
        folders = [unit_directory(request.out, request.layer, unit) for unit in todo]
        for folder in folders:
            refuse_other(folder / UNIT_FILE, {"model": request.model}, force=force)
        try:
            with Reporter([request.name(unit) for unit in todo], quiet=quiet) as reporter:
                if skipped := len(request.units) - len(todo):
                    reporter.note(
                        f"{skipped} of {len(request.units)} units are finished; --force does them again"
                    )
                held = 0 if force else sum((folder / UNIT_FILE).exists() for folder in folders)
                if held:
                    reporter.note(
                        f"{held} of {len(request.units)} units lie there by another request; done anew"
                    )
                _compute(request, todo, reporter)
        except Interrupted as stop:
            kept = finished_units(request.out)
            what = f"finished units are kept in {request.out}" if kept else "no unit was finished"
            stop.advice = f"{what}; run the same command again to go on"
            raise
        finally:
            if finished_units(request.out):
                _write_page(request)
    return request.out / "index.html"


def _lies_finished(request: Request, unit: int) -> bool:
    folder = unit_directory(request.out, request.layer, unit)
    return is_finished(folder, request.expected(unit), scale=request.scale)


def _compute(request: Request, todo: list[int], reporter: Reporter) -> None:
    if not todo:
        return
    weights = request.network.kinetoscope_weights["name"]  # type: ignore[index]
    start = time.perf_counter()
    results = pipeline.visualize_each(
        request.network, request.layer, todo, progress=reporter.step, **request.options
    )
    for index, result in enumerate(results):
        record = {"model": request.model, "weights": weights, **result.record}
        save_unit(dataclasses.replace(result, record=record), request.out, scale=request.scale)
        reporter.finished(index, time.perf_counter() - start)
        start = time.perf_counter()


def _write_page(request: Request) -> Path:
    asked = [(request.layer, unit) for unit in request.units]
    return write_index(request.out, title=request.title, units=asked, scale=request.scale)
