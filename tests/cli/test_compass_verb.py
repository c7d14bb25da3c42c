"""`kinetoscope compass` from the command line: what it leaves, what it goes on with, what it refuses."""

import json
import shutil
from pathlib import Path

from kinetoscope.cli import main

FACTORY = """
import kinetoscope as ks
from motion_shares import MotionShares


def factory():
    return MotionShares(), ks.ModelCard(clip=(6, 18, 20))
"""


def test_a_run_is_finished_goes_on_and_is_kept_apart(tmp_path: Path, capsys) -> None:
    (tmp_path / "net.py").write_text(FACTORY)
    model, out = f"{tmp_path / 'net.py'}:factory", tmp_path / "out"
    words = ["compass", model, "shares", "--out", str(out), "--clips", "64", "--angles", "4", "--steps", "4"]
    assert main(words) == 0
    assert capsys.readouterr().out.strip() == str(out / "index.html")
    record = json.loads((out / "compass.json").read_text())
    assert [row["kind"] for row in record["needles"]] == ["probe"] * 4 + ["shuffled"] * 4
    assert record["request"]["angles"] == 4
    assert record["model"] == model
    folders = [out / row["folder"] for row in record["needles"]]
    assert json.loads((folders[1] / "unit.json").read_text())["asked"] == "90° of the probe"

    assert main(words) == 0
    assert "finished" in capsys.readouterr().err

    times = {folder: (folder / "unit.json").stat().st_mtime_ns for folder in folders}
    (out / "compass.json").unlink()
    shutil.rmtree(folders[1])
    assert main(words) == 0
    made = [f for f in folders if (f / "unit.json").stat().st_mtime_ns != times[f]]
    assert made == [folders[1]]
    again = json.loads((out / "compass.json").read_text())
    assert again["needles"] == record["needles"]

    capsys.readouterr()
    assert main(["compass", model, "conv", "--out", str(out)]) == 1
    assert "another layer (shares, not conv)" in capsys.readouterr().err


def test_what_cannot_be_is_refused(run, tmp_path: Path) -> None:
    few = run("compass", "motion13", "conv2", "--out", tmp_path / "o", "--angles", "3")
    assert (few.status, "--angles" in few.err) == (2, True)
    wrong = run("compass", "motion13", "conv9", "--out", tmp_path / "o")
    assert (wrong.status, "conv9" in wrong.err) == (1, True)
    assert not (tmp_path / "o").exists()
