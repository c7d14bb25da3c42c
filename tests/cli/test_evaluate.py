"""`kinetoscope evaluate`: what its verbs leave, with small settings."""

import json
from dataclasses import replace

import pytest
from PIL import Image

from kinetoscope.cli import main
from kinetoscope.inquiry import settle


@pytest.fixture(autouse=True)
def short(monkeypatch, few_stimuli):
    from kinetoscope.evaluation import planted

    monkeypatch.setattr("kinetoscope.cli.workers.processors", lambda: 1)  # others would take the usual steps
    few = {name: replace(settings, steps=2) for name, settings in settle.OPTIMAL_PRESETS.items()}
    monkeypatch.setattr(settle, "OPTIMAL_PRESETS", few)
    tiny = planted.PlantedSettings(seeds=1, clip=(4, 16, 24), network_clip=(4, 16, 20), paper_steps=2)
    monkeypatch.setattr(planted, "QUICK", tiny)
    chosen = planted.planted_cases

    def some(settings):
        """Two cases of every seed: a clip and a network."""
        cases = chosen(settings)
        return [next(pair for pair in cases if pair[0] == s and pair[1].family == f)
                for s in range(settings.seeds) for f in ("grating, 8 px", "flicker")]  # fmt: skip

    monkeypatch.setattr(planted, "planted_cases", some)


def test_planted_leaves_rows_a_report_and_a_figure(tmp_path, capsys):
    out = tmp_path / "planted"
    status = main(["evaluate", "planted", "--quick", "--seeds", "2", "--out", str(out), "--quiet"])
    assert (status, capsys.readouterr()) == (0, (f"{out / 'report.md'}\n", ""))
    content = json.loads((out / "planted.json").read_text())
    assert len(content["rows"]) == 2 * (5 + 3)  # a clip by five methods, a network by three formulations
    assert {row["seed"] for row in content["rows"]} == {0, 1}
    assert {"truth", "result", "errors", "seconds"} <= set(content["rows"][0])
    assert content["settings"]["seeds"] == 2
    assert content["environment"]["torch"]
    assert "| flicker | paper | 2 |" in (out / "report.md").read_text()
    with Image.open(out / "planted.png") as figure:
        assert figure.width == 1600
    assert not list(out.rglob("*.part"))


def test_depth_leaves_rows_a_report_and_a_figure(tmp_path, capsys):
    words = ["evaluate", "depth", "motion13", "--weights", "random", "--layers", "conv1,fc", "--units", "1"]
    status = main([*words, "--size", "8x16x24", "--out", str(tmp_path), "--quiet"])
    assert (status, capsys.readouterr()) == (0, (f"{tmp_path / 'report.md'}\n", ""))
    content = json.loads((tmp_path / "depth.json").read_text())
    assert [row["layer"] for row in content["rows"]] == ["conv1", "fc"]
    assert content["settings"]["weights"] == "random"
    assert "| fc | 1 |" in (tmp_path / "report.md").read_text()
    with Image.open(tmp_path / "depth.png") as figure:
        assert figure.width == 1600


NETWORK = """
import torch
from torch import nn
from kinetoscope import ModelCard


def factory():
    torch.manual_seed(0)
    layers = nn.Conv3d(3, 4, 5, stride=2, padding=2), nn.ReLU(), nn.Conv3d(4, 4, 3, padding=1)
    return nn.Sequential(*layers), ModelCard((8, 24, 24), mean=(0.5,))
"""


def test_tuning_compares_layer_by_layer_and_goes_on(tmp_path, capsys):
    (tmp_path / "net.py").write_text(NETWORK)
    words = ["evaluate", "tuning", f"{tmp_path / 'net.py'}:factory", "--layers", "0,2", "--units", "2"]
    words += ["--size", "8x24x24", "--steps", "2", "--out", str(tmp_path / "out")]
    assert (main([*words, "--quiet"]), capsys.readouterr().out) == (0, f"{tmp_path / 'out' / 'report.md'}\n")
    content = json.loads((tmp_path / "out" / "tuning.json").read_text())
    assert [layer["layer"] for layer in content["layers"]] == ["0", "2"]
    assert all(len(layer["units"]) == 2 for layer in content["layers"])
    assert all({"gratings", "texture"} == set(layer["agreement"]) for layer in content["layers"])
    report = (tmp_path / "out" / "report.md").read_text()
    assert sum(line.startswith("| 2 |") for line in report.splitlines()) >= 2
    with Image.open(tmp_path / "out" / "tuning.png") as figure:
        assert figure.width == 1600
    assert (tmp_path / "out" / "layers" / "0" / "0" / "0" / "summary.png").exists()
    before = (tmp_path / "out" / "layers" / "0" / "tuning.json").stat().st_mtime_ns
    assert main(words) == 0
    assert "2 of 2 units are finished" in capsys.readouterr().err
    assert (tmp_path / "out" / "layers" / "0" / "tuning.json").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (["planted", "--seeds", "0"], 2, "--seeds"),
        (["depth", "motion13", "--layers", "conv9", "--weights", "random"], 1, "conv9"),
        (["depth", "motion13", "--size", "8x8", "--weights", "random"], 2, "--size"),
        (["breadth"], 2, "breadth"),
    ],
)
def test_wrong_requests_end_in_a_line(words, status, told, tmp_path, capsys):
    out = [] if words == ["breadth"] else ["--out", str(tmp_path / "o")]
    assert main(["evaluate", *words, *out]) == status
    assert told in capsys.readouterr().err
    assert not (tmp_path / "o").exists()
