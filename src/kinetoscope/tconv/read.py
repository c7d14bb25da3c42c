"""Reading the motion that 3T convolutions have learned: per step and channel, as paths, and as statistics."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..brief import Brief
from ..errors import LayerNotFound
from .layer import Conv3T

PARAMETERS = ("scale", "rotation_deg", "shift_x_px", "shift_y_px")
IDENTITY = (1.0, 0.0, 0.0, 0.0)

WHOLE_MODEL = "(model)"
"""Stands for a layer's name in statistics over all layers."""


@dataclass(frozen=True, eq=False, repr=False)
class LayerMotion(Brief):
    """The trajectories of one 3T layer. x points right, y down; turning is positive *clockwise* on screen.

    Attributes:
        layer: dotted name.
        kernel_size: (D, h, w).
        sampling: as learned, (4, D-1, out): s; r in degrees; t_x and t_y in pixels (kernel cells). A cell of
            slice t+1 fetches from slice t: its place is shifted by t first, then turned by r and scaled by s
            about the middle.
        content: what is seen, the inverse of it, (4, D-1, out): 1/s, -r, -t_x, -t_y. What slice t shows is
            scaled by 1/s and turned by -r about the middle first, then shifted by -t. Plots of Ras2020 show
            its -r.
        path_px: where the content that starts in the middle of slice 0 is in each slice, x and y in pixels
            from the middle, (D, 2, out): the content steps one after the other, not their sum.
    """

    layer: str
    kernel_size: tuple[int, ...]
    sampling: Float[Tensor, "4 step out"]
    content: Float[Tensor, "4 step out"]
    path_px: Float[Tensor, "slice 2 out"]


@dataclass(frozen=True)
class Statistic:
    """Mean and population deviation of one parameter over steps and channels (Ras2020, Tables 2 and 4).

    Attributes:
        layer: dotted name, or `WHOLE_MODEL`.
        parameter: one of `PARAMETERS`; those of the sampling, as learned.
        count: how many numbers.
        mean, deviation: of the numbers.
        mean_magnitude, deviation_magnitude: of their distance from standing still, |s - 1|, |r|, |t_x|,
            |t_y|: what the published tables must hold, for all their means are positive. Of r and t they are
            those of the content as well.
    """

    layer: str
    parameter: str
    count: int
    mean: float
    deviation: float
    mean_magnitude: float
    deviation_magnitude: float


def read_motion(model: nn.Module) -> tuple[LayerMotion, ...]:
    """The trajectories of all 3T layers of more than one slice, in the network's order.

    Raises:
        LayerNotFound: there is none.
    """
    layers = [(name, part) for name, part in model.named_modules() if isinstance(part, Conv3T)]
    found = tuple(_read(name, layer) for name, layer in layers if layer.kernel_size[0] > 1)
    if not found:
        raise LayerNotFound(
            f"{type(model).__name__} has no 3T convolution of more than one slice to read motion from; fit "
            "some to its kernels with kinetoscope.tconv.convert, on the command line with --fit"
        )
    return found


@torch.no_grad()
def _read(name: str, layer: Conv3T) -> LayerMotion:
    scale, turn = layer.scale.detach().cpu().double(), layer.rotate.detach().cpu().double()
    shift = torch.stack([layer.translate_x, layer.translate_y], dim=1).detach().cpu().double()
    # A translation of 1 leads from the middle to the outermost cell centre.
    half = shift.new_tensor([(size - 1) / 2 for size in layer.kernel_size[:0:-1]])[:, None]
    x, y = places = torch.zeros_like(shift[0])
    path = [places]
    for s, r, t in zip(scale, turn, shift, strict=True):
        x, y = r.cos() * x + r.sin() * y, r.cos() * y - r.sin() * x
        x, y = places = torch.stack([x, y]) / s - t
        path.append(places)
    sampling = torch.stack([scale, turn.rad2deg(), *(shift * half).unbind(dim=1)])
    content = torch.cat([1 / sampling[:1], -sampling[1:]])
    return LayerMotion(
        name, layer.kernel_size, sampling.float(), content.float(), (torch.stack(path) * half).float()
    )


def statistics(layers: Sequence[LayerMotion]) -> tuple[Statistic, ...]:
    """Mean and deviation of each parameter, over the whole model first, then layer by layer."""
    flat = {motion.layer: motion.sampling.flatten(1).double() for motion in layers}
    groups = {WHOLE_MODEL: torch.cat(list(flat.values()), dim=1), **flat}
    return tuple(
        _statistic(layer, *row)
        for layer, values in groups.items()
        for row in zip(PARAMETERS, IDENTITY, values, strict=True)
    )


def _statistic(layer: str, parameter: str, identity: float, values: Float[Tensor, " count"]) -> Statistic:
    away = (values - identity).abs()
    numbers = (float(part) for v in (values, away) for part in (v.mean(), v.std(correction=0)))
    return Statistic(layer, parameter, len(values), *numbers)
