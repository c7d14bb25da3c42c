"""The examples run, and the comparison they print holds."""

import importlib.util
import sys
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest
import torch

from kinetoscope import DecomposeSettings, decompose, list_layers
from kinetoscope.cli import main
from kinetoscope.files import finished_units
from kinetoscope.motion.paper import PaperSettings
from kinetoscope.records import read_unit

EXAMPLES = Path(__file__).parents[1] / "examples"


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_example_is_tested() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    assert {path.stem for path in EXAMPLES.glob("*.py") if f'example("{path.stem}")' not in source} == set()


@pytest.mark.usefixtures("quick_motion", "blank_summaries")
def test_own_network_and_reading_it_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    example("own_network").main(["--out", str(tmp_path), "--steps", "3"])
    told = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in told] == ["features.0 unit 0", "features.0 unit 1", "head unit 0"]
    example("read_results").main([str(tmp_path)])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    speeds = [float(line.split(": ")[1].split()[0]) for line in lines]
    assert speeds == sorted(speeds, reverse=True)
    assert any(line.startswith("head:0 waving") for line in lines)


@pytest.mark.usefixtures("quick_motion", "blank_summaries")
def test_own_network_on_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)  # main replaces it
    words = ["visualize", f"{EXAMPLES / 'own_network.py'}:factory", "head", "--units", "standing"]
    assert main([*words, "--steps", "2", "--quiet", "--out", str(tmp_path)]) == 0
    (folder,) = finished_units(tmp_path)
    assert read_unit(folder)["unit_name"] == "standing"
    assert read_unit(folder)["settings"]["size"] == [8, 24, 32]


def test_the_layered_account_finds_what_free_fields_miss() -> None:
    clips = example("planted_motion").planted((9, 24, 36))
    video, truth = clips["grating, 9 px a stripe"]
    found = {
        name: decompose(video, settings).velocity.mean(dim=(0, 2, 3))
        for name, settings in (
            ("layered", DecomposeSettings()),
            ("paper", DecomposeSettings(formulation="paper", paper=PaperSettings(steps=400))),
        )
    }
    errors = {name: (velocity - torch.tensor(truth)).norm().item() for name, velocity in found.items()}
    assert errors["layered"] < 0.15
    assert errors["paper"] > 2 * errors["layered"]


def test_planted_motion_prints_its_table(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "kinetoscope.DecomposeSettings", partial(DecomposeSettings, paper=PaperSettings(steps=20))
    )
    example("planted_motion").main(["--size", "4", "12", "16"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [
        "clip",
        "grating,",
        "layered",
        "paper",
        "texture",
        "layered",
        "paper",
    ]


@pytest.mark.usefixtures("quick_motion", "blank_summaries")
def test_a_transformer_and_its_probe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("transformers", reason="transformers is not there")
    page = example("transformer")
    page.main(["--out", str(tmp_path), "--steps", "1", "--clips", "16", "--search", "2"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[-4:]] == list(page.NAMES)
    assert len(list(finished_units(tmp_path / "seen"))) == 4
    for family in page.FAMILIES:
        net, card = page.factory(family)
        rows = {row.name: row for row in list_layers(net, card)}
        names = [name for name in rows if "embeddings" in name or ".layer." in name]
        assert {rows[name].map_shape for name in names} == {(4, 4, 4)}
        assert rows[page.LAYER].units == page.WIDTH == 4 * 4 * 4
    video, which = page.planted(3, seed=1)
    assert video.shape == (3, 3, page.FRAMES, page.SIDE, page.SIDE)
    assert set(which.tolist()) <= {0, 1, 2, 3}
