"""What each verb prints and leaves, and when finished work is done again."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from kinetoscope.files import finished_units
from kinetoscope.records import read_unit
from kinetoscope.types import MOTION_LABELS

LOOK = ("visualize", "motion13", "conv1", "--weights", "random", "--quiet")


def test_models_in_json_are_the_registered_ones(run) -> None:
    status, out, err = run("models", "--json")
    assert (status, err) == (0, "")
    rows = json.loads(out)
    assert [set(row) for row in rows] == [
        {"name", "architecture", "parameters", "clip", "bundled", "weights", "citation"} for _ in rows
    ]
    assert "motion13" in [row["name"] for row in rows]
    assert "motion13" in run("models").out


def test_layers_in_json_and_for_people(run) -> None:
    status, out, err = run("layers", "motion13", "--weights", "random", "--json")
    assert (status, err) == (0, "")
    rows = {row["name"]: row for row in json.loads(out)}
    assert rows["conv1"]["output_shape"][0] == rows["conv1"]["units"]
    assert rows["fc"]["units"] == len(MOTION_LABELS)
    assert {"frames", "height", "width"} <= set(rows["conv1"]["receptive_field"])
    sized = json.loads(run("layers", "motion13", "--weights", "random", "--json", "--size", "8x32x48").out)
    assert sized[0]["output_shape"][1:] == [8, 16, 24]
    lines = run("layers", "motion13", "--weights", "random").out.splitlines()
    assert [line.split()[0] for line in lines[1 : 1 + len(rows)]] == list(rows)
    assert any(line.startswith("conv1") and "3x6x6" in line for line in lines)


def test_visualize_leaves_units_and_a_page(run, tmp_path: Path) -> None:
    status, out, err = run(*LOOK, "--units", "5,1", "--out", tmp_path / "o", "--seed", 3, "--motion-scale", 4)
    assert (status, err) == (0, "")
    assert out == f"{tmp_path / 'o' / 'index.html'}\n"
    assert [folder.name for folder in finished_units(tmp_path / "o")] == ["1", "5"]
    record = read_unit(tmp_path / "o" / "conv1" / "5")
    assert (record["model"], record["weights"], record["seed"]) == ("motion13", "random", 3)
    assert record["objective"] == "channel-relu"
    assert record["render"]["motion_scale_px_per_frame"] == 4
    assert not list((tmp_path / "o").rglob("*.part"))


def test_class_names_choose_units_of_the_output_layer(run, tmp_path: Path) -> None:
    words = ("visualize", "motion13", "fc", "--weights", "random", "--quiet", "--units", "up,still")
    assert run(*words, "--out", tmp_path).status == 0
    folders = finished_units(tmp_path)
    assert [folder.name for folder in folders] == [str(MOTION_LABELS.index(n)) for n in ("up", "still")]
    assert read_unit(folders[0])["objective"] == "channel"


def test_progress_goes_to_stderr_in_lines(run, tmp_path: Path) -> None:
    words = ("visualize", "motion13", "fc", "--weights", "random", "--units", "up", "--out", tmp_path)
    status, _, err = run(*words)
    assert status == 0
    assert err.startswith("fc:2 (up) finished in ")


def test_a_finished_unit_is_redone_by_force_or_where_its_record_is_damaged(run, tmp_path: Path) -> None:
    """What else makes a unit unfinished is in `test_finished.py`."""
    words = (*LOOK, "--units", "0", "--out", tmp_path)
    assert run(*words).status == 0
    file = tmp_path / "conv1" / "0" / "unit.json"
    before = file.stat().st_mtime_ns
    assert run(*words).status == 0
    assert file.stat().st_mtime_ns == before
    assert run(*words, "--force").status == 0
    assert file.stat().st_mtime_ns != before
    file.write_text(file.read_text()[:100])
    assert run(*words).status == 0
    assert read_unit(file.parent)["unit"] == 0


def test_a_weights_file_is_named_in_the_record(run, tmp_path: Path) -> None:
    from kinetoscope import load_model

    torch.save(load_model("motion13", weights="random", seed=9).state_dict(), tmp_path / "w.pt")
    words = ("visualize", "motion13", "conv1", "--quiet", "--units", "0", "--out", tmp_path / "o")
    assert run(*words, "--weights", tmp_path / "w.pt").status == 0
    assert read_unit(tmp_path / "o" / "conv1" / "0")["weights"] == "w.pt"


def test_decompose_writes_into_the_folder_and_skips_when_finished(run, tmp_path: Path) -> None:
    np.save(tmp_path / "clip.npy", np.random.default_rng(0).random((3, 3, 12, 16), dtype=np.float32))
    words = ("decompose", tmp_path / "clip.npy", "--out", tmp_path / "o")
    status, out, err = run(*words)
    assert status == 0
    assert Path(out.strip()).is_file()
    assert "finished in" in err
    assert {"arrays.safetensors", "unit.json", "motion.gif", "static.png"} <= {
        p.name for p in (tmp_path / "o").iterdir()
    }
    assert "--force" in run(*words).err


def test_demo_shows_every_class_in_a_table(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kinetoscope.cli.workers.processors", lambda: 1)
    status, out, _ = run("demo", "--out", tmp_path / "demo", "--quiet")
    assert status == 0
    lines = out.splitlines()
    assert lines[-1] == str(tmp_path / "demo" / "index.html")
    for name in MOTION_LABELS:
        assert any(line.split()[0] == name for line in lines[1:-1]), name
    assert "up-right" in lines[1]
    assert "45" in lines[1]
    assert "drift (px/frame)" in lines[0]
    assert len(finished_units(tmp_path / "demo")) == 13


def test_the_choices_offered_are_the_ones_that_exist() -> None:
    from kinetoscope.cli.options import Formulation, Preset
    from kinetoscope.motion.decompose import FORMULATIONS
    from kinetoscope.optimal.search import PRESETS

    assert tuple(Formulation) == FORMULATIONS
    assert set(Preset) == set(PRESETS)
