"""Units computed by several processes: the same results, one clear line on failure, nobody left behind."""

import errno
import hashlib
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from quick import QUICK

from kinetoscope.cli import workers
from kinetoscope.cli.progress import Reporter
from kinetoscope.cli.workers import Job, work_together
from kinetoscope.errors import KinetoscopeError, UnitOutOfRange, WorkerLost
from kinetoscope.inquiry.request import Options
from kinetoscope.processes import context

pytestmark = pytest.mark.usefixtures("copies")


def job(out: Path, units: tuple[int, ...] = (0, 3, 5), model: str = "motion13") -> Job:
    options = Options(steps=2, seeds=1, size=(6, 20, 24), motion=QUICK)
    return Job(model, "default", 0, "conv1", units, options, out, 2.0)


def digests(out: Path) -> dict[str, str]:
    return {
        path.parent.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob("arrays.safetensors"))
    }


def gone(group: int) -> bool:
    """Whether no process of the group is left, within ten seconds."""
    for _ in range(50):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.2)
    return False


def test_the_number_of_processes_changes_no_array(tmp_path: Path) -> None:
    for count in (1, 2):
        work_together(job(tmp_path / str(count)), count, Reporter(["a", "b", "c"], quiet=True))
    one, two = digests(tmp_path / "1"), digests(tmp_path / "2")
    assert one == two
    assert list(one) == ["0", "3", "5"]


def test_processes_are_copies_where_these_are_safe(monkeypatch: pytest.MonkeyPatch) -> None:
    ways = {}
    for platform in ("linux", "darwin", "win32"):
        monkeypatch.setattr(sys, "platform", platform)
        ways[platform] = context(workers.__name__).get_start_method()
    assert ways == {"linux": "forkserver", "darwin": "spawn", "win32": "spawn"}


def test_what_one_process_runs_into_is_the_errors_own_line(tmp_path: Path) -> None:
    with pytest.raises(UnitOutOfRange, match="999"):
        work_together(job(tmp_path, (0, 999)), 2, Reporter(["a", "b"], quiet=True))
    assert not multiprocessing.active_children()


def test_a_process_that_ends_without_a_word_is_told(tmp_path: Path) -> None:
    factory = tmp_path / "mine.py"
    factory.write_text("import os\ndef factory():\n    os._exit(9)\n")
    with pytest.raises(WorkerLost, match="ended with 9"):
        work_together(job(tmp_path / "out", (0,), f"{factory}:factory"), 2, Reporter(["a"], quiet=True))
    assert issubclass(WorkerLost, KinetoscopeError)


def test_a_full_disk_is_told_and_no_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(workers, "plan", full)
    receiving, sending = multiprocessing.Pipe(duplex=False)
    handler, threads = signal.getsignal(signal.SIGINT), torch.get_num_threads()
    try:
        workers._work(job(tmp_path), sending)
    finally:
        signal.signal(signal.SIGINT, handler)
        torch.set_num_threads(threads)
    assert "No space left" in str(receiving.recv().error)


SMALL_DEMO = """
import sys
from multiprocessing import forkserver
forkserver.set_forkserver_preload(["copied"])
forkserver.ensure_running()
from kinetoscope.cli import main
from kinetoscope.inquiry.request import Options
from quick import QUICK

usual, small = Options.__init__, {"size": (8, 16, 24), "seeds": 1, "motion": QUICK}
Options.__init__ = lambda self, **given: usual(self, **{**given, **small})
sys.exit(main())
"""
"""The demo of clips that take no time; its processes are given the same options."""

HELPERS = os.pathsep.join(str(Path(__file__).parents[1] / folder) for folder in ("reference", "cli"))


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs process groups")
def test_stopping_the_demo_stops_its_processes_and_keeps_what_is_finished(tmp_path: Path) -> None:
    out = tmp_path / "demo"
    command = [sys.executable, "-c", SMALL_DEMO, "demo", "--steps", "1", "--out", str(out)]
    own = {**os.environ, "PYTHONPATH": HELPERS}
    with subprocess.Popen(
        command, env=own, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        deadline = time.monotonic() + 300
        while not list(out.rglob("unit.json")) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=60)
        assert process.returncode == 128 + signal.SIGTERM
        assert "finished units are kept" in told
        assert (out / "index.html").exists()
        assert not list(out.rglob("*.tmp"))
        assert gone(process.pid)
