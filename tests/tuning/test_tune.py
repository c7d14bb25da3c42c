"""Pictures beside measurements: what is compared, what is refused, what is left on disk."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image
from torch import nn
from tuned_units import CARD, FRAMES, SIDE, energies

import kinetoscope as ks
from kinetoscope.errors import SettingInvalid
from kinetoscope.stimuli import grating, to_contrast
from kinetoscope.tuning import listen
from kinetoscope.tuning.export import ExportSettings, export_stimuli
from kinetoscope.tuning.listen import Shown, heard, over_map
from kinetoscope.tuning.report import unit_row
from kinetoscope.zoo.registry import weights_sha256

DIRECTIONS = (40.0, 200.0)


def picture(result_factory, model, unit, direction):
    """A unit's result that shows a grating of its direction."""
    made = result_factory(FRAMES, SIDE, SIDE, (0.0, 0.0))
    clip = to_contrast(grating((3, FRAMES, SIDE, SIDE), 9.0, direction, 1.0)[None], 0.2)[0] + 0.5
    video = clip.transpose(0, 1).contiguous()
    return replace(
        made,
        video=video,
        optimal=replace(made.optimal, video=video),
        decomposition=replace(made.decomposition, static_image=video[0]),
        motion=replace(made.motion, direction_deg=direction, speed_px_per_frame=1.0, label="up-right"),
        record={**made.record, "layer": "energy", "unit": unit, "weights_sha256": weights_sha256(model)},
    )


@pytest.fixture
def model():
    return energies([(direction, 1.0) for direction in DIRECTIONS])


@pytest.fixture(scope="module")
def pictures(result_factory):
    """The first shows the truth, the second what is opposite to it."""
    same = energies([(direction, 1.0) for direction in DIRECTIONS])
    return [picture(result_factory, same, 0, 40.0), picture(result_factory, same, 1, 20.0)]


@pytest.fixture(scope="module")
def tuning(pictures):
    same = energies([(direction, 1.0) for direction in DIRECTIONS])
    return ks.tune(same, "energy", [0, 1], card=CARD, compare=pictures)


def test_agreement_is_with_gratings_and_with_the_own_texture(tuning):
    right, wrong = (unit_row(unit) for unit in tuning.units)
    assert right["error_deg"]["gratings"] < 5
    assert right["error_deg"]["texture"] < 15
    assert wrong["error_deg"]["gratings"] > 175
    assert set(tuning.agreement) == {"gratings", "texture"}
    for agreed in tuning.agreement.values():
        assert agreed.units == 2
        assert agreed.within_45_deg == pytest.approx(0.5)
        assert agreed.outside == (1,)


def test_a_picture_that_a_grating_beats_is_told(tuning):
    right, wrong = tuning.units
    assert wrong.beaten_by.startswith("sine, 9 px")
    assert wrong.optimum_response < 0.2 * wrong.best["drifting grating"][0]
    # the planted kernel's own grating, between the directions of the bank
    assert right.optimum_response == pytest.approx(right.best["drifting grating"][0], rel=0.15)


@pytest.mark.painted
def test_what_is_saved_can_be_read(tuning, tmp_path):
    page = tuning.save(tmp_path)
    record = json.loads((tmp_path / "tuning.json").read_text())
    arrays = safetensors.torch.load_file(tmp_path / "responses.safetensors")
    rows = list(csv.DictReader((tmp_path / "tuning.csv").read_text().splitlines()))
    assert [unit["unit"] for unit in record["units"]] == [0, 1] == [int(row["unit"]) for row in rows]
    assert record["agreement"]["texture"]["units"] == 2
    pairs, directions = record["axes"]["wavelength_speed"], record["axes"]["directions_deg"]
    assert arrays["gratings"].shape == (2, len(pairs), len(directions), 2)
    curve = arrays["gratings"][0, pairs.index(record["units"][0]["moving_grating"][:2])].mean(dim=1)
    angles = torch.deg2rad(torch.tensor(directions))
    total = torch.complex(curve * angles.cos(), curve * angles.sin()).sum() / curve.sum()
    assert float(total.abs()) == pytest.approx(record["units"][0]["dsi"], abs=1e-5)
    assert "beats" not in page.read_text()
    assert "drives 1 of 2 compared units more" in page.read_text()
    for unit in "01":
        for name in ("tuning.png", "summary.png"):
            with Image.open(tmp_path / "energy" / unit / name) as picture:
                assert picture.width == 1600
    assert (tmp_path / "layer.png").exists()


def test_names_are_escaped_on_the_page(model, tmp_path):
    card = replace(CARD, class_names=("<b>a", "$x$"), output_layer="energy")
    page = ks.tune(model, "energy", ["$x$", 0], card=card).save(tmp_path)
    assert "<b>a" not in page.read_text()
    assert "&lt;b&gt;a" in page.read_text()


def test_pictures_of_something_else_are_refused(model, pictures):
    other = [replace(p, record={**p.record, "layer": "conv"}) for p in pictures]
    with pytest.raises(SettingInvalid, match="layer 'conv', not 'energy'"):
        ks.tune(model, "energy", [0], card=CARD, compare=other)
    other = [replace(p, record={**p.record, "weights_sha256": "0"}) for p in pictures]
    with pytest.raises(SettingInvalid, match="other weights"):
        ks.tune(model, "energy", [0], card=CARD, compare=other)
    with pytest.raises(SettingInvalid, match=r"9x25x25.*stimuli are 9x26x25"):
        ks.tune(model, "energy", [0], card=CARD, compare=pictures, size=(9, 26, 25))
    with pytest.raises(SettingInvalid, match="contrast"):
        ks.tune(model, "energy", [0], card=CARD, contrast=0.4)


def test_a_unit_without_a_picture_is_measured_only(model, pictures):
    first, second = ks.tune(model, "energy", [1, 0], card=CARD, compare=pictures[:1]).units
    assert first.shown is None
    assert second.shown is not None
    assert "error_deg" not in unit_row(first)


class Logits(nn.Module):
    """One number per unit, with an offset that grey gives too; `head`."""

    def __init__(self):
        super().__init__()
        self.first = energies([(direction, 1.0) for direction in DIRECTIONS])
        self.head = nn.Linear(2, 2)
        with torch.no_grad():
            self.head.weight.copy_(torch.tensor([[1.0, -1.0], [-1.0, 1.0]]))
            self.head.bias.copy_(torch.tensor([5.0, -5.0]))

    def forward(self, clips):
        return self.head(self.first(clips).mean(dim=(2, 3, 4)))


def test_a_logit_counts_from_its_value_for_grey():
    units = ks.tune(Logits(), "head", [0, 1], card=CARD).units
    for unit, direction, offset in zip(units, DIRECTIONS, (5.0, -5.0), strict=True):
        assert unit.response_to_grey == pytest.approx(offset, abs=1e-4)
        assert abs((unit.gratings.direction_deg - direction + 180) % 360 - 180) < 8
        assert unit.gratings.dsi > 0.5
        assert unit.field.theoretical is None


def test_the_model_comes_back_as_it_was(model):
    model.train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    ks.tune(model, "energy", [0], card=CARD)
    assert model.training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in model.parameters())


def test_memory_is_bounded_by_batches(monkeypatch):
    monkeypatch.setattr(listen, "BATCH_PIXELS", 3 * 4 * 8 * 8)
    sizes = []

    def forward(clips):
        sizes.append(len(clips))
        return clips[:, :2]

    shown = [Shown("k", "n", lambda: torch.full((3, 4, 8, 8), 0.1), None) for _ in range(10)]
    found = heard(forward, shown, over_map)
    assert max(sizes) == 3
    assert found.shape == (10, 2)
    assert found[0].tolist() == pytest.approx([0.6, 0.6])


def test_natural_windows_give_a_measure(model, tmp_path):
    clip = to_contrast(grating((3, FRAMES, SIDE, SIDE), 9.0, 40.0, 1.0)[None], 0.2)[0] + 0.5
    np.save(tmp_path / "clip.npy", clip.transpose(0, 1).numpy())
    unit = ks.tune(model, "energy", [0], card=CARD, clips=[tmp_path / "clip.npy"]).units[0]
    share = unit_row(unit)["responses"]["drifting grating"]["of_natural"]
    assert share == pytest.approx(1.0, abs=0.15)


def test_exported_stimuli_are_what_was_predicted_for(model, tuning, tmp_path):
    how = ExportSettings(degrees_per_pixel=0.5, frames_per_second=24.0, blank_frames=2)
    manifest = export_stimuli(model, tuning, tmp_path, card=CARD, settings=how)
    rows = list(csv.DictReader(manifest.read_text().splitlines()))
    assert {row["kind"] for row in rows} >= {"drifting grating", "plaid", "dots", "flash", "own texture"}
    gratings = [row for row in rows if row["kind"] == "drifting grating"]
    best = max(gratings, key=lambda row: float(row["unit_0"]))
    assert abs(float(best["direction_deg"]) - 40) <= 10
    assert float(best["direction_vivit_deg"]) == (float(best["direction_deg"]) + 180) % 360
    assert (best["degrees_per_pixel"], best["frames_per_second"], best["blank_frames"]) == (
        "0.5",
        "24.0",
        "2",
    )
    levels = np.load(tmp_path / "arrays" / f"{best['stimulus']}.npy")
    assert (levels.dtype, levels.shape) == (np.uint8, (FRAMES, 3, SIDE, SIDE))
    clip = torch.from_numpy(levels).float().div(255).transpose(0, 1)[None]
    with torch.no_grad():
        answer = float(model(clip - 0.5)[0, 0].mean())
    assert answer == pytest.approx(float(best["unit_0"]), rel=1e-3)
    assert (tmp_path / "films" / f"{best['stimulus']}.mp4").stat().st_size > 500
