"""`kinetoscope compass`: does a layer know where things go, and do its pictures go there?"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import (
    Computing,
    Contrast,
    Layer,
    Model,
    Out,
    Precision,
    PrecisionChoice,
    Size,
    Steps,
    Weights,
    read_size,
    takes,
)
from .progress import Reporter

if TYPE_CHECKING:
    from torch import nn

    from ..bearings.make import Known
    from ..bearings.needle import Needle


@dataclass(frozen=True, kw_only=True)
class Compass(Computing):
    """What `compass` is asked for."""

    model: Model
    layer: Layer
    out: Out
    angles: Annotated[
        int, typer.Option(min=4, max=36, metavar="N", help="Evenly spaced directions to ask for.")
    ] = 12
    clips: Annotated[
        int, typer.Option(min=64, metavar="N", help="Planted clips to train the probe and to score it on.")
    ] = 640
    size: Size = None
    steps: Steps = None
    contrast: Contrast = None
    weights: Weights = "default"
    precision: PrecisionChoice = Precision.fp32

    def to_json(self, network: "nn.Module", size: tuple[int, int, int]) -> dict[str, Any]:
        """What every record has under `request`: all that a clip depends on but its angle and its probe."""
        from ..card import card_of
        from ..inquiry.request import versions
        from ..zoo.registry import weights_of
        from .record import content_of

        return {
            "model": self.model,
            "weights": weights_of(network).name,
            **content_of(network, card_of(network)),
            "layer": self.layer,
            "clips_shown": self.clips,
            "size": size,
            "steps_asked": self.steps,
            "contrast": self.contrast,
            "seed": self.seed,
            "device": self.device,
            "precision": self.precision,
            "versions": versions(),
        }


@takes(Compass)
def compass(asked: Compass) -> None:
    """Ask a layer for every direction of motion, and measure where its pictures go.

    A probe of the layer is trained on planted motion; for the angles of its plane clips are searched for and
    taken apart. The same with shuffled probes is the control.
    """
    extent = read_size(asked.size)
    from ..bearings.files import RECORD
    from ..bearings.make import STAGES
    from ..card import card_of
    from ..zoo.registry import load_model
    from .folder import ensure_device, writable_folder
    from .record import is_finished, refuse_other, tell_replaced

    ensure_device(asked.device)
    network = load_model(asked.model, weights=asked.weights, seed=asked.seed)
    shared = asked.to_json(network, extent or card_of(network).clip)
    request, record = {**shared, "angles": asked.angles}, asked.out / RECORD
    with writable_folder(asked.out), Reporter(list(STAGES), quiet=asked.quiet) as reporter:
        if not asked.force and is_finished(record, request):
            reporter.note(f"{asked.out} is finished; --force does it again")
        else:
            refuse_other(record, request, "model", "layer", force=asked.force)
            tell_replaced(record, request, reporter.note)
            _run(asked, network, shared, reporter)
    typer.echo(asked.out / "index.html")


def _run(asked: Compass, network: "nn.Module", shared: dict[str, Any], reporter: Reporter) -> None:
    """Measure, and write each clip as soon as it is there; `compass.json` comes last."""
    from ..bearings.files import RECORD, document, save_needle, verdict, write_parts
    from ..bearings.make import compass as measure
    from ..zoo.registry import weights_of
    from .record import begin_record, end_record

    begin_record(asked.out / RECORD)
    known = {} if asked.force else _known(asked, shared)

    def found(needle: "Needle") -> None:
        needle.result.record["request"] = {**shared, **_of(needle.kind, needle.asked_deg)}
        save_needle(needle, asked.out)

    done = measure(
        network,
        asked.layer,
        angles=asked.angles,
        clips=asked.clips,
        size=shared["size"],
        steps=asked.steps,
        contrast=asked.contrast,
        seed=asked.seed,
        device=asked.device,
        precision=asked.precision.value,
        known=known,
        found=found,
        progress=reporter.step,
    )
    named = {"model": asked.model, "weights": weights_of(network).name}
    write_parts(done, asked.out, named)
    end_record(asked.out / RECORD, {**shared, "angles": asked.angles}, document(done, named))
    reporter.note(verdict(done))


def _of(kind: str, asked_deg: float) -> dict[str, Any]:
    """What the request of one clip has beside what all share."""
    return {"kind": kind, "asked_deg": asked_deg}


def _known(asked: Compass, shared: dict[str, Any]) -> "Known":
    """The clips of this request that lie finished in the folder."""
    from ..bearings.files import needle_folder
    from ..bearings.needle import PROBE, SHUFFLED, angles_of
    from ..files import UNIT_FILE
    from ..reading import load_result
    from .record import is_finished

    pairs = [(kind, angle) for kind in (PROBE, SHUFFLED) for angle in angles_of(asked.angles)]
    folders = {pair: needle_folder(asked.out, *pair) for pair in pairs}
    return {
        pair: load_result(folder)
        for pair, folder in folders.items()
        if is_finished(folder / UNIT_FILE, {**shared, **_of(*pair)})
    }
