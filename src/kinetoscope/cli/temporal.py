"""`kinetoscope temporal`: the motion in the weights of 3T convolutions, as pictures and tables."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .boundary import wrong_usage
from .options import (
    Debug,
    Device,
    Kind,
    Model,
    Out,
    Partial,
    Quiet,
    Seed,
    Size,
    Steps,
    Weights,
    check_units,
    read_size,
    takes,
)

if TYPE_CHECKING:
    from torch import nn

    from ..tconv.convert import LayerFit
    from ..tconv.read import LayerMotion, Statistic
    from .progress import Reporter

_ROWS = 12
_README = """\
The columns `scale`, `rotation_deg`, `shift_x_px` and `shift_y_px` are the parameters as learned: the
*sampling*, where a slice of a kernel fetches from the slice before (shifted first, then turned and scaled
about the middle). The columns `content_...` are what is *seen* moving from slice to slice, the inverse
(scaled and turned first, then shifted). x points right, y down; turning is in degrees, positive clockwise on
screen; shifts are in pixels of the layer's input, which are the kernel's cells.
"""


@dataclass(frozen=True, kw_only=True)
class Temporal:
    """What `temporal` is asked for."""

    model: Model
    out: Out
    weights: Weights = "default"
    units: Annotated[
        str | None,
        typer.Option(metavar="UNITS", help="Channels to draw curves of; the dozen that moves most."),
    ] = None
    fit: Annotated[
        bool, typer.Option("--fit", help="Fit slices and trajectories to ordinary 3D convolutions first.")
    ] = False
    show: Annotated[
        str | None,
        typer.Option(metavar="LAYER", help="Draw the still images that excite the channels of this layer."),
    ] = None
    clip: Annotated[
        Path | None,
        typer.Option(metavar="CLIP", help="With --show: add its most active frames, and the gradient there."),
    ] = None
    agree: Annotated[
        str | None,
        typer.Option(metavar="LAYER", help="Compare the velocities of this layer with its optimal inputs'."),
    ] = None
    objective: Annotated[
        Kind | None,
        typer.Option(help="Of what --show and --agree look for; channel-relu, without a map channel."),
    ] = None
    size: Size = None
    steps: Steps = None
    seed: Seed = 0
    partial: Partial = False
    device: Device = "cpu"
    quiet: Quiet = False
    debug: Debug = False

    def check(self) -> None:
        """End the command with status 2 where options make no sense, before anything is read."""
        from ..errors import SettingInvalid

        check_units(self.units or "all")
        with wrong_usage("--clip"):
            if self.clip is not None and self.show is None:
                raise SettingInvalid("a clip is looked at for the channels of a layer; add --show LAYER")
        read_size(self.size)


@takes(Temporal)
def temporal(asked: Temporal) -> None:
    """Read the motion that a network with 3T convolutions has learned from its weights.

    --show and --agree look for optimal inputs of the channels that are drawn; --objective, --size and --steps
    are theirs.
    """
    asked.check()
    from ..evaluation.trajectories import layer_motion
    from ..tconv.read import read_motion, statistics
    from ..zoo.registry import load_model
    from .folder import ensure_device, writable_folder
    from .progress import Reporter

    ensure_device(asked.device)
    out, model = asked.out, asked.model
    network = load_model(model, weights=asked.weights, seed=asked.seed)
    with writable_folder(out), Reporter([], quiet=asked.quiet) as reporter:
        network, fits = _fitted(network, reporter) if asked.fit else (network, ())
        layers = read_motion(network)
        shown, compared = (
            None if name is None else layer_motion(layers, name) for name in (asked.show, asked.agree)
        )
        pages = {motion.layer: _pages(motion, asked.units) for motion in layers}
        _clear(out)
        _write_tables(out, model, layers, statistics(layers), fits)
        reporter.note(f"{out / 'temporal.csv'}: {sum(m.sampling[0].numel() for m in layers)} steps")
        for path in _draw(out, model, network, layers, pages):
            reporter.note(str(path))
        for line in _sought(asked, network, shown, compared, pages):
            reporter.note(line)
    typer.echo(out / "statistics.md")


def _fitted(network: "nn.Module", reporter: "Reporter") -> "tuple[nn.Module, Sequence[LayerFit]]":
    from ..tconv.convert import convert

    reporter.note("fitting slices and trajectories")
    conversion = convert(network)
    return conversion.model, conversion.layers


def _sought(
    asked: Temporal,
    network: "nn.Module",
    shown: "LayerMotion | None",
    compared: "LayerMotion | None",
    pages: Mapping[str, list[list[int]]],
) -> Iterable[str]:
    """Look for optimal inputs where asked, and tell how velocities agree; give a line for each picture."""
    from .trajectories import Search, compare_velocities, show_channels

    search = Search(
        model=asked.model,
        network=network,
        objective=None if asked.objective is None else asked.objective.value,
        size=read_size(asked.size),
        steps=asked.steps,
        seed=asked.seed,
        device=asked.device,
        quiet=asked.quiet,
        partial=asked.partial,
    )
    if shown is not None:
        yield from map(str, show_channels(asked.out, search, shown, pages[shown.layer], asked.clip))
    if compared is not None:
        chosen = [channel for page in pages[compared.layer] for channel in page]
        typer.echo(compare_velocities(asked.out, search, compared, chosen))


def _draw(
    out: Path,
    model: str,
    network: "nn.Module",
    layers: "Sequence[LayerMotion]",
    pages: Mapping[str, list[list[int]]],
) -> Iterable[Path]:
    from ..files import safe_component, write_bytes_atomically
    from ..render.temporal import draw_curves, draw_distributions, draw_strips

    first = layers[0].layer
    kernel: Any = network.get_submodule(first).weight
    strips = draw_strips(f"{model}: kernels of {first or 'the layer'}", kernel)
    yield write_bytes_atomically(out / "kernels.png", strips)
    distributions = draw_distributions(
        f"{model}: temporal parameters", {motion.layer: motion.content for motion in layers}
    )
    yield write_bytes_atomically(out / "distributions.png", distributions)
    for motion in layers:
        for page, channels in enumerate(pages[motion.layer], start=1):
            picture = draw_curves(
                f"{model} / {motion.layer}: temporal parameters",
                channels,
                motion.content[:, :, channels],
                motion.sampling[:, :, channels],
                motion.path_px[:, :, channels],
                (motion.kernel_size[1], motion.kernel_size[2]),
            )
            # no layer's name holds a tilde once it is a file name
            name = safe_component(motion.layer) + (f"~{page}" if page > 1 else "")
            yield write_bytes_atomically(out / "curves" / f"{name}.png", picture)


def _clear(out: Path) -> None:
    """Take away what an earlier run left, so that all that lies there is of one network."""
    from ..files import unwritable

    for pattern in ("fit.csv", "channels*.png", "agreement.*", "curves/*.png"):
        for file in out.glob(pattern):
            try:
                file.unlink()
            except OSError as error:
                raise unwritable(file, error) from error


def _pages(motion: "LayerMotion", units: str | None) -> list[list[int]]:
    """The channels to draw, a dozen a page."""
    from ..units.unit import parse_units

    if units is None:
        way = motion.path_px.diff(dim=0).norm(dim=1).sum(dim=0)
        chosen = sorted(way.argsort(descending=True)[:_ROWS].tolist())
    else:
        chosen = parse_units(units, motion.sampling.shape[2])
    return [chosen[start : start + _ROWS] for start in range(0, len(chosen), _ROWS)]


def _write_tables(
    out: Path,
    model: str,
    layers: "Sequence[LayerMotion]",
    rows: "Sequence[Statistic]",
    fits: "Sequence[LayerFit]",
) -> None:
    from ..files import write_bytes_atomically
    from ..tconv.read import PARAMETERS
    from .table import write_csv

    head = ["layer", "channel", "step", *PARAMETERS, *(f"content_{name}" for name in PARAMETERS)]
    steps = (
        [motion.layer, channel, step, *(f"{value:.7g}" for value in numbers.tolist())]
        for motion in layers
        for channel, per_step in enumerate(_side_by_side(motion).unbind(dim=2))
        for step, numbers in enumerate(per_step.unbind(dim=1))
    )
    write_csv(out / "temporal.csv", head, steps)
    numbers = ("mean", "deviation", "mean_magnitude", "deviation_magnitude")
    write_csv(
        out / "statistics.csv",
        ["model", "layer", "parameter", "count", *numbers],
        (
            [model, row.layer, row.parameter, row.count, *(f"{getattr(row, n):.7g}" for n in numbers)]
            for row in rows
        ),
    )
    if fits:
        write_csv(
            out / "fit.csv",
            ["layer", "kernel_size", "explained", "still"],
            (
                [f.layer, "x".join(map(str, f.kernel_size)), f"{f.explained:.6f}", f"{f.still:.6f}"]
                for f in fits
            ),
        )
    write_bytes_atomically(out / "statistics.md", _page(model, rows, fits).encode())


def _side_by_side(motion: "LayerMotion") -> Any:
    import torch

    return torch.cat([motion.sampling, motion.content])


def _page(model: str, rows: "Sequence[Statistic]", fits: "Sequence[LayerFit]") -> str:
    """The statistics as Markdown: magnitudes as in the published tables, then the numbers themselves."""
    from ..tconv.read import PARAMETERS

    table: dict[str, dict[str, Statistic]] = {}
    for row in rows:
        table.setdefault(row.layer, {})[row.parameter] = row
    lines = [f"# Temporal parameters of {model}", "", _README]
    parts = (
        ("How far from standing still", "|s - 1|, |r|, |t|", ("mean_magnitude", "deviation_magnitude")),
        ("As learned (sampling)", "s, r, t; content is 1/s, -r, -t", ("mean", "deviation")),
    )
    for title, meaning, (mean, deviation) in parts:
        lines += [f"## {title}", "", f"Mean / deviation over steps and channels of {meaning}.", ""]
        lines += [f"| layer | {' | '.join(PARAMETERS)} |", "|---|" + "---|" * len(PARAMETERS)]
        for layer, found in table.items():
            cells = [f"{getattr(r, mean):.4g} / {getattr(r, deviation):.4g}" for r in found.values()]
            lines.append(f"| {layer} | {' | '.join(cells)} |")
        lines.append("")
    if fits:
        lines += [
            "## How much of the kernels this explains",
            "",
            "The network has ordinary 3D convolutions; slices and trajectories were fitted to them.",
            "",
            "| layer | explained | without motion |",
            "|---|---|---|",
            *(f"| {f.layer} | {100 * f.explained:.1f} % | {100 * f.still:.1f} % |" for f in fits),
            "",
        ]
    return "\n".join(lines)
