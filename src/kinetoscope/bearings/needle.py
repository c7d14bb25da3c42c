"""The clips of a compass: one for each angle of a probe's plane, each taken apart."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from ..brief import Brief
from ..inquiry.request import Options, Request
from ..inquiry.run import Inquiry, Progress
from ..inquiry.settle import request_for
from ..results import DEAD, FLAT, UNDIRECTED_SPEED, UnitResult
from ..tuning.curves import difference_deg
from ..tuning.listen import Layer, mean_over_map
from ..units.vectors import Vectors
from .probe import Probe

PROBE, SHUFFLED = "probe", "shuffled"
"""Of the directions as they were planted; and the control, whose directions were dealt anew to the clips."""


@dataclass(frozen=True, eq=False, repr=False)
class Needle(Brief):
    """One angle of a plane, and the clip that goes furthest towards it.

    Attributes:
        kind: `PROBE` or `SHUFFLED`.
        asked_deg: the angle, in [0, 360): 0 right, 90 up.
        read_deg: what the probe itself reads in the clip; far from `asked_deg`, the search has failed.
        result: the clip and its account.
    """

    kind: str
    asked_deg: float
    read_deg: float
    result: UnitResult

    @property
    def recovered_deg(self) -> float | None:
        """Direction of the clip's mean velocity; None where it goes nowhere or shows nothing."""
        motion = self.result.motion
        if motion.label in (DEAD, FLAT) or motion.speed_px_per_frame < UNDIRECTED_SPEED:
            return None
        return motion.direction_deg

    @property
    def error_deg(self) -> float:
        """Between asked and recovered; 90, as good as chance, where nothing is recovered."""
        return 90.0 if self.recovered_deg is None else difference_deg(self.asked_deg, self.recovered_deg)


def request_along(layer: Layer, weights: Float[Tensor, " channel"], options: Options) -> Request:
    """The request for the best clip along a direction, the weighted sum of the channels' means.

    Errors as for `visualize`.

    Args:
        options: seed, size, steps and so on; objective and vectors are replaced.
    """
    along = replace(options, objective="channel", vectors=Vectors(weights.float()[None], "direction"))
    return request_for(layer.model, layer.name, 0, along)


def find_needle(
    layer: Layer,
    probe: Probe,
    kind: str,
    asked_deg: float,
    options: Options,
    progress: Progress | None = None,
) -> Needle:
    """Search for the best clip of one angle, and take it apart; `layer` has all its units."""
    request = request_along(layer, probe.towards(asked_deg), options)
    (result,) = Inquiry(request, progress).results()
    said = f"{asked_deg:g}° of the {'probe' if kind == PROBE else 'shuffled probe'}"
    kept = {name: value for name, value in result.record.items() if name not in ("unit", "unit_name")}
    result = replace(result, record={**kept, "objective": "a direction of the layer", "asked": said})
    return needle_of(layer, probe, kind, asked_deg, result)


def needle_of(layer: Layer, probe: Probe, kind: str, asked_deg: float, result: UnitResult) -> Needle:
    """A needle whose clip was found before."""
    clip = result.video.transpose(0, 1)[None]
    with layer.listening() as forward, torch.no_grad():
        activations = mean_over_map(forward(clip)).double().cpu()
    return Needle(kind, asked_deg, float(probe.read(torch.nan_to_num(activations))[0]), result)


def angles_of(count: int) -> Sequence[float]:
    """So many angles, evenly spaced from 0, degrees."""
    return [360.0 * index / count for index in range(count)]
