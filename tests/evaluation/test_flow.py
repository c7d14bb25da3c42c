"""Flow programs to compare with, and the pack that others score themselves on."""

import json

import pytest
import torch

from kinetoscope.errors import SettingInvalid
from kinetoscope.evaluation import flow
from kinetoscope.evaluation.pack import score, write_pack
from kinetoscope.synthetic.planted import noise_texture, planted_clip, translation

SIZE = (4, 48, 64)


@pytest.mark.parametrize("name", ["dis", "farneback"])
def test_programs_find_a_drift(name):
    if not flow.available():
        pytest.skip("OpenCV is not installed")
    texture = noise_texture(90, 110, torch.Generator().manual_seed(0))
    clip = planted_clip(texture, translation(30, 1.5), *SIZE)
    found = flow.flow_programs()[name](clip.video)
    assert found.shape == clip.velocity.shape
    assert float((found - clip.velocity).norm(dim=1).median()) < 0.1


def test_a_missing_opencv_is_told_in_a_line(monkeypatch):
    monkeypatch.setattr(flow, "available", lambda: False)
    with pytest.raises(SettingInvalid, match="pip install opencv-python-headless"):
        flow.flow_programs()


def test_a_pack_scores_what_others_find(tmp_path):
    write_pack(tmp_path, (3, 24, 32), [7])
    listed = json.loads((tmp_path / "pack.json").read_text())
    assert {"cross-fade", "patches, 8 px", "occlusion"} <= {row["family"] for row in listed["clips"]}
    still = next(row["clip"] for row in listed["clips"] if row["family"] == "dimming")
    zero = torch.zeros(2, 2, 24, 32)
    assert score(tmp_path, {still: zero})[still].endpoint_px == 0
    assert score(tmp_path, {still: zero + 1})[still].endpoint_px == pytest.approx(2**0.5)
    with pytest.raises(SettingInvalid, match="no clip"):
        score(tmp_path, {"0-99": zero})
    with pytest.raises(SettingInvalid, match="velocity is"):
        score(tmp_path, {still: zero[:1]})
