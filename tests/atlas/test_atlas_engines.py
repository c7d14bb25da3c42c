"""Every engine leaves the same records; what is lost is begun again, and what fails is named."""

import multiprocessing
import os
import signal
import time
from collections import deque
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from small_atlas import LAYERS, digests, small_job, small_tasks, workers_of

from kinetoscope.atlas.engines import Engine, Outcomes, local, on_ray, on_slurm
from kinetoscope.atlas.plan import Batch, Task
from kinetoscope.atlas.run import ATTEMPTS, Failure, run_all
from kinetoscope.atlas.worker import Job, Outcome
from kinetoscope.errors import (
    KinetoscopeError,
    ModelNotFound,
    OutputUnwritable,
    SettingInvalid,
    WorkerLost,
)
from kinetoscope.inquiry.request import Options

pytestmark = pytest.mark.usefixtures("copies")


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What one process leaves."""
    job = small_job(tmp_path_factory.mktemp("expected"))
    assert run_all(partial(local, workers=1), job, small_tasks(), lambda outcome: None) == []
    found = digests(job.out)
    assert list(found) == [f"{layer}/{unit}" for layer, units in LAYERS.items() for unit in units]
    return found


def test_processes_leave_what_one_leaves(tmp_path: Path, expected: dict[str, str]) -> None:
    job = small_job(tmp_path)
    told: list[Outcome] = []
    assert run_all(partial(local, workers=2), job, small_tasks(), told.append) == []
    assert digests(job.out) == expected
    assert sorted(outcome.task.batch.units[0] for outcome in told) == [0, 0, 2, 2, 4]
    assert not multiprocessing.active_children()


def test_only_what_is_missing_is_written_and_the_batch_stays_whole(
    tmp_path: Path, expected: dict[str, str]
) -> None:
    job = small_job(tmp_path)
    task = Task(Batch("0", (2, 3)), (3,))
    assert run_all(partial(local, workers=1), job, [task], lambda outcome: None) == []
    assert digests(job.out) == {"0/3": expected["0/3"]}


def killing(engine: Engine, folder: Path) -> Engine:
    """The same engine, one of whose workers is killed after the first task."""

    def killed(job: Job, tasks: deque[Task]) -> Outcomes:
        outcomes = engine(job, tasks)
        yield next(outcomes)
        if first:
            first.clear()
            victim = sorted(workers_of(folder))[0]
            os.kill(victim, signal.SIGKILL)
            time.sleep(0.5)
        yield from outcomes

    first = [True]
    return killed


def test_a_killed_process_is_replaced(tmp_path: Path, expected: dict[str, str]) -> None:
    job = small_job(tmp_path)
    told: list[Outcome] = []
    assert run_all(killing(partial(local, workers=2), tmp_path), job, small_tasks(), told.append) == []
    assert digests(job.out) == expected
    assert len(workers_of(tmp_path)) >= 3


@pytest.mark.filterwarnings("ignore")  # ray's own
def test_ray_leaves_the_same_with_a_worker_killed(tmp_path: Path, expected: dict[str, str]) -> None:
    pytest.importorskip("ray")
    job = small_job(tmp_path)
    told: list[Outcome] = []
    assert run_all(killing(partial(on_ray, workers=2), tmp_path), job, small_tasks(), told.append) == []
    assert digests(job.out) == expected
    assert len(workers_of(tmp_path)) >= 3


@pytest.mark.filterwarnings("ignore")  # submitit's own
def test_a_job_array_leaves_the_same(tmp_path: Path, expected: dict[str, str]) -> None:
    pytest.importorskip("submitit")
    job = small_job(tmp_path)
    engine = partial(on_slurm, shards=2, address="local")
    assert run_all(engine, job, small_tasks(), lambda outcome: None) == []
    assert digests(job.out) == expected
    assert not list(job.out.glob(".*"))


@pytest.mark.filterwarnings("ignore")
def test_a_machine_without_slurm_is_told(tmp_path: Path) -> None:
    pytest.importorskip("submitit")
    with pytest.raises(SettingInvalid, match="SLURM does not take the jobs"):
        list(on_slurm(small_job(tmp_path), deque(small_tasks()), shards=1))


def test_a_library_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr("kinetoscope.atlas.engines.import_module", missing)
    with pytest.raises(SettingInvalid, match=r"kinetoscope\[ray\]"):
        list(on_ray(small_job(tmp_path), deque(small_tasks())))


def test_a_network_that_cannot_be_loaded_is_the_errors_own_line(tmp_path: Path) -> None:
    job = replace(small_job(tmp_path), model="no.such.module:factory")
    with pytest.raises(ModelNotFound, match="no module"):
        list(local(job, deque(small_tasks()), workers=2))
    assert not multiprocessing.active_children()


def test_a_process_that_cannot_begin_is_told(tmp_path: Path) -> None:
    job = small_job(tmp_path)
    (tmp_path / "mine.py").write_text("import os\ndef factory():\n    os._exit(9)\n")
    with pytest.raises(WorkerLost, match="ended with 9"):
        list(local(job, deque(small_tasks()), workers=1))


JOB = Job("m", "default", 0, {}, Options(), Path("out"), "films", 2.0, Path())
WHOLE, OTHER = Task(Batch("a", (0, 1)), (0, 1)), Task(Batch("b", (5,)), (5,))


def scripted(*errors: dict[str, KinetoscopeError | None]) -> tuple[Engine, list[Task]]:
    """An engine that says what is written of each attempt, by a task's first unit; and what it was given."""
    given: list[Task] = []

    def engine(job: Job, tasks: deque[Task]) -> Outcomes:
        while tasks:
            task = tasks.popleft()
            said = errors[min(given.count(task), len(errors) - 1)]
            given.append(task)
            yield Outcome(task, said.get(f"{task.batch.layer}{task.missing[0]}"))

    return engine, given


def test_a_lost_batch_is_begun_again_as_it_was() -> None:
    engine, given = scripted({"a0": WorkerLost("killed")}, {})
    assert run_all(engine, JOB, [WHOLE, OTHER], lambda outcome: None) == []
    assert given == [WHOLE, OTHER, WHOLE]


def test_units_of_a_batch_that_fails_are_tried_alone_and_the_reason_is_kept() -> None:
    odd = KinetoscopeError("odd weights")
    engine, given = scripted({"a0": odd}, {"a0": odd})
    assert run_all(engine, JOB, [WHOLE, OTHER], lambda outcome: None) == [Failure("a", 0, "odd weights", 1)]
    assert given[2:] == [Task(Batch("a", (0,)), (0,)), Task(Batch("a", (1,)), (1,))]


def test_what_is_lost_again_and_again_is_given_up() -> None:
    lost = WorkerLost("killed")
    engine, given = scripted({"b5": lost})
    assert run_all(engine, JOB, [OTHER], lambda outcome: None) == [Failure("b", 5, "killed", ATTEMPTS)]
    assert len(given) == ATTEMPTS


def test_a_full_disk_ends_the_run_at_once() -> None:
    engine, _ = scripted({"a0": OutputUnwritable("no space")})
    with pytest.raises(OutputUnwritable, match="no space"):
        run_all(engine, JOB, [WHOLE, OTHER], lambda outcome: None)
