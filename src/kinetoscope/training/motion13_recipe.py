"""How the bundled network is trained, on which clips, and what its accuracy is."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..errors import SettingInvalid
from ..synthetic.motions import Clips, ClipSettings, make_clips
from ..synthetic.textures import split_generator
from ..types import MOTION_LABELS, VideoBatch
from ..zoo.motion13 import CARD


@dataclass(frozen=True)
class Stage:
    """One stretch of the training.

    Attributes:
        share: of the recipe's steps and minutes.
        learning_rate: highest step size of AdamW, reached after 100 steps, then falling as a cosine.
        nothing: further clips a step that show no motion at all.
        stillness: weight of the loss that makes the logit of still clips grow with contrast.
        norms: whether batch normalization helps; it is folded away when the stage ends.
    """

    share: float
    learning_rate: float
    nothing: int = 6
    stillness: float = 0.0
    norms: bool = False


STAGES = (
    Stage(share=0.35, learning_rate=2.5e-3, nothing=0, norms=True),
    Stage(share=0.45, learning_rate=6e-4),
    Stage(share=0.20, learning_rate=3e-4, stillness=0.03),
)


@dataclass(frozen=True)
class Motion13Recipe:
    """How the bundled network is trained.

    Attributes:
        steps: optimizer steps, unless `minutes` end first.
        minutes: wall-clock limit, which the step size follows; None for steps alone (reproducible).
        seed: of the weights and the clips.
        batch: clips a step.
        weight_decay: of AdamW.
        push: largest adversarial change of a pixel (values in [0, 1]), applied to a quarter of each batch.
        push_from: the share of each stage after which `push` grows from 0 to its full size.
        validate_every: steps between two measurements.
        validation_per_class: held-out clips of each class for these measurements.
        test_per_class: held-out clips of each class for the final accuracy.
        stages: what is done in turn.
    """

    steps: int = 2400
    minutes: float | None = None
    seed: int = 0
    batch: int = 32
    weight_decay: float = 0.02
    push: float = 0.02
    push_from: float = 0.5
    validate_every: int = 200
    validation_per_class: int = 8
    test_per_class: int = 60
    stages: tuple[Stage, ...] = STAGES

    def __post_init__(self) -> None:
        if min(self.steps, self.batch, self.validate_every, self.test_per_class) < 1:
            raise SettingInvalid("steps, batch, validate_every and test_per_class are at least 1")
        if self.minutes is not None and self.minutes <= 0:
            raise SettingInvalid(f"minutes is positive, not {self.minutes}; leave it out to train by steps")


def normalize(video: VideoBatch) -> VideoBatch:
    """Bring clips in [0, 1] to what the network takes, as its card says."""
    return CARD.normalize(video)


def held_out_clips(per_class: int, seed: int = 0) -> Clips:
    """Clips of held-out textures, `per_class` of each motion in turn."""
    labels = torch.arange(len(MOTION_LABELS)).repeat(per_class)
    return make_clips(labels, split_generator(seed, "held-out"), ClipSettings(clip=CARD.clip), "held-out")


def confusion(net: nn.Module, clips: Clips) -> Float[Tensor, "13 13"]:
    """Count what the network calls each motion: row the truth, column the answer."""
    with torch.no_grad():
        answers = torch.cat([net(normalize(part)).argmax(1) for part in clips.video.split(32)])
    counts = torch.zeros(len(MOTION_LABELS), len(MOTION_LABELS))
    return counts.index_put((clips.labels, answers), torch.ones(len(answers)), accumulate=True)


def accuracy(net: nn.Module, clips: Clips) -> float:
    """The share of clips whose motion the network names."""
    counts = confusion(net, clips)
    return (counts.trace() / counts.sum()).item()
