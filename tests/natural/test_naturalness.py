"""Cards of optimal inputs, from results to what lies on disk; and the command."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image
from quick import QUICK
from torch import nn

import kinetoscope as ks
from kinetoscope.cli import main
from kinetoscope.errors import SettingInvalid

pytestmark = pytest.mark.usefixtures("quick_motion", "blank_summaries")  # of optima

SIZE = (6, 16, 20)
FACTORY = """
import torch
from torch import nn
import kinetoscope as ks


def factory():
    torch.manual_seed(0)
    card = ks.ModelCard(clip=(6, 16, 20), mean=(0.5,))
    return nn.Sequential(nn.Conv3d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv3d(4, 5, 3, padding=1)), card
"""


def network(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv3d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv3d(4, 5, 3, padding=1))


@pytest.fixture(scope="module")
def model() -> nn.Module:
    return network(0)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    for name in "ab":
        video = torch.rand(24, 3, 5, 6, generator=torch.Generator().manual_seed(ord(name)))
        np.save(folder / f"{name}.npy", nn.functional.interpolate(video, (20, 24), mode="bilinear").numpy())
    return folder


@pytest.fixture(scope="module")
def results(model: nn.Module) -> ks.Results:
    card = ks.ModelCard(clip=SIZE, mean=(0.5,))
    return ks.visualize(model, "1", [0, 2], card=card, seeds=1, steps=6, start="noise", motion=QUICK)


@pytest.fixture(scope="module")
def found(model: nn.Module, results: ks.Results, clips: Path) -> ks.Naturalness:
    card = ks.ModelCard(clip=SIZE, mean=(0.5,))
    return ks.naturalness(model, results, clips, card=card, second=network(0))


def test_responses_are_those_of_the_run(found: ks.Naturalness, results: ks.Results) -> None:
    for card, result in zip(found.cards, results, strict=True):
        assert card.response.value == pytest.approx(result.activation["optimal"], rel=1e-4)
        assert 0 <= card.response.percentile <= 100
        assert card.ratio_to_best == pytest.approx(card.response.value / float(card.natural_responses.max()))
    assert [layer.layer for layer in found.cards[0].way] == ["0", "2"]
    assert "unit 2" in repr(found)


def test_the_same_network_answers_as_the_first(found: ks.Naturalness) -> None:
    for card in found.cards:
        assert card.transfer.counterpart == card.unit
        assert card.transfer.correlation == pytest.approx(1.0)
        assert card.transfer.percentile == card.response.percentile


def test_a_natural_clip_is_natural(
    model: nn.Module, results: ks.Results, found: ks.Naturalness, clips: Path
) -> None:
    natural = replace(results[0], video=found.best_clips[0])
    card = ks.ModelCard(clip=SIZE, mean=(0.5,))
    again = ks.naturalness(model, [natural], clips, card=card).cards[0]
    assert again.ratio_to_best == pytest.approx(1.0, rel=1e-5)
    assert again.response.percentile > 98
    assert again.spectrum_gap_db.percentile < 100
    assert all(layer.percentile > 0 for layer in again.way)
    assert again.transfer is None


@pytest.mark.painted
def test_what_is_saved_can_be_read(found: ks.Naturalness, tmp_path: Path) -> None:
    page = found.save(tmp_path)
    record = json.loads((tmp_path / "naturalness.json").read_text())
    assert [unit["unit"] for unit in record["units"]] == [0, 2]
    assert record["units"][0]["limits"]["value"] == pytest.approx(found.cards[0].limits.value)
    assert record["way_layers"] == ["0", "2"]
    arrays = safetensors.torch.load_file(tmp_path / "naturalness.safetensors")
    assert arrays["responses"].shape == (2, record["natural_clips"])
    assert arrays["profiles"].shape[1] == arrays["bins"].shape[1]
    for name in ("naturalness.png", "1/0/naturalness.png", "1/2/naturalness.png"):
        with Image.open(tmp_path / name) as picture:
            assert picture.width == 1600
    assert "1/2/naturalness.png" in page.read_text()


def test_what_cannot_be_compared_is_refused(model: nn.Module, results: ks.Results, clips: Path) -> None:
    card = ks.ModelCard(clip=SIZE, mean=(0.5,))

    def refused(changed: list[ks.UnitResult], told: str, of: nn.Module = model) -> None:
        with pytest.raises(SettingInvalid, match=told):
            ks.naturalness(of, changed, clips, card=card)

    refused([], "no result")
    refused([results[0], replace(results[1], video=results[1].video[:5])], "several sizes")
    refused([replace(results[0], record={**results[0].record, "objective": "a - b"})], "'a - b'")
    refused(list(results), "other weights", network(1))
    with pytest.raises(ks.KinetoscopeError, match="no layer 'x'"):
        ks.naturalness(model, results, clips, card=card, layers=["x"])


def test_the_command_leaves_cards_and_skips_what_is_finished(clips: Path, tmp_path: Path, capsys) -> None:
    (tmp_path / "net.py").write_text(FACTORY)
    made, out = tmp_path / "run", tmp_path / "cards"
    words = ["visualize", f"{tmp_path / 'net.py'}:factory", "1", "--units", "1", "--out", str(made)]
    assert main([*words, "--steps", "2", "--seeds", "1", "--start", "noise"]) == 0
    before = sorted(made.rglob("*"))
    words = ["naturalness", str(made), "--clips", str(clips), "--out", str(out), "--second-weights", "random"]
    assert main(words) == 0, capsys.readouterr().err
    record = json.loads((out / "naturalness.json").read_text())
    assert record["request"]["results"][0][:2] == ["1", 1]
    assert record["units"][0]["transfer"]["same_index"] is False
    assert sorted(made.rglob("*")) == before
    capsys.readouterr()
    assert main(words) == 0
    assert "finished" in capsys.readouterr().err
    assert main(["naturalness", str(clips), "--clips", str(clips), "--out", str(tmp_path / "o")]) == 1
    assert "no finished unit" in capsys.readouterr().err
    assert not (tmp_path / "o").exists()
