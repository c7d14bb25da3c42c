"""`kinetoscope feature-maps`: a clip through random or given kernels, or through a layer."""

import time
from collections.abc import Iterator
from enum import StrEnum
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
    check_units,
    read_size,
    refuse_unused,
)
from .progress import Reporter

if TYPE_CHECKING:
    from ..activations.maps import Block, Filters


class Scale(StrEnum):
    """Which maps share their colours."""

    shared = "shared"
    per_map = "per-map"


def feature_maps(
    context: Context,
    clip: Clip,
    out: Out,
    model: Annotated[str | None, typer.Option(metavar="MODEL", help="Send the clip through it.")] = None,
    layer: Annotated[str | None, typer.Option(metavar="LAYER", help="Whose maps.")] = None,
    units: Annotated[str, typer.Option(metavar="UNITS", help="0,3,8-15 or all.")] = "all",
    random_kernel: Annotated[
        str | None, typer.Option(metavar="DxHxW", help="Frames, height and width of random kernels.")
    ] = None,
    filters: Annotated[int, typer.Option(min=1, max=4096, metavar="N", help="How many random kernels.")] = 4,
    kernels: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Given kernels: a safetensors file that holds `kernels`."),
    ] = None,
    top: Annotated[
        int | None, typer.Option(min=1, metavar="K", help="Keep the K maps with the largest response.")
    ] = None,
    scale: Annotated[Scale, typer.Option(help="Which maps share their colours.")] = Scale.shared,
    size: Size = None,
    weights: Weights = "default",
    seed: Seed = 0,
    partial: Partial = False,
    device: Device = "cpu",
    force: Force = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Show a clip beside its feature maps, however long it is.

    The frames in --size are those read at a time, beside what the filters need to see around them.
    """
    check_units(units)
    extent = read_size(size)
    kernel = read_size(random_kernel, "--random-kernel")
    if (model is not None) + (kernel is not None) + (kernels is not None) != 1:
        raise typer.BadParameter("give one of --model with --layer, --random-kernel, and --kernels")
    if (model is None) != (layer is None):
        raise typer.BadParameter("--model and --layer go together")
    refuse_unused(context, model is None, "units", "weights", because="without --model")
    refuse_unused(context, kernel is None, "filters", because="without --random-kernel")
    refuse_unused(context, kernels is not None, "seed", because="with --kernels")
    from .folder import ensure_device, writable_folder

    ensure_device(device)
    request = {
        "clip": str(clip),
        "model": model,
        "layer": layer,
        "units": units,
        "random_kernel": kernel,
        "filters": filters,
        "kernels": None if kernels is None else str(kernels),
        "top": top,
        "scale": scale.value,
        "size": extent,
        "weights": weights,
        "seed": seed,
        "partial": partial,
    }
    chosen = _filters(clip, request, device)
    with writable_folder(out), Reporter([str(clip)], quiet=quiet) as reporter:
        _run(clip, chosen, out, request, reporter, force=force)
    typer.echo(out / "feature_maps.mp4")


def _filters(clip: Path, request: dict[str, Any], device: str) -> "Filters":
    from ..activations.maps import kernel_filters, layer_filters, random_kernels
    from ..filters.kernels import read_kernels
    from ..video import read_windows

    if request["random_kernel"] is not None:
        channels = next(read_windows(clip, 1, 1, channels=None)).video.shape[1]
        kernels = random_kernels(request["filters"], channels, request["random_kernel"], request["seed"])
        return kernel_filters(kernels, [f"random {index}" for index in range(len(kernels))])
    if request["kernels"] is not None:
        return kernel_filters(read_kernels(Path(request["kernels"])))
    from ..models.registry import card_of, load_model
    from ..units.tap import output_shape
    from ..units.unit import parse_units

    network = load_model(request["model"], weights=request["weights"], seed=request["seed"])
    card, extent = card_of(network), request["size"]
    produced = output_shape(network, request["layer"], (card.channels, *(extent or card.clip)))
    units = parse_units(request["units"], produced[0])
    size = None if extent is None else extent[1:]
    return layer_filters(network, request["layer"], units, card, size=size, device=device)


def _run(
    clip: Path, filters: "Filters", out: Path, request: dict[str, Any], reporter: Reporter, *, force: bool
) -> None:
    from ..activations.maps import stream_maps, strongest
    from ..pipeline import versions
    from ..video import read_windows
    from .record import MAPS, begin_record, is_recorded, refuse_other, tell_replaced

    request = {**request, "versions": versions()}
    record = out / MAPS
    if not force and is_recorded(record, request):
        reporter.note(f"{out} is finished; --force does it again")
        return
    refuse_other(record, {key: request[key] for key in ("clip", "model", "layer", "kernels")}, force=force)
    tell_replaced(record, request, reporter.note)
    begin_record(record)
    began = time.perf_counter()
    core = 16 if request["size"] is None else request["size"][0]

    def blocks() -> "Iterator[Block]":
        partial = request["partial"]
        windows = read_windows(clip, *filters.window(core), channels=filters.channels, partial=partial)
        return stream_maps(windows, filters)

    if request["top"] is not None:
        filters = filters.select(strongest(blocks(), request["top"]))
    _save(blocks(), filters, out, request)
    reporter.finished(0, time.perf_counter() - began)


def _save(blocks: "Iterator[Block]", filters: "Filters", out: Path, request: dict[str, Any]) -> None:
    import torch

    from ..activations.spool import Spool, write_spools
    from ..records import ARRAYS_FILE
    from ..render.animation import save_animation
    from ..render.maps import map_pictures
    from .record import MAPS, end_record

    peaks, total = torch.zeros(len(filters.names)), torch.zeros(len(filters.names), dtype=torch.float64)
    with Spool(out) as clip, Spool(out) as maps:
        for block in blocks:
            clip.append(block.clip)
            maps.append(block.maps.transpose(0, 1))
            peaks = torch.maximum(peaks, block.maps.abs().amax(dim=(1, 2, 3)))
            total += block.maps.clamp(min=0).double().sum(dim=(1, 2, 3))
        kernels = {} if filters.kernels is None else {"kernels": filters.kernels}
        write_spools(out / ARRAYS_FILE, {"clip": (clip, 0), "maps": (maps, 1)}, kernels)
        pictures = map_pictures(
            clip, maps, filters.spans, filters.names, peaks.tolist(), scale=request["scale"]
        )
        save_animation(out, "feature_maps", pictures, len(clip))
        places = maps.shape[0] * maps.shape[2] * maps.shape[3]
        found = {
            "names": filters.names,
            "clip_shape": clip.shape,
            "maps_shape": (maps.shape[1], maps.shape[0], *maps.shape[2:]),
            "fields": [span._asdict() for span in filters.spans],
            "peak": peaks,
            "mean_positive": total / places,
        }
    end_record(out / MAPS, request, found)
