"""`kinetoscope attribute`: what in a clip a unit answers to."""

import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import (
    Clip,
    Context,
    Debug,
    Device,
    Force,
    Out,
    Partial,
    Quiet,
    Seed,
    Size,
    Weights,
    given_options,
    read_size,
)
from .progress import Reporter

if TYPE_CHECKING:
    from ..attribution.methods import AttributionSettings
    from ..attribution.windows import Part
    from ..render.attribution import MeanCurve


_USED_BY = {  # options that some methods know nothing of
    "cam_layer": ("grad-cam", "grad-cam-t"),
    "steps": ("integrated-gradients",),
    "samples": ("smoothgrad",),
    "occlude": ("occlusion",),
}


def attribute(
    context: Context,
    clip: Clip,
    out: Out,
    model: Annotated[str, typer.Option(metavar="MODEL", help="Whose unit; written as for visualize.")],
    target: Annotated[str, typer.Option(metavar="LAYER:UNIT|CLASS", help="The unit, or a class by name.")],
    method: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="gradient, guided-backprop, integrated-gradients, smoothgrad, grad-cam, grad-cam-t (weights "
            "per time step) or occlusion.",
        ),
    ] = "integrated-gradients",
    cam_layer: Annotated[
        str | None, typer.Option(metavar="LAYER", help="Whose maps Grad-CAM weighs; the last that has time.")
    ] = None,
    steps: Annotated[int, typer.Option(min=1, metavar="N", help="Of integrated gradients.")] = 32,
    samples: Annotated[int, typer.Option(min=1, metavar="N", help="Noisy copies of smoothgrad.")] = 16,
    occlude: Annotated[
        str | None, typer.Option(metavar="TxHxW", help="Frames and pixels that occlusion covers at a time.")
    ] = None,
    batch: Annotated[int, typer.Option(min=1, metavar="N", help="Clips in memory together.")] = 4,
    size: Size = None,
    weights: Weights = "default",
    seed: Seed = 0,
    partial: Partial = False,
    device: Device = "cpu",
    force: Force = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Show which places and moments of a clip a unit's response comes from.

    A clip longer than the network's is taken window by window; frames are brought to the network's size.
    """
    extent = read_size(size)
    window = read_size(occlude, "--occlude")
    idle = given_options(context, *(option for option, users in _USED_BY.items() if method not in users))
    from ..attribution.methods import AttributionSettings
    from ..pipeline import versions
    from .folder import ensure_device, writable_folder
    from .record import ATTRIBUTION, begin_record, is_recorded, refuse_other, tell_replaced

    ensure_device(device)
    settings = AttributionSettings(steps, samples, window=window, cam_layer=cam_layer, batch=batch, seed=seed)
    request = {
        "clip": str(clip),
        "model": model,
        "weights": weights,
        "target": target,
        "method": method,
        "size": extent,
        "partial": partial,
        "settings": asdict(settings),
        "versions": versions(),
    }
    record = out / ATTRIBUTION
    with writable_folder(out), Reporter([f"{target} in {clip.name}"], quiet=quiet) as reporter:
        for flag in idle:
            reporter.note(f"--method {method} makes nothing of {flag}")
        if not force and is_recorded(record, request):
            reporter.note(f"{out} is finished; --force does it again")
        else:
            refuse_other(record, {key: request[key] for key in ("clip", "model", "target")}, force=force)
            tell_replaced(record, request, reporter.note)
            began = time.perf_counter()
            parts = _compute(clip, request, settings, device, reporter)
            begin_record(record)
            _save(parts, out, request)
            reporter.finished(0, time.perf_counter() - began)
    typer.echo(out / "overlay.mp4")


def _compute(
    clip: Path, request: dict[str, Any], settings: "AttributionSettings", device: str, reporter: Reporter
) -> "list[Part]":
    from ..attribution.attribute import attribute, find_target
    from ..attribution.windows import Part
    from ..models.registry import card_of, load_model
    from ..video import fit_clip, read_windows

    network = load_model(request["model"], weights=request["weights"], seed=settings.seed)
    card = card_of(network)
    frames, height, width = request["size"] or card.clip
    card = replace(card, clip=(frames, height, width))
    unit = find_target(network, card, request["target"])
    parts: list[Part] = []
    partial = request["partial"]
    for window in read_windows(clip, frames, frames, channels=card.channels, partial=partial):
        fitted = fit_clip(window.video, card.channels, height, width)
        found = attribute(network, fitted, unit, request["method"], settings, card=card, device=device)
        parts.append(Part(window.start, found))
        end = window.start + len(fitted)
        reporter.step(0, end, end if window.last else end + frames)
    return parts


def _save(parts: "list[Part]", out: Path, request: dict[str, Any]) -> None:
    from ..attribution.attribute import frame_importance
    from ..attribution.windows import joined
    from ..records import ARRAYS_FILE, write_arrays, write_bytes_atomically
    from ..render.animation import save_animation
    from ..render.attribution import draw_attribution, focus_pictures, overlay_pictures
    from .record import ATTRIBUTION, end_record

    video, map_ = joined(parts)
    importance = frame_importance(map_)
    paths, first = _paths(parts), parts[0].result
    sums = _sums(parts, paths)
    title = f"{request['method']} for {first.unit} of {request['model']}"
    size = f"{len(video)} frames in {len(parts)} window{'s' if len(parts) > 1 else ''}"
    cam = [f"maps of {first.cam_layer}"] if first.cam_layer else []
    facts = "   ·   ".join([Path(request["clip"]).name, size, *cam, *sums])
    write_arrays(out / ARRAYS_FILE, {"attribution": map_, "clip": video})
    save_animation(
        out, "overlay", overlay_pictures(video, map_, f"{request['method']}, {first.unit}"), len(video)
    )
    save_animation(out, "focus", focus_pictures(video, map_), len(video))
    figure = draw_attribution(video, map_, importance.tolist(), paths, title=title, facts=facts)
    write_bytes_atomically(out / "attribution.png", figure)
    gaps = [part.result.completeness_gap for part in parts]
    found = {
        "method": request["method"],
        "target": asdict(first.unit),
        "cam_layer": first.cam_layer or None,
        "frame_importance": importance,
        "insertion_area": paths["insertion"].area if paths else None,
        "deletion_area": paths["deletion"].area if paths else None,
        "completeness_gap": None if gaps[0] is None else max(gap or 0.0 for gap in gaps),
        "windows": [_described(part) for part in parts],
    }
    end_record(out / ATTRIBUTION, request, found)
    for line in sums:
        typer.echo(line)


def _paths(parts: "list[Part]") -> "dict[str, MeanCurve]":
    """Insertion and deletion on average over the windows, as far as there are any."""
    from ..attribution.windows import mean_levels
    from ..render.attribution import MeanCurve

    paths = {}
    for name in ("insertion", "deletion"):
        curves = [getattr(part.result, name) for part in parts]
        if mean := mean_levels(curves):
            paths[name] = MeanCurve(curves[0].fractions, *mean)
    return paths


def _sums(parts: "list[Part]", paths: "dict[str, MeanCurve]") -> list[str]:
    """What is printed: mean areas, and the largest completeness gap beside the change it belongs to."""
    lines = [
        f"{name} area {paths[name].area:.3f}" if name in paths else f"{name} area: none"
        for name in ("insertion", "deletion")
    ]
    worst = max(parts, key=lambda part: part.result.completeness_gap or 0.0).result
    if worst.completeness_gap is not None:
        change = abs(worst.response - worst.baseline_response)
        lines.append(f"completeness gap {worst.completeness_gap:.2g} of a change of {change:.3g}")
    return lines


def _described(part: "Part") -> dict[str, Any]:
    result = part.result
    return {
        "start": part.start,
        "frames": len(result.clip),
        "response": result.response,
        "baseline_response": result.baseline_response,
        "completeness_gap": result.completeness_gap,
        "insertion": asdict(result.insertion),
        "deletion": asdict(result.deletion),
    }
