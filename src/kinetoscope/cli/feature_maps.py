"""`kinetoscope feature-maps`: a clip through random or given kernels, or through a layer."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
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
    check_units,
    read_size,
    refuse_unused,
    takes,
)
from .progress import Reporter

if TYPE_CHECKING:
    from ..activations.maps import Block, Filters


class Scale(StrEnum):
    """Which maps share their colours."""

    shared = "shared"
    per_map = "per-map"


@dataclass(frozen=True, kw_only=True)
class FeatureMaps(Computing):
    """What `feature-maps` is asked for."""

    context: Context
    clip: Clip
    out: Out
    model: Annotated[str | None, typer.Option(metavar="MODEL", help="Send the clip through it.")] = None
    layer: Annotated[str | None, typer.Option(metavar="LAYER", help="Whose maps.")] = None
    units: Annotated[str, typer.Option(metavar="UNITS", help="0,3,8-15 or all.")] = "all"
    random_kernel: Annotated[
        str | None, typer.Option(metavar="DxHxW", help="Frames, height and width of random kernels.")
    ] = None
    filters: Annotated[int, typer.Option(min=1, max=4096, metavar="N", help="How many random kernels.")] = 4
    kernels: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Given kernels: a safetensors file that holds `kernels`."),
    ] = None
    top: Annotated[
        int | None, typer.Option(min=1, metavar="K", help="Keep the K maps with the largest response.")
    ] = None
    scale: Annotated[Scale, typer.Option(help="Which maps share their colours.")] = Scale.shared
    size: Size = None
    weights: Weights = "default"
    partial: Partial = False

    def kernel(self) -> tuple[int, int, int] | None:
        """Frames, height and width of random kernels; status 2 where they are written wrongly."""
        return read_size(self.random_kernel, "--random-kernel")

    def check(self) -> None:
        """End the command with status 2 where options do not go together, or are written wrongly."""
        check_units(self.units)
        read_size(self.size)
        sources = (self.model is not None, self.kernel() is not None, self.kernels is not None)
        if sum(sources) != 1:
            raise typer.BadParameter("give one of --model with --layer, --random-kernel, and --kernels")
        if (self.model is None) != (self.layer is None):
            raise typer.BadParameter("--model and --layer go together")
        context = self.context
        refuse_unused(context, self.model is None, "units", "weights", because="without --model")
        refuse_unused(context, self.random_kernel is None, "filters", because="without --random-kernel")
        refuse_unused(context, self.kernels is not None, "seed", because="with --kernels")

    def to_json(self, content: Mapping[str, str]) -> dict[str, Any]:
        """What the file that ends the run has under `request`: all that the maps depend on.

        Args:
            content: digests of what the clip goes through.
        """
        from ..inquiry.request import versions
        from .record import sha256_of_files

        return {
            "clip": str(self.clip),
            "clip_sha256": sha256_of_files(self.clip),
            "model": self.model,
            "layer": self.layer,
            "units": self.units,
            "random_kernel": self.kernel(),
            "filters": self.filters,
            "kernels": None if self.kernels is None else str(self.kernels),
            "top": self.top,
            "scale": self.scale.value,
            "size": read_size(self.size),
            "weights": self.weights,
            **content,
            "seed": self.seed,
            "partial": self.partial,
            "device": self.device,
            "versions": versions(),
        }


@takes(FeatureMaps)
def feature_maps(asked: FeatureMaps) -> None:
    """Show a clip beside its feature maps, however long it is.

    The frames in --size are those read at a time, beside what the filters need to see around them.
    """
    asked.check()
    from .folder import ensure_device, writable_folder

    ensure_device(asked.device)
    chosen, content = _filters(asked)
    with writable_folder(asked.out), Reporter([str(asked.clip)], quiet=asked.quiet) as reporter:
        _run(asked, chosen, asked.to_json(content), reporter)
    typer.echo(asked.out / "feature_maps.mp4")


def _filters(asked: FeatureMaps) -> "tuple[Filters, Mapping[str, str]]":
    """What the clip goes through, and digests of its content."""
    from ..activations.maps import kernel_filters, layer_filters, random_kernels
    from ..clips.video import read_windows
    from ..filters.kernels import read_kernels
    from .record import content_of, sha256_of_files

    if (size := asked.kernel()) is not None:
        channels = next(read_windows(asked.clip, 1, 1, channels=None)).video.shape[1]
        kernels = random_kernels(asked.filters, channels, size, asked.seed)
        return kernel_filters(kernels, [f"random {index}" for index in range(len(kernels))]), {}
    if asked.kernels is not None:
        filters = kernel_filters(read_kernels(asked.kernels))
        return filters, {"kernels_sha256": sha256_of_files(asked.kernels)}
    from ..card import card_of
    from ..units.tap import output_shape
    from ..units.unit import parse_units
    from ..zoo.registry import load_model

    assert asked.model is not None
    assert asked.layer is not None
    network = load_model(asked.model, weights=asked.weights, seed=asked.seed)
    card, extent = card_of(network), read_size(asked.size)
    content = content_of(network, card)
    produced = output_shape(network, asked.layer, (card.channels, *(extent or card.clip)))
    units = parse_units(asked.units, produced[0])
    frame = None if extent is None else extent[1:]
    return layer_filters(network, asked.layer, units, card, size=frame, device=asked.device), content


def _run(asked: FeatureMaps, filters: "Filters", request: Mapping[str, Any], reporter: Reporter) -> None:
    from ..activations.maps import stream_maps, strongest
    from ..clips.video import read_windows
    from .record import MAPS, begin_record, is_finished, refuse_other, tell_replaced

    record = asked.out / MAPS
    if not asked.force and is_finished(record, request):
        reporter.note(f"{asked.out} is finished; --force does it again")
        return
    refuse_other(record, request, "clip", "model", "layer", "kernels", force=asked.force)
    tell_replaced(record, request, reporter.note)
    begin_record(record)
    began = time.perf_counter()
    size = read_size(asked.size)
    core = 16 if size is None else size[0]

    def blocks() -> "Iterator[Block]":
        partial = asked.partial
        windows = read_windows(asked.clip, *filters.window(core), channels=filters.channels, partial=partial)
        return stream_maps(windows, filters)

    if asked.top is not None:
        filters = filters.select(strongest(blocks(), asked.top))
    _save(blocks(), filters, asked, request)
    reporter.finished(0, time.perf_counter() - began)


def _save(
    blocks: "Iterator[Block]", filters: "Filters", asked: FeatureMaps, request: Mapping[str, Any]
) -> None:
    import torch

    from ..activations.spool import Spool, write_spools
    from ..records import ARRAYS_FILE
    from ..render.animation import save_animation
    from ..render.maps import map_pictures
    from .record import MAPS, end_record

    out = asked.out
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
            clip, maps, filters.spans, filters.names, peaks.tolist(), scale=asked.scale.value
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
