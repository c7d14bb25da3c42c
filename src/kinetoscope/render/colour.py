"""Motion as colour: direction is hue, speed is brightness, and a wheel says which is which.

Conventions: flows are content velocities in pixels per frame, x right, y down;
direction_deg = atan2(-u_y, u_x) is 0 rightward, 90 upward, counter-clockwise as seen on screen;
hue = direction_deg / 360, saturation 1, value = min(speed / scale, 1). The scale is one constant for a
whole run, so that units can be compared.
"""

from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont
from torch import Tensor

from ..errors import SettingInvalid
from ..types import Flow, Video

DEFAULT_SCALE = 2.0
"""Speed shown at full brightness, pixels per frame."""

LEGEND_WIDTH = 190
"""Width of the legend beside a motion picture, pixels."""

CHALK, PAPER, FAINT = (235, 235, 235), (24, 24, 27), (150, 150, 158)
"""Words, ground and lesser words of films and panels, which are dark; sheets are white, with `sheet.INK`."""


def flow_to_rgb(flow: Flow, scale: float = DEFAULT_SCALE) -> Video:
    """Colour a velocity field.

    Args:
        flow: (T, 2, H, W), pixels per frame.
        scale: the speed shown at full brightness, pixels per frame; faster motion is clipped to it.

    Returns:
        (T, 3, H, W) in [0, 1].

    Raises:
        SettingInvalid: the scale is not a positive number, or the flow is not finite.
    """
    if not (0 < scale < float("inf")):
        raise SettingInvalid(f"the colour scale is {scale}; give a positive speed in pixels per frame")
    if not bool(torch.isfinite(flow).all()):
        raise SettingInvalid("the flow to be coloured has values that are not finite; mend it before drawing")
    value = (torch.linalg.vector_norm(flow, dim=1) / scale).clamp(max=1.0)
    return _hue_to_rgb(direction_deg(flow) / 360.0, value).movedim(0, 1)


def direction_deg(flow: Flow) -> Float[Tensor, "time height width"]:
    """Direction on screen in degrees, in [0, 360): 0 right, 90 up; 0 where nothing moves."""
    # 0 - y, not -y: minus zero would put a rightward vector at 360.
    degrees = torch.rad2deg(torch.atan2(0.0 - flow[:, 1], flow[:, 0])).remainder(360.0)
    return torch.where(degrees >= 360.0, 0.0, degrees)


def _hue_to_rgb(hue: Tensor, value: Tensor) -> Tensor:
    """HSV with saturation 1 to RGB, in a new first axis; hue in turns."""
    channels = []
    for offset in (5.0, 3.0, 1.0):
        k = (offset + hue * 6.0).remainder(6.0)
        channels.append(value * (1.0 - torch.minimum(k, 4.0 - k).clamp(0.0, 1.0)))
    return torch.stack(channels)


def wheel_rgba(size: int) -> UInt8[np.ndarray, "size size 4"]:
    """The colour wheel: from the centre outwards speed 0 to `scale`, transparent outside the disc."""
    radius = size / 2.0
    grid = (torch.arange(size) + 0.5 - radius) / radius
    y, x = torch.broadcast_tensors(grid[:, None], grid)
    rgb = flow_to_rgb(torch.stack([x, y])[None], 1.0)[0]
    # One pixel of soft edge, so that the disc is round at any size.
    alpha = ((1.0 - torch.hypot(x, y)) * radius + 0.5).clamp(0.0, 1.0)
    return (torch.cat([rgb, alpha[None]]) * 255.0).round().to(torch.uint8).permute(1, 2, 0).numpy()


def scale_words(scale: float, clipped: bool = False) -> str:
    """What full brightness means; `clipped` says that some motion is faster."""
    return f"full brightness {'≥' if clipped else '='} {scale_number(scale)} px/frame"


def scale_number(scale: float) -> str:
    """A speed with as many digits as it needs, at least one decimal."""
    return f"{scale:.1f}" if round(scale, 1) == scale else f"{scale:.3g}"


def legend(
    scale: float, *, height: int = LEGEND_WIDTH, clipped: bool = False
) -> UInt8[np.ndarray, "rows columns 3"]:
    """The wheel with its directions and scale in words, as a column to stand beside a picture.

    Args:
        scale: the speed at full brightness, pixels per frame.
        height: of the column in pixels; at least LEGEND_WIDTH.
        clipped: whether some motion in the picture is faster than the scale.
    """
    height = max(height, LEGEND_WIDTH)
    page = PillowImage.new("RGB", (LEGEND_WIDTH, height), PAPER)
    draw = ImageDraw.Draw(page)
    diameter, centre = 92, LEGEND_WIDTH // 2
    top = (height - LEGEND_WIDTH) // 2 + 24
    wheel = PillowImage.fromarray(wheel_rgba(diameter))
    page.paste(wheel, (centre - diameter // 2, top), wheel)
    middle, gap = top + diameter // 2, diameter // 2 + 5
    small = font(12)
    draw.text((centre, middle - gap), "up 90°", CHALK, small, anchor="mb")
    draw.text((centre, middle + gap), "down 270°", CHALK, small, anchor="mt")
    draw.text((centre + gap, middle), "right\n0°", CHALK, small, anchor="lm")
    draw.text((centre - gap, middle), "left\n180°", CHALK, small, anchor="rm", align="right")
    words = scale_words(scale, clipped)
    split = words.index("brightness") + len("brightness")
    draw.text((centre, middle + gap + 22), words[:split], FAINT, small, anchor="mt")
    draw.text((centre, middle + gap + 38), words[split + 1 :], CHALK, small, anchor="mt")
    return np.asarray(page)


@lru_cache(maxsize=8)
def font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which matplotlib ships, so that pictures look alike on every machine."""
    import matplotlib

    return ImageFont.truetype(f"{matplotlib.get_data_path()}/fonts/ttf/DejaVuSans.ttf", size)


def printable(words: str) -> str:
    """Words as one line that can be drawn: what cannot becomes a space."""
    return "".join(letter if letter.isprintable() else " " for letter in words)
