"""The recipe of the bundled network, as one command: `python -m kinetoscope.training.motion13 --out DIR`.

Trains on procedural clips (`synthetic.motions`) for a fixed number of steps, or for `--minutes`, measures on
held-out textures, and leaves `motion13.safetensors` and `motion13.json` in DIR, and each stage's metrics and
checkpoint in a folder below it.
"""

import argparse
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from ..errors import KinetoscopeError, OutputUnwritable, SettingInvalid
from ..files import write_bytes_atomically, write_json
from ..types import MOTION_LABELS
from ..zoo.motion13 import WEIGHTS
from .motion13_recipe import Motion13Recipe, confusion, held_out_clips


def train(recipe: Motion13Recipe, out: Path) -> dict[str, Any]:
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
    standard = Motion13Recipe()
    parser = argparse.ArgumentParser(prog="python -m kinetoscope.training.motion13", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the weights and the measurements")
    parser.add_argument("--steps", type=int, default=standard.steps, help="optimizer steps (%(default)s)")
    parser.add_argument("--minutes", type=float, help="stop by the clock, the step size following it")
    parser.add_argument("--seed", type=int, default=standard.seed, help="of weights and clips (%(default)s)")
    given = parser.parse_args(arguments)
    try:
        recipe = Motion13Recipe(steps=given.steps, minutes=given.minutes, seed=given.seed)
        record = train(recipe, given.out)
    except KinetoscopeError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    print(f"accuracy {record['accuracy']:.3f} after {record['minutes']} minutes, in {given.out}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
