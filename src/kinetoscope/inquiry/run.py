"""A request carried out, unit by unit: optimum, decomposition, responses, and agreement across seeds."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from ..errors import DeviceFull
from ..metric import NaturalMetric
from ..motion.decompose import decompose
from ..motion.summary import summarize
from ..optimal.ascend import Forward, unit_generator
from ..optimal.beginnings import Beginning, beginnings
from ..optimal.objective import Objective, make_objective
from ..optimal.search import SearchSettings, find_optima, start_clip
from ..optimal.settings import OptimalSettings
from ..results import Confidence, Decomposition, Optimal, UnitResult
from ..stimuli import bank
from ..types import Video, VideoBatch
from ..units.convolutions import quick_convolutions
from ..units.pooling import pooled_over_what_is_left
from ..units.tap import tap
from .agreement import agreement
from .nothing import nothing_found
from .redrive import derived_indices, redrive
from .request import Request

REPEAT_SHARE = 4
"""Runs from further seeds take one step for so many of the run that is shown: enough to tell the motion."""

Progress = Callable[[int, int, int], None]
"""Called with the unit's index in the list, the step, and the number of steps."""

StepProgress = Callable[[int, int], None]
"""Called with the step and the number of steps."""


@dataclass(frozen=True)
class Inquiry:
    """A checked request being carried out: finds optima, takes them apart, and measures what they show.

    Attributes:
        request: what is looked at, and how.
        progress: told about every step.
    """

    request: Request
    progress: Progress | None = None

    @contextmanager
    def listening(self, units: Sequence[int]) -> Iterator[tuple[Forward, list[Objective]]]:
        """While the block lasts, run clips through the network as far as the layer, and measure these units.

        The network is in evaluation mode on the request's device meanwhile; afterwards it is as it was.

        Yields:
            A function from clips (B, C, T, H, W) in [0, 1] to the output of the channels that are measured,
            (B, channels, *map); and per unit its objective, a function from that output to one number per
            clip.
        """
        request = self.request
        channels, objectives = self._measured(units)
        with tap(
            request.model,
            request.layer,
            units=channels,
            device=request.device,
            precision=request.precision,
        ) as tapped:

            def forward(clips: VideoBatch) -> Tensor:
                clips = request.card.normalize(clips)
                with pooled_over_what_is_left(), quick_convolutions():
                    return tapped(clips if request.crop is None else request.crop(clips))

            yield forward, objectives

    def _measured(self, units: Sequence[int]) -> tuple[Sequence[int], list[Objective]]:
        """The channels that are computed, and each unit's objective in their places."""
        request, asked = self.request, self.request.objective
        if isinstance(asked, str):
            position = request.position if request.crop is None else request.crop.position
            return units, [make_objective(asked, place, position) for place in range(len(units))]
        channels = sorted({term.channel for term in asked.terms})
        terms = (replace(term, channel=channels.index(term.channel)) for term in asked.terms)
        return channels, [Objective(tuple(terms))]

    def metric_for(self, settings: SearchSettings) -> NaturalMetric:
        """The metric of natural videos: the settings' own, else that of this network's clips."""
        asked = settings.metric if isinstance(settings, OptimalSettings) else None
        return asked or self.request.card.natural

    def optima(
        self,
        forward: Forward,
        objectives: Sequence[Objective],
        settings: SearchSettings,
        generators: Sequence[torch.Generator],
        banked: Sequence[Beginning] = (),
        progress: StepProgress | None = None,
    ) -> list[Optimal]:
        """One optimal input per objective, from where this request begins; for use inside `listening`."""
        return find_optima(
            forward,
            objectives,
            self.request.shape,
            settings,
            generators,
            self.metric_for(settings),
            banked=banked,
            start=None if isinstance(self.request.start, str) else self.request.start,
            sizes=self.request.sizes,
            device=self.request.device,
            progress=progress,
        )

    def first_clip(self, unit: int) -> Video:
        """The noise that the unit's ascent begins with, (T, C, H, W)."""
        request = self.request
        generator = unit_generator(request.seed, unit)
        return start_clip(request.optimal, request.shape, generator, self.metric_for(request.optimal))

    def beginnings(self, units: Sequence[int]) -> list[Beginning]:
        """What each unit answers to most in a bank of stimuli, in one pass; empty where none is asked for."""
        request, settings = self.request, self.request.optimal
        banked = isinstance(request.start, str) and request.start == "bank"
        if not banked or not isinstance(settings, OptimalSettings):
            return []
        with self.listening(units) as (forward, objectives):
            stimuli = bank(request.shape)
            return beginnings(forward, objectives, stimuli, settings.contrast, device=request.device)

    def results(self, units: Sequence[int] | None = None) -> Iterator[UnitResult]:
        """Each unit's result, as soon as it is finished.

        Args:
            units: some of the request's; None: all of them.

        Raises:
            DeviceFull: even one clip is too much for the device's memory.
        """
        device, units = self.request.device, list(self.request.units if units is None else units)
        together, done = self.request.optimal.batch_size(device), 0
        banked = self.beginnings(units)
        while done < len(units):
            full, now = False, slice(done, done + together)
            try:
                for result in self._batch(units[now], done, banked[now]):
                    yield result
                    done += 1
            except torch.OutOfMemoryError as error:
                if together == 1:
                    raise DeviceFull(_too_large(self.request.shape, device)) from error
                full = True
            if full:  # out here the failed batch is let go of
                together = min(together, len(units) - done) // 2 or 1
                if torch.device(device).type == "cuda":
                    torch.cuda.empty_cache()

    def _batch(self, units: list[int], done: int, banked: list[Beginning]) -> Iterator[UnitResult]:
        request, seed = self.request, self.request.seed
        repeat = replace(request.optimal, steps=max(1, request.optimal.steps // REPEAT_SHARE))
        runs = [request.optimal] + [repeat] * (request.seeds - 1)
        with self.listening(units) as (forward, objectives):

            def optima(run: int) -> list[Optimal]:
                """The batch's optima of one run; run 0 is shown, the others tell how far the seed counts."""

                def report(step: int, steps: int) -> None:
                    if self.progress is not None:
                        before = sum(settings.steps for settings in runs[:run])
                        self.progress(done, before + step, sum(settings.steps for settings in runs))

                generators = [unit_generator(seed + run, unit) for unit in units]
                # agreement between seeds says nothing about the unit where both began with the same stimulus
                known = banked if run == 0 else []
                return self.optima(forward, objectives, runs[run], generators, known, report)

            shown, *others = (optima(run) for run in range(len(runs)))
            for index, (unit, objective) in enumerate(zip(units, objectives, strict=True)):
                optimal = shown[index]
                decomposition = decompose(optimal.video, request.motion, seed=seed)
                start = self.first_clip(unit)
                responses = redrive(forward, objective, optimal.video, decomposition, start)
                confidence, seconds = self._confidence(decomposition, [run[index] for run in others])
                yield self._assemble(unit, optimal, decomposition, responses, confidence, seconds)

    def _confidence(
        self, shown: Decomposition, others: list[Optimal]
    ) -> tuple[Confidence | None, float | None]:
        """Agreement with the runs from other seeds, and what those took in seconds; None without any."""
        if not others:
            return None, None
        began, seed = time.perf_counter(), self.request.seed
        seeds = range(seed, seed + 1 + len(others))
        accounts = [
            decompose(run.video, self.request.motion, seed=s)
            for run, s in zip(others, seeds[1:], strict=True)
        ]
        found = [shown, *accounts]
        seconds = time.perf_counter() - began + sum(run.seconds for run in others)
        labels = [summarize(parts).label for parts in found]
        return agreement([parts.velocity for parts in found], labels, seeds, others[0].steps), seconds

    def _assemble(
        self,
        unit: int,
        optimal: Optimal,
        decomposition: Decomposition,
        responses: dict[str, float],
        confidence: Confidence | None,
        seconds: float | None,
    ) -> UnitResult:
        decomposition = on_cpu(decomposition)
        optimal = replace(optimal, video=optimal.video.float().cpu())
        motion = summarize(decomposition)
        nothing = nothing_found(responses)
        return UnitResult(
            video=optimal.video,
            optimal=optimal,
            decomposition=decomposition,
            motion=motion if nothing is None else replace(motion, label=nothing),
            activation=responses,
            indices=derived_indices(responses),
            confidence=confidence,
            record={
                **self.request.to_json(unit),
                "search": None if optimal.notes is None else asdict(optimal.notes),
                "steps": optimal.steps,
                "seconds": {
                    "optimize": optimal.seconds,
                    "decompose": decomposition.seconds,
                    "confidence": seconds,
                },
            },
        )


def _too_large(shape: tuple[int, int, int, int], device: str) -> str:
    size = "x".join(map(str, shape[1:]))
    return f"{device} has too little memory for one clip of {size}; give a smaller size, or precision bf16"


def on_cpu(decomposition: Decomposition) -> Decomposition:
    """The same with its fields and images in main memory."""
    parts: dict[str, Any] = {part.name: getattr(decomposition, part.name) for part in fields(decomposition)}
    moved = {name: part.cpu() for name, part in parts.items() if isinstance(part, Tensor)}
    return Decomposition(**{**parts, **moved})
