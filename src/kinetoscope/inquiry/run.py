"""A request carried out, unit by unit: optimum, decomposition, responses, and agreement across seeds."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, TypeVar

import torch
from torch import Tensor

from ..errors import DeviceFull
from ..metric import NaturalMetric
from ..motion.decompose import decompose_all
from ..motion.summary import summarize
from ..optimal.ascend import unit_generator
from ..optimal.beginnings import Beginning, beginnings
from ..optimal.objective import Forward, Objective, Output, Outputs, Term, make_objective
from ..optimal.search import SearchSettings, find_optima, start_clip
from ..optimal.settings import OptimalSettings
from ..results import Confidence, Decomposition, Optimal, UnitResult
from ..stimuli import bank
from ..types import Video, VideoBatch
from ..units.convolutions import quick_convolutions
from ..units.pooling import pooled_over_what_is_left
from ..units.tap import Tap, tap
from .agreement import agreement
from .nothing import nothing_found
from .objectives import Bound, Source, bind
from .redrive import derived_indices, redrive
from .request import Request

REPEAT_SHARE = 4
"""Runs from further seeds take one step for so many of the run that is shown: enough to tell the motion."""

Progress = Callable[[int, int, int], None]
"""Called with the unit's index in the list, the step, and the number of steps."""

Watch = Callable[[int, int, float], None]
"""Called with a unit's channel, the step, and the unit's response at that step."""

Item, Made = TypeVar("Item"), TypeVar("Made")

StepProgress = Callable[[int, int], None]
"""Called with the step and the number of steps."""


@dataclass(frozen=True)
class _Found:
    """What the search gives for one unit: an optimum per run, of which the first is shown."""

    unit: int
    runs: tuple[Optimal, ...]


@dataclass(frozen=True)
class Inquiry:
    """A checked request being carried out: finds optima, takes them apart, and measures what they show.

    Attributes:
        request: what is looked at, and how.
        progress: told about every step.
        watch: told the response at every step of the run that is shown.
    """

    request: Request
    progress: Progress | None = None
    watch: Watch | None = None

    @contextmanager
    def listening(
        self, units: Sequence[int], beside: Sequence[Term] = ()
    ) -> Iterator[tuple[Forward, list[Objective]]]:
        """While the block lasts, run clips through the network as far as the layer, and measure these units.

        The network is in evaluation mode on the request's device meanwhile; afterwards it is as it was.

        Args:
            units: some of the request's.
            beside: terms that are added at the end of each objective.

        Yields:
            A function from clips (B, C, T, H, W) in [0, 1] to the output of the channels that are measured,
            (B, channels, *map), or one for each layer and network that are read; and per unit its objective,
            a function from that output to one number per clip.
        """
        request, bound = self.request, self._bound(units, beside)
        with ExitStack() as taps:
            listened = [(source, taps.enter_context(self._tapped(source))) for source in bound.sources]

            def forward(clips: VideoBatch) -> Output:
                clips = request.card.normalize(clips)
                clips = clips if request.crop is None else request.crop(clips)
                with pooled_over_what_is_left(), quick_convolutions():
                    parts = tuple(self._read(source, tapped(clips)) for source, tapped in listened)
                return parts[0] if len(parts) == 1 else Outputs(parts)

            yield forward, list(bound.objectives)

    def _bound(self, units: Sequence[int], beside: Sequence[Term]) -> Bound:
        """What is listened to, and each unit's objective in its terms."""
        request, asked = self.request, self.request.objective
        if isinstance(asked, Objective):
            objectives = [asked]
        else:
            position = request.position if request.crop is None else request.crop.position
            of_vectors = request.vectors is not None
            objectives = [make_objective(asked, unit, position, of_vectors=of_vectors) for unit in units]
        added = Objective(tuple(beside))
        return bind([one + added for one in objectives], request.layer, 1 + len(request.networks))

    def _tapped(self, source: Source) -> Tap:
        request = self.request
        networks = (request.model, *(network for network, _ in request.networks))
        return tap(
            networks[source.network],
            source.layer,
            units=None if source.vectors else source.channels,
            device=request.device,
            precision=request.precision,
        )

    def _read(self, source: Source, output: Tensor) -> Tensor:
        """The channels of a source, or what vectors make of them."""
        vectors = self.request.vectors
        if not source.vectors or vectors is None:
            return output
        return vectors.of(output, range(len(vectors)) if source.channels is None else source.channels)

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
        watch: Watch | None = None,
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
            start=self._begin_with(),
            sizes=self.request.sizes,
            held=self.request.held,
            natural=self.request.spectrum,
            alpha=self.request.alpha,
            device=self.request.device,
            progress=progress,
            watch=watch,
        )

    def _begin_with(self) -> Video | None:
        """The clip that x begins with; None for noise, as where x is the change to a clip."""
        request = self.request
        near = request.held is not None and request.held.near
        return None if isinstance(request.start, str) or near else request.start

    def first_clip(self, unit: int, further: int = 0) -> Video:
        """The noise that the unit's ascent begins with, (T, C, H, W); `further` counts on from the seed."""
        request = self.request
        generator = unit_generator(request.seed + further, unit)
        settings, metric = request.optimal, self.metric_for(request.optimal)
        first = start_clip(settings, request.shape, generator, metric, request.spectrum)
        return first if request.held is None else request.held(first.transpose(0, 1)[None])[0].transpose(0, 1)

    def beginnings(self, units: Sequence[int]) -> list[Beginning]:
        """What each unit answers to most in a bank of stimuli, in one pass; empty where none is asked for."""
        request, settings = self.request, self.request.optimal
        banked = isinstance(request.start, str) and request.start == "bank"
        if not banked or not isinstance(settings, OptimalSettings):
            return []
        with self.listening(units) as (forward, objectives):
            stimuli = bank(request.shape)
            forward = forward if request.held is None else request.held.around(forward)
            return beginnings(forward, objectives, stimuli, settings.contrast, device=request.device)

    def results(self, units: Sequence[int] | None = None) -> Iterator[UnitResult]:
        """Each unit's result, as soon as it is finished.

        Args:
            units: some of the request's; None: all of them.

        Raises:
            DeviceFull: even one clip is too much for the device's memory.
        """
        units = self.request.units if units is None else units
        for found in self._searched(units, self.beginnings(units)):
            yield from self._taken_apart(found)

    def results_together(self, units: Sequence[int], banked: Sequence[Beginning]) -> list[UnitResult]:
        """The same for units that are taken apart in one batch, whose memory is needed at once.

        What the search finds is what `results` finds; the rest agrees up to rounding.

        Args:
            units: some of the request's.
            banked: from `beginnings`, one for each of them; empty where there is no bank.
        """
        every = [found for some in self._searched(units, banked) for found in some]
        return list(self._taken_apart(every))

    def _searched(self, units: Sequence[int], banked: Sequence[Beginning]) -> Iterator[list[_Found]]:
        """What the search finds, batch by batch."""
        together = self.request.optimal.batch_size(self.request.device)
        return self._as_memory_allows(
            units, together, lambda some, done: self._search(some, done, banked[done : done + len(some)])
        )

    def _search(self, units: Sequence[int], done: int, banked: Sequence[Beginning]) -> list[_Found]:
        """The optima of every run; the first is shown, the others tell how far the seed counts."""
        request, seed = self.request, self.request.seed
        repeat = replace(request.optimal, steps=max(1, request.optimal.steps // REPEAT_SHARE))
        runs = [request.optimal] + [repeat] * (request.seeds - 1)
        with self.listening(units) as (forward, objectives):

            def optima(run: int) -> list[Optimal]:
                """The batch's optima of one run."""

                def report(step: int, steps: int) -> None:
                    if self.progress is not None:
                        before = sum(settings.steps for settings in runs[:run])
                        self.progress(done, before + step, sum(settings.steps for settings in runs))

                def see(place: int, step: int, response: float) -> None:
                    if self.watch is not None and run == 0:
                        self.watch(units[place], step, response)

                generators = [unit_generator(seed + run, unit) for unit in units]
                # agreement between seeds says nothing about the unit where both began with the same stimulus
                known = banked if run == 0 else []
                return self.optima(
                    forward, objectives, runs[run], generators, known, report, see if self.watch else None
                )

            found = zip(*(optima(run) for run in range(len(runs))), strict=True)
            return [_Found(unit, optima) for unit, optima in zip(units, found, strict=True)]

    def _taken_apart(self, found: Sequence[_Found]) -> Iterator[UnitResult]:
        """Results of what was found, decomposed as many at once as memory holds."""
        for some in self._as_memory_allows(found, len(found), lambda some, done: self._accounts(some)):
            yield from some

    def _accounts(self, found: Sequence[_Found]) -> list[UnitResult]:
        request, results = self.request, []
        runs = [
            decompose_all(torch.stack([one.runs[run].video for one in found]), request.motion, seed=seed)
            for run, seed in enumerate(range(request.seed, request.seed + request.seeds))
        ]
        with self.listening([one.unit for one in found]) as (forward, objectives):
            for one, objective, accounts in zip(found, objectives, zip(*runs, strict=True), strict=True):
                shown, start = one.runs[0], self.first_clip(one.unit)
                responses = redrive(forward, objective, shown.video, accounts[0], start)
                confidence, seconds = self._confidence(accounts, one.runs[1:])
                results.append(self.assemble(one.unit, shown, accounts[0], responses, confidence, seconds))
        return results

    def _as_memory_allows(
        self, items: Sequence[Item], together: int, work: Callable[[Sequence[Item], int], list[Made]]
    ) -> Iterator[list[Made]]:
        """Work on so many items at once, or on fewer where the device's memory is full.

        Args:
            work: takes some of the items, and how many came before them.
        """
        device, done = self.request.device, 0
        while done < len(items):
            made, some = None, items[done : done + together]
            try:
                made = work(some, done)
            except torch.OutOfMemoryError as error:
                if len(some) == 1:
                    raise DeviceFull(_too_large(self.request.shape, device)) from error
            if made is not None:
                yield made
                done += len(some)
                continue
            together = len(some) // 2  # out here the failed batch is let go of
            if torch.device(device).type == "cuda":
                torch.cuda.empty_cache()

    def _confidence(
        self, accounts: Sequence[Decomposition], others: Sequence[Optimal]
    ) -> tuple[Confidence | None, float | None]:
        """Agreement with the runs from other seeds, and what those took in seconds; None without any."""
        if not others:
            return None, None
        seeds = range(self.request.seed, self.request.seed + len(accounts))
        seconds = sum(run.seconds for run in others) + sum(account.seconds for account in accounts[1:])
        labels = [summarize(account).label for account in accounts]
        return agreement([account.velocity for account in accounts], labels, seeds, others[0].steps), seconds

    def assemble(
        self,
        unit: int,
        optimal: Optimal,
        decomposition: Decomposition,
        responses: dict[str, float],
        confidence: Confidence | None = None,
        seconds: float | None = None,
    ) -> UnitResult:
        """The whole account of an optimum that was taken apart and re-driven.

        Args:
            responses: from `redrive`.
            confidence, seconds: agreement with other seeds, and what those took; None without any.
        """
        decomposition = on_cpu(decomposition)
        optimal = replace(optimal, video=optimal.video.float().cpu())
        if self.request.held is not None and self.request.held.near:
            optimal = replace(optimal, given=self.request.held.base.cpu())
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
                "threads": torch.get_num_threads(),
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
