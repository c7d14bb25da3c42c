"""Visualising a list of units into a folder: what is finished is kept, skipped, and shown on the page."""

import dataclasses
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from ..card import card_of
from ..clips.folder import find_clips
from ..clips.video import fit_clip, read_windows
from ..errors import ClipTooSmall, PositionInvalid
from ..files import UNIT_FILE, finished_units, unit_directory
from ..inquiry.request import Options, Request
from ..inquiry.run import Inquiry
from ..inquiry.settle import request_for
from ..render.colour import DEFAULT_SCALE
from ..render.files import save_unit
from ..render.page import write_index
from ..spectrum import NaturalSpectrum, natural_spectrum
from ..types import Video
from ..zoo.registry import weights_of
from .boundary import Interrupted, wrong_usage
from .folder import ensure_device, writable_folder
from .progress import Reporter
from .record import is_finished, refuse_other


@dataclass(frozen=True)
class Run:
    """A checked request, and the folder that its units go into.

    Attributes:
        model: as it was named.
        weights: name of the weights.
        request: what is looked at, and how.
        out: the run's folder.
        scale: speed at full brightness, pixels per frame.
    """

    model: str
    weights: str
    request: Request
    out: Path
    scale: float

    def label(self, unit: int) -> str:
        """How a unit is called in progress lines."""
        name = self.request.name(unit)
        return f"{self.request.layer}:{unit}" + (f" ({name})" if name else "")

    def folder(self, unit: int) -> Path:
        """Where a unit's files go."""
        return unit_directory(self.out, self.request.layer, unit)

    def is_finished(self, unit: int) -> bool:
        """Whether the unit lies there, made by this very request."""
        key = {
            "model": self.model,
            **self.request.to_json(unit),
            "render.motion_scale_px_per_frame": self.scale,
        }
        return is_finished(self.folder(unit) / UNIT_FILE, key)


def plan(
    model: str,
    network: nn.Module,
    layer: str,
    units: str,
    out: Path,
    options: Options,
    scale: float | None = None,
) -> Run:
    """Check everything that can be checked before computing.

    Args:
        model: as it was named.
        network: from `load_model`.
        layer: dotted name.
        units: as a person writes them.
        out: the run's folder.
        options: how they are looked at.
        scale: speed at full brightness, pixels per frame; None: the usual one.

    Raises:
        LayerNotFound, UnitOutOfRange, ClipTooSmall, ModelUnusable, SettingInvalid: as their names say.
    """
    ensure_device(options.device)
    with wrong_usage("--position", PositionInvalid):
        request = request_for(network, layer, [units], options)
    return Run(model, weights_of(network).name, request, out, DEFAULT_SCALE if scale is None else scale)


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


def measured_spectrum(path: Path, network: nn.Module, size: tuple[int, int, int] | None) -> NaturalSpectrum:
    """The spectrum of clips at the size that the network is given; every window of each clip counts.

    Args:
        path: a clip, or a folder of them.
        size: frames, height, width; None: the card's.

    Raises:
        VideoUnreadable, ClipTooSmall, SettingInvalid: no clip there is long enough, or one cannot be read.
    """
    card = card_of(network)
    frames, height, width = size or card.clip
    windows = []
    for clip in find_clips(path).files if path.is_dir() else [path]:
        with closing(read_windows(clip, frames, frames, channels=card.channels)) as found:
            windows += [fit_clip(window.video, card.channels, height, width) for window in found]
    return natural_spectrum([window for window in windows if len(window) == frames])


Work = Callable[[Run, list[int], Reporter], None]
"""Computes and saves units of a run, and reports."""


def one_by_one(run: Run, units: list[int], reporter: Reporter) -> None:
    """In this process, which is what a large network or a GPU wants."""

    def told(index: int, step: int, steps: int) -> None:
        reporter.step(index, step, steps, "searching" if step < steps else "taking apart and drawing")

    compute(run, units, told, reporter.finished)


def run_units(run: Run, *, force: bool = False, quiet: bool = False, work: Work = one_by_one) -> Path:
    """Visualise the units that are not finished yet, save each at once, and write the page.

    Args:
        work: what computes them.

    Returns:
        The path of the page.

    Raises:
        OutputUnwritable: `run.out` cannot be written; found out before anything is computed.
        Interrupted: on Ctrl-C or SIGTERM, after the page of what is finished has been written.
    """
    units = run.request.units
    with writable_folder(run.out):
        todo = [unit for unit in units if force or not run.is_finished(unit)]
        records = [run.folder(unit) / UNIT_FILE for unit in todo]
        for record in records:
            refuse_other(record, {"model": run.model}, "model", force=force)
        try:
            with Reporter([run.label(unit) for unit in todo], quiet=quiet) as reporter:
                if skipped := len(units) - len(todo):
                    reporter.note(f"{skipped} of {len(units)} units are finished; --force does them again")
                held = 0 if force else sum(record.exists() for record in records)
                if held:
                    reporter.note(f"{held} of {len(units)} units lie there by another request; done anew")
                if todo:
                    work(run, todo, reporter)
        except Interrupted as stop:
            kept = finished_units(run.out)
            what = f"finished units are kept in {run.out}" if kept else "no unit was finished"
            stop.advice = f"{what}; run the same command again to go on"
            raise
        finally:
            if finished_units(run.out):
                _write_page(run)
    return run.out / "index.html"


def compute(
    run: Run,
    units: Sequence[int],
    step: Callable[[int, int, int], None],
    finished: Callable[[int, float], None],
) -> None:
    """Visualize units one after the other, and save each at once.

    Args:
        run: whose layer they are of.
        units: indices.
        step: told the place in `units`, the step, and the number of steps.
        finished: told the place in `units` of what lies on disk, and the seconds it took.
    """
    start = time.perf_counter()
    for index, result in enumerate(Inquiry(run.request, step).results(list(units))):
        record = {"model": run.model, "weights": run.weights, **result.record}
        save_unit(dataclasses.replace(result, record=record), run.out, scale=run.scale)
        finished(index, time.perf_counter() - start)
        start = time.perf_counter()


def _write_page(run: Run) -> Path:
    request = run.request
    asked = [(request.layer, unit) for unit in request.units]
    return write_index(run.out, title=f"{run.model} {request.layer}", units=asked, scale=run.scale)
