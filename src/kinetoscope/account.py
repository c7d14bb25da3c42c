"""The account of one unit after the other: optimum, decomposition, responses, and agreement across seeds."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, TypedDict

import torch
from torch import Tensor, nn

from .errors import DeviceFull
from .metric import NaturalMetric
from .models.card import ModelCard
from .motion.decompose import DecomposeSettings, decompose
from .motion.summary import summarize
from .optimal.ascend import Forward, normalize, unit_generator
from .optimal.beginnings import Beginning, beginnings
from .optimal.coarse import Size
from .optimal.objective import Objective, make_objective
from .optimal.search import SearchSettings, find_optima, start_clip
from .optimal.settings import OptimalSettings
from .results import Confidence, Decomposition, Optimal, UnitResult
from .stimuli import bank
from .truth.agreement import agreement
from .truth.nothing import nothing_found
from .truth.redrive import derived_indices, redrive
from .types import Video, VideoBatch
from .units.crop import Crop
from .units.pooling import pooled_over_what_is_left
from .units.tap import tap

REPEAT_SHARE = 4
"""Runs from further seeds take one step for so many of the run that is shown: enough to tell the motion."""

Progress = Callable[[int, int, int], None]
"""Called with the unit's index in the list, the step, and the number of steps."""

StepProgress = Callable[[int, int], None]
"""Called with the step and the number of steps."""


class Options(TypedDict, total=False):
    """Keyword arguments that say how units are looked at; meanings and defaults as for `visualize_each`."""

    card: ModelCard | None
    objective: str | None
    position: tuple[int, ...] | None
    size: tuple[int, int, int] | None
    preset: str
    steps: int | None
    seed: int
    device: str
    precision: str
    contrast: float | None
    start: str | Video


@dataclass(frozen=True)
class Account:
    """One checked request: what is needed to account for its units one after the other.

    Attributes:
        model, card: the network, and what it expects.
        names: of the layer's units; empty when they have none.
        shape: of the clip, (C, T, H, W).
        position: (t, y, x) in the layer's map, for the objective `unit`; None: its centre.
        crop: the part of the clip that is seen from there; None: all of it.
        optimal, motion: settings of the two stages.
        start: what ascents begin with: "bank", noise and the best of a bank of stimuli; "noise" alone; or a
            clip, (T, C, H, W) in [0, 1].
        sizes: of a search coarse to fine; empty for units that do not see all of the clip.
        record: what `unit.json` says of the request: layer, objective, seed, settings, device, precision, ...
        progress: told about every step.
    """

    model: nn.Module
    card: ModelCard
    names: tuple[str, ...]
    shape: tuple[int, int, int, int]
    position: tuple[int, ...] | None
    crop: Crop | None
    optimal: SearchSettings
    start: str | Video
    sizes: tuple[Size, ...]
    motion: DecomposeSettings
    record: dict[str, Any]
    progress: Progress | None

    @contextmanager
    def listening(self, units: Sequence[int]) -> Iterator[tuple[Forward, list[Objective]]]:
        """Inside, the model is open behind the layer, for these units.

        Gives what takes clips in [0, 1] to the units' output, and for each what is maximized in that output.
        """
        layer, device, precision = (self.record[key] for key in ("layer", "device", "precision"))
        crop, kind = self.crop, self.record["objective"]
        position = self.position if crop is None else crop.position
        objectives = [make_objective(kind, place, position) for place in range(len(units))]
        with tap(self.model, layer, units=units, device=device, precision=precision) as tapped:

            def forward(clips: VideoBatch) -> Tensor:
                clips = normalize(clips, self.card)
                with pooled_over_what_is_left():
                    return tapped(clips if crop is None else crop(clips))

            yield forward, objectives

    def metric_for(self, settings: SearchSettings) -> NaturalMetric:
        """The metric of natural videos: the settings' own, else that of this network's clips."""
        asked = settings.metric if isinstance(settings, OptimalSettings) else None
        return asked or self.card.natural

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
            self.shape,
            settings,
            generators,
            self.metric_for(settings),
            banked=banked,
            start=self.start if isinstance(self.start, Tensor) else None,
            sizes=self.sizes,
            device=self.record["device"],
            progress=progress,
        )

    def first_clip(self, unit: int) -> Video:
        """The noise that the unit's ascent begins with, (T, C, H, W)."""
        generator = unit_generator(self.record["seed"], unit)
        return start_clip(self.optimal, self.shape, generator, self.metric_for(self.optimal))

    def beginnings(self, units: Sequence[int]) -> list[Beginning]:
        """What each unit answers to most in a bank of stimuli, in one pass; empty where none is asked for."""
        if not isinstance(self.optimal, OptimalSettings) or not isinstance(self.start, str):
            return []
        if self.start == "noise":
            return []
        with self.listening(units) as (forward, objectives):
            stimuli = bank(self.shape)
            device = self.record["device"]
            return beginnings(forward, objectives, stimuli, self.optimal.contrast, device=device)

    def name(self, unit: int) -> str:
        """The unit's name, or nothing."""
        return self.names[unit] if unit < len(self.names) else ""

    def results(self, units: list[int]) -> Iterator[UnitResult]:
        """Each unit's account, as soon as it is finished.

        Raises:
            DeviceFull: even one clip is too much for the device's memory.
        """
        device = self.record["device"]
        together, done = self.optimal.batch_size(device), 0
        banked = self.beginnings(units)
        while done < len(units):
            full, now = False, slice(done, done + together)
            try:
                for result in self._batch(units[now], done, banked[now]):
                    yield result
                    done += 1
            except torch.OutOfMemoryError as error:
                if together == 1:
                    raise DeviceFull(_too_large(self.shape, device)) from error
                full = True
            if full:  # out here the failed batch is let go of
                together = min(together, len(units) - done) // 2 or 1
                if torch.device(device).type == "cuda":
                    torch.cuda.empty_cache()

    def _batch(self, units: list[int], done: int, banked: list[Beginning]) -> Iterator[UnitResult]:
        seed = self.record["seed"]
        repeat = replace(self.optimal, steps=max(1, self.optimal.steps // REPEAT_SHARE))
        runs = [self.optimal] + [repeat] * (self.record["settings"]["seeds"] - 1)
        with self.listening(units) as (forward, objectives):

            def optima(run: int) -> list[Optimal]:
                """The batch's optima of one run; run 0 is shown, the others tell how far the seed counts."""

                def told(step: int, steps: int) -> None:
                    if self.progress is not None:
                        before = sum(settings.steps for settings in runs[:run])
                        self.progress(done, before + step, sum(settings.steps for settings in runs))

                generators = [unit_generator(seed + run, unit) for unit in units]
                # agreement between seeds says nothing about the unit where both began with the same stimulus
                known = banked if run == 0 else []
                return self.optima(forward, objectives, runs[run], generators, known, told)

            shown, *others = (optima(run) for run in range(len(runs)))
            for index, (unit, objective) in enumerate(zip(units, objectives, strict=True)):
                optimal = shown[index]
                decomposition = decompose(optimal.video, self.motion, seed=seed)
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
        began, seed = time.perf_counter(), self.record["seed"]
        seeds = range(seed, seed + 1 + len(others))
        accounts = [
            decompose(run.video, self.motion, seed=s) for run, s in zip(others, seeds[1:], strict=True)
        ]
        found = [shown, *accounts]
        seconds = time.perf_counter() - began + sum(run.seconds for run in others)
        labels = [summarize(account).label for account in found]
        return agreement([account.velocity for account in found], labels, seeds, others[0].steps), seconds

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
                **self.record,
                "unit": unit,
                "unit_name": self.name(unit),
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
