"""How an optimal input is found: one small record of every choice."""

from dataclasses import dataclass, field

import torch

from ..errors import SettingInvalid
from ..metric import NaturalMetric
from .calm import CalmSettings
from .transforms import TransformSettings


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
