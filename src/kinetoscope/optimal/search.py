"""The one door to every way of finding an optimal input, and the presets that name them."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from ..metric import NaturalMetric
from ..results import Optimal
from ..spectrum import NaturalSpectrum, metric_spectrum
from ..types import Video
from . import ascend
from .ascend import FOURIER, MACO, PAPER, AdamSettings
from .beginnings import Beginning
from .coarse import Size
from .held import Held
from .natural import natural_optima, natural_start
from .objective import Forward, Objective
from .parameters import PHASES
from .settings import OptimalSettings

SearchSettings = OptimalSettings | AdamSettings

PRESETS: dict[str, SearchSettings] = {
    "default": OptimalSettings(),
    "strong": AdamSettings(),
    "paper": PAPER,
    "fourier-3d": FOURIER,
    "fourier-2d": replace(FOURIER, domain="fourier-2d"),
    "maco": MACO,
}
"""Natural statistics; bare pixels, for the response alone; as published; spectra (docs/priors.md)."""


def find_optima(
    forward: Forward,
    objectives: Sequence[Objective],
    shape: tuple[int, int, int, int],
    settings: SearchSettings,
    generators: Sequence[torch.Generator],
    metric: NaturalMetric,
    *,
    banked: Sequence[Beginning] = (),
    start: Video | None = None,
    sizes: Sequence[Size] = (),
    held: Held | None = None,
    natural: NaturalSpectrum | None = None,
    alpha: bool = False,
    device: torch.device | str = "cpu",
    progress: Callable[[int, int], None] | None = None,
    watch: Callable[[int, int, float], None] | None = None,
) -> list[Optimal]:
    """One optimal input per objective, in the way the settings are for; arguments as for `natural_optima`.

    A search in bare pixels knows neither metric nor bank nor given start, and nothing is held or noted there.

    Args:
        natural: spectrum that phases are free under; None: what the metric describes.
    """
    if isinstance(settings, OptimalSettings):
        return natural_optima(
            forward,
            objectives,
            shape,
            settings,
            generators,
            metric,
            banked=banked,
            start=start,
            sizes=sizes,
            held=held,
            alpha=alpha,
            device=device,
            progress=progress,
            watch=watch,
        )
    return ascend.maximize(
        forward,
        objectives,
        shape,
        settings,
        generators,
        natural=_magnitudes(settings, natural, metric, shape),
        device=device,
        progress=progress,
        watch=watch,
    )


def start_clip(
    settings: SearchSettings,
    shape: tuple[int, int, int, int],
    generator: torch.Generator,
    metric: NaturalMetric,
    natural: NaturalSpectrum | None = None,
) -> Video:
    """The noise before the first step, (T, C, H, W) in [0, 1], for a generator that has drawn nothing yet."""
    if isinstance(settings, OptimalSettings):
        return natural_start(settings, shape, generator, metric)
    return ascend.start_clip(settings, shape, generator, _magnitudes(settings, natural, metric, shape))


def _magnitudes(
    settings: AdamSettings,
    natural: NaturalSpectrum | None,
    metric: NaturalMetric,
    shape: tuple[int, int, int, int],
) -> NaturalSpectrum | None:
    """What phases are free under; None where pixels are what is optimized."""
    return (natural or metric_spectrum(metric, shape)) if settings.domain == PHASES else None


def still_search(settings: SearchSettings) -> SearchSettings:
    """The same search for one image that every frame shows (Ras et al. 2020, Fig. 3)."""
    if isinstance(settings, OptimalSettings):
        return replace(settings, still=True)
    return replace(settings, domain="still")
