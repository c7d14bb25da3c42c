"""Exit status, one clear line, nothing left behind: every way a command can fail."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from fake_run import begin

from kinetoscope.files import finished_units
from kinetoscope.processes import context

HELPERS = (str(Path(__file__).parent), str(Path(__file__).parents[1] / "reference"))
LOOK = ("visualize", "motion13", "conv1", "--weights", "random")


@pytest.fixture(autouse=True)
def quick_verbs(blank_summaries: None, copies: None) -> None:
    """Verbs here go on with what processes have left, which know of no few steps."""


class Started:
    """The command in a process of its own, which is a copy of one that has imported the library already."""

    def __init__(self, place: Path, *words: object, **environment: str) -> None:
        self.files = place / "stdout", place / "stderr"
        given = [str(word) for word in words], environment, *self.files
        self.process = context("fake_run").Process(target=begin, args=given)
        self.process.start()

    def stop(self, number: signal.Signals) -> tuple[int | None, str, str]:
        """Send it a signal; its status, and what it has told on stdout and stderr."""
        os.kill(self.process.pid, number)
        self.process.join(60)
        return self.process.exitcode, *(file.read_text() for file in self.files)


def one_line(err: str) -> str:
    (line,) = err.splitlines()
    assert line.startswith("kinetoscope: ")
    assert "Traceback" not in err
    return line


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("layers", "motion31"), "closest: motion13"),
        (("layers", "torchvision:r3d_18"), "torchvision"),
        (("layers", "nowhere.py:net"), "no file nowhere.py"),
        (("layers", "no_such_package:net"), "no module 'no_such_package'"),
        (("layers", "motion13", "--weights", "missing.pt"), "no weights file missing.pt"),
        (("layers", "motion13", "--weights", "a-file"), "a-file cannot be read as weights"),
        (("layers", "motion13", "--weights", "."), "no weights file ."),
        (("layers", "motion13", "--weights", "n" * 300), "cannot be read as weights (OSError"),
        (("layers", "motion13", "--weights", "file:///etc/passwd"), "over https only"),
        (("visualize", "motion13", "conv9", *LOOK[3:], "--units", "0", "--out", "o"), "closest: conv"),
        ((*LOOK, "--units", "0,999", "--out", "o"), "unit 999 does not exist"),
        ((*LOOK, "--units", "0,walking", "--out", "o"), "no names"),
        ((*LOOK, "--units", "0", "--out", "o", "--position", "0,0,99"), "outside the layer's map of 16x"),
        ((*LOOK, "--units", "0", "--out", "o", "--device", "cuda:77"), "device 'cuda:77'"),
        ((*LOOK, "--units", "0", "--out", "a-file"), "a-file"),
        ((*LOOK, "--units", "0", "--out", "a-file/below"), "a-file"),
        ((*LOOK[:2], "conv4b", *LOOK[3:], "--units", "0", "--out", "o", "--size", "2x9x9"), "clip of 2x9x9"),
        (("decompose", "missing.mp4", "--out", "o"), "missing.mp4"),
        (("decompose", "a-file.mp4", "--out", "o"), "a-file.mp4"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_one_line_and_status_1(
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a-file").write_text("in the way")
    (tmp_path / "a-file.mp4").write_text("no film")
    if "torchvision:r3d_18" in words:
        monkeypatch.setitem(sys.modules, "torchvision", None)
    status, out, err = run(*words)
    assert status == 1
    assert said in one_line(err)
    assert out == ""
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a-file", "a-file.mp4"]


@pytest.mark.parametrize(
    "words",
    [
        ("no-such-verb",),
        ("layers",),
        ("visualize", "motion13", "conv1", "--out", "o"),
        ("visualize", "motion13", "conv1", "--units", "0"),
        (*LOOK, "--units", "0,,3", "--out", "o"),
        (*LOOK, "--units", "5-2", "--out", "o"),
        (*LOOK, "--units", "", "--out", "o"),
        (*LOOK, "--units", "0", "--out", "o", "--size", "16x112"),
        (*LOOK, "--units", "0", "--out", "o", "--position", "1,2"),
        (*LOOK, "--units", "0", "--out", "o", "--preset", "ours"),
        (*LOOK, "--units", "0", "--out", "o", "--objective", "logit"),
        (*LOOK, "--units", "0", "--out", "o", "--precision", "fp8"),
        (*LOOK, "--units", "0", "--out", "o", "--steps", "0"),
        (*LOOK, "--units", "0", "--out", "o", "--seed", "-1"),
        ("decompose", "clip.mp4", "--out", "o", "--formulation", "dense"),
        ("demo", "extra"),
        ("models", "--jsom"),
    ],
)
def test_wrong_usage_is_status_2(
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    status, out, err = run(*words)
    assert status == 2
    assert out == ""
    assert "Usage:" in err
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


def test_debug_shows_where(run) -> None:
    for words in (("--debug", "layers", "motion31"), ("layers", "motion31", "--debug")):
        status, _, err = run(*words)
        assert status == 1
        assert "Traceback" in err
        assert (
            err.rstrip().splitlines()[-1].startswith("kinetoscope.errors.ModelNotFound: no model is called")
        )
    assert one_line(run("layers", "motion31").err)


def test_version_and_help_are_status_0(run) -> None:
    assert run("--version").out.startswith("kinetoscope 0.")
    for verb in ("demo", "models", "layers", "visualize", "decompose"):
        status, out, err = run(verb, "--help")
        assert (status, err) == (0, "")
        assert "Usage: kinetoscope" in out


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_found_out_before_computing(run, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    status, _, err = run(*LOOK, "--units", "0", "--out", tmp_path / "o")
    assert status == 1
    assert "cannot write" in one_line(err)


def test_nothing_heavy_is_imported_for_help() -> None:
    script = (
        "import sys, kinetoscope.cli as c\n"
        "assert c.main(['--help']) == 0\n"
        "print([m for m in ('torch', 'numpy', 'av', 'matplotlib') if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"


def test_an_unforeseen_exception_is_one_line_too_and_keeps_what_is_finished(tmp_path: Path) -> None:
    words = (*LOOK, "--units", "0,4", "--out", tmp_path, "--quiet")
    fault = subprocess.run(
        [sys.executable, "-c", "import copied, fake_run; fake_run.as_command()", *map(str, words)],
        env={**os.environ, "FAKE_FAULT": "4", "PYTHONPATH": os.pathsep.join(HELPERS)},
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert fault.returncode == 1
    assert fault.stdout == ""
    assert "ZeroDivisionError: odd numbers" in one_line(fault.stderr)
    assert [folder.name for folder in finished_units(tmp_path)] == ["0"]
    assert (tmp_path / "index.html").is_file()


def test_debug_shows_where_an_unforeseen_exception_was(
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FAKE_FAULT", "4")
    with pytest.raises(ZeroDivisionError) as caught:
        run(*LOOK, "--units", "4", "--out", tmp_path, "--quiet", "--debug")
    sys.excepthook(caught.type, caught.value, caught.tb)  # as Python does for what nobody caught
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert "fake_run.py" in err


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopping_keeps_what_is_finished_and_says_how_to_go_on(
    run, tmp_path: Path, number: signal.Signals, status: int
) -> None:
    words = (*LOOK, "--units", "2,0,7", "--out", tmp_path / "o")
    started = Started(tmp_path, *words, FAKE_DELAY="0.4")
    first = tmp_path / "o" / "conv1" / "2" / "unit.json"
    deadline = time.monotonic() + 120
    while not first.is_file() and time.monotonic() < deadline:
        time.sleep(0.02)
    ended, _, err = started.stop(number)
    assert ended == status
    assert "Traceback" not in err
    assert err.splitlines()[-1].startswith("kinetoscope: stopped by SIG")
    assert "run the same command again" in err.splitlines()[-1]
    assert [folder.name for folder in finished_units(tmp_path / "o")] == ["2"]
    assert (tmp_path / "o" / "index.html").is_file()
    assert not list((tmp_path / "o").rglob("*.part"))
    if number == signal.SIGTERM:
        return
    written = first.stat().st_mtime_ns
    status, out, err = run(*words)
    assert status == 0
    assert "1 of 3 units are finished" in err
    assert out == f"{tmp_path / 'o' / 'index.html'}\n"
    assert first.stat().st_mtime_ns == written
    assert len(finished_units(tmp_path / "o")) == 3


def test_stopping_before_anything_is_finished_leaves_no_folder(tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    started = Started(tmp_path, *LOOK, "--units", "0", "--out", place / "new" / "o", FAKE_DELAY="60")
    deadline = time.monotonic() + 120
    while not (place / "new" / "o").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.2)
    ended, _, err = started.stop(signal.SIGTERM)
    assert ended == 143
    assert "no unit was finished; run the same command again" in one_line(err)
    assert list(place.iterdir()) == []


def test_a_clip_file_survives_its_decomposition(run, tmp_path: Path) -> None:
    clip = np.random.default_rng(0).random((3, 3, 12, 16), dtype=np.float32)
    np.save(tmp_path / "clip.npy", clip)
    status, _, _ = run("decompose", tmp_path / "clip.npy", "--out", tmp_path / "o")
    assert status == 0
    np.testing.assert_array_equal(np.load(tmp_path / "clip.npy"), clip)
