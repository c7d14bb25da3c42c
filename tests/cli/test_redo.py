"""A unit repeated from its record: the same arrays, or one line that says why not."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import kinetoscope as ks
from kinetoscope.cli import main
from kinetoscope.records import read_arrays, read_unit


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A folder of its own, and threads as they were afterwards."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)  # main replaces it
    monkeypatch.chdir(tmp_path)
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def redo(run: Any, here: None) -> Callable[..., tuple[int, str]]:
    """The command with its arithmetic replaced; gives status and stderr."""

    def call(*words: object) -> tuple[int, str]:
        done = run(*words)
        return done.status, done.err

    return call


LOOK = ("visualize", "motion13", "conv1", "--size", "6x16x24", "--steps", "3", "--quiet", "--out", "o")
RECORD = Path("o", "conv1", "2", "unit.json")


def edited(**changes: Any) -> None:
    record = json.loads(RECORD.read_text())
    for key, value in changes.items():
        group, _, name = key.rpartition("__")
        (record[group] if group else record)[name] = value
    RECORD.write_text(json.dumps(record))


@pytest.mark.parametrize(
    "options",
    [
        ("--units", "1,2"),
        ("--units", "2", "--weights", "random", "--seed", "7", "--seeds", "2", "--start", "noise"),
        ("--units", "2", "--objective", "unit", "--position", "1,3,4", "--contrast", "0.1"),
        ("--units", "2", "--objective", "conv1:2 - 0.5*conv1:3"),
        ("--units", "2", "--preset", "strong", "--motion-scale", "4"),
    ],
)
@pytest.mark.usefixtures("here")
def test_the_same_arrays_come_out_byte_for_byte(
    options: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*LOOK, *options]) == 0
    capsys.readouterr()
    assert main(["redo", str(RECORD), "--quiet"]) == 0
    assert capsys.readouterr().err == "kinetoscope: 12 arrays are the same, byte for byte\n"
    before, after = (read_unit(Path(place, "conv1", "2")) for place in ("o", "again"))
    for key in ("settings", "seed", "activation", "motion", "threads", "weights", "model", "history"):
        assert before[key] == after[key], key


def test_threads_are_those_of_the_record(redo) -> None:
    assert redo(*LOOK, "--units", "2")[0] == 0
    edited(threads=3)
    redo("redo", RECORD, "--quiet")
    assert torch.get_num_threads() == 3


def test_other_arrays_are_named_and_end_in_status_1(redo) -> None:
    assert redo(*LOOK, "--units", "2")[0] == 0
    edited(seed=1)  # of which the arithmetic that is used here makes its clips
    status, err = redo("redo", RECORD, "--quiet")
    assert status == 1
    assert err.startswith("kinetoscope: other ")
    assert "optimal_video" in err
    assert not torch.equal(
        *(read_arrays(Path(p, "conv1/2/arrays.safetensors"))["optimal_video"] for p in ("o", "again"))
    )


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"versions__torch": "1.0"}, "the record is of torch 1.0, not "),
        ({"weights_sha256": "ab" * 32}, "and the record's are abababababab...; give their file by --weights"),
        (
            {"weights": "mine.pt"},
            "called 'mine.pt', which is not here; give it by --weights",
        ),
        ({"model": "motion31"}, "closest: motion13"),
        ({"model": None}, "the record names no model"),
        ({"source_sha256": "0"}, "this gives other source than the record"),
        ({"objective": "channel(1) - channel(2)"}, "was made by hand; repeat it in Python"),
        ({"vectors": {"name": "plane"}}, "of vectors"),
        ({"settings__start": f"clip {'ab' * 32}"}, "(abababababab...); give the film by --start"),
        ({"settings__optimal": {"stepz": 3}}, "the record lacks AdamSettings as this version has it"),
        ({"settings__size": None}, "run the unit anew instead"),
        ({"layer": "conv9"}, "closest: conv"),
        ({"device": "cuda:77"}, "device 'cuda:77' does not work here"),
    ],
)
def test_what_cannot_be_repeated_is_one_line(redo, changes: dict[str, Any], told: str) -> None:
    assert redo(*LOOK, "--units", "2")[0] == 0
    edited(**changes)
    status, err = redo("redo", RECORD, "--quiet")
    assert status == 1
    (line,) = err.splitlines()
    assert told in line
    assert not Path("again").exists()


def test_folders_that_hold_no_unit_are_told(redo, tmp_path: Path) -> None:
    assert "has no unit.json" in redo("redo", "nowhere")[1]
    ks.decompose(torch.rand(3, 3, 12, 16)).save("parts")
    assert "`kinetoscope decompose` repeats it" in redo("redo", "parts/unit.json")[1]
    assert redo(*LOOK, "--units", "2")[0] == 0
    assert "the record itself lies in 'o'" in redo("redo", RECORD, "--out", "o")[1]


def test_a_start_is_given_again_and_must_be_the_same(redo) -> None:
    for name in ("film", "other"):
        np.save(f"{name}.npy", np.random.default_rng(len(name)).random((6, 3, 16, 24), dtype=np.float32))
    assert redo(*LOOK, "--units", "2", "--start", "film.npy")[0] == 0
    assert redo("redo", RECORD, "--quiet", "--start", "film.npy")[0] == 0
    assert "give the film that was used" in redo("redo", RECORD, "--start", "other.npy")[1]
    assert redo(*LOOK, "--units", "2", "--force")[0] == 0
    assert "leave --start out" in redo("redo", RECORD, "--start", "film.npy")[1]


def test_weights_and_networks_are_given_where_names_lead_nowhere(redo) -> None:
    net = ks.load_model("motion13", weights="random", seed=5)
    torch.save(net.state_dict(), "mine.pt")
    assert redo(*LOOK, "--units", "2", "--weights", "mine.pt")[0] == 0
    Path("mine.pt").rename("moved.pt")
    assert "give it by --weights" in redo("redo", RECORD)[1]
    assert redo("redo", RECORD, "--quiet", "--weights", "moved.pt")[0] == 0
    edited(model=None)
    assert redo("redo", RECORD, "--quiet", "--weights", "moved.pt", "--model", "motion13")[0] == 0
    edited(weights_sha256="ab" * 32)
    assert redo("redo", RECORD, "--weights", "moved.pt", "--model", "motion13", "--anyway", "--quiet")[0] == 0
