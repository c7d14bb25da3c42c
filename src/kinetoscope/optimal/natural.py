"""The strongest clip of natural statistics and given contrast: steepest ascent in the metric of natural
videos.

docs/method.md derives it. A step goes along M g, g being the gradient, with local contrasts evened out; after
each the clip is brought back to its contrast budget. What the response does not need is then calmed away
(`calm.py`).
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from ..errors import SettingInvalid
from ..metric import MetricOperator, NaturalMetric
from ..results import Optimal, SearchNotes
from ..schedule import cosine
from ..stimuli import to_contrast
from ..types import Video, VideoBatch
from .ascend import Forward
from .beginnings import Beginning
from .calm import CalmSettings, calm, root_mean_square
from .climb import Climb
from .objective import Objective
from .passes import Passes
from .transforms import TransformSettings, draw

FLAT_SHARE = 0.9
"""A flat colour is shown only where nothing structured of its contrast has this share of its gain."""


@dataclass(frozen=True)
class OptimalSettings:
    """How an optimal input is found in the metric of natural videos.

    Attributes:
        steps: passes through the network and back, of the ascents and of calming together.
        contrast: root mean square of the clip about mid grey.
        most_contrast: budget of a unit that gains by more; the least is taken that gives `enough` of the
            best.
        enough: share of the best response.
        rate: size of a step over the contrast.
        final_rate: share of `rate` left at the ascent's last step, reached along half a cosine.
        warmup: share of the ascent in which steps grow from a fiftieth: a pattern that starts faint is of one
            piece.
        leak: slope of the negative part of a channel that is linear but maximized rectified, and of every
            closed rectifier in the backward pass, at the start; both fall to 0 over half of the ascent.
        again: share of the steps kept for a second ascent, from the best stimulus of the bank, where the
            first one, from noise, ended below it.
        still: one image that every frame shows.
        transforms: ranges of the random shifts and scalings in the first two thirds of the ascent; the last
            third and all that follows see the clip as it is.
        calm: what happens after the ascent.
        metric: None: the model card's, else `metric.usual_metric`.
        together: units optimized in one batch at most; None: 1 on a CPU, where more gain nothing, and 32
            elsewhere.
    """

    steps: int = 80
    contrast: float = 0.2
    most_contrast: float = 0.3
    enough: float = 0.95
    rate: float = 0.3
    final_rate: float = 0.1
    warmup: float = 0.2
    leak: float = 0.1
    again: float = 0.2
    still: bool = False
    transforms: TransformSettings = field(default_factory=TransformSettings)
    calm: CalmSettings = field(default_factory=CalmSettings)
    metric: NaturalMetric | None = None
    together: int | None = None

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise SettingInvalid(f"steps is at least 1, not {self.steps}")
        if self.rate <= 0:
            raise SettingInvalid(f"rate is above 0, not {self.rate}")
        if not 0 < self.contrast <= 0.5:
            raise SettingInvalid(f"contrast is above 0 and at most 0.5, not {self.contrast}")
        for name in ("warmup", "leak", "enough", "again"):
            if not 0 <= getattr(self, name) <= 1:
                raise SettingInvalid(f"{name} is 0 to 1, not {getattr(self, name)}")
        if self.together is not None and self.together < 1:
            raise SettingInvalid(f"together is at least 1, not {self.together}")

    def batch_size(self, device: torch.device | str) -> int:
        """How many units are optimized together on a device."""
        return self.together or (1 if torch.device(device).type == "cpu" else 32)

    def shares(self, banked: bool) -> tuple[int, int, int]:
        """Steps of the ascent, of a second one where it is needed, and of calming.

        Args:
            banked: whether stimuli are there to begin a second ascent from.
        """
        calming = round(self.calm.share * self.steps) if self.calm.kept < 1 else 0
        again = round(self.again * self.steps) if banked else 0
        return max(1, self.steps - calming - again), again, calming


def natural_optima(
    forward: Forward,
    objectives: Sequence[Objective],
    shape: tuple[int, int, int, int],
    settings: OptimalSettings,
    generators: Sequence[torch.Generator],
    metric: NaturalMetric,
    *,
    banked: Sequence[Beginning] = (),
    start: Video | None = None,
    device: torch.device | str = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> list[Optimal]:
    """Find one optimal input per objective, all in one batch.

    Args:
        forward: clips in [0, 1] to the layer's output.
        objectives: one per clip.
        shape: of a clip, (C, T, H, W).
        generators: one per clip; draws its start and its transforms, on the CPU.
        metric: of natural videos.
        banked: one per objective, what it answered to; empty: the search knows noise only.
        start: a clip to begin with instead of noise, (T, C, H, W) in [0, 1].
        progress: called with the step and the number of steps.

    Returns:
        One result per objective; `video` is (T, C, H, W) on `device`.
    """
    began, frames = time.perf_counter(), shape[1]
    held = (shape[0], 1, *shape[2:]) if settings.still else shape
    operator = MetricOperator(metric, held, device)
    search = Passes(
        forward, objectives, frames, settings.steps, settings.leak, progress, [[] for _ in objectives]
    )
    first, again, calming = settings.shares(bool(banked))
    every = list(range(len(objectives)))
    if start is None:
        x = _faint(operator, held, generators, device)
    else:
        given = start.transpose(0, 1)[None].to(device) - 0.5
        given = given.mean(dim=2, keepdim=True) if settings.still else given
        x = to_contrast(given, 0.5 * settings.contrast).expand(len(objectives), -1, -1, -1, -1)
    climb = Climb(
        x.clone(),
        torch.full((len(x), 1, 1, 1, 1), settings.contrast, device=device),
        torch.zeros(len(x), dtype=torch.bool, device=device),
        operator,
        even=not all(term.kind == "unit" for objective in objectives for term in objective.terms),
    )
    kept, value = _ascend(search, settings, climb, first, generators, faint=start is None)
    rest = search.values(torch.zeros_like(x))
    names, bank_value = (
        ["noise" if start is None else "clip"] * len(every),
        torch.full_like(value, float("-inf")),
    )
    bank_name = [""] * len(every)
    for unit in every if banked else ():
        clips = to_contrast(torch.stack(banked[unit].clips).to(device), climb.budget[unit])
        clips = clips.mean(dim=2, keepdim=True) if settings.still else clips
        responses = search.values(clips, [unit] * len(clips))
        best = int(responses.argmax())
        bank_value[unit], bank_name[unit] = responses[best], banked[unit].names[best]
        if again and float(responses[best]) > float(value[unit]):
            one = Climb(
                clips[best : best + 1],
                climb.budget[unit : unit + 1],
                climb.free[unit : unit + 1],
                operator,
                climb.even,
            )
            clip, reached = _steady(search, one, again, [unit], 0.5 * settings.rate)
            if float(reached) > float(value[unit]):
                kept[unit], value[unit], names[unit] = clip[0], reached[0], "bank"
    least = torch.maximum(rest + settings.calm.kept * (value - rest), bank_value.minimum(value))
    if calming:
        fresh = replace(climb, x=kept)
        kept = calm(
            lambda clips: search.climb(clips, every),
            fresh.direction,
            kept,
            least,
            calming,
            settings.calm,
            climb.free,
            lambda values: search.told(values, every),
        )
    flats = _flat(search, kept, rest, banked, climb.budget) if banked else {}
    for unit, clip in flats.items():
        kept[unit], names[unit] = clip, "flat"
    seconds = (time.perf_counter() - began) / len(objectives)
    videos = search.shown(kept).transpose(1, 2)
    return [
        Optimal(
            video=videos[unit].clone(),
            history=tuple(search.history[unit]),
            steps=len(search.history[unit]),
            seconds=seconds,
            notes=SearchNotes(
                start=names[unit],
                contrast_budget=float(climb.budget[unit]),
                colour_free=bool(climb.free[unit]),
                best_response=float(value[unit]),
                bank_stimulus=bank_name[unit],
                bank_response=float(bank_value[unit]) if banked else None,
            ),
        )
        for unit in every
    ]


def natural_start(
    settings: OptimalSettings,
    shape: tuple[int, int, int, int],
    generator: torch.Generator,
    metric: NaturalMetric,
) -> Video:
    """The clip before the first step, (T, C, H, W) in [0, 1], for a generator that has drawn nothing yet."""
    held = (shape[0], 1, *shape[2:]) if settings.still else shape
    faint = _faint(MetricOperator(metric, held), held, [generator], "cpu")
    return (0.5 + faint[0]).expand(-1, shape[1], -1, -1).transpose(0, 1)


def _faint(
    operator: MetricOperator,
    held: tuple[int, ...],
    generators: Sequence[torch.Generator],
    device: torch.device | str,
) -> VideoBatch:
    """Faint natural noise, about mid grey."""
    noise = torch.stack([torch.randn(held, generator=generator) for generator in generators])
    start = operator(noise.to(device))
    return 0.01 * start / root_mean_square(start)


def _ascend(
    search: Passes,
    settings: OptimalSettings,
    climb: Climb,
    steps: int,
    generators: Sequence[torch.Generator],
    *,
    faint: bool,
) -> tuple[VideoBatch, Tensor]:
    """The main ascent: best clips of its last third, and the responses to them."""
    every = list(range(len(climb.x)))
    shaken = steps - max(1, steps // 3) if steps > 2 else 0
    draws = torch.stack([draw(settings.transforms, max(shaken, 1), g) for g in generators], dim=1)
    draws, energies = draws.to(climb.x.device), torch.zeros(2, len(climb.x), device=climb.x.device)
    best, value = climb.x, torch.full((len(climb.x),), float("-inf"), device=climb.x.device)
    for step in range(steps + 1):
        moved = draws[step] if step < shaken else None
        fading = max(0.0, 1 - step / (0.5 * steps))
        values, gradient = search.climb(climb.x, every, moved, fading)
        if moved is None:
            better = values > value
            best = torch.where(better.view(-1, 1, 1, 1, 1), climb.x, best)
            value = torch.where(better, values, value)
        if step == steps:
            break
        if step < max(1, steps // 4):  # later ones count more: a unit that is open at grey says nothing there
            energies = 0.7 * energies + climb.operator.energies(gradient)
            climb.free = energies[0] > energies[1]
        warm = 50 ** min((step + 1) / max(settings.warmup * steps, 1) - 1, 0.0) if faint else 1.0
        fade = cosine(step, steps, settings.final_rate)
        climb.move(climb.direction(gradient), settings.rate * fade * warm)
        search.told(values, every)
        if step == steps // 2:
            climb.budget = _enough(search, settings, climb)
    return best.clone(), value


def _steady(
    search: Passes, climb: Climb, steps: int, chosen: Sequence[int], rate: float
) -> tuple[VideoBatch, Tensor]:
    """An ascent without transforms, whose best clip is never below its start."""
    best, value = climb.x, torch.full((len(climb.x),), float("-inf"), device=climb.x.device)
    for step in range(steps + 1):
        values, gradient = search.climb(climb.x, chosen)
        better = values > value
        best = torch.where(better.view(-1, 1, 1, 1, 1), climb.x, best)
        value = torch.where(better, values, value)
        if step == steps:
            break
        climb.move(climb.direction(gradient), rate * cosine(step, steps, 0.1))
        search.told(values, chosen)
    return best, value


def _enough(search: Passes, settings: OptimalSettings, climb: Climb) -> Tensor:
    """The least contrast at which each clip has nearly the response it has at the best contrast."""
    most = max(settings.most_contrast / settings.contrast, 1.0)
    scales = [most ** (step / 2) for step in range(3)] if most > 1 else [1.0]
    curve = torch.stack([search.values((climb.x * scale).clamp(-0.5, 0.5)) for scale in scales])
    good = curve >= settings.enough * curve.amax(dim=0)
    first = good.float().argmax(dim=0)
    return climb.budget * torch.tensor(scales, device=climb.x.device)[first].view(-1, 1, 1, 1, 1)


def _flat(
    search: Passes, kept: VideoBatch, rest: Tensor, banked: Sequence[Beginning], budget: Tensor
) -> dict[int, Tensor]:
    """Flat clips of the units that nothing structured drives nearly as well."""
    shown = search.values(kept)
    found = {}
    for unit, beginning in enumerate(banked):
        if beginning.flat is None:
            continue
        clip = to_contrast(beginning.flat[None].to(kept), budget[unit])[:, :, : kept.shape[2]]
        gains = shown[unit] - rest[unit], search.values(clip, [unit])[0] - rest[unit]
        if gains[0] < FLAT_SHARE * gains[1]:
            found[unit] = clip[0]
    return found
