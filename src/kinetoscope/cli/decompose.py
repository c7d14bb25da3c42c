"""`kinetoscope decompose`: texture and motion of a given video."""

import dataclasses
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import (
    Debug,
    Device,
    Force,
    Formulation,
    MotionScale,
    Out,
    Partial,
    Preset,
    PresetChoice,
    Quiet,
    Seed,
)
from .progress import Reporter

if TYPE_CHECKING:
    from ..types import Video


def decompose(
    video: Annotated[
        Path,
        typer.Argument(
            metavar="VIDEO",
            help="mp4, avi, webm, mkv, gif, animated webp or png, a folder of frames, or .npy.",
        ),
    ],
    out: Out,
    formulation: Annotated[
        Formulation | None, typer.Option(help="How motion is described; the preset's own.")
    ] = None,
    preset: PresetChoice = Preset.default,
    seed: Seed = 0,
    partial: Partial = False,
    device: Device = "cpu",
    motion_scale: MotionScale = None,
    force: Force = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Split a video into one texture and its motion."""
    from ..render.colour import DEFAULT_SCALE
    from ..video import read_video
    from .folder import ensure_device

    ensure_device(device)
    clip = read_video(video, partial=partial)
    options = {
        "preset": preset.value,
        "formulation": None if formulation is None else formulation.value,
        "seed": seed,
        "device": device,
    }
    scale = DEFAULT_SCALE if motion_scale is None else motion_scale
    _run(str(video), clip, out, options, scale, force=force, quiet=quiet)
    typer.echo(out / "summary.png")


def _run(
    name: str, clip: "Video", out: Path, options: dict[str, Any], scale: float, *, force: bool, quiet: bool
) -> None:
    from .. import pipeline
    from ..records import UNIT_FILE, sha256_of
    from ..render.files import save_decomposition
    from .folder import is_finished, writable_folder
    from .record import read_record, refuse_other, tell_replaced

    request = {"video_sha256": sha256_of(clip), "request": options, "versions": pipeline.versions()}
    with writable_folder(out), Reporter([name], quiet=quiet) as reporter:
        if not force and is_finished(out, request, scale=scale):
            reporter.note(f"{out} is finished; --force does it again")
            return
        there = out / UNIT_FILE
        known = read_record(there).get("video_sha256") == request["video_sha256"]
        refuse_other(there, {} if known else {"video": name}, force=force)
        tell_replaced(there, options, reporter.note)
        start = time.perf_counter()
        result = pipeline.decompose_video(clip, progress=reporter.step, **options)
        record = {**result.record, "video": name, **request}
        save_decomposition(dataclasses.replace(result, record=record), out, scale=scale)
        reporter.finished(0, time.perf_counter() - start)
