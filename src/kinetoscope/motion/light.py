"""Changes of light: a gain and an offset, smooth in space, by which a frame differs from what it fetches.

V_t(p) = g_t(p) I(p + D_t(p)) + b_t(p), with one gain for all channels and an offset for each. Both are linear
regressions in a neighbourhood, in closed form. What they share with the texture is fixed by a gauge: at each
place the mean gain over time is 1 and the mean offset 0, so that light that does not change is texture.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ..types import Videos
from .clips import CLIP, put, taken
from .nodes import Nodes, smooth


@dataclass(frozen=True)
class LightSettings:
    """How light is found.

    Attributes:
        cell: distance of the nodes, pixels; a regression sees about three cells along x and y.
        ridge: pulls the gain to 1 as so much more contrast would, as a share of the clip's local variance;
        floor: likewise, of its temporal variance: where next to nothing is seen, brightness does all.
        turns: of light and texture, each for the other, while nothing moves.
        least: share of what motion leaves that light must explain to be believed, and
        worth: share of the temporal variance.
    """

    cell: float = 8.0
    ridge: float = 0.05
    floor: float = 0.1
    turns: int = 4
    least: float = 0.01
    worth: float = 0.002


@dataclass(frozen=True)
class Light:
    """Gain (..., T, 1, H, W) and offset (..., T, C, H, W), or their like without change."""

    gain: Float[Tensor, "*clip time 1 height width"]
    offset: Float[Tensor, "*clip time channel height width"]

    def on(self, fetched: Videos) -> Videos:
        """What is seen of fetched texture in this light."""
        return self.gain * fetched + self.offset

    def of(self, clips: Tensor) -> "Light":
        """The same for some clips of a batch."""
        return Light(taken(self.gain, clips), taken(self.offset, clips))

    def put(self, clips: Tensor, others: "Light") -> "Light":
        """The same with others' light for some clips."""
        return Light(put(self.gain, clips, others.gain), put(self.offset, clips, others.offset))


def steady(video: Videos) -> Light:
    """Light that does not change: gain 1, offset 0."""
    return Light(torch.ones_like(video[..., :1, :, :]), torch.zeros_like(video))


def fit_light(video: Videos, fetched: Videos, settings: LightSettings, mask: Tensor | None = None) -> Light:
    """The light in which `fetched` comes nearest to `video`, place by place; no gauge.

    Args:
        mask: (..., T, 1, H, W), 1 where a pixel counts; None: everywhere.
    """
    nodes = Nodes(video, settings.cell)
    weight = 1.0 if mask is None else smooth(nodes.mean(mask), 1).clamp(min=1e-3)

    def mean(maps: Tensor) -> Tensor:
        return smooth(nodes.mean(maps if mask is None else maps * mask), 1) / weight

    seen, under = mean(video), mean(fetched)
    common = (mean(video * fetched) - seen * under).mean(dim=-3, keepdim=True)
    power = (mean(fetched * fetched) - under * under).mean(dim=-3, keepdim=True).clamp(min=0)
    change = (video - video.mean(dim=-4, keepdim=True)).square().mean(dim=CLIP, keepdim=True)
    pull = settings.ridge * power.mean(dim=CLIP, keepdim=True) + settings.floor * change + 1e-6
    gain = (common + pull) / (power + pull)
    return Light(nodes.spread(gain), nodes.spread(seen - gain * under))


def gauged(light: Light) -> Light:
    """The same light with, at each place, mean gain 1 and mean offset 0 over time.

    Where contrast swings to the negative and back, so that the gains' mean is less than half their root mean
    square, no texture could make it 1. From there on the gains' root mean square goes to 1 instead, and the
    offset, smoothly, to what it was.
    """
    mean, rest = (part.mean(dim=-4, keepdim=True) for part in (light.gain, light.offset))
    power = light.gain.square().mean(dim=-4, keepdim=True).sqrt() + 1e-9
    ratio = mean.abs() / power
    scale = power * torch.maximum(ratio, 1 - ratio) * torch.where(mean < 0, -1.0, 1.0)
    gain = light.gain / scale
    return Light(gain, light.offset - gain * rest * (4 * ratio - 1).clamp(0, 1))
