"""`kinetoscope search`: the clips in a folder that excite a unit most."""

import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import (
    Debug,
    Device,
    Force,
    Layer,
    Model,
    Out,
    Partial,
    Quiet,
    Seed,
    Size,
    Units,
    Weights,
    check_units,
    read_size,
)
from .progress import Reporter

if TYPE_CHECKING:
    from torch import nn

    from ..activations.search import Found, Hit
    from ..models.card import ModelCard
    from ..types import Video


def search(
    model: Model,
    layer: Layer,
    units: Units,
    clips: Annotated[Path, typer.Option(metavar="FOLDER", help="Videos, in folders at any depth.")],
    out: Out,
    count: Annotated[int, typer.Option(min=1, metavar="N", help="Clips per unit.")] = 9,
    step: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Frames between windows; half a window.")
    ] = None,
    beside: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="A `visualize` run whose optimal inputs are shown first."),
    ] = None,
    size: Size = None,
    weights: Weights = "default",
    seed: Seed = 0,
    partial: Partial = False,
    device: Device = "cpu",
    force: Force = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Find the clips that excite units most, cut to what the units see."""
    check_units(units)
    extent = read_size(size)
    from ..activations.clips import find_clips
    from ..errors import listed
    from ..models.registry import card_of, load_model
    from ..pipeline import versions
    from .folder import ensure_device, writable_folder
    from .record import begin_record, is_recorded, refuse_other, tell_replaced

    ensure_device(device)
    network = load_model(model, weights=weights, seed=seed)
    card = card_of(network)
    card = replace(card, clip=extent or card.clip)
    files, left_out = find_clips(clips, without=out)
    request = {
        "model": model,
        "weights_sha256": network.kinetoscope_weights["sha256"],  # type: ignore[index]
        "layer": layer,
        "units": units,
        "folder": str(clips),
        "clips": [str(file) for file in files],
        "count": count,
        "step": step,
        "beside": None if beside is None else str(beside),
        "size": card.clip,
        "partial": partial,
        "versions": versions(),
    }
    with writable_folder(out), Reporter([str(file) for file in files], quiet=quiet) as reporter:
        if not force and is_recorded(out / "search.json", request):
            reporter.note(f"{out} is finished; --force does it again")
        else:
            subject = {key: request[key] for key in ("model", "layer", "folder")}
            refuse_other(out / "search.json", subject, force=force)
            tell_replaced(out / "search.json", request, reporter.note)
            began = time.perf_counter()
            begin_record(out / "search.json")
            if left_out:
                several = (
                    f"{len(left_out)} files that are no clips were" if len(left_out) > 1 else "1 file was"
                )
                reporter.note(f"{several} passed over: {listed([str(file) for file in left_out])}")
            _run(network, card, files, left_out, out, request, device, reporter)
            reporter.note(f"searched {len(files)} files in {time.perf_counter() - began:.1f} s")
    typer.echo(out / "search.json")


def _run(
    network: "nn.Module",
    card: "ModelCard",
    files: list[Path],
    left_out: dict[Path, str],
    out: Path,
    request: dict[str, Any],
    device: str,
    reporter: Reporter,
) -> None:
    from ..activations.search import search
    from ..units.tap import output_shape
    from ..units.unit import parse_units
    from .record import end_record

    layer, step = request["layer"], request["step"]
    names = card.class_names if layer == card.output_layer else ()
    produced = output_shape(network, layer, (card.channels, *card.clip))
    units = parse_units(request["units"], produced[0], names)
    optima = {unit: _optimum(request, unit) for unit in units} if request["beside"] else {}
    order = {file: index for index, file in enumerate(files)}
    found = search(
        network,
        layer,
        units,
        files,
        card,
        count=request["count"],
        step=step,
        partial=request["partial"],
        device=device,
        progress=lambda file, start: reporter.step(order[file], order[file] + 1, len(files)),
    )
    for file, reason in found.skipped.items():
        reporter.note(f"{file} was skipped: {reason}")
    titles = {unit: f"{layer}:{unit}" + (f" ({names[unit]})" if names else "") for unit in units}
    _save(found, card, out, request, optima, titles)
    rows = [
        {"unit": unit, "name": names[unit] if names else "", "hits": [_described(hit) for hit in hits]}
        for unit, hits in found.hits.items()
    ]
    skipped = {str(file): reason for file, reason in (found.skipped | left_out).items()}
    end_record(out / "search.json", request, {"units": rows, "windows": found.windows, "skipped": skipped})


def _optimum(request: dict[str, Any], unit: int) -> "Video":
    """The optimal input of an earlier run with the same weights."""
    from ..errors import SettingInvalid
    from ..records import load_arrays, read_unit, unit_directory

    folder = unit_directory(request["beside"], request["layer"], unit)
    if read_unit(folder).get("weights_sha256") != request["weights_sha256"]:
        raise SettingInvalid(
            f"{str(folder)!r} was made with other weights; visualize with these, or leave it out"
        )
    arrays = load_arrays(folder)
    if "optimal_video" not in arrays:
        raise SettingInvalid(f"{str(folder)!r} holds no optimal input; give the folder of a visualize run")
    return arrays["optimal_video"]


def _save(
    found: "Found",
    card: "ModelCard",
    out: Path,
    request: dict[str, Any],
    optima: "dict[int, Video]",
    titles: dict[int, str],
) -> None:
    """Write each hit as a film, and per unit all of them side by side; units one after the other."""
    from ..activations.search import crops
    from ..records import unit_directory, write_bytes_atomically
    from ..render.animation import save_animation
    from ..render.frames import encode_mp4, encode_png, to_frames, view_factor
    from ..render.hits import hit_pictures

    for unit, hits in found.hits.items():
        folder = unit_directory(out, request["layer"], unit)
        clips = dict(crops(hits, card, step=request["step"], partial=request["partial"]))
        shown = [("optimal input", optima[unit])] if unit in optima else []
        for rank, hit in enumerate(hits, start=1):
            clip = clips[hit]
            film = encode_mp4(to_frames(clip), factor=view_factor(*clip.shape[2:]))
            write_bytes_atomically(folder / f"{rank}.mp4", film)
            shown.append((f"{rank}: {hit.response:.3g}  {_frames(hit)} {hit.source.stem}", clip))
        if not shown:
            continue
        words = f"{titles[unit]}; rank: response, frames of the file, its name; cut to what the unit sees"
        pictures = [*hit_pictures(shown, words)]
        save_animation(folder, "top", pictures, len(pictures))
        write_bytes_atomically(folder / "top.png", encode_png(pictures[len(pictures) // 2]))


def _frames(hit: "Hit") -> str:
    first, end = hit.box[0]
    return f"f{first}\N{EN DASH}{end - 1}"


def _described(hit: "Hit") -> dict[str, Any]:
    frames, rows, columns = hit.box
    return {
        **asdict(hit),
        "box": {"frames": frames, "rows": rows, "columns": columns},
    }
