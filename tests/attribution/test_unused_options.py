"""An option that the method makes nothing of is told, not passed over in silence."""

from pathlib import Path

import numpy as np
import pytest

from kinetoscope.cli import main

WORDS = ("attribute", "c.npy", "--model", "motion13", "--target", "up", "--size", "8x16x16")


@pytest.mark.parametrize(
    ("method", "option", "value"), [("gradient", "--steps", "4"), ("grad-cam", "--occlude", "2x3x4")]
)
def test_an_option_of_another_method_is_told(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    method: str,
    option: str,
    value: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("c.npy", np.random.default_rng(0).random((8, 3, 16, 16), dtype=np.float32))
    assert main([*WORDS, "--method", method, option, value, "--out", "o"]) == 0
    assert f"--method {method} makes nothing of {option}" in " ".join(capsys.readouterr().err.split())
