"""The same unit under a prior that grows step by step: from fast to slow, from fine to coarse, or louder."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from ..brief import Brief
from ..card import ModelCard
from ..errors import ModelUnusable, SettingInvalid
from ..motion.decompose import decompose
from ..optimal.ascend import unit_generator
from ..optimal.objective import Objective
from ..optimal.settings import OptimalSettings
from ..results import UnitResult
from .redrive import redrive
from .request import Options, Request
from .run import Inquiry, Progress
from .settle import request_for

USUAL: dict[str, tuple[float, ...]] = {
    "slowness": (0.0, 0.5, 1.0, 2.0, 4.0),
    "power": (0.0, 0.5, 1.0, 1.5, 2.0),
    "contrast": (0.05, 0.1, 0.2, 0.3, 0.4),
}
"""What can be swept, and its values unless others are given.

Slowness, pixels per frame: the weight of time in the metric; large makes change over time dear. Power of
1 / f: smoothness in space and time. Contrast: root mean square about mid grey.
"""


@dataclass(frozen=True, eq=False, repr=False)
class Sweep(Brief):
    """A unit's optima under values of one prior.

    Attributes:
        over: `slowness`, `power` or `contrast`.
        values: of it, as given.
        results: one per value, from the same noise.
        shares: gain of each over mid grey as a share of the largest.
        record: what was asked and how, plain JSON values.
    """

    over: str
    values: tuple[float, ...]
    results: tuple[UnitResult, ...]
    shares: tuple[float, ...]
    record: dict[str, Any]


def sweep(
    model: nn.Module,
    layer: str,
    unit: int | str,
    *,
    over: str = "slowness",
    values: Sequence[float] | None = None,
    card: ModelCard | None = None,
    objective: str | Objective | None = None,
    position: tuple[int, ...] | None = None,
    size: tuple[int, int, int] | None = None,
    steps: int | None = None,
    contrast: float | None = None,
    seed: int = 0,
    device: str = "cpu",
    precision: str = "fp32",
    progress: Progress | None = None,
) -> Sweep:
    """Find a unit's optimum under each value of one prior, everything else and the noise being the same.

    Args:
        model: any video network; it comes back as it was.
        layer: dotted name as in `model.named_modules()`.
        unit: a channel by index, or by class name in the output layer.
        over: `slowness` or `power` of the metric of natural videos, or `contrast` (docs/priors.md).
        values: of it; None: five, see `USUAL`.
        card, objective, position, size, steps, contrast, seed, device, precision: as for `visualize_each`.
        progress: called with the value's place, the step, and the number of steps.

    Raises:
        ModelUnusable: the unit is dead, so that there is nothing to compare.
        LayerNotFound, UnitOutOfRange, ClipTooSmall, SettingInvalid: as their names say.

    Examples:
        >>> model = ks.load_model("motion13")
        >>> found = ks.sweep(model, "conv1", 0, values=(0.5, 2.0), size=(8, 24, 24), steps=4)
        >>> found.values, len(found.results)
        ((0.5, 2.0), 2)
    """
    options = Options(
        card=card,
        objective=objective,
        position=position,
        size=size,
        steps=steps,
        contrast=contrast,
        start="noise",
        seed=seed,
        seeds=1,
        device=device,
        precision=precision,
    )
    return sweep_of(request_for(model, layer, [unit], options), over, values, progress)


def sweep_of(
    request: Request, over: str, values: Sequence[float] | None = None, progress: Progress | None = None
) -> Sweep:
    """The same for the one unit of a checked request."""
    inquiry, (unit,) = Inquiry(request), request.units
    swept = settings_over(inquiry, over, values)
    with inquiry.listening([unit]) as (forward, (objective,)):
        first, results = inquiry.first_clip(unit), []
        for place, settings in enumerate(swept.values()):

            def report(step: int, steps: int, place: int = place) -> None:
                if progress is not None:
                    progress(place, step, steps)

            generator = unit_generator(request.seed, unit)
            (optimal,) = inquiry.optima(forward, [objective], settings, [generator], progress=report)
            parts = decompose(optimal.video, request.motion, seed=request.seed)
            responses = redrive(forward, objective, optimal.video, parts, first)
            results.append(inquiry.assemble(unit, optimal, parts, responses))
        with torch.no_grad():
            grey = float(objective(forward(torch.full_like(first, 0.5).transpose(0, 1)[None])))
    gains = [result.activation["optimal"] - grey for result in results]
    if not max(gains) > 0:
        raise ModelUnusable(
            f"unit {unit} of {request.layer!r} answers to nothing that was tried; choose a live one"
        )
    shares = tuple(gain / max(gains) for gain in gains)
    return Sweep(over, tuple(swept), tuple(results), shares, request.to_json(unit))


def settings_over(
    inquiry: Inquiry, over: str, values: Sequence[float] | None = None
) -> dict[float, OptimalSettings]:
    """The search's settings for each value of a prior.

    Raises:
        SettingInvalid: no such prior, no values, or one out of its range.
    """
    settings = inquiry.request.optimal
    if over not in USUAL:
        raise SettingInvalid(f"a sweep is over {', '.join(USUAL)}, not {over!r}")
    if not isinstance(settings, OptimalSettings):
        raise SettingInvalid("a sweep is of the search of natural statistics; leave preset and optimal out")
    chosen = USUAL[over] if values is None else tuple(values)
    if not chosen:
        raise SettingInvalid("a sweep has at least one value; give some, such as 0.5,1,2")
    metric = inquiry.metric_for(settings)

    def under(value: float) -> OptimalSettings:
        if over == "contrast":
            return replace(settings, contrast=value, most_contrast=value)
        if over == "power":
            return replace(settings, metric=replace(metric, power=value))
        return replace(settings, metric=replace(metric, slowness=value))

    return {value: under(value) for value in chosen}
