"""`kinetoscope search`: the clips in a folder that excite a unit most."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import (
    Computing,
    Layer,
    Model,
    Out,
    Partial,
    Size,
    Units,
    Weights,
    check_units,
    read_size,
    takes,
)
from .progress import Reporter

if TYPE_CHECKING:
    from torch import nn

    from ..activations.search import Found, Hit
    from ..card import ModelCard
    from ..types import Video


@dataclass(frozen=True, kw_only=True)
class Search(Computing):
    """What `search` is asked for."""

    model: Model
    layer: Layer
    units: Units
    clips: Annotated[Path, typer.Option(metavar="FOLDER", help="Videos, in folders at any depth.")]
    out: Out
    count: Annotated[int, typer.Option(min=1, metavar="N", help="Clips per unit.")] = 9
    step: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Frames between windows; half a window.")
    ] = None
    beside: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="A `visualize` run whose optimal inputs are shown first."),
    ] = None
    size: Size = None
    weights: Weights = "default"
    partial: Partial = False

    def to_json(
        self, files: Sequence[Path], units: Sequence[int], content: Mapping[str, str], size: Sequence[int]
    ) -> dict[str, Any]:
        """What `search.json` has under `request`: all that the clips found depend on.

        Args:
            files: that are searched.
            units: indices.
            content: digests of the network.
            size: of its clip.
        """
        from ..files import unit_directory
        from ..inquiry.request import versions
        from ..records import ARRAYS_FILE
        from .record import sha256_of_files

        beside = self.beside
        shown = () if beside is None else (unit_directory(beside, self.layer, unit) for unit in units)
        return {
            "model": self.model,
            **content,
            "layer": self.layer,
            "units": self.units,
            "folder": str(self.clips),
            "clips": [str(file) for file in files],
            "clips_sha256": [sha256_of_files(file) for file in files],
            "count": self.count,
            "step": self.step,
            "beside": None if beside is None else str(beside),
            "beside_sha256": [sha256_of_files(folder / ARRAYS_FILE) for folder in shown],
            "size": size,
            "partial": self.partial,
            "device": self.device,
            "versions": versions(),
        }


@takes(Search)
def search(asked: Search) -> None:
    """Find the clips that excite units most, cut to what the units see."""
    check_units(asked.units)
    extent = read_size(asked.size)
    from ..card import card_of
    from ..clips.folder import find_clips
    from ..errors import listed
    from ..units.tap import output_shape
    from ..units.unit import parse_units
    from ..zoo.registry import load_model
    from .folder import ensure_device, writable_folder
    from .record import begin_record, content_of, is_finished, refuse_other, tell_replaced

    ensure_device(asked.device)
    network = load_model(asked.model, weights=asked.weights, seed=asked.seed)
    card = card_of(network)
    content, card = content_of(network, card), replace(card, clip=extent or card.clip)
    files, left_out = find_clips(asked.clips, without=asked.out)
    produced = output_shape(network, asked.layer, (card.channels, *card.clip))
    units = parse_units(asked.units, produced[0], card.names_of(asked.layer))
    request = asked.to_json(files, units, content, card.clip)
    record = asked.out / "search.json"
    with writable_folder(asked.out), Reporter([str(f) for f in files], quiet=asked.quiet) as reporter:
        if not asked.force and is_finished(record, request):
            reporter.note(f"{asked.out} is finished; --force does it again")
        else:
            refuse_other(record, request, "model", "layer", "folder", force=asked.force)
            tell_replaced(record, request, reporter.note)
            began = time.perf_counter()
            begin_record(record)
            if left_out:
                several = (
                    f"{len(left_out)} files that are no clips were" if len(left_out) > 1 else "1 file was"
                )
                reporter.note(f"{several} passed over: {listed([str(file) for file in left_out])}")
            optima = {unit: _optimum(asked, request["weights_sha256"], unit) for unit in units}
            found = _found(asked, network, card, units, files, reporter)
            _save(found, card, asked, {unit: video for unit, video in optima.items() if video is not None})
            _end(found, card, asked, request, left_out)
            reporter.note(f"searched {len(files)} files in {time.perf_counter() - began:.1f} s")
    typer.echo(record)


def _found(
    asked: Search,
    network: "nn.Module",
    card: "ModelCard",
    units: Sequence[int],
    files: list[Path],
    reporter: Reporter,
) -> "Found":
    from ..activations.search import search

    order = {file: index for index, file in enumerate(files)}
    found = search(
        network,
        asked.layer,
        units,
        files,
        card,
        count=asked.count,
        step=asked.step,
        partial=asked.partial,
        device=asked.device,
        progress=lambda file, start: reporter.step(order[file], order[file] + 1, len(files)),
    )
    for file, reason in found.skipped.items():
        reporter.note(f"{file} was skipped: {reason}")
    return found


def _end(
    found: "Found",
    card: "ModelCard",
    asked: Search,
    request: Mapping[str, Any],
    left_out: Mapping[Path, str],
) -> None:
    """Write what was found; the file marks the run as finished."""
    from .record import end_record

    names = card.names_of(asked.layer)
    rows = [
        {"unit": unit, "name": names[unit] if names else "", "hits": [_described(hit) for hit in hits]}
        for unit, hits in found.hits.items()
    ]
    skipped = {str(file): reason for file, reason in {**found.skipped, **left_out}.items()}
    content = {"units": rows, "windows": found.windows, "skipped": skipped}
    end_record(asked.out / "search.json", request, content)


def _optimum(asked: Search, weights_sha256: str, unit: int) -> "Video | None":
    """The optimal input of an earlier run with the same weights; None where none is to be shown."""
    from ..errors import SettingInvalid
    from ..files import unit_directory
    from ..records import load_arrays, read_unit

    if asked.beside is None:
        return None
    folder = unit_directory(asked.beside, asked.layer, unit)
    if read_unit(folder).get("weights_sha256") != weights_sha256:
        raise SettingInvalid(
            f"{str(folder)!r} was made with other weights; visualize with these, or leave it out"
        )
    arrays = load_arrays(folder)
    if "optimal_video" not in arrays:
        raise SettingInvalid(f"{str(folder)!r} holds no optimal input; give the folder of a visualize run")
    return arrays["optimal_video"]


def _save(found: "Found", card: "ModelCard", asked: Search, optima: "Mapping[int, Video]") -> None:
    """Write each hit as a film, and per unit all of them side by side; units one after the other."""
    from ..activations.search import crops
    from ..files import unit_directory, write_bytes_atomically
    from ..render.animation import save_animation
    from ..render.frames import encode_mp4, encode_png, to_frames, view_factor
    from ..render.hits import hit_pictures

    names = card.names_of(asked.layer)
    for unit, hits in found.hits.items():
        folder = unit_directory(asked.out, asked.layer, unit)
        clips = dict(crops(hits, card, step=asked.step, partial=asked.partial))
        shown = [("optimal input", optima[unit])] if unit in optima else []
        for rank, hit in enumerate(hits, start=1):
            clip = clips[hit]
            film = encode_mp4(to_frames(clip), factor=view_factor(*clip.shape[2:]))
            write_bytes_atomically(folder / f"{rank}.mp4", film)
            shown.append((f"{rank}: {hit.response:.3g}  {_frames(hit)} {hit.source.stem}", clip))
        if not shown:
            continue
        title = f"{asked.layer}:{unit}" + (f" ({names[unit]})" if names else "")
        words = f"{title}; rank: response, frames of the file, its name; cut to what the unit sees"
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
