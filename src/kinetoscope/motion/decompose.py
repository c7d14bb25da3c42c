"""A video as a texture that moves in changing light: the layered account by default, others by name."""

import time
from dataclasses import asdict, dataclass, field

import torch
from torch import Tensor

from ..errors import ClipTooSmall, SettingInvalid
from ..results import Decomposition
from ..types import Video
from ..warp import content_velocity
from .fetch.account import FetchSettings
from .fetch.account import account as fetched
from .findings import STILL_VARIANCE, Found, variance_shares
from .layered import LayeredSettings
from .layered import account as layered_account
from .light import steady
from .metrics import change_share, displacement_tv, psnr_db, temporal_variance
from .paper import PaperSettings, fit_fields


@dataclass(frozen=True)
class DecomposeSettings:
    """What `decompose` does.

    Attributes:
        formulation: "layered" (coherent velocity, light, jitter, residual), "paper" (one free field per
            frame), or "fetch" (the default of version 0.1.0: free fields on top of a coherent velocity, no
            light).
        layered, paper, fetch: settings of each.
    """

    formulation: str = "layered"
    layered: LayeredSettings = field(default_factory=LayeredSettings)
    paper: PaperSettings = field(default_factory=PaperSettings)
    fetch: FetchSettings = field(default_factory=FetchSettings)

    def __post_init__(self) -> None:
        if self.formulation not in FORMULATIONS:
            known = " or ".join(FORMULATIONS)
            raise SettingInvalid(f"formulation is {known}, not {self.formulation!r}")

    def describe(self) -> dict[str, object]:
        """The settings that were in force, as plain JSON values."""
        chosen = getattr(self, self.formulation)
        return {"formulation": self.formulation, self.formulation: asdict(chosen)}


FORMULATIONS = ("layered", "paper", "fetch")
PRESETS = {"default": DecomposeSettings(), "paper": DecomposeSettings(formulation="paper")}


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


def decompose(video: Video, settings: DecomposeSettings | None = None, *, seed: int = 0) -> Decomposition:
    """Split a video into a texture, its motion, and changes of light.

    Args:
        video: (T, C, H, W) in [0, 1], two frames of 8 x 8 pixels at least; left as it is.
        settings: the layered account when None.
        seed: draws the paper formulation's initial fields; the other accounts draw nothing.

    Returns:
        A `Decomposition`; fields and images on the video's device.

    Raises:
        ClipTooSmall: fewer than two frames, or frames under 8 x 8.
        SettingInvalid: not a (T, C, H, W) float tensor of finite values in [0, 1].
    """
    settings = settings or DecomposeSettings()
    video = check_video(video)
    started = time.perf_counter()
    still = temporal_variance(video)
    if settings.formulation == "paper":
        found = _paper(video, settings, seed)
    elif settings.formulation == "fetch":
        with torch.enable_grad():  # whatever the caller has set
            found = fetched(video, still, settings.fetch)
    elif still < STILL_VARIANCE:
        found = _unchanged(video)
    else:
        with torch.no_grad():
            found = layered_account(video, still, settings.layered)
    shown = len(found.times) // 2
    return Decomposition(
        static_image=found.textures[shown],
        displacement=found.displacement,
        velocity=found.velocity,
        coherent_velocity=found.coherent_velocity,
        reconstruction=found.reconstruction,
        textures=found.textures,
        texture_times=found.times,
        light_gain=found.light.gain,
        light_offset=found.light.offset,
        covered=found.covered,
        entered=found.entered,
        psnr_db=psnr_db(found.reconstruction, video),
        single_psnr_db=psnr_db(found.single, video),
        static_psnr_db=psnr_db(found.textures[shown], video[0]),
        displacement_tv=displacement_tv(found.displacement),
        variance_explained=variance_shares(still, *found.errors, found.renewed),
        change_share=change_share(video),
        carried=found.carried,
        texture_lifetime_frames=found.lifetime,
        settings=settings.describe(),
        seconds=time.perf_counter() - started,
    )


def _unchanged(video: Video) -> Found:
    """Nothing changes: the mean frame, and no motion."""
    none = video.new_zeros(len(video), 2, *video.shape[2:])
    texture = video.mean(dim=0, keepdim=True)
    same, nothing = texture.expand_as(video).contiguous(), torch.zeros_like(none[1:, :1], dtype=torch.bool)
    return Found(
        texture, (0,), none, none[1:], none[1:], steady(video), same, same, (0.0, 0.0, 0.0), 0.0,
        float(len(video)), None, nothing, nothing,
    )  # fmt: skip


def _paper(video: Video, settings: DecomposeSettings, seed: int) -> Found:
    """One image and one free field per frame: all displacement counts as jitter, nothing accumulates."""
    with torch.enable_grad():  # whatever the caller has set
        static_image, displacement, reconstruction = fit_fields(video, settings.paper, seed)
    still = temporal_variance(video)
    full = float((reconstruction - video).square().mean())
    flat = torch.zeros_like(displacement[:-1])
    nothing = torch.zeros_like(flat[:, :1], dtype=torch.bool)
    return Found(
        textures=static_image[None],
        times=(0,),
        displacement=displacement,
        velocity=content_velocity(displacement, flat),
        coherent_velocity=flat,
        light=steady(video),
        reconstruction=reconstruction,
        single=reconstruction,
        errors=(still, still, full),
        renewed=0.0,
        lifetime=None,
        carried=None,
        covered=nothing,
        entered=nothing,
    )
