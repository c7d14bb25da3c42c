"""A video as a texture that moves in changing light: the layered account by default, others by name."""

import time
from dataclasses import asdict, dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import ClipTooSmall, SettingInvalid
from ..results import Decomposition
from ..types import Video, Videos
from ..warp import content_velocity
from .fetch.rebuild import FetchSettings
from .fetch.rebuild import explain as explain_by_fetching
from .findings import STILL_VARIANCE, Found, variance_shares
from .layered import LayeredSettings
from .layered import explain as explain_by_layers
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
    return _checked(video)


def _checked(videos: Tensor) -> Videos:
    if not videos.is_floating_point():
        raise SettingInvalid(
            f"a video holds floats in [0, 1], not {videos.dtype}; divide 8-bit values by 255"
        )
    check_extent(videos.shape[-4], *videos.shape[-2:])
    if not bool(torch.isfinite(videos).all()):
        raise SettingInvalid("the video holds NaN or infinite values; give finite ones in [0, 1]")
    low, high = float(videos.min()), float(videos.max())
    if low < -1e-4 or high > 1 + 1e-4:
        raise SettingInvalid(f"the video's values span [{low:.4g}, {high:.4g}]; scale them to [0, 1]")
    return videos.detach().float().clamp(0, 1)


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
    (parts,) = _taken_apart(check_video(video)[None], settings or DecomposeSettings(), seed)
    return parts


def decompose_all(
    videos: Float[Tensor, "clip time channel height width"],
    settings: DecomposeSettings | None = None,
    *,
    seed: int = 0,
) -> list[Decomposition]:
    """`decompose` for many videos of one size, computed together by the layered account.

    No clip has a say in what another gets: each gets what it gets alone, up to rounding. Other accounts are
    made one after the other. Memory grows with the number of clips.

    Args:
        videos: (B, T, C, H, W); otherwise as for `decompose`.
        settings, seed: the same for every video.

    Returns:
        One `Decomposition` per video, in order; `seconds` is shared evenly.

    Raises:
        ClipTooSmall: as `decompose`.
        SettingInvalid: not a (B, T, C, H, W) float tensor of finite values in [0, 1], or B is 0.
    """
    if videos.ndim != 5 or not len(videos):
        raise SettingInvalid(
            f"videos are a (B, T, C, H, W) tensor of at least one, not {tuple(videos.shape)}; stack some"
        )
    return _taken_apart(_checked(videos), settings or DecomposeSettings(), seed)


def _taken_apart(videos: Videos, settings: DecomposeSettings, seed: int) -> list[Decomposition]:
    """Checked videos, (B, T, C, H, W)."""
    started = time.perf_counter()
    still = [temporal_variance(video) for video in videos]
    if settings.formulation == "paper":
        found = [_paper(video, settings, seed) for video in videos]
    elif settings.formulation == "fetch":
        with torch.enable_grad():  # whatever the caller has set
            pairs = zip(videos, still, strict=True)
            found = [explain_by_fetching(video, variance, settings.fetch) for video, variance in pairs]
    else:
        found = _layered(videos, still, settings.layered)
    seconds = (time.perf_counter() - started) / len(videos)
    named = settings.describe()
    return [_summed_up(*parts, named, seconds) for parts in zip(videos, still, found, strict=True)]


def _layered(videos: Videos, still: list[float], settings: LayeredSettings) -> list[Found]:
    changing = [clip for clip, variance in enumerate(still) if variance >= STILL_VARIANCE]
    found: dict[int, Found] = {}
    if changing:
        some = videos if len(changing) == len(videos) else videos[changing]
        variances = torch.tensor(still, dtype=torch.float64, device=videos.device)[changing]
        with torch.no_grad():
            found = dict(zip(changing, explain_by_layers(some, variances, settings), strict=True))
    return [found[clip] if clip in found else _unchanged(video) for clip, video in enumerate(videos)]


def _summed_up(
    video: Video, still: float, found: Found, settings: dict[str, object], seconds: float
) -> Decomposition:
    """What was found, and the numbers that judge it."""
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
        settings=settings,
        seconds=seconds,
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
