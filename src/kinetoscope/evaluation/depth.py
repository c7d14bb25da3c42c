"""Does motion grow more complex with depth? What Li & Li 2025 see by eye, measured per layer."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..card import ModelCard
from ..errors import SettingInvalid
from ..files import plain
from ..results import UnitResult
from ..types import Velocity
from ..units.layers import list_layers
from ..units.tap import output_shape
from .metrics import NO_DRIFT

SECTOR_DEG = 45.0
"""Width of the sectors in which directions are told apart."""


@dataclass(frozen=True)
class UnitMotion:
    """One unit's motion; conventions as in `unit.json`.

    Attributes:
        layer, unit: which.
        depth: place of the layer among those measured, from 0.
        mean_speed_px_per_frame, speed_px_per_frame, direction_deg, coherence: of the velocity.
        affine_r2: share of the velocity's variance over space that one affine field per step explains, in
            [0, 1]; None where the velocity is even.
        directions: number of distinct directions, the exponential of the entropy of the direction histogram
            weighted by speed: 1, all in one sector of 45 degrees, to 8, evenly spread; 0, nothing moves.
        patch_px: how far, along rows and columns, the mean coherent motion keeps within 45 degrees of what it
            is at a place, at most the frame's side; None where nothing moves.
        coherent_share: share of the temporal variance that coherent motion explains.
        psnr_db: of the reconstruction.
        seconds: of the optimization and the decomposition.
    """

    layer: str
    unit: int
    depth: int
    mean_speed_px_per_frame: float
    speed_px_per_frame: float
    direction_deg: float
    coherence: float
    affine_r2: float | None
    directions: float
    patch_px: float | None
    coherent_share: float
    psnr_db: float
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """A row of `depth.json`."""
        return plain(self)


def affine_r2(velocity: Velocity) -> float | None:
    """Share of the variance over space that an affine field, fitted to each step, explains.

    1: every step is a drift plus growth, turn and shear; 0: nothing of it. None for a velocity that is the
    same everywhere, which has no variance to explain.
    """
    steps, _, height, width = velocity.shape
    x, y = torch.linspace(-1, 1, width).double(), torch.linspace(-1, 1, height).double()
    plane = torch.stack([y.new_ones(height, width), x.expand(height, -1), y[:, None].expand(-1, width)])
    basis = plane.flatten(1).T
    values = velocity.double().reshape(steps * 2, -1).T
    fitted = basis @ torch.linalg.lstsq(basis, values).solution
    total = float((values - values.mean(dim=0)).square().sum())
    if total < 1e-8 * values.numel():
        return None
    return min(1.0, max(0.0, 1 - float((values - fitted).square().sum()) / total))


def distinct_directions(velocity: Velocity) -> float:
    """How many directions there are, weighted by speed; see `UnitMotion.directions`."""
    x, y = velocity[:, 0].flatten(), velocity[:, 1].flatten()
    speed = torch.hypot(x, y)
    if float(speed.mean()) < NO_DRIFT:
        return 0.0
    sector = torch.rad2deg(torch.atan2(-y, x)).div(SECTOR_DEG).round().remainder(360 / SECTOR_DEG).long()
    share = torch.bincount(sector, weights=speed.double(), minlength=round(360 / SECTOR_DEG)) / speed.sum()
    return math.exp(float(-torch.special.xlogy(share, share).sum()))


def patch_px(field: Float[Tensor, "2 height width"]) -> float | None:
    """Mean extent of the stretch about a place, along its row and its column, that moves its way.

    A board of patches that move in opposite directions gives the patches' side, a field of one direction the
    mean of the frame's sides. Places slower than `NO_DRIFT` belong to no stretch; None where all are.
    """
    speed = field.norm(dim=0)
    moving = speed >= NO_DRIFT
    if not bool(moving.any()):
        return None
    heading = field / speed.clamp(min=NO_DRIFT) * moving
    along_rows = _extent(heading) + _extent(heading.flip(2)).flip(1) - 1
    turned = heading.transpose(1, 2)
    along_columns = (_extent(turned) + _extent(turned.flip(2)).flip(1) - 1).T
    return float(((along_rows + along_columns)[moving] / 2).mean())


def _extent(heading: Float[Tensor, "2 height width"]) -> Float[Tensor, "height width"]:
    """How many places from each one on, itself among them, head the same way as it, rightward."""
    near, width = math.cos(math.radians(SECTOR_DEG)), heading.shape[2]
    alike = torch.ones(heading.shape[1:], dtype=torch.bool)
    extent = alike.float()
    for step in range(1, width):
        cosine = (heading[:, :, : width - step] * heading[:, :, step:]).sum(dim=0)
        alike = alike[:, : width - step] & (cosine >= near)
        extent[:, : width - step] += alike
    return extent


def measure(result: UnitResult, layer: str, unit: int, depth: int) -> UnitMotion:
    """The motion of one visualized unit in the numbers of `UnitMotion`."""
    velocity, motion = result.decomposition.velocity, result.motion
    return UnitMotion(
        layer=layer,
        unit=unit,
        depth=depth,
        mean_speed_px_per_frame=motion.mean_speed_px_per_frame,
        speed_px_per_frame=motion.speed_px_per_frame,
        direction_deg=motion.direction_deg,
        coherence=motion.coherence,
        affine_r2=affine_r2(velocity),
        directions=distinct_directions(velocity),
        patch_px=patch_px(result.decomposition.coherent_velocity.detach().cpu().float().mean(dim=0)),
        coherent_share=result.decomposition.variance_explained["coherent"],
        psnr_db=result.decomposition.psnr_db,
        seconds=sum(part for part in result.record.get("seconds", {}).values() if part is not None),
    )


Plan = list[tuple[str, list[int]]]
"""Layers, from shallow to deep, and the units of each."""


def plan_depth(
    model: nn.Module,
    card: ModelCard,
    layers: Sequence[str] | None,
    units: int,
    size: tuple[int, int, int] | None = None,
) -> Plan:
    """Which units of which layers to measure.

    Args:
        layers: from shallow to deep; None: all that hold weights, in the order of `named_modules()`.
        units: per layer, spread evenly.
        size: of the clip, (T, H, W); None: the card's.

    Raises:
        LayerNotFound: no such layer.
        SettingInvalid: `units` is under 1.
        ClipTooSmall, ModelUnusable: as `list_layers` says.
    """
    if layers is None:
        modules, kinds = dict(model.named_modules()), (nn.Conv3d, nn.Linear)
        reached = (row.name for row in list_layers(model, card, size=size))
        layers = [name for name in reached if isinstance(modules[name], kinds)]
    shape = (card.channels, *(size or card.clip))
    return [(name, spaced_units(output_shape(model, name, shape)[0], units)) for name in layers]


def spaced_units(count: int, wanted: int) -> list[int]:
    """`wanted` units spread evenly over a layer of `count`, fewer where it has fewer.

    Raises:
        SettingInvalid: `wanted` is under 1.
    """
    if wanted < 1:
        raise SettingInvalid(f"{wanted} units per layer; give 1 or more")
    number = min(count, wanted)
    return [index * count // number for index in range(number)]
