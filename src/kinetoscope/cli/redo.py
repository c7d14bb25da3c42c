"""`kinetoscope redo`: a unit repeated from its record, and held against what lies beside the record."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .boundary import tell
from .options import Debug, Force, Quiet

if TYPE_CHECKING:
    from torch import nn

    from .run import Run


def redo(
    record: Annotated[
        Path, typer.Argument(metavar="UNIT.json", help="Of a unit that `visualize`, `demo` or `save` left.")
    ],
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder for the repeated unit; made when missing.")
    ] = Path("again"),
    model: Annotated[
        str | None, typer.Option(metavar="MODEL", help="Where the record's own name leads nowhere.")
    ] = None,
    weights: Annotated[
        str | None, typer.Option(metavar="W", help="The file, where the record's weights came from one.")
    ] = None,
    start: Annotated[
        str | None, typer.Option(metavar="CLIP", help="The film, where the search began with one.")
    ] = None,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Even with other versions, weights or settings.")
    ] = False,
    force: Force = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Repeat a unit from its record, and say whether the same arrays come out.

    On the same kind of machine, with the same versions and as many threads, they are the same byte for byte.
    """
    from ..errors import SettingInvalid
    from ..files import UNIT_FILE, unit_directory
    from ..inquiry.again import check_versions
    from ..records import read_unit
    from .folder import ensure_device
    from .run import run_units

    folder = record.parent if record.name == UNIT_FILE else record
    held = read_unit(folder)
    if "layer" not in held or "unit" not in held:
        raise SettingInvalid(f"{str(folder)!r} is of a given video; `kinetoscope decompose` repeats it")
    if unit_directory(out, str(held["layer"]), held["unit"]).resolve() == folder.resolve():
        raise SettingInvalid(f"the record itself lies in {str(out)!r}; choose another --out")
    if not anyway:
        check_versions(held)
    ensure_device(str(held.get("device")))
    _take_threads(held)
    network = _network(held, model, weights, anyway)
    run = _run(held, network, out, start, model, anyway)
    page = run_units(run, force=force, quiet=quiet)
    (unit,) = run.request.units
    _compare(folder, run.folder(unit), batch=held.get("batch"))
    typer.echo(page)


def _take_threads(held: Mapping[str, Any]) -> None:
    """As many threads as the record says: sums over several end in other digits.

    Raises:
        SettingInvalid: the environment holds them at another number.
    """
    import torch

    from ..errors import SettingInvalid

    threads = held.get("threads")
    if not isinstance(threads, int) or held.get("device") != "cpu" or threads == torch.get_num_threads():
        return
    if limit := os.environ.get("OMP_THREAD_LIMIT"):
        raise SettingInvalid(f"the record is of {threads} threads, and OMP_THREAD_LIMIT is {limit}; unset it")
    torch.set_num_threads(threads)


def _network(held: Mapping[str, Any], model: str | None, weights: str | None, anyway: bool) -> "nn.Module":
    """The record's network with the record's weights.

    Raises:
        KinetoscopeError: they cannot be had, or are others.
    """
    from ..errors import SettingInvalid
    from ..zoo.registry import load_model, weights_of

    name, told = model or held.get("model"), held.get("weights")
    if not name:
        raise SettingInvalid("the record names no model, as of a network made in Python; give --model")
    if weights is None and told not in ("default", "random", "", None) and not Path(str(told)).is_file():
        raise SettingInvalid(
            f"the record's weights came from a file called {told!r}, which is not here; give it by --weights"
        )
    network = load_model(str(name), weights=weights or told or "default", seed=int(held.get("seed") or 0))
    own, wanted = weights_of(network).sha256, str(held.get("weights_sha256"))
    if own != wanted and not anyway:
        raise SettingInvalid(
            f"{name} has weights of digest {own[:12]}..., and the record's are {wanted[:12]}...; give their "
            "file by --weights"
        )
    return network


def _run(
    held: Mapping[str, Any],
    network: "nn.Module",
    out: Path,
    start: str | None,
    model: str | None,
    anyway: bool,
) -> "Run":
    from ..inquiry.again import check_start, request_again
    from ..render.colour import DEFAULT_SCALE
    from ..zoo.registry import weights_of
    from .run import Run, starting_clip

    size = (held.get("settings") or {}).get("size")
    clip = None if start is None else starting_clip(start, network, None if size is None else tuple(size))
    request = request_again(held, network, check_start(held, clip), anyway=anyway)
    scale = (held.get("render") or {}).get("motion_scale_px_per_frame", DEFAULT_SCALE)
    return Run(model or str(held["model"]), weights_of(network).name, request, out, scale)


def _compare(before: Path, after: Path, batch: Any) -> None:
    """Say whether the arrays are the same, on stderr; status 1 where they are not."""
    from ..records import ARRAYS_FILE, read_arrays

    if not (before / ARRAYS_FILE).exists():
        tell(f"{before} holds no {ARRAYS_FILE} to compare with")
        return
    old, new = (read_arrays(folder / ARRAYS_FILE) for folder in (before, after))
    others = [
        name
        for name in sorted(old.keys() | new.keys())
        if name not in old or name not in new or old[name].numpy().tobytes() != new[name].numpy().tobytes()
    ]
    if not others:
        tell(f"{len(old)} arrays are the same, byte for byte")
        return
    why = "; units of an atlas are taken apart in batches, and alone up to rounding" if batch else ""
    tell(f"other {', '.join(others)} than in {before}{why}")
    raise typer.Exit(1)
