"""Asking the units of a layer everything, in numbers: which stimulus, what answer."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..results import UnitResult
from ..types import VideoBatch
from ..units.pooling import pooled_over_what_is_left
from ..units.receptive.fields import Box, field_box, layer_spans
from ..units.tap import Forward
from . import own, sets
from .field import Field, fitted, gradient_power
from .listen import (
    Layer,
    Reduce,
    Report,
    Shown,
    best_window,
    centre_and_course,
    grey_response,
    heard,
    over_map,
    over_space,
)
from .sets import Block, Optimum

STAGES = ("stimuli for all units", "around each unit's optimum", "own textures", "receptive fields")
"""What is done, in order; the numbers of `Progress`."""

Progress = Callable[[int, int, int], None]
"""Called with the stage's number in `STAGES`, the step, and the number of steps."""

Best = tuple[float, str, float | None]
"""Of one kind of stimulus: the largest answer beyond grey, the stimulus, and its contrast."""


@dataclass(frozen=True)
class Answers:
    """What all units answered to what all are shown, beyond what they answer to grey.

    Attributes:
        layer: that was asked.
        grey: answers to mid grey, (units,).
        optima: per unit the moving grating that it answers to most.
        arrays: by key of `sets.Block`, (units, *axes); `courses` and `flashes` (units, ..., map time) hold
            the positive part itself, `phases` that at the middle of the map.
        best: per unit, by kind of stimulus.
        natural: the largest answer to a window of natural videos beyond grey, (units,); None without any.
    """

    layer: Layer
    grey: Tensor
    optima: tuple[Optimum, ...]
    arrays: dict[str, Tensor]
    best: tuple[dict[str, Best], ...]
    natural: Tensor | None


def ask(
    layer: Layer, contrast: float, seed: int, windows: Iterable[VideoBatch], progress: Progress | None
) -> Answers:
    """Show the common stimuli to all units, then, once each, what lies about the optimum of one of them."""
    shape, pairs = layer.shape, sets.cells(layer.shape)
    best: tuple[dict[str, Best], ...] = tuple({} for _ in layer.units)
    with layer.listening() as forward:
        grey = grey_response(forward, shape)
        arrays = _asked(forward, sets.common(shape, contrast, seed), grey, best, _reporting(progress, 0))
        arrays |= _watched(forward, [sets.flashes(shape, contrast)], over_space)
        flat = arrays["gratings"].mean(dim=3).flatten(1).argmax(dim=1).tolist()
        count = len(sets.DIRECTIONS)
        optima = tuple((*pairs[k // count], sets.DIRECTIONS[k % count]) for k in flat)
        known, used = list(dict.fromkeys(optima)), list(dict.fromkeys(optimum[:2] for optimum in optima))
        blocks = [*sets.around(shape, known, contrast), sets.plaids(shape, used, contrast)]
        later = _asked(forward, blocks, grey, best, _reporting(progress, 1))
        watched = _watched(
            forward, [sets.there_and_back(shape, known, contrast)], centre_and_course, _reporting(progress, 1)
        )["there_and_back"]
        count = len(sets.EIGHT_PHASES)
        later["phases"], there, back = watched[:, :, :count, 0], watched[:, :, :count], watched[:, :, count:]
        later["courses"] = torch.stack([there.mean(dim=2), back.mean(dim=2)], dim=2)[..., 1:]
        places = torch.tensor([known.index(optimum) for optimum in optima])
        plaid_places = torch.tensor([used.index(optimum[:2]) for optimum in optima])
        arrays |= {
            key: found[torch.arange(len(optima)), plaid_places if key == "plaids" else places]
            for key, found in later.items()
        }
        natural = best_window(forward, windows)
    return Answers(layer, grey, optima, arrays, best, None if natural is None else natural - grey)


def _reporting(progress: Progress | None, stage: int) -> Report | None:
    return None if progress is None else lambda step, steps: progress(stage, step, steps)


def _asked(
    forward: Forward,
    blocks: Sequence[Block],
    grey: Tensor,
    best: Sequence[dict[str, Best]],
    report: Report | None,
) -> dict[str, Tensor]:
    """Answers beyond grey by key, (units, *axes); the best of each kind is noted."""
    shown = [each for block in blocks for each in block.shown]
    found = heard(forward, shown, over_map, report) - grey
    note_best(best, shown, found)
    return _laid_out(blocks, found)


def _watched(
    forward: Forward, blocks: Sequence[Block], reduce: Reduce, report: Report | None = None
) -> dict[str, Tensor]:
    """Other numbers of the answers by key, (units, *axes, ...)."""
    return _laid_out(
        blocks, heard(forward, [each for block in blocks for each in block.shown], reduce, report)
    )


def _laid_out(blocks: Sequence[Block], found: Tensor) -> dict[str, Tensor]:
    parts = found.split([len(block.shown) for block in blocks])
    return {
        block.key: part.movedim(1, 0).unflatten(1, block.axes) if block.axes else part.movedim(1, 0)[:, 0]
        for block, part in zip(blocks, parts, strict=True)
    }


def note_best(best: Sequence[dict[str, Best]], shown: Sequence[Shown], found: Tensor) -> None:
    """Keep, per unit and kind, the stimulus that is answered most.

    Args:
        best: per unit, what is known so far.
        shown: stimuli.
        found: answers to them, (stimuli, units).
    """
    kinds: dict[str, list[int]] = {}
    for index, each in enumerate(shown):
        kinds.setdefault(each.kind, []).append(index)
    for kind, places in kinds.items():
        if kind == sets.SERIES:
            continue
        values, which = found[places].max(dim=0)
        for own_best, value, place in zip(best, values.tolist(), which.tolist(), strict=True):
            if kind not in own_best or value > own_best[kind][0]:
                each = shown[places[place]]
                own_best[kind] = (value, each.name, each.contrast)


def ask_about_picture(
    layer: Layer, index: int, result: UnitResult, grey: float
) -> tuple[dict[str, Tensor], dict[str, Best], float]:
    """Show one unit its optimum, and its own texture drifting, standing, and in grey.

    Args:
        index: of the unit among those of the layer that are asked.
        result: its picture.
        grey: what it answers to mid grey.

    Returns:
        Answers beyond grey by key, the best of each kind, and the answer to the optimum.
    """
    image = in_channels(result.decomposition.static_image, layer.shape[0])
    best: tuple[dict[str, Best]] = ({},)
    shape, nothing = layer.shape, torch.tensor([grey])
    optimum = in_channels(result.video, layer.shape[0]).transpose(0, 1) - 0.5
    with layer.listening([layer.units[index]]) as forward:
        first = [own.at_all_speeds(shape, image), own.standing(shape, image)]
        arrays = _asked(forward, first, nothing, best, None)
        some = arrays["own_texture_speeds"]
        place = int(some[0].max(dim=1).values.argmax())
        speed = sets.TEXTURE_SPEEDS[place]
        second = [own.between(shape, image, speed), own.without_colour(shape, image, speed)]
        arrays |= _asked(forward, second, nothing, best, None)
        arrays["own_texture"] = torch.stack([some[:, place], arrays.pop("between")], dim=2).flatten(1)
        answer = float(heard(forward, [Shown("optimum", "optimum", lambda: optimum, None)], over_map)) - grey
    return {key: found[0] for key, found in arrays.items()}, best[0], answer


def in_channels(picture: Tensor, channels: int) -> Tensor:
    """As many channels as the network takes: files of grey ones have three alike."""
    return picture if picture.shape[-3] == channels else picture[..., :channels, :, :]


def look_for_fields(
    answers: Answers, contrast: float, seed: int, progress: Progress | None
) -> list[tuple[Field | None, Tensor]]:
    """Each unit's receptive field in numbers, and the power of its gradient, (T, H, W).

    The gradient is taken at the phase of the best grating that the middle of the map answers most, and a
    quarter of a cycle from there: two in quadrature show all of a complex cell's field.
    """
    layer = answers.layer
    theoretical, found = theoretical_field(layer), []
    for index, (unit, optimum) in enumerate(zip(layer.units, answers.optima, strict=True)):
        series = sets.phases(layer.shape, [optimum], contrast).shown
        shown = [series[k] for k in _pair(answers.arrays["phases"][index])]
        generator = torch.Generator().manual_seed(seed)
        with layer.listening([unit]) as forward:
            power = gradient_power(forward, shown, generator)
        found.append((fitted(power, theoretical), power))
        if progress is not None:
            progress(3, index + 1, len(layer.units))
    return found


def _pair(phases: Tensor) -> tuple[int, int]:
    """The phase of eight with the largest answer, and the better one of those a quarter from it."""
    best = int(phases.argmax())
    sides = [(best + step) % len(phases) for step in (2, -2)]
    return best, max(sides, key=lambda place: float(phases[place]))


def theoretical_field(layer: Layer) -> Box | None:
    """What the middle of the map can see, from geometry; None for layers without a map of three axes."""
    if len(layer.map_shape) != 3:
        return None
    with pooled_over_what_is_left():
        spans = layer_spans(layer.model, layer.name, layer.shape)
    return field_box(spans, [size // 2 for size in layer.map_shape], layer.shape[1:])
