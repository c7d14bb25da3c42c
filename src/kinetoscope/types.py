"""Shapes as types. `x` points right, `y` down, `t` forward; values lie in [0, 1] unless said otherwise."""

from jaxtyping import Float
from torch import Tensor

Video = Float[Tensor, "time channel height width"]
"""A clip (T, C, H, W)."""

Videos = Float[Tensor, "*clip time channel height width"]
"""A clip, or clips of a batch, (..., T, C, H, W)."""

Flows = Float[Tensor, "*clip time 2 height width"]
"""Displacements of a clip or of several, (..., T, 2, H, W); as in `Flow`."""

Velocities = Float[Tensor, "*clip step 2 height width"]
"""Velocities of a clip or of several, (..., T-1, 2, H, W); as in `Velocity`."""

VideoBatch = Float[Tensor, "batch channel time height width"]
"""Clips as a network takes them, (B, C, T, H, W)."""

Image = Float[Tensor, "channel height width"]
"""A still image (C, H, W)."""

Flow = Float[Tensor, "time 2 height width"]
"""Displacements in pixels, one per frame, (T, 2, H, W); component 0 is x, component 1 is y."""

Velocity = Float[Tensor, "step 2 height width"]
"""Pixels per frame, one per step from a frame to the next, (T-1, 2, H, W); components as in `Flow`."""

MOTION_LABELS = (
    "right",
    "up-right",
    "up",
    "up-left",
    "left",
    "down-left",
    "down",
    "down-right",
    "expansion",
    "contraction",
    "counter-clockwise",
    "clockwise",
    "still",
)
"""Words for a motion as seen on screen: eight translations 45 degrees apart, four other motions, none."""
