"""How long a texture lasts along the motion, and what the motion carries from frame to frame."""

import math

from jaxtyping import Bool
from torch import Tensor

from ..types import Velocity, Video
from ..warp import compose, pixel_grid, sample
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


def texture_lifetime(video: Video, back: Velocity) -> float:
    """Frames until the correlation along the motion falls to one half; the clip's length where it never does.

    The correlation at a lag is that of each frame with the one so much earlier, warped along the motion,
    both normalized locally and means removed, over what both show and all pairs. A picture and its negative
    are the same texture.

    Args:
        video: (T, C, H, W).
        back: (T-1, 2, H, W), pixels: content at q in frame t+1 was at q + back_t(q) in frame t.
    """
    frames = len(video)
    video = Normalizer(video, WINDOW, FLOOR).frames  # light that changes ends no texture
    chain, before, pixel = back, 1.0, back.new_ones(1, 2, 1, 1)
    for lag in range(1, frames):
        now = _correlation(video, chain, lag)
        if now is None:
            break
        if now <= 0.5:
            return lag - 1 + (before - 0.5) / (before - now)
        before = now
        if lag + 1 < frames:
            chain = compose(back[lag:], chain[:-1], pixel)
    return float(frames)


def _correlation(video: Video, chain: Tensor, lag: int) -> float | None:
    places, inside = seen_in_both(chain)
    common = inside.sum(dim=(2, 3), keepdim=True)
    if float(inside.mean()) < LEAST_SEEN:
        return None
    early, late = (
        (part - (part * inside).sum(dim=(2, 3), keepdim=True) / common.clamp(min=1)) * inside
        for part in (sample(video[:-lag], places), video[lag:])
    )
    shared = (early * late).sum(dim=(1, 2, 3)).abs()
    power = (early.square().sum(dim=(1, 2, 3)) * late.square().sum(dim=(1, 2, 3))).sqrt()
    return float(shared.sum() / power.sum()) if float(power.sum()) > 1e-9 else None


def seen_in_both(field: Tensor) -> tuple[Tensor, Tensor]:
    """Where each pixel goes by a field, and 1 where that lies inside the frame, (T, 1, H, W)."""
    height, width = field.shape[-2:]
    places = pixel_grid(height, width, device=field.device) + field
    limit = field.new_tensor([width - 1, height - 1]).view(1, 2, 1, 1)
    return places, ((places >= 0) & (places <= limit)).all(dim=1, keepdim=True).to(field)


def key_times(lifetime: float, frames: int) -> tuple[int, ...]:
    """Frames of the key textures: one, frame 0, for a texture that lasts; else evenly spread."""
    if lifetime >= frames:
        return (0,)
    count = max(1, min(frames // FRAMES_PER_KEY, math.ceil(frames / max(lifetime, 1e-3))))
    return tuple(int((k + 0.5) * frames / count) for k in range(count)) if count > 1 else (0,)


def carried(video: Video, back: Velocity, settings: LightSettings) -> tuple[float, float] | None:
    """What warping the previous frame explains beyond what light alone explains.

    Returns:
        The share of the change from frame to frame, and the share of what light leaves of it, both in [0, 1];
        None for a clip without change.
    """
    places, inside = seen_in_both(back)
    before, after = video[:-1], video[1:]

    def left(under: Tensor, light: Light) -> float:
        return float(((light.on(under) - after).square() * inside).sum())

    change = float(((after - before).square() * inside).sum())
    if change <= 1e-7 * after.numel():
        return None
    moved = sample(before, places)
    alone, warped = (left(under, fit_light(after, under, settings, inside)) for under in (before, moved))
    gain = max(0.0, min(alone, change) - warped)
    return gain / change, gain / max(alone, 1e-12)


def unmatched(
    ahead: Velocity, back: Velocity
) -> tuple[Bool[Tensor, "step 1 height width"], Bool[Tensor, "step 1 height width"]]:
    """Where content has no counterpart in the neighbouring frame.

    Returns:
        covered: what is at p in frame t is not seen in frame t+1, covered or gone.
        entered: what is at q in frame t+1 was not seen in frame t, uncovered or come in.
    """

    def missing(there: Tensor, and_back: Tensor) -> Tensor:
        places, inside = seen_in_both(there)
        missed = (there + sample(and_back, places)).norm(dim=1, keepdim=True)
        return (missed > MISSED) | (inside < 1)

    return missing(ahead, back), missing(back, ahead)
