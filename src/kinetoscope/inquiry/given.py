"""A given video taken apart, with what it takes to look at the account and to keep it."""

from dataclasses import replace

from jaxtyping import Float
from torch import Tensor

from ..errors import SettingInvalid
from ..motion.decompose import DecomposeSettings
from ..motion.decompose import decompose as taken_apart
from ..motion.decompose import decompose_all as all_taken_apart
from ..motion.summary import summarize
from ..results import Decomposition, UnitResult
from ..types import Video
from .request import Options, versions
from .run import Progress, on_cpu
from .settle import settings_of


def decompose(video: Video, settings: DecomposeSettings | None = None, *, seed: int = 0) -> Decomposition:
    """Split a video into a texture, its motion, and changes of light.

    Args:
        video: (T, C, H, W) in [0, 1], two frames of 8 x 8 pixels at least; left as it is.
        settings: the layered account when None.
        seed: draws the paper formulation's initial fields; the other accounts draw nothing.

    Returns:
        A `Decomposition`, with fields and images on the video's device. In a notebook it shows itself;
        `plot`, `show` and `save` work on it.

    Raises:
        ClipTooSmall: fewer than two frames, or frames under 8 x 8.
        SettingInvalid: not a (T, C, H, W) float tensor of finite values in [0, 1].

    Examples:
        >>> parts = ks.decompose(ks.read_video("clip.mp4"))
        >>> parts.velocity.mean(dim=(0, 2, 3)).shape  # (x, y), pixels per frame
        torch.Size([2])
        >>> parts.save("taken-apart")
        PosixPath('taken-apart')
    """
    parts = taken_apart(video, settings, seed=seed)
    return replace(parts, video=video.detach().float().clamp(0, 1), seed=seed)


def decompose_all(
    videos: Float[Tensor, "clip time channel height width"],
    settings: DecomposeSettings | None = None,
    *,
    seed: int = 0,
) -> list[Decomposition]:
    """`decompose` for many videos of one size, computed together: on a graphics card many times as fast.

    No video has a say in what another gets: each gets what it gets alone, up to rounding.

    Args:
        videos: (B, T, C, H, W) in [0, 1]; left as they are. Memory grows with B.
        settings, seed: as for `decompose`, the same for every video.

    Returns:
        One `Decomposition` per video, in order; `seconds` is shared evenly.

    Raises:
        ClipTooSmall, SettingInvalid: as for `decompose`; also where B is 0.

    Examples:
        >>> clips = [torch.rand(4, 3, 16, 24) for _ in range(2)]
        >>> for parts in ks.decompose_all(torch.stack(clips)):
        ...     print(sorted(parts.variance_explained))
        ['coherent', 'jitter', 'light', 'residual']
        ['coherent', 'jitter', 'light', 'residual']
    """
    accounts = all_taken_apart(videos, settings, seed=seed)
    shown = videos.detach().float().clamp(0, 1)
    return [replace(parts, video=video, seed=seed) for parts, video in zip(accounts, shown, strict=True)]


def as_result(parts: Decomposition) -> UnitResult:
    """The whole account of a given video.

    Raises:
        SettingInvalid: the decomposition does not hold its video.
    """
    if parts.video is None:
        raise SettingInvalid(
            "this decomposition is part of a unit's result; save, plot or show that result instead"
        )
    moved = on_cpu(parts)
    assert moved.video is not None
    record = {
        "settings": {"decompose": parts.settings},
        "seed": parts.seed,
        "versions": versions(),
        "device": parts.video.device.type,
        "precision": "fp32",
        "seconds": {"decompose": parts.seconds},
    }
    return UnitResult(
        video=moved.video,
        decomposition=replace(moved, video=None, seed=None),
        motion=summarize(moved),
        record=record,
    )


def decompose_video(
    video: Video,
    *,
    preset: str = "default",
    formulation: str | None = None,
    seed: int = 0,
    device: str = "cpu",
    progress: Progress | None = None,
) -> UnitResult:
    """Decompose a given video and sum up its motion.

    Args:
        video: (T, C, H, W) in [0, 1].
        preset: `default`, `strong` or `paper`, whose settings are taken.
        formulation: `layered`, `paper` or `fetch`; None: the preset's.
        seed: as for `decompose`.
        device: where to compute.
        progress: called with 0, the step, and the number of steps.

    Raises:
        ClipTooSmall, SettingInvalid: as for `decompose`; no such preset or formulation.
    """
    _, settings = settings_of(Options(preset=preset))
    settings = settings if formulation is None else replace(settings, formulation=formulation)
    if progress is not None:
        progress(0, 0, 1)
    decomposition = on_cpu(taken_apart(video.to(device), settings, seed=seed))
    if progress is not None:
        progress(0, 1, 1)
    record = {
        "settings": {"preset": preset, "decompose": settings.describe()},
        "seed": seed,
        "versions": versions(),
        "device": device,
        "precision": "fp32",
        "seconds": {"decompose": decomposition.seconds},
    }
    return UnitResult(
        video=video.detach().float().cpu(),
        decomposition=decomposition,
        motion=summarize(decomposition),
        record=record,
    )
