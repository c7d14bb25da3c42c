"""One process that computes batches of an atlas, whoever started it, and what it says of each."""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch

from ..errors import KinetoscopeError, one_line
from ..inquiry.request import Options
from ..inquiry.run import Inquiry
from ..inquiry.settle import request_for
from ..optimal.beginnings import Beginning
from ..zoo.registry import load_model, weights_of
from .plan import Task
from .store import save_record


@dataclass(frozen=True)
class Job:
    """What every worker is told; the network goes by its name, so that none is sent.

    Attributes:
        model, weights, seed: the network, as `load_model` takes it.
        layers: the units of each layer that are asked for, finished or not.
        options: how they are looked at.
        out: the atlas.
        keep: `numbers`, `films` or `arrays`.
        scale: speed at full brightness, pixels per frame.
        folder: where relative paths in `model`, `weights` and `out` begin.
    """

    model: str
    weights: str
    seed: int
    layers: Mapping[str, tuple[int, ...]]
    options: Options
    out: Path
    keep: str
    scale: float
    folder: Path


@dataclass(frozen=True)
class Outcome:
    """What became of a task: None, or why it is not finished. A `WorkerLost` says nothing of its units."""

    task: Task
    error: KinetoscopeError | None = None


class Worker:
    """Holds the network and, of the layer it is at, what its units answered to in the bank.

    A worker on a processor computes with one thread: sums over several end in other digits.
    """

    def __init__(self, job: Job) -> None:
        """Load the network.

        Raises:
            KinetoscopeError: it cannot be loaded.
        """
        with suppress(OSError):  # another machine, where paths are whole or lead nowhere
            os.chdir(job.folder)
        if torch.device(job.options.device).type == "cpu":
            torch.set_num_threads(1)
        self._job = job
        self._network = load_model(job.model, weights=job.weights, seed=job.seed)
        self._at: tuple[str, Inquiry, dict[int, Beginning]] | None = None

    def run(self, task: Task) -> Outcome:
        """Compute a batch and save those of its units that are missing."""
        job, batch = self._job, task.batch
        try:
            inquiry, banked = self._inquiry(batch.layer)
            known = [banked[unit] for unit in batch.units] if banked else []
            for result in inquiry.results_together(batch.units, known):
                if result.record["unit"] in task.missing:
                    result.record.update(model=job.model, weights=weights_of(self._network).name)
                    save_record(result, job.out, keep=job.keep, scale=job.scale, batch=batch.units)
        except KinetoscopeError as error:
            return Outcome(task, error)
        except (OSError, MemoryError, RuntimeError) as error:
            return Outcome(task, KinetoscopeError(one_line(f"{type(error).__name__}: {error}")))
        return Outcome(task)

    def _inquiry(self, layer: str) -> tuple[Inquiry, dict[int, Beginning]]:
        """The request for all units of a layer, and their beginnings: one pass over the bank for them all."""
        if self._at is None or self._at[0] != layer:
            self._at = None  # the last layer's is let go of first
            units = self._job.layers[layer]
            inquiry = Inquiry(request_for(self._network, layer, units, self._job.options))
            known = inquiry.beginnings(units)
            self._at = layer, inquiry, dict(zip(units, known, strict=True)) if known else {}
        return self._at[1:]
