"""Activation maximization by Adam on values that each pixel has for itself (Li & Li 2025, section 3.2.1)."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..card import ModelCard
from ..errors import SettingInvalid
from ..results import Optimal
from ..schedule import cosine
from ..spectrum import NaturalSpectrum
from ..types import Video, VideoBatch
from .objective import Forward, Objective
from .parameters import DOMAINS, PHASES, make_parameters
from .transforms import TransformSettings, draw, transform


@dataclass(frozen=True)
class AdamSettings:
    """How an optimal input is found in bare pixels, by Adam: version 0.1.0's default, and the published one.

    Attributes:
        steps: how many.
        rate: Adam's step size on the values.
        final_rate: share of `rate` left at the last step, reached along half a cosine; 1 keeps it constant.
        warmup: share of the steps in which `rate` grows from a fiftieth: a pattern that starts faint is of
            one piece, while a loud start leaves patches at odds with each other.
        leak: slope of the negative part of a rectified channel at the start, so that it spreads over its map;
            falls to 0 over the first three quarters of the steps.
        spread: standard deviation of the values at the start; 0 behind the sigmoid is mid grey.
        domain: what the values are: "pixel", held in [0, 1]; "still", the pixels of one image that every
            frame shows; or, with Adam, "sigmoid", pixels behind one, "fourier", the spectrum over its fixed
            1/f scale, "fourier-2d", the same frame by frame, and "maco", phases under fixed magnitudes.
        transforms: ranges of the random shifts and scalings.
        together: units optimized in one batch at most; results do not depend on it, and where memory runs out
            batches are halved. None: 1 on a CPU, where more gain nothing, and 32 elsewhere.
    """

    steps: int = 80
    rate: float = 0.2
    final_rate: float = 0.1
    warmup: float = 0.2
    leak: float = 0.05
    spread: float = 0.01
    domain: str = "pixel"
    transforms: TransformSettings = field(default_factory=TransformSettings)
    together: int | None = None

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise SettingInvalid(f"steps is at least 1, not {self.steps}")
        if self.rate <= 0:
            raise SettingInvalid(f"rate is above 0, not {self.rate}")
        for name in ("warmup", "leak"):
            if not 0 <= getattr(self, name) <= 1:
                raise SettingInvalid(f"{name} is 0 to 1, not {getattr(self, name)}")
        if self.domain not in DOMAINS:
            raise SettingInvalid(f"domain is {', '.join(DOMAINS)}, not {self.domain!r}")
        if self.together is not None and self.together < 1:
            raise SettingInvalid(f"together is at least 1, not {self.together}")

    def batch_size(self, device: torch.device | str) -> int:
        """How many units are optimized together on a device."""
        return self.together or (1 if torch.device(device).type == "cpu" else 32)

    def leak_at(self, step: int) -> float:
        """The slope of the negative part at step `step`, from 0."""
        return self.leak * max(0.0, 1 - step / (0.75 * self.steps))

    def rate_at(self, step: int) -> float:
        """The size of step `step`, from 0."""
        begun = step / (self.warmup * self.steps) if self.warmup else 1.0
        return self.rate * cosine(step, self.steps, self.final_rate) * 50 ** min(begun - 1, 0)


PAPER = AdamSettings(
    steps=1500,
    rate=0.05,
    final_rate=1.0,
    warmup=0.0,
    leak=0.0,
    domain="sigmoid",
    transforms=TransformSettings(final=1.0),
)
"""The published procedure."""

FOURIER = AdamSettings(steps=320, rate=0.05, warmup=0.0, domain="fourier")
"""Amplitudes over a fixed 1 / f, in the steps that they need."""

MACO = AdamSettings(steps=160, rate=0.3, warmup=0.0, domain=PHASES)
"""Free phases under fixed magnitudes (Fel et al. 2023)."""


def normalize(clips: VideoBatch, card: ModelCard) -> VideoBatch:
    """The same as `card.normalize(clips)`."""
    return card.normalize(clips)


def unit_generator(seed: int, unit: int) -> torch.Generator:
    """The random numbers of one unit, the same whichever units are computed beside it."""
    return torch.Generator().manual_seed((seed * 1_000_003 + unit) % 2**63)


def start_values(
    settings: AdamSettings, shape: tuple[int, int, int, int], generator: torch.Generator
) -> Tensor:
    """Values before the first step, (C, T, H, W), normal."""
    return torch.randn(shape, generator=generator) * settings.spread


def start_clip(
    settings: AdamSettings,
    shape: tuple[int, int, int, int],
    generator: torch.Generator,
    natural: NaturalSpectrum | None = None,
) -> Video:
    """The clip before the first step, (T, C, H, W) in (0, 1), for a generator that has drawn nothing yet."""
    start = start_values(settings, shape, generator)[None]
    return make_parameters(settings.domain, start, natural).video().detach()[0].transpose(0, 1)


@torch.enable_grad()  # whatever the caller has set
def maximize(
    forward: Forward,
    objectives: Sequence[Objective],
    shape: tuple[int, int, int, int],
    settings: AdamSettings,
    generators: Sequence[torch.Generator],
    *,
    natural: NaturalSpectrum | None = None,
    device: torch.device | str = "cpu",
    progress: Callable[[int, int], None] | None = None,
    watch: Callable[[int, int, float], None] | None = None,
) -> list[Optimal]:
    """Find one optimal input per objective, all in one batch.

    Args:
        forward: clips in [0, 1] to the layer's output; called with at most `len(objectives)` clips.
        objectives: one per clip.
        shape: of a clip, (C, T, H, W).
        generators: one per clip; draws its start and its transforms, on the CPU.
        natural: magnitudes that phases are free under; None: what the usual metric describes.
        progress: called with the step and the number of steps.
        watch: called with an objective's place, its step, from 1, and its response there.

    Returns:
        One result per objective; `video` is (T, C, H, W) on `device`.
    """
    began = time.perf_counter()
    starts = torch.stack([start_values(settings, shape, generator) for generator in generators])
    draws = torch.stack([draw(settings.transforms, settings.steps, g) for g in generators], dim=1).to(device)
    parameters = make_parameters(settings.domain, starts.to(device), natural)
    rule = parameters.rule(parameters.values)
    history = []
    for step in range(settings.steps):
        output = forward(transform(parameters.video(), draws[step]))
        clips = output.split(1)
        leak = settings.leak_at(step)
        ascents = [objective.ascent(clip, leak) for objective, clip in zip(objectives, clips, strict=True)]
        (gradient,) = torch.autograd.grad(torch.cat(ascents).sum(), parameters.values, materialize_grads=True)
        # a unit that gives NaN keeps its start, instead of losing its clip
        gradient = torch.nan_to_num(gradient, nan=0.0, posinf=0.0, neginf=0.0)
        rule.step(gradient, settings.rate_at(step))
        with torch.no_grad():
            values = [objective(clip) for objective, clip in zip(objectives, clips, strict=True)]
            history.append(torch.cat(values))
        if watch is not None:
            for place, response in enumerate(history[-1].tolist()):
                watch(place, step + 1, response)
        if progress is not None:
            progress(step + 1, settings.steps)
    videos = parameters.video().detach().transpose(1, 2)
    curves = torch.stack(history, dim=1).tolist()
    seconds = (time.perf_counter() - began) / len(objectives)
    return [
        Optimal(video=video.clone(), history=tuple(curve), steps=settings.steps, seconds=seconds)
        for video, curve in zip(videos, curves, strict=True)
    ]
