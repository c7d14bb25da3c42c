"""The one door to every way of finding an optimal input, and the presets that name them."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from ..metric import NaturalMetric
from ..results import Optimal
from ..types import Video
from . import ascend
from .ascend import PAPER, AdamSettings
from .beginnings import Beginning
from .coarse import Size
from .natural import natural_optima, natural_start
from .objective import Forward, Objective
from .settings import OptimalSettings

SearchSettings = OptimalSettings | AdamSettings

PRESETS: dict[str, SearchSettings] = {
    "default": OptimalSettings(),
    "strong": AdamSettings(),
    "paper": PAPER,
}
"""Natural statistics; bare pixels, for the response alone; the published procedure."""


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
    device: torch.device | str = "cpu",
    progress: Callable[[int, int], None] | None = None,
    watch: Callable[[int, int, float], None] | None = None,
) -> list[Optimal]:
    """One optimal input per objective, in the way the settings are for; arguments as for `natural_optima`.

    A search in bare pixels knows neither metric nor bank nor given start.
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
            device=device,
            progress=progress,
            watch=watch,
        )
    return ascend.maximize(
        forward, objectives, shape, settings, generators, device=device, progress=progress, watch=watch
    )


def start_clip(
    settings: SearchSettings,
    shape: tuple[int, int, int, int],
    generator: torch.Generator,
    metric: NaturalMetric,
) -> Video:
    """The noise before the first step, (T, C, H, W) in [0, 1], for a generator that has drawn nothing yet."""
    if isinstance(settings, OptimalSettings):
        return natural_start(settings, shape, generator, metric)
    return ascend.start_clip(settings, shape, generator)


def still_search(settings: SearchSettings) -> SearchSettings:
    """The same search for one image that every frame shows (Ras et al. 2020, Fig. 3)."""
    if isinstance(settings, OptimalSettings):
        return replace(settings, still=True)
    return replace(settings, domain="still")
