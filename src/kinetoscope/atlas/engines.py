"""Who computes the tasks of an atlas: processes of this machine, a Ray cluster, or a SLURM cluster.

An engine takes tasks out of a queue and gives their outcomes as they come. It keeps nothing: what is finished
lies in the store, and what is lost is told, to be put into the queue again.
"""

import os
import signal
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Generator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from importlib import import_module
from multiprocessing import connection, parent_process
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

import torch

from ..errors import KinetoscopeError, SettingInvalid, WorkerLost, one_line
from ..processes import context, keep_freed_memory, processors, stop
from .plan import Task, shard
from .worker import Job, Outcome, Worker

Outcomes = Generator[Outcome, None, None]
Engine = Callable[[Job, deque[Task]], Outcomes]
"""Given a queue, takes tasks until it is empty, those included that are put there meanwhile."""

SHARING = 2
"""Workers that share a graphics card: while one draws and writes, the other computes."""


def local(job: Job, tasks: deque[Task], *, workers: int | None = None) -> Outcomes:
    """Processes of this machine: one for each processor, or `SHARING` for each graphics card.

    A process that ends in the middle of a task is replaced by another one.

    Args:
        workers: how many processes instead.

    Raises:
        KinetoscopeError: the network cannot be loaded.
        WorkerLost: a process ended before it could begin.
    """
    cards = torch.cuda.device_count() if job.options.device == "cuda" else 0
    most, started = workers or SHARING * cards or processors(), 0
    every, busy = list[BaseProcess](), dict[Connection, tuple[BaseProcess, Task | None]]()
    try:
        while tasks or busy:
            while len(busy) < min(most, len(tasks) + sum(task is not None for _, task in busy.values())):
                process, new = _start(job, started % cards if cards else None)
                busy[new], started = (process, None), started + 1
                every.append(process)
            for pipe in [one for one in connection.wait(list(busy)) if isinstance(one, Connection)]:
                process, task = busy.pop(pipe)
                try:
                    said = pipe.recv()
                except (EOFError, ConnectionResetError):
                    process.join()
                    if task is None:
                        raise WorkerLost(f"a process ended with {process.exitcode} before it began") from None
                    yield Outcome(task, WorkerLost(f"its process ended with {process.exitcode}"))
                    continue
                if isinstance(said, KinetoscopeError):
                    raise said
                following = tasks.popleft() if tasks else None
                with suppress(OSError):  # it has just ended; the pipe's end will tell
                    pipe.send(following)
                if following is not None:
                    busy[pipe] = process, following
                if said is not None:
                    yield said
    finally:
        stop(every)


def _start(job: Job, card: int | None) -> tuple[BaseProcess, Connection]:
    """A process, and this end of the pipe to it."""
    if card is not None:
        job = replace(job, options=replace(job.options, device=f"cuda:{card}"))
    made = context(__name__)
    here, there = made.Pipe()
    process = made.Process(target=_serve, args=(job, there), daemon=True)
    process.start()
    there.close()  # so that the pipe ends where the process ends
    return process, here


def _serve(job: Job, pipe: Connection) -> None:
    """What a process does: say that it is ready, then compute what comes through the pipe, until None."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the one that started us decides
    threading.Thread(target=_end_with_parent, daemon=True).start()
    keep_freed_memory()
    try:
        worker = Worker(job)
        pipe.send(None)
        while (task := pipe.recv()) is not None:
            pipe.send(worker.run(task))
    except KinetoscopeError as error:
        pipe.send(error)
    except (EOFError, BrokenPipeError, ConnectionResetError):  # nobody waits for the rest
        pass


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def on_ray(
    job: Job, tasks: deque[Task], *, workers: int | None = None, address: str | None = None
) -> Outcomes:
    """Actors of a Ray cluster, each with the network loaded once; a lost one is replaced by another one.

    Args:
        workers: how many; None: as many as the cluster has processors, or `SHARING` for each graphics card.
        address: of the cluster; None: the one that Ray finds, or this machine.

    Raises:
        SettingInvalid: Ray is not installed, or there is no cluster at that address.
    """
    ray = _library("ray", "ray")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR", include_dashboard=False)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise SettingInvalid(f"Ray does not start: {one_line(error)}; see --address") from error
    try:
        cuda = torch.device(job.options.device).type == "cuda"
        there = ray.cluster_resources()
        most = int(SHARING * there.get("GPU", 0) if cuda else there.get("CPU", 0))
        if not most:
            raise SettingInvalid(
                "the Ray cluster has no graphics card" if cuda else "the Ray cluster is empty"
            )
        count = min(workers or most, most, len(tasks))
        kind = ray.remote(Worker).options(num_cpus=1, num_gpus=1 / SHARING if cuda else 0)
        idle = [kind.remote(job) for _ in range(count)]
        running: dict[Any, tuple[Any, Task]] = {}
        while tasks or running:
            while tasks and idle:
                actor, task = idle.pop(), tasks.popleft()
                running[actor.run.remote(task)] = actor, task
            (done, *_), _ = ray.wait(list(running), num_returns=1)
            actor, task = running.pop(done)
            try:
                outcome = ray.get(done)
            except ray.exceptions.RayTaskError as error:
                outcome = Outcome(task, WorkerLost(one_line(error)))
            except ray.exceptions.RayActorError as error:
                # one that Ray restarts itself refuses tasks meanwhile, as often as they are offered
                ray.kill(actor)
                actor, outcome = kind.remote(job), Outcome(task, WorkerLost(one_line(error)))
            idle.append(actor)
            yield outcome
    finally:
        ray.shutdown()


def on_slurm(
    job: Job,
    tasks: deque[Task],
    *,
    shards: int,
    workers: int | None = None,
    address: str | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> Outcomes:
    """A job array, each of whose jobs computes a shard of what is in the queue with the engine `local`.

    Args:
        shards: jobs in the array at most.
        workers: processes in each of them.
        address: `local` runs the array on this machine, to try it.
        parameters: for `sbatch`, as submitit names them, such as `slurm_partition`.

    Raises:
        SettingInvalid: submitit is not installed, SLURM is not there, or does not know a parameter.
    """
    submitit = _library("submitit", "slurm")
    every = [tasks.popleft() for _ in range(len(tasks))]
    parts = [part for index in range(shards) if (part := shard(every, index, shards))]
    # a folder of its own: what comes back is pickled, and an older run's or a stranger's is not to be read
    with tempfile.TemporaryDirectory(prefix=".jobs-", dir=job.out, ignore_cleanup_errors=True) as folder:
        try:
            executor = submitit.AutoExecutor(folder, cluster=address or "slurm")
            executor.update_parameters(
                name="kinetoscope", timeout_min=120, cpus_per_task=workers or 1, **(parameters or {})
            )
            running = dict(
                zip(executor.map_array(partial(_part, job, workers or 1), parts), parts, strict=True)
            )
        except (RuntimeError, ValueError, NameError, TypeError, OSError) as error:
            raise SettingInvalid(f"SLURM does not take the jobs: {one_line(error)}") from error
        try:
            for future in submitit.helpers.as_completed(list(running), poll_frequency=2):
                try:
                    yield from future.result()
                except (submitit.core.utils.FailedJobError, submitit.core.utils.UncompletedJobError) as error:
                    lost = WorkerLost(one_line(str(error).strip().splitlines()[-1]))
                    yield from (Outcome(task, lost) for task in running[future])
                del running[future]
        finally:
            for future in running:
                future.cancel()


def _part(job: Job, workers: int, tasks: list[Task]) -> list[Outcome]:
    """What one job of the array does."""
    return list(local(job, deque(tasks), workers=workers))


def _library(name: str, extra: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise SettingInvalid(
            f"the engine {extra} needs {name}; pip install 'kinetoscope[{extra}]'"
        ) from error
