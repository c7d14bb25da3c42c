"""How an optimal input is found: one small record of every choice."""

from dataclasses import dataclass, field

import torch

from ..errors import SettingInvalid
from ..metric import NaturalMetric
from .calm import CalmSettings
from .transforms import TransformSettings
from .views import ViewSettings


@dataclass(frozen=True)
class CoarseSettings:
    """How a unit that sees all of the clip is searched for (`coarse.py`).

    Attributes:
        shares: of the steps for the first stage, the matte, the last stage, and its end without looks. The
            first stage takes as many more steps as its passes are cheaper, up to twice as many.
        smallest: pixels a side below which there is no first stage, and no search of this kind.
        size: of the first stage, as a share of the clip's.
        steepness: factor of the metric's power at the first and at the last step.
        slowness: likewise of its slowness; large keeps one subject in all frames.
        colour: power of the metric's colour covariance; 1 is nearly grey.
        grain: root mean square of the noise that each look has.
        cells: of the matte along t, y and x.
        soften: power of the matte in the last stage; below 1 what is shown may grow a little beyond it.
        views: the looks into the clip.
    """

    shares: tuple[float, float, float, float] = (0.33, 0.15, 0.42, 0.02)
    smallest: int = 56
    size: float = 4 / 7
    steepness: tuple[float, float] = (1.5, 1.0)
    slowness: tuple[float, float] = (4.0, 1.4)
    colour: float = 0.7
    grain: float = 0.03
    cells: tuple[int, int, int] = (4, 14, 14)
    soften: float = 0.75
    views: ViewSettings = field(default_factory=ViewSettings)

    def __post_init__(self) -> None:
        if min(self.cells) < 1:
            raise SettingInvalid(f"a matte has at least one cell an axis, not {self.cells}")
        if not 0 < self.size <= 1:
            raise SettingInvalid(f"size is a share of the clip's, above 0 and at most 1, not {self.size}")

    def begin_at(self, size: tuple[int, int]) -> tuple[int, int] | None:
        """Size of the first stage, in whole eights; None where the clip is too small for one."""
        height, width = (8 * round(self.size * side / 8) for side in size)
        return (height, width) if min(height, width) >= self.smallest else None

    def passes(self, steps: int, first: tuple[int, int], last: tuple[int, int]) -> tuple[int, int, int, int]:
        """Steps of the first stage, the matte, the last stage and its end, at least one each."""
        cheaper = min(last[0] * last[1] / (first[0] * first[1]), 2.0)
        factors = (cheaper, 1.0, 1.0, 1.0)
        begun, matte, looking, plain = (
            max(1, round(share * steps * factor)) for share, factor in zip(self.shares, factors, strict=True)
        )
        return begun, matte, looking, plain


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
        reach: a unit whose receptive field is this many times as high and wide as the clip sees all of it,
            as does one that is alone in its map; in clips with room for it, it is searched for coarse to
            fine. Infinite: only the latter.
        coarse: how that is done.
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
    reach: float = 1.5
    coarse: CoarseSettings = field(default_factory=CoarseSettings)
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
