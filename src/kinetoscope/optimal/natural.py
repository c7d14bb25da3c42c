"""The strongest clip of natural statistics and given contrast: steepest ascent in the metric of natural
videos.

docs/method.md derives it. A step goes along M g, g being the gradient, with local contrasts evened out; after
each the clip is brought back to its contrast budget. What the response does not need is then calmed away
(`calm.py`).
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..metric import MetricOperator, NaturalMetric
from ..results import Optimal, SearchNotes
from ..stimuli import to_contrast
from ..types import Video, VideoBatch
from .alpha import Alpha
from .ascents import ascend, steady
from .beginnings import Beginning
from .calm import calm
from .climb import Climb, clip_energy, faint_noise, local_energy
from .coarse import Size, coarse_to_fine
from .held import Held
from .objective import Forward, Objective
from .passes import Passes
from .settings import OptimalSettings

FLAT_SHARE = 0.9
"""A flat colour is shown only where nothing structured of its contrast has this share of its gain."""


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
    sizes: Sequence[Size] = (),
    held: Held | None = None,
    alpha: bool = False,
    device: torch.device | str = "cpu",
    progress: Callable[[int, int], None] | None = None,
    watch: Callable[[int, int, float], None] | None = None,
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
        sizes: height and width of the first and the last stage of a search coarse to fine; empty: one ascent
            at the clip's size.
        held: what is free of the clip, and what is shown elsewhere; None: all is.
        alpha: whether results say which parts matter.
        progress: called with the step and the number of steps.
        watch: called with an objective's place, its step, from 1, and its response there.

    Returns:
        One result per objective; `video` is (T, C, H, W) on `device`.
    """
    began = time.perf_counter()
    if held is not None:
        forward = held.around(forward)
    search = Passes(
        forward,
        objectives,
        shape[1],
        settings.steps,
        settings.leak,
        progress,
        [[] for _ in objectives],
        watch=watch,
        alpha=Alpha(len(objectives), _optimized(settings, shape)) if alpha else None,
    )
    first, again, calming = settings.shares(bool(banked))
    climb = _begin(
        search, settings, MetricOperator(metric, _optimized(settings, shape), device), generators, start
    )
    if held is not None:
        climb.weights = held.weights.to(climb.x)
    if sizes:
        kept, value = coarse_to_fine(search, settings, climb, sizes, metric, generators)
    else:
        kept, value = ascend(search, settings, climb, first, generators, faint=start is None)
    rest = search.values(torch.zeros_like(kept))
    count = len(objectives)
    found = _Found(
        kept,
        value,
        ["noise" if start is None else "clip"] * count,
        [""] * count,
        torch.full_like(value, float("-inf")),
    )
    for unit, beginning in enumerate(banked):
        _from_bank(search, settings, climb, beginning, found, unit, again)
    if calming:
        _calm(search, settings, climb, found, rest, calming)
    if banked:
        _flatten(search, climb, found, rest, banked)
    if progress is not None and search.taken < settings.steps:  # a second ascent was not needed
        progress(settings.steps, settings.steps)
    seconds = (time.perf_counter() - began) / count
    results = _results(search, climb, found, seconds, sizes)
    if held is not None:
        shown = [held(one.video.transpose(0, 1)[None])[0].transpose(0, 1) for one in results]
        results = [replace(one, video=video) for one, video in zip(results, shown, strict=True)]
    return results


@dataclass
class _Found:
    """What a batch has so far.

    Attributes:
        kept: best clips about mid grey, (B, C, T, H, W).
        value: responses to them before calming, (B,).
        starts: what each grew from, as in `SearchNotes`.
        stimuli, bank: name of the best stimulus of the same contrast and the response to it, (B,).
    """

    kept: VideoBatch
    value: Tensor
    starts: list[str]
    stimuli: list[str]
    bank: Tensor


def _results(
    search: Passes, climb: Climb, found: _Found, seconds: float, sizes: Sequence[Size]
) -> list[Optimal]:
    """What the search comes to, one result per unit."""
    videos = search.shown(found.kept).transpose(1, 2)
    height, width = videos.shape[-2:]
    return [
        Optimal(
            video=videos[unit].clone(),
            history=tuple(search.history[unit]),
            steps=len(search.history[unit]),
            seconds=seconds,
            alpha=None if search.alpha is None else search.alpha.of(unit, search.frames),
            notes=SearchNotes(
                start=found.starts[unit],
                contrast_budget=float(climb.budget[unit]),
                colour_free=bool(climb.free[unit]),
                best_response=float(found.value[unit]),
                bank_stimulus=found.stimuli[unit],
                bank_response=float(found.bank[unit]) if found.stimuli[unit] else None,
                approach="coarse to fine" if sizes else "one ascent",
                sizes=tuple(sizes) or ((height, width),),
            ),
        )
        for unit in range(len(videos))
    ]


def _optimized(settings: OptimalSettings, shape: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    """Shape of what is optimized: of a still image one frame."""
    channels, frames, height, width = shape
    return channels, 1 if settings.still else frames, height, width


def _begin(
    search: Passes,
    settings: OptimalSettings,
    operator: MetricOperator,
    generators: Sequence[torch.Generator],
    start: Video | None,
) -> Climb:
    """The batch before its first step: faint natural noise, or a given clip at half its contrast."""
    if start is None:
        x = faint_noise(operator, generators)
    else:
        given = _still(settings, start.transpose(0, 1)[None].to(operator.device) - 0.5)
        x = to_contrast(given, 0.5 * settings.contrast).repeat(len(generators), 1, 1, 1, 1)
    return Climb(
        x,
        torch.full((len(x), 1, 1, 1, 1), settings.contrast, device=x.device),
        torch.zeros(len(x), dtype=torch.bool, device=x.device),
        operator,
        clip_energy if _in_places(search.objectives) else local_energy,
    )


def _in_places(objectives: Sequence[Objective]) -> bool:
    """Whether parts of maps are all that is read: evened out, contrasts would fill what nobody looks at."""
    return all(term.is_local for objective in objectives for term in objective.terms)


def _still(settings: OptimalSettings, clips: VideoBatch) -> Tensor:
    """The clips, or of a search for a still image their mean frames."""
    return clips.mean(dim=2, keepdim=True) if settings.still else clips


def _from_bank(
    search: Passes,
    settings: OptimalSettings,
    climb: Climb,
    beginning: Beginning,
    found: _Found,
    unit: int,
    steps: int,
) -> None:
    """Compare a clip with the bank's best at the same contrast, and climb from that where it is higher."""
    clips = _still(settings, to_contrast(torch.stack(beginning.clips).to(found.kept), climb.budget[unit]))
    responses = search.values(clips, [unit] * len(clips))
    best = int(responses.argmax())
    found.bank[unit], found.stimuli[unit] = responses[best], beginning.names[best]
    if not steps or not responses[best] > found.value[unit]:
        return
    here = slice(unit, unit + 1)
    one = Climb(
        clips[best : best + 1],
        climb.budget[here],
        climb.free[here],
        climb.operator,
        climb.energy_of,
        weights=climb.weights,
    )
    clip, reached = steady(search, one, steps, [unit], 0.5 * settings.rate)
    if reached[0] > found.value[unit]:
        found.kept[unit], found.value[unit], found.starts[unit] = clip[0], reached[0], "bank"


def _calm(
    search: Passes, settings: OptimalSettings, climb: Climb, found: _Found, rest: Tensor, steps: int
) -> None:
    """Calm the batch, keeping of each response what the settings say, and no less than the bank's best."""
    every = list(range(len(found.kept)))
    share = rest + settings.calm.kept * (found.value - rest)
    found.kept = calm(
        lambda clips: search.climb(clips, every),
        replace(climb, x=found.kept).direction,
        found.kept,
        torch.maximum(share, found.bank.minimum(found.value)),
        steps,
        settings.calm,
        climb.free,
        lambda values: search.record(values, every),
    )


def _flatten(search: Passes, climb: Climb, found: _Found, rest: Tensor, banked: Sequence[Beginning]) -> None:
    """Show a flat colour of units that nothing structured of the same contrast drives nearly as well."""
    shown = search.values(found.kept)
    for unit, beginning in enumerate(banked):
        if beginning.flat is None:
            continue
        clip = to_contrast(beginning.flat[None].to(found.kept), climb.budget[unit])
        clip = clip[:, :, : found.kept.shape[2]]
        gains = shown[unit] - rest[unit], search.values(clip, [unit])[0] - rest[unit]
        if gains[0] < FLAT_SHARE * gains[1]:
            found.kept[unit], found.starts[unit] = clip[0], "flat"


def natural_start(
    settings: OptimalSettings,
    shape: tuple[int, int, int, int],
    generator: torch.Generator,
    metric: NaturalMetric,
) -> Video:
    """The clip before the first step, (T, C, H, W) in [0, 1], for a generator that has drawn nothing yet."""
    faint = faint_noise(MetricOperator(metric, _optimized(settings, shape)), [generator])
    return (0.5 + faint[0]).expand(-1, shape[1], -1, -1).transpose(0, 1)
