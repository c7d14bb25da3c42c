"""Units of one layer computed by several processes with one thread each.

A small network gains little from a second thread and nearly everything from a second process. Each process
loads the network by its name, so that no model is sent, and saves its units itself; what it has to say comes
through a pipe.
"""

import signal
from collections.abc import Sequence
from dataclasses import dataclass, replace
from multiprocessing import connection
from multiprocessing.connection import Connection
from pathlib import Path

import torch

from ..errors import KinetoscopeError, WorkerLost
from ..inquiry.request import Options
from ..processes import context, keep_freed_memory, processors, stop
from ..zoo.registry import load_model
from .boundary import Interrupted, of_the_machine, stopping_by_signals
from .progress import Reporter
from .run import Run, Work, compute, one_by_one, plan


@dataclass(frozen=True)
class Job:
    """What one process is told.

    Attributes:
        model, weights, seed: the network, as `load_model` takes it.
        layer, units: what is looked at; the units' indices.
        options: how.
        out, scale: the run's folder, and the speed at full brightness, pixels per frame.
    """

    model: str
    weights: str
    seed: int
    layer: str
    units: tuple[int, ...]
    options: Options
    out: Path
    scale: float


@dataclass(frozen=True)
class Step:
    """The unit has so many of its steps behind it."""

    unit: int
    step: int
    steps: int


@dataclass(frozen=True)
class Finished:
    """The unit lies on disk; it took so long."""

    unit: int
    seconds: float


@dataclass(frozen=True)
class Failed:
    """The process could not go on."""

    error: KinetoscopeError


def together(model: str, options: Options, *, weights: str = "default", seed: int = 0) -> Work:
    """What computes units of a run in one process for each processor, on the CPU; in this one if it is alone.

    Args:
        model, weights, seed: the network, as `load_model` takes it.
        options: how units are looked at.
    """
    if processors() == 1:
        return one_by_one

    def work(run: Run, units: list[int], reporter: Reporter) -> None:
        job = Job(model, weights, seed, run.request.layer, tuple(units), options, run.out, run.scale)
        work_together(job, processors(), reporter)

    return work


def work_together(job: Job, workers: int, reporter: Reporter) -> None:
    """Share a job's units out among processes, and tell how far they are until all are done.

    The results are the same for any number of processes.

    Args:
        job: all units.
        workers: processes at most, each with one thread.
        reporter: of the units, in the job's order.

    Raises:
        KinetoscopeError: what one of them ran into; the others are stopped, and finished units stay.
        WorkerLost: a process ended without a word.
    """
    made = context(__name__)
    shares = [replace(job, units=job.units[first::workers]) for first in range(min(workers, len(job.units)))]
    pipes = [made.Pipe(duplex=False) for _ in shares]
    processes = [
        made.Process(target=_work, args=(share, sending), daemon=True)
        for share, (_, sending) in zip(shares, pipes, strict=True)
    ]
    done = dict.fromkeys(job.units, 0.0)
    try:
        for process, (_, sending) in zip(processes, pipes, strict=True):
            process.start()
            sending.close()  # so that the pipe ends where the process ends
        _listen([receiving for receiving, _ in pipes], done, reporter)
        for process in processes:
            process.join()
            if process.exitcode:
                raise WorkerLost(
                    f"one of {len(processes)} processes ended with {process.exitcode}, perhaps for want of "
                    "memory; run the same command again to go on"
                )
    finally:
        stop(processes)


def _listen(ends: Sequence[Connection], done: dict[int, float], reporter: Reporter) -> None:
    """Tell what the processes say until the last has ended."""
    order, open_ends = list(done), list(ends)
    while open_ends:
        for end in [one for one in connection.wait(open_ends) if isinstance(one, Connection)]:
            try:
                message = end.recv()
            except (EOFError, ConnectionResetError):
                open_ends.remove(end)
                continue
            if isinstance(message, Failed):
                raise message.error
            if isinstance(message, Finished):
                done[message.unit] = 1.0
                reporter.finished(order.index(message.unit), message.seconds)
            else:
                done[message.unit] = min(message.step / message.steps, 0.99)
            now = [order.index(unit) for unit, share in done.items() if 0 < share < 1]
            reporter.overall(sum(done.values()), now)


def _work(job: Job, sending: Connection) -> None:
    """What a process does: compute and save its units one after the other."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the one that started us decides
    torch.set_num_threads(1)
    keep_freed_memory()
    try:
        with stopping_by_signals(signal.SIGTERM):
            network = load_model(job.model, weights=job.weights, seed=job.seed)
            run = plan(job.model, network, job.layer, _written(job.units), job.out, job.options, job.scale)
            compute(
                run,
                job.units,
                lambda index, step, steps: sending.send(Step(job.units[index], step, steps)),
                lambda index, seconds: sending.send(Finished(job.units[index], seconds)),
            )
    except KinetoscopeError as error:
        sending.send(Failed(error))
    except (Interrupted, BrokenPipeError):  # nobody waits for the rest
        pass
    except (OSError, MemoryError, RuntimeError) as error:
        if not (words := of_the_machine(error)):
            raise
        sending.send(Failed(WorkerLost(words)))


def _written(units: Sequence[int]) -> str:
    """Indices as a person writes them."""
    return ",".join(map(str, units))
