"""`kinetoscope attribute`: what in a clip a unit answers to."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import (
    Clip,
    Computing,
    Context,
    Out,
    Partial,
    Size,
    Weights,
    given_options,
    read_size,
    takes,
)
from .progress import Reporter

if TYPE_CHECKING:
    from torch import nn

    from ..attribution.methods import AttributionSettings
    from ..attribution.windows import Part
    from ..card import ModelCard
    from ..render.attribution import MeanCurve


_USED_BY = {  # options that some methods know nothing of
    "cam_layer": ("grad-cam", "grad-cam-t"),
    "steps": ("integrated-gradients",),
    "samples": ("smoothgrad",),
    "occlude": ("occlusion",),
    "volume": ("perturbation",),
    "mask_steps": ("perturbation",),
}


@dataclass(frozen=True, kw_only=True)
class Attribute(Computing):
    """What `attribute` is asked for."""

    context: Context
    clip: Clip
    out: Out
    model: Annotated[str, typer.Option(metavar="MODEL", help="Whose unit; written as for visualize.")]
    target: Annotated[str, typer.Option(metavar="LAYER:UNIT|CLASS", help="The unit, or a class by name.")]
    method: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="gradient, guided-backprop, integrated-gradients, smoothgrad, grad-cam, grad-cam-t (weights "
            "per time step), occlusion, lrp (needs the extra of that name) or perturbation.",
        ),
    ] = "integrated-gradients"
    cam_layer: Annotated[
        str | None, typer.Option(metavar="LAYER", help="Whose maps Grad-CAM weighs; the last that has time.")
    ] = None
    steps: Annotated[int, typer.Option(min=1, metavar="N", help="Of integrated gradients.")] = 32
    samples: Annotated[int, typer.Option(min=1, metavar="N", help="Noisy copies of smoothgrad.")] = 16
    occlude: Annotated[
        str | None, typer.Option(metavar="TxHxW", help="Frames and pixels that occlusion covers at a time.")
    ] = None
    volume: Annotated[
        float,
        typer.Option(
            min=0.001, max=0.999, metavar="V", help="Share of space-time that a perturbation keeps."
        ),
    ] = 0.1
    mask_steps: Annotated[int, typer.Option(min=1, metavar="N", help="Of a perturbation's mask.")] = 100
    batch: Annotated[int, typer.Option(min=1, metavar="N", help="Clips in memory together.")] = 4
    size: Size = None
    weights: Weights = "default"
    partial: Partial = False

    def settings(self) -> "AttributionSettings":
        """Of the methods; status 2 where a size is written wrongly."""
        window = read_size(self.occlude, "--occlude")
        from ..attribution.methods import AttributionSettings

        return AttributionSettings(
            self.steps,
            self.samples,
            window=window,
            cam_layer=self.cam_layer,
            volume=self.volume,
            mask_steps=self.mask_steps,
            batch=self.batch,
            seed=self.seed,
        )

    def to_json(self, network: "nn.Module", card: "ModelCard") -> dict[str, Any]:
        """What the file that ends the run has under `request`: all that the numbers depend on."""
        from ..inquiry.request import versions
        from .record import content_of, sha256_of_files

        return {
            "clip": str(self.clip),
            "clip_sha256": sha256_of_files(self.clip),
            "model": self.model,
            "weights": self.weights,
            **content_of(network, card),
            "target": self.target,
            "method": self.method,
            "size": read_size(self.size),
            "partial": self.partial,
            "settings": asdict(self.settings()),
            "device": self.device,
            "versions": versions(),
        }


@takes(Attribute)
def attribute(asked: Attribute) -> None:
    """Show which places and moments of a clip a unit's response comes from.

    A clip longer than the network's is taken window by window; frames are brought to the network's size.
    """
    read_size(asked.size)
    asked.settings()
    idle = given_options(
        asked.context, *(option for option, users in _USED_BY.items() if asked.method not in users)
    )
    from ..card import card_of
    from ..zoo.registry import load_model
    from .folder import ensure_device, writable_folder
    from .record import ATTRIBUTION, begin_record, is_finished, refuse_other, tell_replaced

    ensure_device(asked.device)
    network = load_model(asked.model, weights=asked.weights, seed=asked.seed)
    card = card_of(network)
    request, out = asked.to_json(network, card), asked.out
    record, names = out / ATTRIBUTION, [f"{asked.target} in {asked.clip.name}"]
    with writable_folder(out), Reporter(names, quiet=asked.quiet) as reporter:
        for flag in idle:
            reporter.note(f"--method {asked.method} makes nothing of {flag}")
        if not asked.force and is_finished(record, request):
            reporter.note(f"{out} is finished; --force does it again")
        else:
            refuse_other(record, request, "clip", "model", "target", force=asked.force)
            tell_replaced(record, request, reporter.note)
            began = time.perf_counter()
            parts = _compute(asked, network, card, reporter)
            begin_record(record)
            _save(parts, asked, request)
            reporter.finished(0, time.perf_counter() - began)
    typer.echo(out / "overlay.mp4")


def _compute(asked: Attribute, network: "nn.Module", card: "ModelCard", reporter: Reporter) -> "list[Part]":
    from ..attribution.attribute import attribute, find_target
    from ..attribution.windows import Part
    from ..clips.video import fit_clip, read_windows

    frames, height, width = read_size(asked.size) or card.clip
    card, settings = replace(card, clip=(frames, height, width)), asked.settings()
    unit = find_target(network, card, asked.target)
    parts: list[Part] = []
    windows = read_windows(asked.clip, frames, frames, channels=card.channels, partial=asked.partial)
    for window in windows:
        fitted = fit_clip(window.video, card.channels, height, width)
        found = attribute(network, fitted, unit, asked.method, settings, card=card, device=asked.device)
        parts.append(Part(window.start, found))
        end = window.start + len(fitted)
        reporter.step(0, end, end if window.last else end + frames)
    return parts


def _save(parts: "list[Part]", asked: Attribute, request: Mapping[str, Any]) -> None:
    from ..attribution.attribute import frame_importance
    from ..attribution.windows import joined
    from ..files import write_bytes_atomically
    from ..records import ARRAYS_FILE, write_arrays
    from ..render.animation import save_animation
    from ..render.attribution import draw_attribution, focus_pictures, overlay_pictures
    from .record import ATTRIBUTION, end_record

    out, method = asked.out, asked.method
    video, map_ = joined(parts)
    importance = frame_importance(map_)
    paths, first = _paths(parts), parts[0].result
    sums = _sums(parts, paths)
    title = f"{method} for {first.unit} of {asked.model}"
    size = f"{len(video)} frames in {len(parts)} window{'s' if len(parts) > 1 else ''}"
    cam = [f"maps of {first.cam_layer}"] if first.cam_layer else []
    facts = "   ·   ".join([asked.clip.name, size, *cam, *sums])
    write_arrays(out / ARRAYS_FILE, {"attribution": map_, "clip": video})
    save_animation(out, "overlay", overlay_pictures(video, map_, f"{method}, {first.unit}"), len(video))
    save_animation(out, "focus", focus_pictures(video, map_), len(video))
    figure = draw_attribution(video, map_, importance.tolist(), paths, title=title, facts=facts)
    write_bytes_atomically(out / "attribution.png", figure)
    gaps = [part.result.completeness_gap for part in parts]
    kept = [part.result.kept for part in parts if part.result.kept is not None]
    found = {
        "method": method,
        "target": asdict(first.unit),
        "cam_layer": first.cam_layer or None,
        "frame_importance": importance,
        "insertion_area": paths["insertion"].area if paths else None,
        "deletion_area": paths["deletion"].area if paths else None,
        "completeness_gap": None if gaps[0] is None else max(gap or 0.0 for gap in gaps),
        "kept": min(kept, default=None),
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
        if worst.method == "lrp":
            whole = f"a response of {abs(worst.response):.3g}"
        else:
            whole = f"a change of {abs(worst.response - worst.baseline_response):.3g}"
        lines.append(f"completeness gap {worst.completeness_gap:.2g} of {whole}")
    kept = [part.result.kept for part in parts if part.result.kept is not None]
    if kept:
        lines.append(f"through the mask {min(kept):.2f}, the clip being 1 and its mean colour 0")
    return lines


def _described(part: "Part") -> dict[str, Any]:
    result = part.result
    return {
        "start": part.start,
        "frames": len(result.clip),
        "response": result.response,
        "baseline_response": result.baseline_response,
        "completeness_gap": result.completeness_gap,
        "kept": result.kept,
        "insertion": asdict(result.insertion),
        "deletion": asdict(result.deletion),
    }
