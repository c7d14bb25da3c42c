"""`kinetoscope decompose`: texture and motion of a given video."""

import dataclasses
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import Computing, Formulation, MotionScale, Out, Partial, Preset, PresetChoice, takes
from .progress import Reporter

if TYPE_CHECKING:
    from ..types import Video


@dataclass(frozen=True, kw_only=True)
class Decompose(Computing):
    """What `decompose` is asked for."""

    video: Annotated[
        Path,
        typer.Argument(
            metavar="VIDEO",
            help="mp4, avi, webm, mkv, gif, animated webp or png, a folder of frames, or .npy.",
        ),
    ]
    out: Out
    formulation: Annotated[
        Formulation | None, typer.Option(help="How motion is described; the preset's own.")
    ] = None
    preset: PresetChoice = Preset.default
    partial: Partial = False
    motion_scale: MotionScale = None

    def to_json(self) -> dict[str, Any]:
        """The options that the numbers depend on."""
        return {
            "preset": self.preset.value,
            "formulation": None if self.formulation is None else self.formulation.value,
            "seed": self.seed,
            "device": self.device,
        }


@takes(Decompose)
def decompose(asked: Decompose) -> None:
    """Split a video into one texture and its motion."""
    from ..clips.video import read_video
    from .folder import ensure_device

    ensure_device(asked.device)
    _run(asked, read_video(asked.video, partial=asked.partial))
    typer.echo(asked.out / "summary.png")


def _run(asked: Decompose, clip: "Video") -> None:
    from ..files import UNIT_FILE
    from ..inquiry import given
    from ..inquiry.request import versions
    from ..records import sha256_of
    from ..render.colour import DEFAULT_SCALE
    from ..render.files import save_decomposition
    from .folder import writable_folder
    from .record import is_finished, refuse_other, tell_replaced

    out, there = asked.out, asked.out / UNIT_FILE
    scale = DEFAULT_SCALE if asked.motion_scale is None else asked.motion_scale
    named = {"video": str(asked.video), "video_sha256": sha256_of(clip)}
    key = {**named, **asked.to_json(), "versions": versions(), "render.motion_scale_px_per_frame": scale}
    with writable_folder(out), Reporter([named["video"]], quiet=asked.quiet) as reporter:
        if not asked.force and is_finished(there, key):
            reporter.note(f"{out} is finished; --force does it again")
            return
        refuse_other(there, named, "video", force=asked.force)
        tell_replaced(there, key, reporter.note)
        start = time.perf_counter()
        result = given.decompose_video(
            clip,
            preset=asked.preset.value,
            formulation=None if asked.formulation is None else asked.formulation.value,
            seed=asked.seed,
            device=asked.device,
            progress=lambda index, step, steps: reporter.step(index, step, steps, "taking apart"),
        )
        record = {**result.record, **named, "request": asked.to_json(), "versions": versions()}
        save_decomposition(dataclasses.replace(result, record=record), out, scale=scale)
        reporter.finished(0, time.perf_counter() - start)
