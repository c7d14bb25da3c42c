"""A network small enough for atlases to be made of it in tests, as a file that worker processes load."""

import hashlib
from pathlib import Path

from quick import QUICK

from kinetoscope.atlas.plan import Task, batches
from kinetoscope.atlas.worker import Job
from kinetoscope.inquiry.request import Options

SOURCE = """
import os
from pathlib import Path
import torch
from torch import nn
import kinetoscope as ks

def factory():
    told = Path(__file__).with_name("pids")
    told.mkdir(exist_ok=True)
    (told / str(os.getpid())).touch()
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv3d(3, 5, 3, padding=1), nn.ReLU(), nn.Conv3d(5, 3, 1))
    return network, ks.ModelCard(clip=(4, 12, 16))
"""

LAYERS = {"0": (0, 1, 2, 3, 4), "2": (0, 1, 2)}


def small_job(folder: Path, name: str = "atlas", steps: int = 2) -> Job:
    """An atlas of all its units, in `folder`/`name`, which is made."""
    source, out = folder / "mine.py", folder / name
    source.write_text(SOURCE)
    out.mkdir()
    options = Options(steps=steps, seeds=1, motion=QUICK)
    return Job(f"{source}:factory", "default", 0, LAYERS, options, out, "arrays", 2.0, folder)


def small_tasks() -> list[Task]:
    """All its batches, of two units at most."""
    return [Task(batch, batch.units) for batch in batches(LAYERS, 2)]


def digests(out: Path, name: str = "arrays.safetensors") -> dict[str, str]:
    """SHA-256 of a file of each unit, by layer and unit."""
    return {
        path.parent.relative_to(out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob(name))
    }


def workers_of(folder: Path) -> set[int]:
    """Processes that have loaded the network."""
    return {int(path.name) for path in (folder / "pids").glob("*")}
