"""Planted clips in which light changes: nothing moves, whatever a flow program may see in them."""

import math
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from ..motion.metrics import temporal_variance
from ..types import Image, Video
from .planted import PlantedClip, from_middle, planted_clip, still


def relit(clip: PlantedClip, video: Video) -> PlantedClip:
    """The same motion shown as `video`; its share is what is left of the change that light did not make."""
    video = video.clamp(0, 1)
    unexplained = float((video - clip.video).square().mean()) / max(temporal_variance(video), 1e-12)
    return replace(clip, video=video, motion_share=max(0.0, 1 - unexplained))


def standing(texture: Image, frames: int, height: int, width: int) -> PlantedClip:
    """The middle of a texture, which stands still."""
    return planted_clip(texture, still(), frames, height, width)


def cross_fade(first: Image, second: Image, frames: int, height: int, width: int) -> PlantedClip:
    """One texture gives way to another evenly over the clip."""
    before, after = (standing(texture, frames, height, width) for texture in (first, second))
    share = torch.linspace(0, 1, frames).view(-1, 1, 1, 1)
    video = before.video + share * (after.video - before.video)
    return PlantedClip(video, before.velocity, motion_share=0.0)


def light_edge(
    texture: Image, speed: float, frames: int, height: int, width: int, *, dark: float = 0.55
) -> PlantedClip:
    """A soft edge of light sweeps sideways over a standing texture.

    Args:
        speed: of the edge, pixels per frame.
        dark: brightness before the edge, as a factor.
    """
    clip = standing(texture, frames, height, width)
    x = from_middle(height, width)[:, :1]
    place = speed * _centred(frames)
    return _unmoving(clip, clip.video * (dark + (1 - dark) * torch.sigmoid((place - x) / 3)))


def contrast_reversal(texture: Image, period: float, frames: int, height: int, width: int) -> PlantedClip:
    """Contrast swings between the picture and its negative about mid grey, `period` frames a swing."""
    clip = standing(texture, frames, height, width)
    return _unmoving(clip, 0.5 + torch.cos(2 * math.pi / period * _times(frames)) * (clip.video - 0.5))


def whole_field_flicker(
    texture: Image, strength: float, frames: int, height: int, width: int, generator: torch.Generator
) -> PlantedClip:
    """Brightness jumps from frame to frame over a texture that is faint: a tenth of its contrast.

    Args:
        strength: standard deviation of the brightness.
    """
    clip = standing(texture, frames, height, width)
    light = strength * torch.randn(frames, 1, 1, 1, generator=generator)
    return _unmoving(clip, 0.5 + 0.1 * (clip.video - 0.5) + light)


def dimming(texture: Image, end: float, frames: int, height: int, width: int) -> PlantedClip:
    """Brightness falls evenly to `end` of what it was."""
    clip = standing(texture, frames, height, width)
    return _unmoving(clip, clip.video * torch.linspace(1, end, frames).view(-1, 1, 1, 1))


def coloured_light(clip: PlantedClip, strength: float) -> PlantedClip:
    """Three lamps, red, green and blue, wax and wane in turn, each from another side.

    Args:
        strength: of the factor's swing about 1.
    """
    frames, channels, height, width = clip.video.shape
    angle = 2 * math.pi * torch.arange(channels).view(1, -1, 1, 1) / 3
    x, y = from_middle(height, width)[0].split(1)
    side = (x * torch.cos(angle) / width + y * torch.sin(angle) / height) * 2
    swing = torch.sin(2 * math.pi * _times(frames) / max(frames, 2) * 1.5 + angle + side)
    return relit(clip, clip.video * (1 - strength / 2 + strength / 2 * swing))


def gain_ramp(clip: PlantedClip, end: float) -> PlantedClip:
    """The same motion while contrast about mid grey and brightness fall evenly to `end`."""
    gain = torch.linspace(1, end, len(clip.video)).view(-1, 1, 1, 1)
    return relit(clip, clip.video * gain)


def _unmoving(clip: PlantedClip, video: Video) -> PlantedClip:
    return replace(clip, video=video.clamp(0, 1), motion_share=0.0)


def _times(frames: int) -> Float[Tensor, "time 1 1 1"]:
    return torch.arange(frames, dtype=torch.float32).view(-1, 1, 1, 1)


def _centred(frames: int) -> Float[Tensor, "time 1 1 1"]:
    return _times(frames) - (frames - 1) / 2
