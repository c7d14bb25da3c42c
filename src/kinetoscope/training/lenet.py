"""Train LeNet on handwritten digits.

    python -m kinetoscope.training.lenet --data FOLDER_OF_IDX --out DIR [--seed 0]

Writes `lenet.safetensors` and `lenet.json`. A fifth of the digits is never trained with and gives the
accuracy. Without --data scikit-learn's digits are taken, which are fewer and coarser.
"""

import argparse
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from safetensors.torch import save
from torch import Tensor, nn

from ..errors import KinetoscopeError, SettingInvalid
from ..files import write_bytes_atomically, write_json
from ..zoo.lenet import CARD, WEIGHTS, LeNet
from .digits import Digits, load_digits

Pictures = Float[Tensor, "digit 1 28 28"]


@dataclass(frozen=True)
class LenetRecipe:
    """How LeNet is trained.

    Attributes:
        epochs: passes over the digits.
        seed: of weights, order and random changes.
        batch: digits a step.
        learning_rate: highest step size of AdamW, in a one-cycle schedule.
        weight_decay: of AdamW.
        shift: each digit is moved by up to so many pixels.
        noise: deviation of the noise added to normalized pixels.
        linear: share of each batch that goes the linear way, see `fit`.
    """

    epochs: int = 12
    seed: int = 0
    batch: int = 100
    learning_rate: float = 1.5e-3
    weight_decay: float = 0.05
    shift: int = 1
    noise: float = 0.2
    linear: float = 0.25

    def __post_init__(self) -> None:
        if min(self.epochs, self.batch) < 1:
            raise SettingInvalid(f"epochs and batch are at least 1, not {self.epochs} and {self.batch}")


def as_input(images: Pictures) -> Pictures:
    """Bring images in [0, 1] to what the network takes, as its card says."""
    return CARD.normalize(images[:, :, None])[:, :, 0]


def accuracy(net: nn.Module, digits: Digits) -> float:
    """The share of digits that the network names."""
    with torch.no_grad():
        answers = torch.cat([net(part).argmax(1) for part in as_input(digits.images).split(500)])
    return (answers == digits.labels).float().mean().item()


def fit(recipe: LenetRecipe, digits: Digits) -> LeNet:
    """Train a network from scratch; the same recipe, digits and machine give the same weights.

    A part of each batch goes through the filters alone: poolings average and the ReLU is skipped. For
    substitution sees filters, no rectifiers: it shows what a network does as far as its filters do it alone.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(recipe.seed)
        net = LeNet()
        optimizer = torch.optim.AdamW(
            net.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay
        )
        steps = recipe.epochs * -(-len(digits.labels) // recipe.batch)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.learning_rate, total_steps=steps)
        for _ in range(recipe.epochs):
            for chosen in torch.randperm(len(digits.labels)).split(recipe.batch):
                images = as_input(_shifted(digits.images[chosen], recipe.shift))
                images = images + recipe.noise * torch.randn_like(images)
                split = round(recipe.linear * len(images))
                logits = torch.cat([_linear_logits(net, images[:split]), net(images[split:])])
                loss = F.cross_entropy(logits, digits.labels[chosen])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
    return net.eval()


def _linear_logits(net: LeNet, images: Pictures) -> Float[Tensor, "digit 10"]:
    edges = F.avg_pool2d(net.conv1(images), 2)
    strokes = F.avg_pool2d(net.conv3(edges), 2)
    return net.conv7(net.conv5(strokes)).flatten(1)


def _shifted(images: Pictures, most: int) -> Pictures:
    """Each image moved on its own by up to `most` pixels along x and y; black comes in."""
    padded = F.pad(images, (most,) * 4)[:, 0]
    rows, columns = (torch.randint(2 * most + 1, (len(images), 1)) + torch.arange(28) for _ in range(2))
    each = torch.arange(len(images))[:, None, None]
    return padded[each, rows[:, :, None], columns[:, None, :]][:, None]


def train(recipe: LenetRecipe, data: Path | None, out: Path) -> dict[str, Any]:
    """Train, measure, and write the network's files into `out`.

    Args:
        recipe: how.
        data: folder of idx files; None: scikit-learn's digits.
        out: folder for the files.

    Returns:
        What `lenet.json` holds: accuracy on unseen digits, which digits and how many, recipe, seconds,
        versions.

    Raises:
        SettingInvalid: the digits cannot be read.
        OutputUnwritable: `out` cannot be written.
    """
    seen, unseen = load_digits(data).split()
    started = time.monotonic()
    net = fit(recipe, seen)
    state = {name: tensor.detach().half() for name, tensor in net.state_dict().items()}
    net.load_state_dict(state)  # measured as it is kept, in half precision
    record = {
        "accuracy": round(accuracy(net, unseen), 4),
        "digits": seen.source,
        "trained_with": len(seen.labels),
        "unseen": len(unseen.labels),
        "recipe": asdict(recipe),
        "seconds": round(time.monotonic() - started, 1),
        "versions": {"torch": torch.__version__, "python": platform.python_version()},
    }
    write_bytes_atomically(out / WEIGHTS, save(state))
    write_json(out / "lenet.json", record)
    return record


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; give the exit status (0 done, 1 failed)."""
    standard = LenetRecipe()
    parser = argparse.ArgumentParser(prog="python -m kinetoscope.training.lenet", description=__doc__)
    parser.add_argument("--data", type=Path, help="folder with MNIST's idx files; scikit-learn's digits")
    parser.add_argument("--out", type=Path, required=True, help="folder for the weights and the measurements")
    parser.add_argument("--epochs", type=int, default=standard.epochs, help="passes (%(default)s)")
    parser.add_argument("--seed", type=int, default=standard.seed, help="of all that is drawn (%(default)s)")
    given = parser.parse_args(arguments)
    try:
        record = train(LenetRecipe(epochs=given.epochs, seed=given.seed), given.data, given.out)
    except KinetoscopeError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    share = f"{record['accuracy']:.4f} of {record['unseen']} unseen digits"
    print(f"trained with {record['trained_with']} digits of {record['digits']}")
    print(f"{share} after {record['seconds']:.0f} s, in {given.out}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
