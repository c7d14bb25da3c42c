"""The card of one optimal input: each of its numbers beside those of natural clips."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from torch import Tensor

from ..brief import Brief
from ..files import plain
from .transfer import Transfer
from .way import LayerWay
from .windows import Source


@dataclass(frozen=True)
class Compared:
    """A number of an optimal input among those of natural clips.

    Attributes:
        value: of the optimal input.
        percentile: of the natural clips that have less, in [0, 100]; those that have as much count half.
        natural_low, natural_median, natural_high: 5th, 50th and 95th percentile of the natural clips.
    """

    value: float
    percentile: float
    natural_low: float
    natural_median: float
    natural_high: float


@dataclass(frozen=True, eq=False, repr=False)
class NaturalCard(Brief):
    """How natural one unit's optimal input is; definitions in docs/naturalness.md.

    Attributes:
        layer, unit, name, objective: of the result.
        response: of the unit, by that objective.
        ratio_to_best: over the largest response to a natural clip; None where none is positive.
        best: the natural clip with that response.
        spectrum_gap_db: difference to the mean spectrum of natural clips over (f, w), decibels; of natural
            clips to those of other files.
        limits: share of values within 0.02 of black or white. `contrast`: root mean square about mid grey.
        colour: largest less smallest channel, mean; None for one channel.
        way: layer by layer.
        transfer: in a second network; None where none was given.
        profile: (bins,), amplitudes over (f, w) in decibels about their mean.
        natural_responses: (clips,), of the unit.
    """

    layer: str
    unit: int
    name: str
    objective: str
    response: Compared
    ratio_to_best: float | None
    best: Source
    spectrum_gap_db: Compared
    limits: Compared
    contrast: Compared
    colour: Compared | None
    way: tuple[LayerWay, ...]
    transfer: Transfer | None
    profile: Float[Tensor, " bin"]
    natural_responses: Float[Tensor, " clip"]

    @property
    def way_share(self) -> float | None:
        """Mean of the layers' `share`; None where no layer has one."""
        return _mean([layer.share for layer in self.way])

    @property
    def way_percentile(self) -> float | None:
        """Mean of the layers' `percentile`; None without layers."""
        return _mean([layer.percentile for layer in self.way])

    def to_json(self) -> dict[str, Any]:
        """An entry of `units` in `naturalness.json`."""
        return plain(
            {
                "layer": self.layer,
                "unit": self.unit,
                "unit_name": self.name,
                "objective": self.objective,
                "response": {**vars(self.response), "ratio_to_best": self.ratio_to_best},
                "best_natural": vars(self.best),
                "spectrum_gap_db": self.spectrum_gap_db,
                "limits": self.limits,
                "contrast": self.contrast,
                "colour": self.colour,
                "way_share": self.way_share,
                "way_percentile": self.way_percentile,
                "way": list(self.way),
                "transfer": self.transfer,
            }
        )


def _mean(numbers: Sequence[float | None]) -> float | None:
    known = [number for number in numbers if number is not None]
    return sum(known) / len(known) if known else None
