"""One run a folder, and always a checkpoint to go on from."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from kinetoscope.errors import OutputUnwritable, SettingInvalid
from kinetoscope.training.checkpoint import (
    LAST,
    PREVIOUS,
    forget_previous,
    last_sound,
    only_run_in,
    save_last,
)


def saving(number: int):
    return lambda path: torch.save({"epoch": number}, path)


def epoch_of(path: Path | None) -> int:
    return torch.load(path, weights_only=True)["epoch"]


def test_the_one_before_is_kept_until_the_end(tmp_path: Path) -> None:
    told: list[str] = []
    assert last_sound(tmp_path, told.append) is None
    for number in (1, 2, 3):
        save_last(tmp_path, saving(number), leads=True)
    assert (epoch_of(tmp_path / LAST), epoch_of(tmp_path / PREVIOUS)) == (3, 2)
    assert last_sound(tmp_path, told.append) == tmp_path / LAST
    assert told == []
    forget_previous(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [LAST]


@pytest.mark.parametrize("harm", ["cut", "empty", "text", "gone"])
def test_a_broken_one_is_named_and_the_one_before_taken(tmp_path: Path, harm: str) -> None:
    for number in (1, 2):
        save_last(tmp_path, saving(number), leads=True)
    last, told = tmp_path / LAST, []
    data = last.read_bytes()
    last.write_bytes(
        {"cut": data[: len(data) // 2], "empty": b"", "text": b"no checkpoint", "gone": b""}[harm]
    )
    if harm == "gone":
        last.unlink()  # killed between two renames
    found = last_sound(tmp_path, told.append)
    assert found == tmp_path / PREVIOUS
    assert epoch_of(found) == 1
    (line,) = told
    assert line.startswith(f"{last} is {'missing' if harm == 'gone' else 'broken ('}")
    assert "going on from previous.ckpt" in line
    (tmp_path / PREVIOUS).write_bytes(b"x")
    last.write_bytes(b"x")
    with pytest.raises(SettingInvalid, match=r"last\.ckpt is broken .*no earlier one can be read; delete it"):
        last_sound(tmp_path, told.append)


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), RuntimeError("PytorchStreamWriter failed writing file")]
)
def test_a_full_disk_costs_no_checkpoint(tmp_path: Path, error: Exception) -> None:
    for number in (1, 2):
        save_last(tmp_path, saving(number), leads=True)

    def fail(path: Path) -> None:
        path.write_bytes(b"half")
        raise error

    with pytest.raises(OutputUnwritable, match="cannot write"):
        save_last(tmp_path, fail, leads=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == [LAST, PREVIOUS]
    assert (epoch_of(tmp_path / LAST), epoch_of(tmp_path / PREVIOUS)) == (2, 1)
    with pytest.raises(RuntimeError, match="odd"):
        save_last(tmp_path, lambda path: (_ for _ in ()).throw(RuntimeError("odd")), leads=True)


def test_a_second_run_in_a_folder_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    with only_run_in(tmp_path):
        for _ in range(2):
            with pytest.raises(SettingInvalid, match="another run is training into"), only_run_in(tmp_path):
                pass
    with only_run_in(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_lock_goes_with_its_process(tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    lock = "fcntl.flock(os.open(sys.argv[1], os.O_RDONLY), fcntl.LOCK_EX)"
    held = f"import fcntl, os, sys; {lock}; print(1, flush=True); input()"
    other = subprocess.Popen(
        [sys.executable, "-c", held, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout.readline() == "1\n"
    with pytest.raises(SettingInvalid, match="another run"), only_run_in(tmp_path):
        pass
    other.kill()
    other.communicate()
    with only_run_in(tmp_path):
        pass
