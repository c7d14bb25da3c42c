"""The recipe of the bundled network, as one command: `python -m kinetoscope.training.motion13 --out DIR`.

Trains on procedural clips (`clips.py`) for a fixed number of steps, or for `--minutes`, measures on held-out
textures, and leaves `motion13.safetensors` and `motion13.json` in DIR, and each stage's `metrics.csv` and
checkpoint in a folder below it.
"""

import argparse
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from safetensors.torch import save
from torch import Tensor, nn

from ..errors import KinetoscopeError, OutputUnwritable, SettingInvalid
from ..models.motion13 import CARD, WEIGHTS
from ..records import write_bytes_atomically, write_json
from ..types import MOTION_LABELS, VideoBatch
from .clips import Clips, ClipSettings, make_clips
from .textures import split_generator


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
class Recipe:
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


def train(recipe: Recipe, out: Path) -> dict[str, Any]:
    """Train the network and write its files into `out`.

    Returns:
        What `motion13.json` holds: accuracy, recipe, minutes taken, versions.

    Raises:
        SettingInvalid: the `train` extra is missing.
        OutputUnwritable: `out` cannot be made.
    """
    try:
        task_module = import_module(".motion13_task", __package__)
    except ModuleNotFoundError as missing:
        raise SettingInvalid(
            f"training needs {missing.name}, which is missing; pip install 'kinetoscope[train]'"
        ) from missing
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise OutputUnwritable(f"cannot write to {out}: {problem.strerror}; give another --out") from problem
    started = time.monotonic()
    net = task_module.fit(recipe, out)
    minutes = (time.monotonic() - started) / 60
    counts = confusion(net, held_out_clips(recipe.test_per_class, recipe.seed + 1))
    record = {
        "accuracy": round((counts.trace() / counts.sum()).item(), 4),
        "accuracy_per_class": {
            name: round(share, 4)
            for name, share in zip(MOTION_LABELS, (counts.diag() / counts.sum(1)).tolist(), strict=True)
        },
        "held_out_clips": int(counts.sum()),
        "recipe": asdict(recipe),
        "minutes": round(minutes, 1),
        "threads": torch.get_num_threads(),
        "versions": {"torch": torch.__version__, "python": platform.python_version()},
    }
    state = {name: tensor.detach().contiguous() for name, tensor in net.state_dict().items()}
    write_bytes_atomically(out / WEIGHTS, save(state))
    write_json(out / "motion13.json", record)
    return record


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; give the exit status (0 done, 1 failed)."""
    standard = Recipe()
    parser = argparse.ArgumentParser(prog="python -m kinetoscope.training.motion13", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the weights and the measurements")
    parser.add_argument("--steps", type=int, default=standard.steps, help="optimizer steps (%(default)s)")
    parser.add_argument("--minutes", type=float, help="stop by the clock, the step size following it")
    parser.add_argument("--seed", type=int, default=standard.seed, help="of weights and clips (%(default)s)")
    given = parser.parse_args(arguments)
    try:
        recipe = Recipe(steps=given.steps, minutes=given.minutes, seed=given.seed)
        record = train(recipe, given.out)
    except KinetoscopeError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    print(f"accuracy {record['accuracy']:.3f} after {record['minutes']} minutes, in {given.out}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
