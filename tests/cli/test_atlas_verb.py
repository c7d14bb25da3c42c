"""The verb `atlas`: what is asked for is planned, what is finished is skipped, what is wrong is one line."""

import json
from collections import deque
from pathlib import Path

import pytest
from fake_run import FakeInquiry

from kinetoscope.atlas.engines import Outcomes
from kinetoscope.atlas.plan import Task
from kinetoscope.atlas.store import read_record, save_record
from kinetoscope.atlas.worker import Job, Outcome
from kinetoscope.errors import KinetoscopeError
from kinetoscope.inquiry.settle import request_for
from kinetoscope.zoo.registry import load_model

SMALL = ("--size", "4x16x16", "--steps", "2", "--seeds", "1")


class FakeEngine:
    """In the place of `local`: requests are real, and so is what the records say of them."""

    def __init__(self) -> None:
        self.given: list[Task] = []
        self.failing: set[int] = set()

    def __call__(self, job: Job, tasks: deque[Task], *, workers: int | None) -> Outcomes:
        network = load_model(job.model, weights=job.weights, seed=job.seed)
        while tasks:
            task = tasks.popleft()
            self.given.append(task)
            units = task.batch.units
            if self.failing & set(units):
                yield Outcome(task, KinetoscopeError("odd weights"))
                continue
            request = request_for(network, task.batch.layer, units, job.options)
            for result in FakeInquiry(request, lambda *step: None).results(list(units)):
                result.record.update(model=job.model, weights=job.weights)
                if result.record["unit"] in task.missing:
                    save_record(result, job.out, keep=job.keep, scale=job.scale, batch=units)
            yield Outcome(task)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    made = FakeEngine()
    monkeypatch.setattr("kinetoscope.atlas.engines.local", made)
    return made


def units_of(engine: FakeEngine) -> list[tuple[str, tuple[int, ...]]]:
    found = [(task.batch.layer, task.missing) for task in engine.given]
    engine.given.clear()
    return found


def test_a_run_leaves_records_index_and_what_it_is_of(run, engine: FakeEngine, tmp_path: Path) -> None:
    out = tmp_path / "atlas"
    done = run("atlas", "--out", out, "motion13", "--layers", "fc,conv1", "--units", "0-9", *SMALL)
    assert (done.status, done.out) == (0, f"{out}\n")
    assert units_of(engine) == [
        (layer, units) for layer in ("fc", "conv1") for units in (tuple(range(8)), (8, 9))
    ]
    assert "20 units of 2 layers in 4 batches; at most 0.47 MB a unit, 9 MB in all" in done.err
    assert "20 of 20 units finished" in done.err
    assert "units an hour" in done.err
    said = json.loads((out / "atlas.json").read_text())
    assert said["layers"]["fc"] == {"units": 13, "asked": list(range(10))}
    assert len((out / "units.csv").read_text().splitlines()) == 21
    assert json.loads((out / "failures.json").read_text()) == []
    assert {path.name for path in (out / "fc" / "0").iterdir()} == {
        "unit.json",
        "tile.webp",
        "optimal.mp4",
        "motion.mp4",
    }


def test_what_is_finished_is_skipped(run, engine: FakeEngine, tmp_path: Path) -> None:
    words = ("atlas", "motion13", "--layers", "fc", "--out", tmp_path, *SMALL)
    run(*words, "--units", "0-2")
    units_of(engine)
    again = run(*words, "--units", "0-2")
    assert (again.status, units_of(engine)) == (0, [])
    assert "3 of 3 units are finished" in again.err
    run(*words, "--units", "0-4")
    assert units_of(engine) == [("fc", (3, 4))]
    run(*words, "--units", "0-4", "--force")
    assert units_of(engine) == [("fc", (0, 1, 2, 3, 4))]
    other = run(*words, "--units", "4", "--seed", "1")
    assert units_of(engine) == [("fc", (4,))]
    assert "fc:4 lies there by another request" in other.err
    run(*words, "--units", "3", "--keep", "arrays")
    assert units_of(engine) == [("fc", (3,))]
    run(*words, "--units", "3", "--keep", "numbers")
    assert units_of(engine) == []


def test_a_damaged_record_is_named_and_made_again(run, engine: FakeEngine, tmp_path: Path) -> None:
    words = ("atlas", "motion13", "--layers", "fc", "--units", "0-2", "--out", tmp_path, *SMALL)
    run(*words)
    units_of(engine)
    (tmp_path / "fc" / "1" / "optimal.mp4").write_bytes(b"no film")
    again = run(*words)
    assert f"{tmp_path}/fc/1/optimal.mp4' is damaged" in again.err
    assert [(task.batch.units, task.missing) for task in engine.given] == [((0, 1, 2), (1,))]
    read_record(tmp_path / "fc" / "1")


def test_what_fails_is_one_line_and_kept_with_its_reason(run, engine: FakeEngine, tmp_path: Path) -> None:
    words = ("atlas", "motion13", "--layers", "fc", "--units", "0-2", "--out", tmp_path, *SMALL)
    engine.failing = {1}
    done = run(*words)
    assert done.status == 1
    assert "kinetoscope: 1 units failed, the first fc:1: odd weights" in done.err
    assert [path.parent.name for path in sorted(tmp_path.rglob("unit.json"))] == ["0", "2"]
    (failure,) = json.loads((tmp_path / "failures.json").read_text())
    assert failure == {"layer": "fc", "unit": 1, "reason": "odd weights", "attempts": 1}
    engine.failing.clear()
    assert run(*words).status == 0
    assert json.loads((tmp_path / "failures.json").read_text()) == []


def test_all_layers_come_in_the_order_of_the_forward_pass(run, engine: FakeEngine, tmp_path: Path) -> None:
    source = tmp_path / "mine.py"
    source.write_text(
        "from torch import nn\nimport kinetoscope as ks\n"
        "class Net(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.late = nn.Conv3d(4, 2, 1)\n"
        "        self.early = nn.Conv3d(3, 4, 3)\n"
        "        self.unused = nn.Linear(2, 2)\n"
        "    def forward(self, x):\n"
        "        return self.late(self.early(x).relu())\n"
        "def factory():\n"
        "    return Net(), ks.ModelCard(clip=(4, 12, 16))\n"
    )
    done = run("atlas", f"{source}:factory", "--out", tmp_path / "out", "--steps", "2", "--seeds", "1")
    assert done.status == 0
    assert units_of(engine) == [("early", (0, 1, 2, 3)), ("late", (0, 1))]


def test_folders_of_something_else_are_refused(run, engine: FakeEngine, tmp_path: Path) -> None:
    other = tmp_path / "visualized"
    run("visualize", "motion13", "fc", "--units", "0", "--out", other, *SMALL)
    refused = run("atlas", "motion13", "--layers", "fc", "--units", "0", "--out", other, *SMALL)
    assert refused.status == 1
    assert "a run of another verb" in refused.err
    words = ("--layers", "fc", "--units", "0", "--out", tmp_path / "atlas", *SMALL)
    run("atlas", "motion13", *words)
    refused = run("atlas", "motion13", "--weights", "random", *words)
    assert refused.status == 1
    assert "with other weights or code" in refused.err


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("atlas",), 2, "MODEL"),
        (("atlas", "motion13"), 2, "--out"),
        (("atlas", "motion13", "--out", "o", "--layers", "conv9"), 1, "conv1"),
        (("atlas", "motion13", "--out", "o", "--layers", "fc", "--units", "99"), 1, "99"),
        (("atlas", "motion13", "--out", "o", "--units", "0,,1"), 2, "--units"),
        (
            ("atlas", "motion13", "--out", "o", "--engine", "slurm", "--slurm", "gpu", "--layers", "fc"),
            2,
            "gpu",
        ),
        (("atlas", "motion13", "--out", "o", "--engine", "cloud"), 2, "cloud"),
        (("atlas", "merge", "nowhere"), 2, "B"),
        (("atlas", "merge", "nowhere", "else"), 1, "is no atlas"),
    ],
)
def test_what_is_wrong_is_told(
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], status: int, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(*words)
    assert (done.status, said in done.err) == (status, True)
    assert "Traceback" not in done.err


def test_help_tells_of_both(run) -> None:
    said = run("atlas", "--help").out
    assert "--engine" in said
    assert "merge" in said
    assert "atlas B that atlas A lacks" in run("atlas", "merge", "--help").out


def test_merging_two(run, engine: FakeEngine, tmp_path: Path) -> None:
    for name, units in (("a", "0,1"), ("b", "1,2")):
        run("atlas", "motion13", "--layers", "fc", "--units", units, "--out", tmp_path / name, *SMALL)
    done = run("atlas", "merge", tmp_path / "a", tmp_path / "b")
    assert (done.status, done.out) == (0, "1 units copied, 1 were there\n")
    assert len((tmp_path / "a" / "units.csv").read_text().splitlines()) == 4
