"""Small displacements on top of the coherent motion, that have to earn their place.

Coarse nodes, bounded so that neighbouring nodes cannot cross, a prior against size: such a field can tremble
with what trembles and cannot fetch one texture's pixels to wherever they fit.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..types import Videos
from .clips import CLIP
from .light import Light
from .nodes import Nodes, gradient
from .solve import Smoothness, blocks, conjugate_gradients


@dataclass(frozen=True)
class JitterSettings:
    """How jitter is found, and when it is believed.

    Attributes:
        cell: distance of the nodes, pixels.
        bound: greatest component, as a share of the cell; below one half neighbours cannot cross.
        turns: Gauss-Newton steps, light and texture being fitted again after each.
        evidence: independent measurements that a node's pixels count for.
        prior: weight of the squared size, 1 / px^2.
        smooth: weight of the differences of neighbouring nodes; beyond `edge` pixels they count linearly.
        edge: see `smooth`.
        least: share of what coherent motion and light leave that jitter must explain to be believed, and
        worth: share of the temporal variance.
    """

    cell: float = 8.0
    bound: float = 0.375
    turns: int = 4
    evidence: float = 10.0
    prior: float = 2.0
    smooth: float = 1.0
    edge: float = 0.3
    least: float = 0.1
    worth: float = 0.01


def jitter_step(
    video: Videos, fetched: Videos, light: Light, jitter: Tensor, nodes: Nodes, settings: JitterSettings
) -> Tensor:
    """One Gauss-Newton step of the jitter at the nodes, (..., T, 2, h, w), pixels.

    Args:
        fetched: texture as the present displacement fetches it.
    """
    residual = light.on(fetched) - video
    x, y = (light.gain * part for part in gradient(fetched))
    usual = residual.square().mean(dim=CLIP, keepdim=True) + 1e-5
    robust = (1 + residual.square().mean(dim=-3, keepdim=True) / (4 * usual)).sqrt()
    weight = settings.evidence / usual / robust
    pairs = ((x, x), (x, y), (y, y), (x, residual), (y, residual))
    products = torch.stack([(first * second).mean(dim=-3) for first, second in pairs], dim=-3)
    found = nodes.mean(weight * products)
    matrix, side = found[..., :3, :, :], found[..., 3:, :, :]
    rough = Smoothness(jitter, (settings.smooth, settings.smooth, 0.0), settings.edge)

    def apply(field: Tensor) -> Tensor:
        return blocks(matrix, field) + settings.prior * field + rough(field)

    diagonal = (matrix[..., :1, :, :] + matrix[..., 2:, :, :]) / 2 + settings.prior + 4 * settings.smooth
    solved = conjugate_gradients(apply, blocks(matrix, jitter) - side, jitter, diagonal, 15)
    limit = settings.bound * settings.cell
    return solved.clamp(-limit, limit)
