"""What people's machines do: closed and full outputs, notebooks' settings, huge numbers."""

import contextlib
import io
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kinetoscope.cli import main
from kinetoscope.cli.progress import Reporter
from kinetoscope.errors import OutputUnwritable, SettingInvalid

KERNEL = ("feature-maps", "c.npy", "--out", "o", "--random-kernel")
MAPS = ("feature-maps", "c.npy", "--out", "o")
LOOK = ("visualize", "motion13", "conv1", "--weights", "random", "--units", "0")


def light(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script that imports nothing heavy."""
    own = {k: v for k, v in os.environ.items() if k != "OMP_WAIT_POLICY"} | environment
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=own)


def shell(line: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a line of the shell in which $K is the command."""
    start = f"{sys.executable} -c 'import sys; from kinetoscope.cli import main; sys.exit(main())'"
    return subprocess.run(
        ["bash", "-c", line.replace("$K", start)], cwd=cwd, capture_output=True, text=True, timeout=300
    )


def test_waiting_threads_sleep_unless_the_person_says_otherwise() -> None:
    script = "import os, sys, kinetoscope.cli; print('torch' in sys.modules, os.environ['OMP_WAIT_POLICY'])"
    assert light(script).stdout == "False PASSIVE\n"
    assert light(script, OMP_WAIT_POLICY="ACTIVE").stdout == "False ACTIVE\n"


def test_a_notebooks_backend_is_not_asked_for() -> None:
    script = "import kinetoscope.cli, matplotlib; print(matplotlib.rcParams['backend'])"
    done = light(script, MPLBACKEND="no such backend")
    assert (done.stdout.lower(), done.stderr) == ("agg\n", "")


@pytest.mark.painted
@pytest.mark.parametrize("settings", [{"text.usetex": True}, {"savefig.bbox": "tight"}, {"font.size": 60}])
def test_pictures_are_drawn_by_matplotlibs_own_defaults(settings: dict[str, object]) -> None:
    import matplotlib as mpl

    from kinetoscope.render.evaluation import draw_depth

    measures = ("mean_speed_px_per_frame", "coherence", "patch_px", "directions")
    rows = [{**dict.fromkeys(measures, 0.5), "layer": layer} for layer in ("conv1", "fc")]
    usual = draw_depth(rows, "t $x$")
    with mpl.rc_context(settings):
        assert draw_depth(rows, "t $x$") == usual
        assert all(mpl.rcParams[name] == value for name, value in settings.items())


@pytest.mark.parametrize("where", ["2>&-", "2>/dev/full"])
def test_a_stderr_that_is_closed_or_full_changes_nothing(tmp_path: Path, where: str) -> None:
    done = shell(f"$K train none.toml --out o {where}; echo $?; ls; $K --version {where}", tmp_path)
    assert done.stdout.startswith("1\nkinetoscope 0.")
    assert done.stderr == ""


def test_progress_that_cannot_be_written_stops_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    full = Path("/dev/full").open("w")  # noqa: SIM115 - closing it fails
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", full)
        with Reporter(["a"]) as reporter:
            reporter.note("b")
    with contextlib.suppress(OSError):
        full.close()


def test_an_output_that_is_full_or_closed_is_one_line(tmp_path: Path) -> None:
    done = shell("$K --version > /dev/full", tmp_path)
    assert done.returncode == 1
    said = "cannot write standard output: No space left on device; free the place or write elsewhere"
    assert done.stderr == f"kinetoscope: {said}\n"
    assert shell("$K --version >&-; $K --help | head -1", tmp_path).stderr == ""


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("layers", "motion13", "--size", "1000000x1000000x1000000"), 2, "give less: no machine takes"),
        ((*LOOK, "--out", "n" * 300), 1, "File name too long"),
        ((*LOOK, "--out", "o/" + "n" * 300 + "/p"), 1, "File name too long"),
        ((*LOOK, "--out", "o", "--device", "meta"), 1, "device 'meta' does not work here; try cpu"),
        ((*KERNEL, "3x3x3", "--filters", "999999"), 2, "4096"),
        ((*KERNEL, "3x9999x9999"), 1, "fewer or smaller"),
        ((*KERNEL, "3x3x3", "--units", "77"), 2, "--units"),
        ((*KERNEL, "3x3x3", "--weights", "random"), 2, "--weights"),
        ((*MAPS, "--model", "motion13", "--layer", "conv1", "--filters", "4"), 2, "--filters"),
        ((*MAPS, "--kernels", "k", "--seed", "0"), 2, "--seed"),
        ((*LOOK, "--out", "o", "--objective", "channel", "--position", "1,2,3"), 1, "give --objective unit"),
        ((*LOOK, "--out", "o", "--seed", str(2**63)), 2, "--seed"),
    ],
)  # fmt: skip
def test_wishes_no_machine_can_grant_are_one_line(
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], status: int, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save(tmp_path / "c.npy", np.zeros((6, 3, 12, 16), np.float32))
    done = run(*words)
    assert done.status == status
    assert said in " ".join(done.err.replace("│", " ").split())
    assert "Traceback" not in done.err
    assert [file.name for file in tmp_path.iterdir()] == ["c.npy"]


def test_too_many_maps_are_refused_before_they_are_computed() -> None:
    import torch

    from kinetoscope.activations.maps import kernel_filters, maps_of

    clip = torch.zeros(1, 1, 1, 1).expand(100, 1, 300, 300)
    with pytest.raises(SettingInvalid, match=r"3000 maps of 100x299x299 take 107 GB at a time; give fewer"):
        maps_of(clip, kernel_filters(torch.ones(3000, 1, 1, 2, 2)))


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")]
)
def test_too_little_memory_is_one_line(run, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*args: object, **options: object) -> None:
        raise error

    monkeypatch.setattr("kinetoscope.units.layers.list_reached", fail)
    done = run("layers", "motion13")
    assert (done.status, done.out) == (1, "")
    assert done.err.startswith("kinetoscope: this takes more memory than there is; give a smaller --size")
    assert done.err.count("\n") == 1


@pytest.mark.parametrize("seed", [2**62, 2**63 - 1])
def test_every_seed_that_is_allowed_works(seed: int) -> None:
    from kinetoscope.evaluation.sanity import reinitialized
    from kinetoscope.optimal.ascend import unit_generator
    from kinetoscope.synthetic.textures import split_generator
    from kinetoscope.zoo.registry import load_model

    net = load_model("motion13", weights="random", seed=seed)
    reinitialized(net, seed)
    drawn = {unit_generator(seed + run, unit).initial_seed() for run in range(3) for unit in (0, 999)}
    assert len(drawn) == 6
    for split in ("train", "held-out"):
        split_generator(seed, split)
    assert unit_generator(7, 3).initial_seed() == 7 * 1_000_003 + 3  # as it always was


def test_a_spool_on_a_full_disk_is_told(tmp_path: Path) -> None:
    import torch

    from kinetoscope.activations.spool import Spool

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
        with Spool(tmp_path) as spool, pytest.raises(OutputUnwritable, match="cannot write"):
            spool.append(torch.zeros(30, 20, 30))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


def test_names_that_a_terminal_cannot_show_are_escaped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "net.py").write_text(
        "from torch import nn\ndef f():\n    net = nn.Sequential()\n"
        "    net.add_module('слой', nn.Conv3d(3, 1, 3))\n    return net\n",
        encoding="utf-8",
    )
    terminal = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)  # main replaces it
    assert main(["layers", f"{tmp_path / 'net.py'}:f", "--size", "3x8x9"]) == 0
    terminal.flush()
    assert b"\\u0441" in terminal.buffer.getvalue()
