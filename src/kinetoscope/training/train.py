"""From a recipe to a trained network in a folder; a killed run can be taken up again."""

import dataclasses
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..errors import ClipTooSmall, ModelUnusable, SettingInvalid, listed
from ..files import write_bytes_atomically, write_json
from ..inquiry.request import versions
from ..tconv.inflate import inflate
from ..units.failures import explained
from ..weights.checkpoints import read_weights
from ..zoo.registry import load_model
from .checkpoint import LAST, PREVIOUS, forget_previous, last_sound, only_run_in
from .recipes import Recipe, as_toml, differences, parse_recipe, recipe_text
from .samples import Data, open_data
from .table import Row, best_of

RECIPE, BEST, RECORD = "recipe.toml", "best.safetensors", "train.json"


@dataclass(frozen=True)
class Training:
    """A finished run.

    Attributes:
        rows: the table `metrics.csv`, one row an epoch.
        best: the row that `best.safetensors` is of.
        class_names: in the order of the network's outputs.
        parameters: trainable numbers of the network.
        faults: a line for each unreadable video.
        leads: whether this process is the first: with several devices each has a process of its own, which
            runs the whole program.
    """

    rows: tuple[Row, ...]
    best: Row
    class_names: tuple[str, ...]
    parameters: int
    faults: tuple[str, ...]
    leads: bool


def train(
    recipe: Recipe,
    out: Path,
    *,
    resume: bool = False,
    device: str = "cpu",
    devices: int = 1,
    progress: Callable[[int, int], None] = lambda step, steps: None,
    note: Callable[[str], None] = lambda text: None,
) -> Training:
    """Train a network by a recipe, and write it into `out` as it goes.

    Leaves `metrics.csv` (columns: `table.COLUMNS`), `best.safetensors` (the network of the epoch with the
    highest validation accuracy), `last.ckpt` (Lightning's, after each epoch; until the end the one before it
    is kept as `previous.ckpt`), `recipe.toml` (every setting spelled out), and in the end `train.json`.

    Args:
        recipe: what is trained, with what, and how.
        out: folder of the run.
        resume: go on from `last.ckpt` in `out`, if it is there; the result is that of a run never stopped.
        device: cpu, cuda, cuda:1 or mps.
        devices: how many of them; each takes its share of the clips, in a process that runs the script anew.
        progress: called with the step and the number of steps.
        note: called with each line worth telling.

    Raises:
        SettingInvalid: `out` holds a run and `resume` is false, or one of another recipe, or another process
            trains into it, or no checkpoint in it can be read; data or extra missing.
        ModelNotFound, ModelUnusable: the network, or its weights.
        VideoUnreadable: too many videos in a row.
        OutputUnwritable: `out` cannot be written.
    """
    loop = _loop()
    with only_run_in(out):
        return _train(loop, recipe, out, resume, device, devices, progress, note)


def _train(
    loop: Any,
    recipe: Recipe,
    out: Path,
    resume: bool,
    device: str,
    devices: int,
    progress: Callable[[int, int], None],
    note: Callable[[str], None],
) -> Training:
    _check_folder(recipe, out, resume)
    data = open_data(recipe.data, recipe.seed)
    network = build_network(recipe, data)
    _probe(loop, network, recipe, len(data.class_names))
    write_bytes_atomically(out / RECIPE, as_toml(recipe).encode())
    last = last_sound(out, note)
    if resume and last is None:
        note(f"{out / LAST} is not there yet; starting from the beginning")
    task = loop.Task(network.train(), data, recipe, out, note)
    if data.missing:
        task.faults.extend(data.missing)
        total = len(data.missing) + len(data.train) + len(data.validation)
        note(f"left out: {len(data.missing)} of {total} videos are missing: {listed(data.missing)}")
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        # how many processes read clips is the recipe's business
        warnings.filterwarnings("ignore", ".*does not have many workers.*")
        warnings.filterwarnings("ignore", ".*GPU available but not used.*")
        warnings.filterwarnings("ignore", ".*isinstance.treespec, LeafSpec.*")  # Lightning on new torch
        loop.fit(task, device=device, devices=devices, resume=last, progress=progress)
    done = Training(
        rows=tuple(task.rows),
        best=best_of(task.rows),
        class_names=data.class_names,
        parameters=sum(weight.numel() for weight in network.parameters() if weight.requires_grad),
        faults=tuple(task.faults),
        leads=task.trainer.is_global_zero,
    )
    if done.leads:
        write_json(out / RECORD, _record(done, recipe, device, devices))
        forget_previous(out)
    return done


def finished(recipe: Recipe, out: Path) -> bool:
    """Whether `out` holds a run of this recipe that came to its end."""
    return _recipe_in(out) == recipe and (out / RECORD).is_file()


def build_network(recipe: Recipe, data: Data) -> nn.Module:
    """The network a recipe starts from, with as many outputs as the data has classes.

    Raises:
        ModelNotFound, ModelUnusable, SettingInvalid: as `load_model`; pretrained weights do not fit.
    """
    name, seed = recipe.model.name, recipe.seed
    own = ":" in name and not name.startswith("torchvision:")
    classes = None if own else len(data.class_names)
    network = load_model(name, weights=recipe.model.weights, seed=seed, num_classes=classes)
    if recipe.model.pretrained:
        inflate(network, read_weights(Path(recipe.model.pretrained)))
    return network


def _loop() -> Any:
    try:
        return import_module(".loop", __package__)
    except ModuleNotFoundError as missing:
        raise SettingInvalid(
            f"training needs {missing.name}, which is missing; pip install 'kinetoscope[train]'"
        ) from missing


@torch.no_grad()
def _probe(loop: Any, network: nn.Module, recipe: Recipe, classes: int) -> None:
    """Find out before any training whether the network takes such clips and gives a logit for each class."""
    size = (recipe.data.frames, recipe.data.height, recipe.data.width)
    clip = loop.as_input(torch.full((1, 3, *size), 0.5), network)
    try:
        with explained(network, size, ""):
            loop.outputs_of(network.eval(), clip, classes)
    except (RuntimeError, ClipTooSmall) as error:
        reason = str(error).splitlines()[0]
        raise ModelUnusable(
            f"{recipe.model.name} fails on clips of {'x'.join(map(str, size))} ({reason}); "
            "change data.frames, height and width"
        ) from error


def _recipe_in(out: Path) -> Recipe | None:
    return parse_recipe(recipe_text(out / RECIPE)) if (out / RECIPE).is_file() else None


def _check_folder(recipe: Recipe, out: Path, resume: bool) -> None:
    if not resume:
        if (out / LAST).exists() or (out / PREVIOUS).exists():
            raise SettingInvalid(f"{out} holds a run already; go on with --resume, or choose another --out")
        return
    held = _recipe_in(out)
    if held is not None and held != recipe:
        raise SettingInvalid(
            f"{out} holds a run of another recipe ({', '.join(differences(held, recipe))} differ); choose "
            "another --out, or give its recipe.toml"
        )


def _record(done: Training, recipe: Recipe, device: str, devices: int) -> dict[str, Any]:
    return {
        "best": done.best,
        "epochs": len(done.rows),
        "parameters": done.parameters,
        "class_names": done.class_names,
        "unreadable": done.faults,
        "seconds": sum(row["seconds"] for row in done.rows),
        "recipe": dataclasses.asdict(recipe),
        "device": device,
        "devices": devices,
        "versions": versions(),
    }
