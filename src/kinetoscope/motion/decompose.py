"""A video as one texture that moves: the layered account by default, the paper's formulation by name."""

import time
from dataclasses import asdict, dataclass, field

import torch
from torch import Tensor

from ..errors import ClipTooSmall, SettingInvalid
from ..results import Decomposition
from ..types import Flow, Image, Velocity, Video
from ..warp import accumulate, content_velocity, invert, resize_field
from .coherent import CoherentSettings, estimate_steps
from .jitter import JitterSettings, estimate_jitter
from .metrics import displacement_tv, psnr_db, temporal_variance
from .paper import PaperSettings, fit_fields
from .texture import Canvas, fit_texture

STILL_VARIANCE = 1e-7
"""Temporal variance (grey levels squared) below which a video has no change to explain."""


@dataclass(frozen=True)
class DecomposeSettings:
    """What `decompose` does.

    Attributes:
        formulation: "layered" (coherent velocity, jitter, residual) or "paper" (one free field per frame).
        coherent, jitter: settings of the layered account's two stages.
        least_coherent: share of the temporal variance that a coherent motion must explain to be believed;
            below it the velocity is zero and all displacement is jitter.
        paper: settings of the paper's formulation.
    """

    formulation: str = "layered"
    coherent: CoherentSettings = field(default_factory=CoherentSettings)
    jitter: JitterSettings = field(default_factory=JitterSettings)
    least_coherent: float = 0.2
    paper: PaperSettings = field(default_factory=PaperSettings)

    def __post_init__(self) -> None:
        if self.formulation not in FORMULATIONS:
            known = " or ".join(FORMULATIONS)
            raise SettingInvalid(f"formulation is {known}, not {self.formulation!r}")

    def describe(self) -> dict[str, object]:
        """The settings that were in force, as plain JSON values."""
        if self.formulation == "paper":
            return {"formulation": "paper", "paper": asdict(self.paper)}
        settings = asdict(self)
        del settings["paper"]
        return settings


FORMULATIONS = ("layered", "paper")
PRESETS = {"default": DecomposeSettings(), "paper": DecomposeSettings(formulation="paper")}


@dataclass(frozen=True)
class _Account:
    """What a formulation found: the texture, D, the coherent velocity, and squared errors without motion,
    with the coherent motion alone, and with everything."""

    static_image: Image
    displacement: Flow
    coherent_velocity: Velocity
    reconstruction: Video
    errors: tuple[float, float, float]


def check_extent(frames: int, height: int, width: int) -> None:
    """Refuse clips without two frames, or too small for a velocity field (ClipTooSmall)."""
    if frames < 2:
        raise ClipTooSmall(f"the clip has {frames} frame; motion needs at least two: give more frames")
    if min(height, width) < 8:
        raise ClipTooSmall(f"the clip is {height}x{width} pixels; at least 8x8 is needed: give larger frames")


def check_video(video: Tensor) -> Video:
    """Refuse what cannot be decomposed: not (T, C, H, W), fewer than two frames, tiny, outside [0, 1]."""
    if video.ndim != 4:
        raise SettingInvalid(f"a video is a (T, C, H, W) tensor, not {tuple(video.shape)}; stack its frames")
    if not video.is_floating_point():
        raise SettingInvalid(f"a video holds floats in [0, 1], not {video.dtype}; divide 8-bit values by 255")
    check_extent(len(video), *video.shape[2:])
    if not bool(torch.isfinite(video).all()):
        raise SettingInvalid("the video holds NaN or infinite values; give finite ones in [0, 1]")
    low, high = float(video.min()), float(video.max())
    if low < -1e-4 or high > 1 + 1e-4:
        raise SettingInvalid(f"the video's values span [{low:.4g}, {high:.4g}]; scale them to [0, 1]")
    return video.detach().float().clamp(0, 1)


@torch.enable_grad()  # whatever the caller has set
def decompose(video: Video, settings: DecomposeSettings | None = None, *, seed: int = 0) -> Decomposition:
    """Split a video into a texture and its motion.

    Args:
        video: (T, C, H, W) in [0, 1], two frames of 8 x 8 pixels at least; left as it is.
        settings: the layered account when None.
        seed: draws the paper formulation's initial fields; the layered account draws nothing.

    Returns:
        A `Decomposition`; fields and images on the video's device.

    Raises:
        ClipTooSmall: fewer than two frames, or frames under 8 x 8.
        SettingInvalid: not a (T, C, H, W) float tensor of finite values in [0, 1].
    """
    settings = settings or DecomposeSettings()
    video = check_video(video)
    started = time.perf_counter()
    account = _paper(video, settings, seed) if settings.formulation == "paper" else _layered(video, settings)
    velocity = content_velocity(account.displacement, account.coherent_velocity)
    return Decomposition(
        static_image=account.static_image,
        displacement=account.displacement,
        velocity=velocity,
        coherent_velocity=account.coherent_velocity,
        reconstruction=account.reconstruction,
        psnr_db=psnr_db(account.reconstruction, video),
        static_psnr_db=psnr_db(account.static_image, video[0]),
        displacement_tv=displacement_tv(account.displacement),
        variance_explained=variance_shares(*account.errors),
        settings=settings.describe(),
        seconds=time.perf_counter() - started,
    )


def variance_shares(still: float, coherent: float, full: float) -> dict[str, float]:
    """Shares of the temporal variance: squared errors without motion, with coherent motion, with all.

    The shares sum to 1. A video that does not change is explained by zero velocity: coherent is 1.
    """
    if still < STILL_VARIANCE:
        return {"coherent": 1.0, "jitter": 0.0, "residual": 0.0}
    coherent, full = min(coherent, still), min(full, coherent, still)
    return {
        "coherent": (still - coherent) / still,
        "jitter": (coherent - full) / still,
        "residual": full / still,
    }


def _layered(video: Video, settings: DecomposeSettings) -> _Account:
    """Coherent velocity first, then jitter and the final texture on top of it."""
    frames, _, height, width = video.shape
    still = temporal_variance(video)
    displacement = video.new_zeros(frames, 2, height, width)
    velocity = displacement[:-1]
    canvas = Canvas(displacement)
    texture, error = canvas.around(video.mean(dim=0, keepdim=True)), still
    if still >= STILL_VARIANCE:
        steps = estimate_steps(video, settings.coherent)
        chained = resize_field(accumulate(steps.field, steps.cell), height, width)
        wider = Canvas(chained)
        moving = fit_texture(video, chained, wider)
        explained = float((wider.render(moving, chained) - video).square().mean())
        if explained <= (1 - settings.least_coherent) * still:
            displacement, canvas, texture, error = chained, wider, moving, explained
            velocity = resize_field(invert(steps.field, steps.cell), height, width)
        jitter, texture = estimate_jitter(video, displacement, texture, canvas, error, settings.jitter)
        displacement = displacement + jitter
    texture = texture.clamp(0, 1)
    reconstruction = canvas.render(texture, displacement)
    full = float((reconstruction - video).square().mean())
    return _Account(canvas.frame(texture)[0], displacement, velocity, reconstruction, (still, error, full))


def _paper(video: Video, settings: DecomposeSettings, seed: int) -> _Account:
    """One image and one free field per frame: all displacement counts as jitter, nothing accumulates."""
    static_image, displacement, reconstruction = fit_fields(video, settings.paper, seed)
    still = temporal_variance(video)
    full = float((reconstruction - video).square().mean())
    flat = torch.zeros_like(displacement[:-1])
    return _Account(static_image, displacement, flat, reconstruction, (still, still, full))
