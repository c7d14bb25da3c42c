"""A run's folder is its own: no other run writes there at once, and none of something else later."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

RANDOM = ("--weights", "random")
BORROWED = (
    "def factory():\n    from torch import nn\n    return nn.Sequential(nn.Conv3d(3, 4, 3), nn.ReLU())\n"
)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate(("a.npy", "b.npy")):
        np.save(name, np.random.default_rng(number).random((3, 3, 12, 16), dtype=np.float32))
    for name in ("net.py", "other.py"):
        (tmp_path / name).write_text(BORROWED)
    return tmp_path


def stamps(folder: Path) -> dict[str, int]:
    return {str(file): file.stat().st_mtime_ns for file in folder.rglob("*") if file.is_file()}


LOOK = ("visualize", "net.py:factory", "0", "--units", "0", "--size", "3x12x16")
ASK = ("--model", "net.py:factory", "--target", "0:1", "--method", "gradient", "--size", "3x12x16")
CASES = {  # words, and how another subject is written
    "decompose": (("decompose", "a.npy"), {"a.npy": "b.npy"}),
    "maps": (("feature-maps", "a.npy", "--random-kernel", "2x3x3", "--filters", "1"), {"a.npy": "b.npy"}),
    "attribute": (("attribute", "a.npy", *ASK), {"a.npy": "b.npy"}),
    "visualize": (LOOK, {"net.py:factory": "other.py:factory"}),
    "decode": (("decode", "net.py:factory", "0", "--units", "0"), {"net.py:factory": "other.py:factory"}),
}


@pytest.mark.parametrize("case", CASES)
def test_a_finished_run_of_something_else_is_not_replaced(run, place: Path, case: str) -> None:
    words, change = CASES[case]
    assert run(*words, "--out", "o").status == 0
    before = stamps(place / "o")
    other = [change.get(word, word) for word in words]
    refused = run(*other, "--out", "o")
    assert refused.status == 1
    assert "holds a run of another" in refused.err
    assert "choose another --out" in refused.err
    assert refused.err.count("\n") == 1
    assert stamps(place / "o").items() >= before.items() or case in ("visualize", "decode")
    assert run(*other, "--out", "o", "--force").status == 0
    assert stamps(place / "o") != before


def test_kernels_of_another_network_are_not_replaced(run, place: Path) -> None:
    assert run("kernels", "net.py:factory", "0", "--out", "o").status == 0
    assert run("kernels", "net.py:factory", "0", "--out", "o", "--units", "0").status == 0
    refused = run("kernels", "other.py:factory", "0", "--out", "o")
    assert (refused.status, "another model" in refused.err) == (1, True)


def test_the_same_clip_with_other_settings_is_done_anew_and_told(run, place: Path) -> None:
    words = ("decompose", "a.npy", "--out", "o")
    assert run(*words).status == 0
    again = run(*words, "--seed", "4")
    assert again.status == 0
    assert "o held a run of other seed; it is done anew" in again.err
    (place / "a.npy").rename(place / "c.npy")  # the same film by another name
    assert "finished" in run("decompose", "c.npy", "--out", "o", "--seed", "4").err


def test_two_verbs_do_not_share_a_folder_of_arrays(run, place: Path) -> None:
    assert run("kernels", "net.py:factory", "0", "--out", "o").status == 0
    before = stamps(place / "o")
    for words in (("decompose", "a.npy"), CASES["maps"][0], CASES["attribute"][0]):
        refused = run(*words, "--out", "o", "--force")
        assert refused.status == 1
        assert "holds a run of another verb (kernels.json)" in refused.err
    assert stamps(place / "o") == before


def test_of_two_runs_at_once_the_second_is_refused(run, place: Path) -> None:
    verbs = ("decompose", "b.npy"), LOOK, CASES["maps"][0]
    script = (
        "import sys, time; from pathlib import Path; from kinetoscope.files import only_one_in\n"
        "out = Path('o')\nout.mkdir()\nwith only_one_in(out):\n    print('in', flush=True); time.sleep(60)"
    )
    first = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    try:
        assert first.stdout is not None
        assert first.stdout.readline() == "in\n"
        for words in verbs:
            refused = run(*words, "--out", "o")
            assert refused.status == 1
            assert "another run is writing into o; wait for its end, or choose another --out" in refused.err
    finally:
        first.kill()
        first.communicate()
    assert run(*verbs[0], "--out", "o").status == 0  # the lock went with its process


def test_a_clip_named_by_another_path_is_the_same_clip(run, place: Path) -> None:
    for case in ("maps", "attribute"):
        words = CASES[case][0]
        assert run(*words, "--out", case).status == 0
        for other in (str(place / "a.npy"), f"../{place.name}/a.npy"):
            again = run(*[other if word == "a.npy" else word for word in words], "--out", case)
            assert again.status == 0, again.err


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_what_a_run_forked_does_not_hold_its_lock(run, place: Path) -> None:
    """Processes that read clips live on for a few seconds when the one that began them is killed."""
    script = (
        "import os, time; from pathlib import Path; from kinetoscope.files import only_one_in\n"
        "out = Path('o')\nout.mkdir()\nwith only_one_in(out):\n"
        "    if os.fork():\n        print('in', flush=True)\n    time.sleep(60)\n    os._exit(0)"
    )
    first = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert first.stdout is not None
        assert first.stdout.readline() == "in\n"
        assert "another run is writing" in run("decompose", "a.npy", "--out", "o").err
        first.kill()
        first.wait()
        assert run("decompose", "a.npy", "--out", "o").status == 0
    finally:
        os.killpg(first.pid, signal.SIGKILL)
        first.communicate()
