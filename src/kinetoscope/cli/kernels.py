"""`kinetoscope kernels`: the weights of a convolution as pictures."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import Debug, Model, Out, Seed, Weights, check_units

if TYPE_CHECKING:
    from ..filters.kernels import LayerKernels

_STEPS_PER_SECOND = 3.0


class Scale(StrEnum):
    """Which kernels share their colours."""

    auto = "auto"
    shared = "shared"
    per_kernel = "per-kernel"


def kernels(
    model: Model,
    layer: Annotated[str, typer.Argument(metavar="LAYER", help="Dotted name of a convolution.")],
    out: Out,
    units: Annotated[str, typer.Option(metavar="UNITS", help="0,3,8-15 or all.")] = "all",
    scale: Annotated[
        Scale,
        typer.Option(help="Whose colours are shared; auto: all, where none is too faint."),
    ] = Scale.auto,
    weights: Weights = "default",
    seed: Seed = 0,
    debug: Debug = False,
) -> None:
    """Show a convolution's kernels over time, and how nearly each is a picture times a course over time."""
    from ..units.unit import parse_units

    check_units(units)
    from ..card import card_of
    from ..filters.kernels import layer_kernels, layer_weights
    from ..zoo.registry import load_model
    from .folder import writable_folder

    network = load_model(model, weights=weights, seed=seed)
    chosen = parse_units(units, len(layer_weights(network, layer)))
    found = layer_kernels(network, layer, chosen)
    order = card_of(network).channel_order
    with writable_folder(out):
        _save(
            found,
            order,
            out,
            {
                "model": model,
                "weights": weights,
                "layer": layer,
                "units": chosen,
                "seed": seed,
                "colours": scale.value,
            },
        )
    typer.echo(out / "kernels.png")


def _save(found: "LayerKernels", order: str, out: Path, request: dict[str, object]) -> None:
    import numpy as np

    from ..files import write_bytes_atomically
    from ..inquiry.request import versions
    from ..records import ARRAYS_FILE, write_arrays
    from ..render.frames import encode_gif, encode_png
    from ..render.kernels import draw_kernels, kernel_pictures, kernel_scales
    from .record import KERNELS, begin_record, end_record, refuse_other

    mend = "choose another --out, or delete it first"
    refuse_other(out / KERNELS, request, "model", "layer", mend=mend)
    begin_record(out / KERNELS)
    names = [f"{found.layer}:{unit}" for unit in found.units]
    per_kernel = {"auto": None, "shared": False, "per-kernel": True}[str(request["colours"])]
    scales = kernel_scales(found.weights, found.scale, per_kernel)
    own = [f", \N{PLUS-MINUS SIGN}{scale:.2g}" if len(set(scales)) > 1 else "" for scale in scales]
    notes = [f"separable {100 * s:.0f} %{o}" for s, o in zip(found.separability.tolist(), own, strict=True)]
    write_arrays(out / ARRAYS_FILE, {"kernels": found.weights})
    swapped = order == "BGR" and found.weights.shape[1] == 3
    shown = found.weights.flip(1) if swapped else found.weights  # pictures are RGB
    short, title = [f"unit {unit}" for unit in found.units], f"{found.layer} of {request['model']}"
    strips = draw_kernels(shown, scales, short, notes, title)
    write_bytes_atomically(out / "kernels.png", encode_png(strips))
    pictures = np.stack([*kernel_pictures(shown, scales, short, title)])
    write_bytes_atomically(out / "kernels.gif", encode_gif(pictures, fps=_STEPS_PER_SECOND))
    numbers = {
        "shape": found.weights.shape,
        "scale": found.scale,
        "scales": dict(zip(names, scales, strict=True)),
        "separability": dict(zip(names, found.separability.tolist(), strict=True)),
        "energy": dict(zip(names, found.energy.tolist(), strict=True)),
    }
    end_record(out / KERNELS, {**request, "versions": versions()}, numbers)
