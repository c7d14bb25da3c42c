"""`kinetoscope tune` from the command line: what it leaves, what it skips, what it refuses."""

import json
from pathlib import Path

FACTORY = """
import torch
from torch import nn
import kinetoscope as ks


def factory():
    torch.manual_seed(0)
    card = ks.ModelCard(clip=(6, 20, 24), mean=(0.5,))
    return nn.Sequential(nn.Conv3d(3, 4, 5, stride=2, padding=2), nn.ReLU()), card
"""


def network(folder: Path) -> str:
    (folder / "net.py").write_text(FACTORY)
    return f"{folder / 'net.py'}:factory"


def test_tune_leaves_numbers_arrays_a_table_and_a_page(run, tmp_path: Path) -> None:
    model, out = network(tmp_path), tmp_path / "out"
    done = run("tune", model, "1", "--units", "0,2-3", "--out", out, "--size", "6x16x20")
    assert (done.status, done.out.strip()) == (0, str(out / "index.html"))
    record = json.loads((out / "tuning.json").read_text())
    assert [unit["unit"] for unit in record["units"]] == [0, 2, 3]
    keys = {
        "unit", "preferred_direction_deg", "preferred_speed_px_per_frame", "preferred_wavelength_px", "dsi",
        "osi", "best_response",
    }  # fmt: skip
    assert all(keys <= set(unit) for unit in record["units"])
    assert record["agreement"] is None
    assert record["size"] == [6, 16, 20]
    assert record["peak_memory_mb"] > 0
    for name in ("responses.safetensors", "tuning.csv", "layer.png", "index.html", "1/0/tuning.png"):
        assert (out / name).exists(), name
    again = run("tune", model, "1", "--units", "0,2-3", "--out", out, "--size", "6x16x20")
    assert "finished" in again.err


def test_a_run_is_compared_at_its_own_size(run, tmp_path: Path, result_factory) -> None:
    from kinetoscope.render.files import save_unit
    from kinetoscope.zoo.registry import load_model, weights_sha256

    model = network(tmp_path)
    result = result_factory(6, 16, 20, (1.0, 0.0))
    held = weights_sha256(load_model(model))
    result.record.update(layer="1", unit=2, weights_sha256=held)
    save_unit(result, tmp_path / "run")
    out = tmp_path / "out"
    done = run("tune", model, "1", "--units", "1,2", "--out", out, "--compare", tmp_path / "run")
    assert done.status == 0, done.err
    assert "measured only: units 1" in done.err
    record = json.loads((out / "tuning.json").read_text())
    assert record["size"] == [6, 16, 20]
    wanted = {"units", "median_error_deg", "within_45_deg", "circular_correlation", "speed_correlation"}
    assert all(wanted <= set(record["agreement"][name]) for name in ("gratings", "texture"))
    assert record["units"][1]["shown"]["direction_deg"] == 0.0
    assert (out / "1" / "2" / "summary.png").exists()
    none = run("tune", model, "1", "--units", "1", "--out", tmp_path / "o", "--compare", tmp_path / "run")
    assert none.status == 1
    assert "holds none of the units 1" in none.err


def test_what_cannot_be_is_refused(run, tmp_path: Path) -> None:
    model = network(tmp_path)
    odd = run("tune", model, "1", "--units", "0", "--out", tmp_path / "o", "--frame-rate", "9")
    assert odd.status == 2
    assert "--frame-rate" in odd.err
    empty = run("tune", model, "1", "--units", "0", "--out", tmp_path / "o", "--compare", tmp_path)
    assert (empty.status, "no finished unit of layer '1'" in empty.err) == (1, True)
    wrong = run("tune", model, "1", "--units", "9", "--out", tmp_path / "o")
    assert (wrong.status, "9" in wrong.err) == (1, True)
    assert not (tmp_path / "o").exists()


def test_many_panels_are_drawn_by_all_processors_and_are_the_same(monkeypatch) -> None:
    from kinetoscope.cli import drawing

    monkeypatch.setattr(drawing, "processors", lambda: 2)
    words = [f"unit {k}" for k in range(drawing.MANY)]
    with drawing.drawing(len(words)) as many, drawing.drawing(2) as few:
        assert few is map
        assert list(many(str.upper, words)) == [word.upper() for word in words]
