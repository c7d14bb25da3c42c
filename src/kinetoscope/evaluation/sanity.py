"""Sanity checks: what a unit's picture is compared with before it is believed.

After Adebayo et al. (2018), Sanity checks for saliency maps: a picture that does not change when the weights
do says nothing about them.
"""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn
from torch.utils._pytree import tree_map

from ..brief import Brief
from ..card import ModelCard
from ..errors import SettingInvalid
from ..inquiry.agreement import agreement, field_circular_variance
from ..inquiry.request import Options, Request
from ..inquiry.run import Inquiry, Progress
from ..inquiry.settle import request_for
from ..motion.decompose import DecomposeSettings
from ..optimal.objective import Objective
from ..optimal.search import SearchSettings
from ..results import Confidence, UnitResult
from ..types import Video
from ..units.layout import first_tensor
from ..units.tap import find_layer

CHECKS = (
    ("the unit", "the unit", "as it is shown"),
    ("the unit", "second seed", "other random numbers"),
    ("the unit", "third seed", "other random numbers"),
    ("not the unit", "neighbour", "the next channel of the layer"),
    ("not the unit", "re-initialized", "every weight tensor redrawn, same mean and deviation"),
    ("not the unit", "planted dead unit", "its output set to zero"),
)
"""Group, name and what it is, in the order of the figure."""


@dataclass(frozen=True, eq=False, repr=False)
class Check(Brief):
    """One optimum to compare the unit's with.

    Attributes:
        group, name, note: as in `CHECKS`.
        result: its whole account.
        numbers: `drives_unit`, the gain over the random input that its optimum has in the *unit*, as a share
            of the unit's own (1 for itself; near 0 or below for what is not the unit's);
            `field_circular_variance` of its velocity and the unit's (see `Confidence`); `response` and
            `random_input` of its own; `label`, `direction_deg`, `speed_px_per_frame`, `direction_index`,
            `motion_dependence`.
    """

    group: str
    name: str
    note: str
    result: UnitResult
    numbers: dict[str, Any]


@dataclass(frozen=True, eq=False, repr=False)
class Sanity(Brief):
    """All checks of one unit.

    Attributes:
        checks: in the order of `CHECKS`; a layer of one unit has no neighbour.
        confidence: agreement of the three seeds, all with the full number of steps.
        record: what was checked and how, plain JSON values.
    """

    checks: tuple[Check, ...]
    confidence: Confidence
    record: dict[str, Any]


def check_sanity(
    model: nn.Module,
    layer: str,
    unit: int | str,
    *,
    card: ModelCard | None = None,
    objective: str | Objective | None = None,
    position: tuple[int, ...] | None = None,
    size: tuple[int, int, int] | None = None,
    preset: str = "default",
    optimal: SearchSettings | None = None,
    motion: DecomposeSettings | None = None,
    steps: int | None = None,
    contrast: float | None = None,
    start: str | Video = "bank",
    seed: int = 0,
    device: str = "cpu",
    precision: str = "fp32",
    progress: Progress | None = None,
) -> Sanity:
    """Compare a unit with other seeds, with its neighbour, without its weights, and with a dead one.

    Args:
        model: any video network; it comes back as it was, the checks that need other weights work on copies.
        layer: dotted name as in `model.named_modules()`.
        unit: a channel by index, or by class name in the output layer.
        card, objective, position, size, preset, optimal, motion, steps, contrast, start, seed, device,
            precision: as for `visualize_each`. The two seeds after `seed` are the second and third, and the
            first one draws the new weights.
        progress: called with the check's index, the step, and the number of steps.

    Returns:
        Every check with its whole result and its numbers, see `Check`; and the three seeds' agreement.

    Raises:
        LayerNotFound, UnitOutOfRange, ClipTooSmall, ModelUnusable, SettingInvalid: as their names say.

    Examples:
        >>> found = ks.check_sanity(ks.load_model("motion13"), "conv1", 2, size=(6, 16, 24), steps=2)
        >>> drives = {check.name: check.numbers["drives_unit"] for check in found.checks}
    """
    options = Options(
        card=card,
        objective=objective,
        position=position,
        size=size,
        preset=preset,
        optimal=optimal,
        motion=motion,
        steps=steps,
        contrast=contrast,
        start=start,
        seed=seed,
        seeds=1,
        device=device,
        precision=precision,
    )
    return sanity_of(request_for(model, layer, [unit], options), progress)


def sanity_of(request: Request, progress: Progress | None = None) -> Sanity:
    """The checks of the one unit of a checked request; the rest as for `check_sanity`.

    Raises:
        SettingInvalid: the objective was made by hand, so that no neighbour can be looked at in its way.
    """
    if not isinstance(request.objective, str):
        raise SettingInvalid(
            "a neighbour has no objective like one of your own; give channel, channel-relu or unit"
        )
    model, layer, seed, (chosen,) = request.model, request.layer, request.seed, request.units
    neighbour = chosen + 1 if chosen + 1 < request.count else chosen - 1
    seeds_of = {"second seed": seed + 1, "third seed": seed + 2}
    # a copy lives no longer than its run
    copies = {
        "re-initialized": lambda: reinitialized(model, seed),
        "planted dead unit": lambda: silenced(model, layer, chosen, request.count),
    }
    results = {}
    for index, (_, name, _) in enumerate(CHECKS):
        channel = neighbour if name == "neighbour" else chosen
        if channel < 0:
            continue

        def report(_: int, step: int, steps: int, index: int = index) -> None:
            if progress is not None:
                progress(index, step, steps)

        network = copies[name]() if name in copies else model
        asked = replace(request.asked, card=request.card, seed=seeds_of.get(name, seed), seeds=1)
        (results[name],) = Inquiry(request_for(network, layer, [channel], asked), report).results()
    shown = results["the unit"]
    seeds = [results[name] for group, name, _ in CHECKS if group == "the unit"]
    with Inquiry(request).listening([chosen]) as (forward, (objective,)), torch.no_grad():

        def response(video: Video) -> float:
            clip = video.to(request.device).transpose(0, 1)[None]
            return float(objective(forward(clip)))

        checks = tuple(_checks(results, response))
    confidence = agreement(
        [result.decomposition.velocity for result in seeds],
        [result.motion.label for result in seeds],
        range(seed, seed + 3),
        request.optimal.steps,
    )
    return Sanity(checks, confidence, shown.record)


def _checks(results: dict[str, UnitResult], response: Callable[[Video], float]) -> Iterator[Check]:
    """Every result measured against the first one, whose unit `response` belongs to."""
    shown = results["the unit"]
    rest = shown.activation["random_input"]
    gain = shown.activation["optimal"] - rest
    for group, name, note in CHECKS:
        if name not in results:
            continue
        result = results[name]
        fields = torch.stack([r.decomposition.velocity.mean(dim=0) for r in (shown, result)])
        numbers = {
            "drives_unit": (response(result.video) - rest) / gain if gain > 0 else None,
            "field_circular_variance": field_circular_variance(fields),
            "response": result.activation["optimal"],
            "random_input": result.activation["random_input"],
            "label": result.motion.label,
            "direction_deg": result.motion.direction_deg,
            "speed_px_per_frame": result.motion.speed_px_per_frame,
            "direction_index": result.indices["direction_index"],
            "motion_dependence": result.indices["motion_dependence"],
        }
        yield Check(group, name, note, result, numbers)


def reinitialized(model: nn.Module, seed: int) -> nn.Module:
    """A copy that knows nothing: weight tensors redrawn, normal with each one's own mean and deviation.

    Biases and normalization, which have one axis, stay: responses keep their usual size.
    """
    fresh = copy.deepcopy(model)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in fresh.parameters():
            if weight.ndim > 1:
                deviation, mean = torch.std_mean(weight, correction=0)
                drawn = torch.randn(weight.shape, generator=generator, dtype=torch.float32)
                weight.copy_(drawn.to(weight) * deviation + mean)
    return fresh


def silenced(model: nn.Module, layer: str, unit: int, count: int) -> nn.Module:
    """A copy in which one of a layer's `count` units gives zero, whatever comes in."""
    dead = copy.deepcopy(model)

    def silence(module: nn.Module, given: Any, output: Any) -> Any:
        first = first_tensor(output)
        if first is None:
            return output
        mask = torch.ones_like(first)
        channels_first = first.ndim < 3 or first.shape[1] == count
        mask.select(1 if channels_first else -1, unit).zero_()
        return tree_map(lambda leaf: leaf * mask if leaf is first else leaf, output)

    find_layer(dead, layer).register_forward_hook(silence)
    return dead
