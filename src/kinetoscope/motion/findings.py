"""What a formulation finds, before it is summed up."""

from dataclasses import dataclass

from jaxtyping import Bool, Float
from torch import Tensor

from ..types import Flow, Velocity, Video
from .light import Light

STILL_VARIANCE = 1e-7
"""Temporal variance (grey levels squared) below which a video has no change to explain."""

Mask = Bool[Tensor, "step 1 height width"]


@dataclass(frozen=True)
class Found:
    """One formulation's account of one video; fields as in `Decomposition`.

    Attributes:
        textures, times: key textures (K, C, H, W) and their frames; one for a texture that lasts.
        displacement: to the frame of the texture that is shown.
        errors: mean squared errors after coherent motion, light, and jitter.
        renewed: how much of the temporal variance other textures explain that take the place of the first.
        single: the reconstruction from the texture that is shown alone.
    """

    textures: Float[Tensor, "key channel height width"]
    times: tuple[int, ...]
    displacement: Flow
    velocity: Velocity
    coherent_velocity: Velocity
    light: Light
    reconstruction: Video
    single: Video
    errors: tuple[float, float, float]
    renewed: float
    lifetime: float | None
    carried: float | None
    covered: Mask
    entered: Mask


def variance_shares(
    still: float, coherent: float, light: float, jitter: float, renewed: float = 0.0
) -> dict[str, float]:
    """Shares of the temporal variance: successive error reductions, the most flexible explanation last.

    Args:
        still: the temporal variance.
        coherent, light, jitter: mean squared errors that are left after each.
        renewed: error that textures taking each other's place remove before anything moves; it counts as
            residual, for nothing of this explains it.

    Returns:
        `coherent`, `light`, `jitter`, `residual`, each in [0, 1], sum 1. A video that does not change is
        explained by zero velocity: coherent is 1.
    """
    if still < STILL_VARIANCE:
        return {"coherent": 1.0, "light": 0.0, "jitter": 0.0, "residual": 0.0}
    renewed = min(max(renewed, 0.0), still)
    coherent = min(coherent, still - renewed)
    light = min(light, coherent)
    jitter = min(jitter, light)
    return {
        "coherent": (still - renewed - coherent) / still,
        "light": (coherent - light) / still,
        "jitter": (light - jitter) / still,
        "residual": (jitter + renewed) / still,
    }
