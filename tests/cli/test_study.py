"""`ablate` and `sanity`: one figure, one JSON file, done once, with the arithmetic replaced."""

import json

import pytest
import torch

from kinetoscope.evaluation.ablate import VARIANTS, Ablation, Variant
from kinetoscope.evaluation.sanity import CHECKS, Check, Sanity
from kinetoscope.results import Confidence, Optimal, UnitResult

UNIT = ("motion13", "fc", "--unit", "up", "--weights", "random", "--quiet")


def fake_ablation(request, paper, progress):
    from fake_run import H, T, W, decomposed

    measured = {
        "optimum_gain": 1.0,
        "activation_kept": 0.5,
        "psnr_db": None,
        "static_psnr_db": 20.0,
        "displacement_tv": 0.1,
        "video_tv": 0.2,
        "label": "up",
        "direction_deg": 90.0,
        "speed_px_per_frame": 1.0,
        "direction_error_deg": 0.0,
        "label_right": True,
        "seconds": 1.0,
    }
    variants = []
    for index, (group, name, note) in enumerate(VARIANTS):
        progress(index, 1, 1)
        parts, _ = decomposed(index)
        variants.append(Variant(group, name, note, torch.rand(T, 3, H, W), parts, measured))
    truth = {"label": "up", "direction_deg": 90.0}
    record = {**request.to_json(2), "truth": truth, "settings": {"paper": {"steps": paper.steps}}}
    return Ablation(tuple(variants), record)


def fake_sanity(request, progress):
    from fake_run import H, T, W, decomposed

    measured = {
        "drives_unit": 1.0,
        "field_circular_variance": None,
        "response": 2.0,
        "random_input": 0.0,
        "label": "up",
        "direction_deg": 90.0,
        "speed_px_per_frame": 1.0,
        "direction_index": 0.9,
        "motion_dependence": None,
    }
    checks = []
    for index, (group, name, note) in enumerate(CHECKS):
        progress(index, 1, 1)
        parts, motion = decomposed(index)
        video = torch.rand(T, 3, H, W)
        result = UnitResult(video, parts, motion, Optimal(video, (0.0, 1.0), 2, 0.1))
        checks.append(Check(group, name, note, result, measured))
    confidence = Confidence((0, 1), 2, ("up", "up"), 1.0, (90.0, 90.0), (1.0, 1.0), 0.0, 0.0, 0.0)
    return Sanity(tuple(checks), confidence, request.to_json(2))


@pytest.fixture(autouse=True)
def _replaced(monkeypatch):
    monkeypatch.setattr("kinetoscope.evaluation.ablate.ablation_of", fake_ablation)
    monkeypatch.setattr("kinetoscope.evaluation.sanity.sanity_of", fake_sanity)


@pytest.mark.parametrize(("verb", "name", "rows"), [("ablate", "ablation", 13), ("sanity", "sanity", 6)])
def test_a_study_leaves_a_figure_and_its_numbers_once(run, tmp_path, verb, name, rows):
    words = (verb, *UNIT, "--out", tmp_path / "o")
    status, out, err = run(*words)
    assert (status, err) == (0, "")
    figure, file = tmp_path / "o" / f"{name}.png", tmp_path / "o" / f"{name}.json"
    assert out == f"{figure}\n"
    assert figure.read_bytes().startswith(b"\x89PNG")
    record = json.loads(file.read_text())
    assert (record["model"], record["weights"], record["unit"]) == ("motion13", "random", 2)
    assert len(record["rows"]) == rows
    assert all({"group", "name", "label"} <= set(row) for row in record["rows"])
    before = file.stat().st_mtime_ns
    assert run(*words).status == 0
    assert file.stat().st_mtime_ns == before
    for change in (("--seed", "4"), ("--seed", "4", "--force")):
        assert run(*words, *change).status == 0
        assert file.stat().st_mtime_ns != before, change
        before = file.stat().st_mtime_ns
    assert not list((tmp_path / "o").rglob("*.part"))


def test_the_steps_are_those_of_every_optimization(run, tmp_path):
    for steps, expected in (((), 2000), (("--steps", "9"), 9)):
        assert run("ablate", *UNIT, "--out", tmp_path, *steps).status == 0
        record = json.loads((tmp_path / "ablation.json").read_text())
        assert record["settings"]["paper"]["steps"] == expected


@pytest.mark.parametrize("verb", ["ablate", "sanity"])
def test_one_unit_is_wanted(run, tmp_path, verb):
    for units, status, told in (("2,3", 2, "2 units"), ("1-", 2, "range"), ("99", 1, "99"), ("upp", 1, "up")):
        outcome = run(verb, "motion13", "fc", "--unit", units, "--weights", "random", "--out", tmp_path / "o")
        assert outcome.status == status, units
        assert told in outcome.err
    assert not (tmp_path / "o").exists()
