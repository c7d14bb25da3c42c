"""`kinetoscope gallery`: an atlas as a site to find units in."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .boundary import Interrupted, tell
from .options import Context, Debug, Device, Quiet, refuse_unused, takes

if TYPE_CHECKING:
    from ..gallery.columns import Table
    from ..gallery.pairs import Pairs


class By(StrEnum):
    """What makes units of two atlases counterparts."""

    auto = "auto"
    index = "index"  # type: ignore[assignment]  # str has a method of that name
    response = "response"


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """What `gallery` is asked for."""

    folder: Annotated[Path, typer.Argument(metavar="DIR", help="An atlas that `kinetoscope atlas` has made.")]
    context: Context
    serve: Annotated[bool, typer.Option("--serve", help="Show it to browsers of this machine.")] = False
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, metavar="P", help="With --serve; else a free one.")
    ] = None
    compare: Annotated[
        Path | None, typer.Option(metavar="OTHER", help="An atlas to stand beside this one.")
    ] = None
    by: Annotated[
        By,
        typer.Option(
            help="Counterparts by layer and number, or by which unit of OTHER answers most to this one's "
            "optimum; auto: the latter where the networks differ in architecture."
        ),
    ] = By.auto
    weights: Annotated[
        str | None, typer.Option(metavar="W", help="Of OTHER, where its atlas does not say where they lie.")
    ] = None
    device: Device = "cpu"
    quiet: Quiet = False
    debug: Debug = False


@takes(Gallery)
def gallery(asked: Gallery) -> None:
    """Make a site of an atlas: search, filters, unit and layer pages, comparison; it opens from disk.

    `gallery.html` lies beside the atlas and needs no network; the folder can be sent as it is.
    """
    refuse_unused(
        asked.context, asked.compare is None, "by", "weights", "device", because="without --compare"
    )
    refuse_unused(asked.context, not asked.serve, "port", because="without --serve")
    from ..gallery.build import build

    told = (lambda words: None) if asked.quiet else tell
    built = build(asked.folder, asked.compare, pair=_pairing(asked, told), told=told)
    for problem in built.problems:
        tell(f"left out: {problem}")
    typer.echo(built.page)
    if asked.serve:
        _serve(asked)


def _pairing(asked: Gallery, told: Callable[[str], None]) -> "Callable[[Table, Table], Pairs]":
    def pair(mine: "Table", other: "Table") -> "Pairs":
        from ..gallery.pairs import by_index, same_architecture

        if asked.by is By.index or (asked.by is By.auto and same_architecture(mine, other)):
            return by_index(mine, other)
        from ..errors import KinetoscopeError
        from ..gallery.respond import by_response
        from .folder import ensure_device

        ensure_device(asked.device)
        told("passing this atlas's optima through the other network")
        try:
            return by_response(
                mine,
                other,
                weights=asked.weights,
                device=asked.device,
                told=lambda done, count: told(f"{done} of {count} layers"),
            )
        except KinetoscopeError as error:
            if asked.by is By.response:
                raise
            tell(f"counterparts by layer and number only: {error}")
            return by_index(mine, other)

    return pair


def _serve(asked: Gallery) -> None:
    from ..gallery.serve import LOOPBACK, server

    with server(asked.folder, asked.port or 0) as running:
        typer.echo(f"http://{LOOPBACK}:{running.server_port}/  (Ctrl-C ends it)")
        try:
            running.serve_forever()
        except Interrupted as stop:
            stop.advice = "the same command serves it again; gallery.html also opens from disk"
            raise
