"""The benchmark's own bookkeeping: all cases, honest errors, rows that JSON can hold."""

import json
from dataclasses import replace

import pytest
import torch

from kinetoscope.evaluation.cases import DIRECTIONS, SPEEDS, ClipCase, NetworkCase, clip_cases, speed_of
from kinetoscope.evaluation.flow import available
from kinetoscope.evaluation.planted import PlantedSettings, compare, judge, planted_cases
from kinetoscope.inquiry import settle
from kinetoscope.synthetic.planted import noise_texture, planted_clip, rotation, translation

NAMES, PROGRAMS = ["layered", "fetch", "paper"], ["dis", "farneback"]
TINY = PlantedSettings(seeds=1, clip=(6, 32, 40), network_clip=(5, 12, 14), paper_steps=4)


def test_all_cases_are_planted_once_per_seed():
    cases = planted_cases(replace(TINY, seeds=2))
    for seed in (0, 1):
        mine = [case for number, case in cases if number == seed]
        assert len({(type(case), case.family, case.name) for case in mine}) == len(mine)
        assert {case.family for case in mine if isinstance(case, ClipCase)} >= {
            "still", "translation", "rotation", "expansion", "shear", "two objects apart",
            "local jitter", "flicker, no motion", "motion and flicker",
        }  # fmt: skip
    first, again = (list(clip_cases(1, TINY.clip)) for _ in range(2))
    assert all(torch.equal(a.clip.video, b.clip.video) for a, b in zip(first, again, strict=True))


def test_three_seeds_meet_every_direction_with_every_speed():
    met = {(index, speed_of(index, seed)) for index in range(len(DIRECTIONS)) for seed in range(3)}
    assert met == {(index, speed) for index in range(len(DIRECTIONS)) for speed in SPEEDS}


def test_a_planted_drift_is_found_by_ours_and_written_down():
    clip = planted_clip(
        noise_texture(80, 90, torch.Generator().manual_seed(1)), translation(45, 1.0), *TINY.clip
    )
    findings = judge(ClipCase("translation", "45°", clip), 0, TINY)
    ours, _, paper = findings[:3]
    assert [finding.formulation for finding in findings] == NAMES + (PROGRAMS if available() else [])
    assert ours.errors.endpoint_px < 0.1
    assert ours.errors.direction_deg < 3
    assert ours.errors.texture_correlation > 0.98
    assert ours.errors.endpoint_px < paper.errors.endpoint_px
    assert paper.variance_explained["coherent"] == 0
    assert ours.truth_path[-1].tolist() == pytest.approx([5 * 0.5**0.5, -5 * 0.5**0.5], abs=1e-4)
    assert (ours.result_path - ours.truth_path).norm(dim=1).max() < 0.5
    row = json.loads(json.dumps(ours.to_json(), allow_nan=False))
    assert row["truth"]["label"] == row["result"]["label"] == "up-right"
    assert row["errors"]["speed_ratio"] == pytest.approx(1, abs=0.1)
    assert not any(key.endswith("_field") for key in row)


@pytest.mark.usefixtures("quick_motion", "few_stimuli")
def test_a_network_is_optimized_once_and_taken_apart_in_every_way(monkeypatch):
    few = {"default": replace(settle.OPTIMAL_PRESETS["default"], steps=3)}
    monkeypatch.setattr(settle, "OPTIMAL_PRESETS", few)
    cases = [case for _, case in planted_cases(TINY) if isinstance(case, NetworkCase)]
    for case in (cases[0], cases[-1]):
        findings = judge(case, 0, TINY)
        assert [finding.formulation for finding in findings] == NAMES
        assert len({finding.seconds["optimize"] for finding in findings}) == 1
        assert findings[0].motion_share is None
        assert 0 <= findings[0].errors.texture_correlation <= 1


def test_errors_at_their_best_and_worst():
    truth = planted_clip(torch.rand(3, 40, 50), rotation(0.1), 4, 16, 24).velocity
    best, worst = compare(truth, truth), compare(-truth, truth)
    assert (best.endpoint_px, best.angular_deg, best.speed_ratio) == (0, 0, pytest.approx(1))
    assert best.direction_deg is None
    assert worst.speed_ratio == pytest.approx(-1)
    assert worst.endpoint_px == pytest.approx(2 * float(truth[0].norm(dim=0).median()), rel=0.05)
    half = torch.zeros(1, 1, 16, 24, dtype=torch.bool)
    half[..., :12] = True
    mixed = torch.where(half, truth, -truth)
    assert compare(mixed, truth, half).endpoint_p90_px == 0
    assert compare(mixed, truth, ~half).speed_ratio == pytest.approx(-1)
