"""How long a texture lasts along the motion, and what the motion carries from frame to frame."""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..types import Velocities, Videos
from ..warp import compose, pixel_grid, sample
from .clips import CLIP, put, taken, where
from .light import Light, LightSettings, fit_light
from .nodes import Normalizer

FRAMES_PER_KEY = 4
"""At most one key texture for so many frames: with more, anything could be rebuilt."""

LEAST_SEEN = 0.1
"""Share of the frame that two frames must have in common for their correlation to say anything."""

WINDOW, FLOOR = 16.0, 0.15
"""Of the normalization before frames are correlated: pixels, and share of the usual deviation."""

MISSED = 0.5
"""Pixels by which going there and back may miss the start before content counts as covered or entered."""


def texture_lifetime(videos: Videos, back: Velocities) -> Float[Tensor, " clip"]:
    """Frames until the correlation along the motion falls to one half; the clip's length where it never does.

    The correlation at a lag is that of each frame with the one so much earlier, warped along the motion,
    both normalized locally and means removed, over what both show and all pairs. A picture and its negative
    are the same texture.

    Args:
        videos: (B, T, C, H, W).
        back: (B, T-1, 2, H, W), pixels: content at q in frame t+1 was at q + back_t(q) in frame t.
    """
    frames = videos.shape[1]
    lasts = torch.full((len(videos),), float(frames), dtype=torch.float64, device=videos.device)
    videos = Normalizer(videos, WINDOW, FLOOR).frames  # light that changes ends no texture
    chain, pixel = back, back.new_ones(1, 2, 1, 1)
    going, before = torch.arange(len(videos), device=videos.device), torch.ones_like(lasts)
    for lag in range(1, frames):
        now = _correlation(videos, chain, lag)
        half = lag - 1 + (before - 0.5) / (before - now)
        lasts = put(lasts, going, torch.where(now <= 0.5, half, taken(lasts, going)))
        left = where(now > 0.5)
        if not len(left) or lag + 1 == frames:
            break
        going, before, videos, back, chain = (taken(part, left) for part in (going, now, videos, back, chain))
        chain = compose(back[:, lag:], chain[:, :-1], pixel)
    return lasts


def _correlation(videos: Tensor, chain: Tensor, lag: int) -> Tensor:
    """Of each clip; NaN where too little is seen to say."""
    places, inside = seen_in_both(chain)
    common = inside.sum(dim=(-2, -1), keepdim=True)
    early, late = (
        (part - (part * inside).sum(dim=(-2, -1), keepdim=True) / common.clamp(min=1)) * inside
        for part in (sample(videos[:, :-lag], places), videos[:, lag:])
    )
    shared, first, second = (
        (one * other).sum(dim=(-3, -2, -1)) for one, other in ((early, late), (early, early), (late, late))
    )
    shared, power = shared.abs().sum(dim=1), (first * second).sqrt().sum(dim=1)
    known = (inside.mean(dim=CLIP) >= LEAST_SEEN) & (power > 1e-9)
    return torch.where(known, shared / power, math.nan).double()


def seen_in_both(field: Tensor) -> tuple[Tensor, Tensor]:
    """Where each pixel goes by a field, and 1 where that lies inside the frame, (..., T, 1, H, W)."""
    height, width = field.shape[-2:]
    places = pixel_grid(height, width, device=field.device) + field
    limit = field.new_tensor([width - 1, height - 1]).view(1, 2, 1, 1)
    return places, ((places >= 0) & (places <= limit)).all(dim=-3, keepdim=True).to(field)


def key_times(lifetime: float, frames: int) -> tuple[int, ...]:
    """Frames of the key textures: one, frame 0, for a texture that lasts; else evenly spread."""
    if lifetime >= frames:
        return (0,)
    count = max(1, min(frames // FRAMES_PER_KEY, math.ceil(frames / max(lifetime, 1e-3))))
    return tuple(int((k + 0.5) * frames / count) for k in range(count)) if count > 1 else (0,)


def carried(videos: Videos, back: Velocities, settings: LightSettings) -> Float[Tensor, "clip 2"]:
    """What warping the previous frame explains beyond what light alone explains.

    Args:
        videos, back: as for `texture_lifetime`.

    Returns:
        Of each clip the share of the change from frame to frame, and the share of what light leaves of it,
        both in [0, 1]; NaN for a clip without change.
    """
    places, inside = seen_in_both(back)
    before, after = videos[:, :-1], videos[:, 1:]

    def left(under: Tensor, light: Light) -> Tensor:
        return ((light.on(under) - after).square() * inside).sum(dim=CLIP).double()

    change = ((after - before).square() * inside).sum(dim=CLIP).double()
    moved = sample(before, places)
    alone, warped = (left(under, fit_light(after, under, settings, inside)) for under in (before, moved))
    gain = (torch.minimum(alone, change) - warped).clamp(min=0)
    shares = torch.stack([gain / change, gain / alone.clamp(min=1e-12)], dim=1)
    return torch.where(change[:, None] > 1e-7 * after[0].numel(), shares, math.nan)


def unmatched(
    ahead: Velocities, back: Velocities
) -> tuple[Bool[Tensor, "*clip step 1 height width"], Bool[Tensor, "*clip step 1 height width"]]:
    """Where content has no counterpart in the neighbouring frame.

    Returns:
        covered: what is at p in frame t is not seen in frame t+1, covered or gone.
        entered: what is at q in frame t+1 was not seen in frame t, uncovered or come in.
    """

    def missing(there: Tensor, and_back: Tensor) -> Tensor:
        places, inside = seen_in_both(there)
        missed = (there + sample(and_back, places)).norm(dim=-3, keepdim=True)
        return (missed > MISSED) | (inside < 1)

    return missing(ahead, back), missing(back, ahead)
