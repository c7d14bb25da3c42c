"""What a network of somebody's own raises, prints and gives: one line each, and never status 0."""

from pathlib import Path

import pytest

NETWORK = """
import warnings
import torch
from torch import nn
from kinetoscope import ModelCard


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv3d(3, 4, 3)
        self.last = nn.ReLU()

    def forward(self, x):
        x = self.conv(x)
        LINES
        return self.last(x)


def factory():
    return Net(), ModelCard((6, 12, 16))
"""
SHAPES = "1x3x6x12x16"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("raise SystemExit(0)", "SystemExit: 0"),
        ("import sys; sys.exit()", "failed with SystemExit"),
        ("next(iter(()))", "failed with StopIteration"),
        ("raise Exception('no such luck')", "Exception: no such luck"),
        ("raise type('Own', (Exception,), {})('of its own')", "Own: of its own"),
        (
            r"raise ValueError('\x1b[31mred\x1b[0m \x07bell\nline two')",
            r"\x1b[31mred\x1b[0m \x07bell line two",
        ),
        ("x = x / 0 * 0", "layer 'last' gives NaN on a clip of 6x12x16 (TxHxW)"),
        ("x = x + float('nan') * x", "layer 'last' gives NaN"),
    ],
)
@pytest.mark.parametrize("verb", ["visualize", "feature-maps"])
def test_a_forward_pass_that_fails_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    verb: str, lines: str, said: str,
) -> None:  # fmt: skip
    import numpy as np

    from kinetoscope.cli import main

    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(NETWORK.replace("LINES", lines))
    np.save("c.npy", np.random.default_rng(0).random((6, 3, 12, 16), dtype=np.float32))
    words = {
        "visualize": ["visualize", "net.py:factory", "last", "--units", "0", "--steps", "2", "--seeds", "1"],
        "feature-maps": ["feature-maps", "c.npy", "--model", "net.py:factory", "--layer", "last"],
    }[verb]
    status = main([*words, "--out", "o", "--quiet"])
    shown = capsys.readouterr()
    assert status == 1
    assert said in shown.err
    assert shown.err.count("\n") == 1
    assert shown.err.rstrip("\n").isprintable()
    assert "NaN" in said or ("given x" in shown.err or "on a clip of" in shown.err)
    assert not list(Path("o").rglob("unit.json"))


@pytest.mark.parametrize("raised", ["SystemExit(0)", "StopIteration", "Exception('x')", "KeyError('x')"])
def test_a_factory_that_fails_is_one_line(run, tmp_path: Path, raised: str) -> None:
    (tmp_path / "net.py").write_text(f"def factory():\n    raise {raised}\n")
    done = run("layers", f"{tmp_path / 'net.py'}:factory")
    assert (done.status, done.out) == (1, "")
    assert "mend the factory" in done.err
    assert done.err.count("\n") == 1


@pytest.mark.filterwarnings("default")
def test_a_warning_of_a_forward_pass_is_one_line(run, tmp_path: Path) -> None:
    lines = r"warnings.warn('first\nsecond \x1b[5m third', stacklevel=1)"
    (tmp_path / "net.py").write_text(NETWORK.replace("LINES", lines))
    done = run("layers", f"{tmp_path / 'net.py'}:factory")
    assert done.status == 0
    told = [line for line in done.err.splitlines() if "first" in line]
    assert told
    assert all(line == r"kinetoscope: UserWarning: first second \x1b[5m third" for line in told)
