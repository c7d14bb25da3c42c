"""`kinetoscope atlas`: every unit of a network in one folder, and two such folders made one."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from .boundary import Interrupted, tell, wrong_usage
from .options import Debug, Model, Out, Units, check_units, read_size, takes
from .progress import Reporter
from .visualize import Searching

if TYPE_CHECKING:
    from torch import nn

    from ..atlas.engines import Engine
    from ..atlas.plan import Task
    from ..atlas.run import Failure
    from ..atlas.worker import Job, Outcome
    from ..inquiry.request import Request

TASK_MINUTES = 40
"""Of units that one job of a SLURM array computes; shorter ones wait longer than they work."""

_FIRST_GUESS = 30.0
"""Seconds a unit takes, where nothing is finished to tell."""


class _Verbs(TyperGroup):
    """`atlas MODEL ...` is the verb `make`, which needs no name."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the name there."""
        return super().parse_args(ctx, args if args[:1] == ["merge"] else ["make", *args])


atlas = typer.Typer(cls=_Verbs, help="Every unit of a network in one folder; `atlas merge` makes one of two.")


class EngineName(StrEnum):
    """Who computes."""

    local = "local"
    ray = "ray"
    slurm = "slurm"


class Keep(StrEnum):
    """What is kept of a unit beside its numbers."""

    numbers = "numbers"
    films = "films"
    arrays = "arrays"


@dataclass(frozen=True, kw_only=True)
class Atlas(Searching):
    """What `atlas` is asked for."""

    model: Model
    out: Out
    layers: Annotated[
        str,
        typer.Option(metavar="L1,L2|all", help="Every convolution and linear layer, or these."),
    ] = "all"
    units: Units = "all"
    engine: Annotated[
        EngineName, typer.Option(help="Processes of this machine, a Ray cluster, or SLURM job arrays.")
    ] = EngineName.local
    address: Annotated[
        str | None,
        typer.Option(metavar="A", help="Of the Ray cluster; with slurm, `local` tries it on this machine."),
    ] = None
    workers: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Processes; with slurm, in each job.")
    ] = None
    slurm: Annotated[
        list[str], typer.Option(metavar="KEY=VALUE", help="For sbatch, such as partition=gpu; repeatable.")
    ] = ()  # type: ignore[assignment]
    keep: Annotated[Keep, typer.Option(help="Numbers; films and a strip too; arrays too.")] = Keep.films


@atlas.command()
@takes(Atlas)
def make(asked: Atlas) -> None:
    """Find the optimal input of every unit of a network, and keep it as numbers, a strip and films.

    Finished units are kept and skipped: running the same command again goes on where it was stopped. Two such
    folders of one network become one with `kinetoscope atlas merge A B`.
    """
    check_units(asked.units)
    read_size(asked.size)
    from ..atlas.index import write_index
    from ..atlas.run import run_all
    from ..atlas.store import FAILURES_FILE, sweep
    from ..files import write_json
    from .folder import ensure_device, writable_folder

    ensure_device(asked.device)
    job, requests = _job(asked)
    with writable_folder(asked.out):
        sweep(asked.out)
        with Reporter([""] * sum(map(len, job.layers.values())), quiet=asked.quiet) as reporter:
            tasks, known = _begin(asked, job, requests, reporter)
            failures: list[Failure] = []
            try:
                if tasks:
                    engine, told = _engine(asked, job, tasks, known), _Pace(reporter, job, tasks).told
                    failures = run_all(engine, job, tasks, told)
                    write_json(asked.out / FAILURES_FILE, failures)
            except Interrupted as stop:
                stop.advice = f"finished units are kept in {asked.out}; run the same command again to go on"
                raise
            finally:
                sweep(asked.out)  # what stopped processes have left
                for problem in write_index(asked.out):
                    reporter.note(problem)
    if failures:
        first = failures[0]
        tell(
            f"{len(failures)} units failed, the first {first.layer}:{first.unit}: {first.reason}; "
            f"{asked.out / FAILURES_FILE} has them all, and the same command tries them again"
        )
        raise typer.Exit(1)
    typer.echo(asked.out)


@atlas.command()
def merge(
    into: Annotated[Path, typer.Argument(metavar="A", help="The atlas that grows.")],
    other: Annotated[Path, typer.Argument(metavar="B", help="The one whose units are copied.")],
    debug: Debug = False,
) -> None:
    """Copy the units of atlas B that atlas A lacks into it; damaged ones are named and left out."""
    from ..atlas.merge import merge as merge_atlases
    from ..atlas.store import read_atlas, sweep
    from ..errors import SettingInvalid
    from .folder import writable_folder

    if not read_atlas(into):
        raise SettingInvalid(f"{str(into)!r} is no atlas; give folders that `kinetoscope atlas` has made")
    with writable_folder(into):
        sweep(into)
        merged = merge_atlases(into, other)
    for problem in merged.problems:
        tell(problem)
    typer.echo(f"{merged.copied} units copied, {merged.held} were there")


def _job(asked: Atlas) -> "tuple[Job, dict[str, Request]]":
    """What the workers are told, and the checked request for each layer."""
    from ..atlas.worker import Job
    from ..errors import ClipTooSmall, LayerNotFound, ModelUnusable
    from ..inquiry.settle import request_for
    from ..render.colour import DEFAULT_SCALE
    from ..zoo.registry import load_model

    network = load_model(asked.model, weights=asked.weights, seed=asked.seed)
    options, requests = asked.options(network), {}
    for layer in _layers(asked, network):
        try:
            requests[layer] = request_for(network, layer, [asked.units], options)
        except (ClipTooSmall, LayerNotFound, ModelUnusable) as error:
            if asked.layers != "all":
                raise
            tell(f"{layer} is left out: {error}")
    job = Job(
        asked.model,
        asked.weights,
        asked.seed,
        {layer: request.units for layer, request in requests.items()},
        options,
        asked.out,
        asked.keep.value,
        DEFAULT_SCALE if asked.motion_scale is None else asked.motion_scale,
        Path.cwd(),
    )
    return job, requests


def _layers(asked: Atlas, network: "nn.Module") -> list[str]:
    """The layers asked for; of `all`, those that a clip reaches."""
    from ..card import card_of
    from ..units.layers import weighted_layers

    if asked.layers != "all":
        return list(dict.fromkeys(name.strip() for name in asked.layers.split(",")))
    found, stopped = weighted_layers(network, card_of(network), size=read_size(asked.size))
    if stopped is not None:
        if not found:
            raise stopped
        tell(f"{stopped}; layers beyond are left out")
    return found


def _begin(
    asked: Atlas, job: "Job", requests: "dict[str, Request]", reporter: Reporter
) -> "tuple[list[Task], list[float]]":
    """Tasks with what is missing, and the seconds that finished units took; says what is there and needed."""
    from ..atlas.plan import Task, batch_size, batches
    from ..atlas.store import check_room, most_bytes

    held = {layer: _finished(asked, job, request, reporter) for layer, request in requests.items()}
    tasks = []
    shape = next(iter(requests.values())).shape
    for batch in batches(job.layers, batch_size(shape, asked.device)):
        missing = tuple(unit for unit in batch.units if unit not in held[batch.layer])
        if missing:
            tasks.append(Task(batch, missing))
    _describe(asked, job, requests)
    count, every = sum(len(task.missing) for task in tasks), sum(map(len, job.layers.values()))
    if count < every:
        reporter.note(f"{every - count} of {every} units are finished; --force does them again")
    each = most_bytes(job.keep, shape)
    free = check_room(asked.out, count * each)
    if count:
        reporter.note(
            f"{count} units of {len(job.layers)} layers in {len(tasks)} batches; at most {each / 1e6:.2f} MB "
            f"a unit, {count * each / 1e6:.0f} MB in all, of {free / 1e6:.0f} MB that are free"
        )
    return tasks, [seconds for layer in held.values() for seconds in layer.values()]


def _finished(asked: Atlas, job: "Job", request: "Request", reporter: Reporter) -> dict[int, float]:
    """The units of a layer that lie there sound and by this request, and the seconds each took."""
    from ..atlas.store import KEPT, UNIT_FILE, check_files, read_record
    from ..files import unit_directory
    from ..records import RecordUnreadable
    from .record import is_finished

    found: dict[int, float] = {}
    for unit in () if asked.force else request.units:
        folder = unit_directory(asked.out, request.layer, unit)
        if not (folder / UNIT_FILE).exists():
            continue
        key = {
            "model": job.model,
            **request.to_json(unit),
            "render.motion_scale_px_per_frame": job.scale,
        }
        try:
            record = read_record(folder)
            check_files(folder, record)
        except RecordUnreadable as error:
            reporter.note(str(error))
            continue
        if is_finished(folder / UNIT_FILE, key) and set(KEPT[job.keep]) <= record["files"].keys():
            found[unit] = sum(value for value in record["seconds"].values() if value)
        else:
            reporter.note(f"{request.layer}:{unit} lies there by another request; done anew")
    return found


def _describe(asked: Atlas, job: "Job", requests: "dict[str, Request]") -> None:
    """Write what the folder is of, or refuse a folder of something else."""
    from ..atlas.store import read_atlas, same_network, write_atlas
    from ..errors import SettingInvalid
    from ..files import finished_units
    from ..zoo.registry import weights_of

    first = next(iter(requests.values()))
    facts = first.to_json(first.units[0])
    said = {
        "model": job.model,
        "weights": weights_of(first.model).name,
        **{key: facts[key] for key in ("network", "weights_sha256", "card_sha256", "source_sha256")},
        **{key: facts[key] for key in ("seed", "settings", "versions", "precision")},
        "keep": job.keep,
        "motion_scale_px_per_frame": job.scale,
        "layers": {
            layer: {"units": request.count, "asked": list(request.units)}
            for layer, request in requests.items()
        },
    }
    there = read_atlas(asked.out)
    if not asked.force and (finished_units(asked.out) if not there else not same_network(there, said)):
        what = (
            f"an atlas of {there.get('model')} with other weights or code"
            if there
            else "a run of another verb"
        )
        raise SettingInvalid(f"{str(asked.out)!r} holds {what}; choose another --out")
    write_atlas(asked.out, said)


def _engine(asked: Atlas, job: "Job", tasks: "Sequence[Task]", known: list[float]) -> "Engine":
    """The engine asked for; how many jobs an array has follows from what finished units took."""
    from ..atlas.engines import local, on_ray, on_slurm

    if asked.engine == EngineName.local:
        return partial(local, workers=asked.workers)
    if asked.engine == EngineName.ray:
        return partial(on_ray, workers=asked.workers, address=asked.address)
    with wrong_usage("--slurm"):
        parameters = dict(_parameter(text) for text in asked.slurm)
    each = sum(known) / len(known) if known else _FIRST_GUESS
    minutes = each * sum(len(task.batch.units) for task in tasks) / 60 / (asked.workers or 1)
    return partial(
        on_slurm,
        shards=max(1, round(minutes / TASK_MINUTES)),
        workers=asked.workers,
        address=asked.address,
        parameters=parameters,
    )


def _parameter(text: str) -> tuple[str, str]:
    from ..errors import SettingInvalid

    key, given, value = text.partition("=")
    if not given or not key.isidentifier():
        raise SettingInvalid(f"{text!r} is not KEY=VALUE, such as partition=gpu")
    return f"slurm_{key}", value


class _Pace:
    """Says how far a run is, how fast it goes and how long it will take."""

    def __init__(self, reporter: Reporter, job: "Job", tasks: "Sequence[Task]") -> None:
        self._reporter, self._began = reporter, time.monotonic()
        self._missing = sum(len(task.missing) for task in tasks)
        self._before = sum(map(len, job.layers.values())) - self._missing
        self._done = 0

    def told(self, outcome: "Outcome") -> None:
        """Hear of a task."""
        task = outcome.task
        name = f"{task.batch.layer}:{','.join(map(str, task.batch.units))}"
        if outcome.error is not None:
            self._reporter.note(f"{name} is not finished: {outcome.error}")
            return
        self._done += len(task.missing)
        rate = self._done / (time.monotonic() - self._began)
        left = (self._missing - self._done) / rate
        words = f"{3600 * rate:.0f} units an hour, {_duration(left)} left, now {task.batch.layer}"
        self._reporter.paced(self._before + self._done, words)


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min"
