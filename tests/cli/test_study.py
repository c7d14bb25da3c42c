"""`ablate` and `sanity`: one figure, one JSON file, done once; each study is made once for all tests."""

import json
from dataclasses import replace

import pytest
from PIL import Image

from kinetoscope.evaluation.ablate import ablation_of
from kinetoscope.evaluation.sanity import sanity_of

UNIT = ("motion13", "fc", "--unit", "up", "--weights", "random", "--size", "5x16x20", "--quiet")
MADE = {}


def fewer(request):
    """The same request with two steps."""
    return replace(request, optimal=replace(request.optimal, steps=2), asked=replace(request.asked, steps=2))


@pytest.fixture(autouse=True)
def paper_steps(monkeypatch):
    """A first study of few steps stands for all; gives the steps that the paper's formulation was to take."""
    asked = []

    def ablation(request, paper, progress):
        asked.append(paper.steps)
        if "ablation" not in MADE:
            few = fewer(request)
            MADE["ablation"] = ablation_of(few, replace(paper, steps=2), progress)
        return MADE["ablation"]

    def sanity(request, progress):
        if "sanity" not in MADE:
            few = fewer(request)
            MADE["sanity"] = sanity_of(few, progress)
        return MADE["sanity"]

    monkeypatch.setattr("kinetoscope.evaluation.ablate.ablation_of", ablation)
    monkeypatch.setattr("kinetoscope.evaluation.sanity.sanity_of", sanity)
    return asked


@pytest.mark.parametrize(("verb", "name", "rows"), [("ablate", "ablation", 13), ("sanity", "sanity", 6)])
def test_a_study_leaves_a_figure_and_its_numbers_once(run, tmp_path, verb, name, rows):
    words = (verb, *UNIT, "--out", tmp_path / "o")
    status, out, err = run(*words)
    assert (status, err) == (0, "")
    figure, file = tmp_path / "o" / f"{name}.png", tmp_path / "o" / f"{name}.json"
    assert out == f"{figure}\n"
    with Image.open(figure) as picture:
        assert picture.width == 1600
    record = json.loads(file.read_text())
    assert (record["model"], record["weights"], record["unit"]) == ("motion13", "random", 2)
    assert len(record["rows"]) == rows
    assert all({"group", "name", "label"} <= set(row) for row in record["rows"])
    before = file.stat().st_mtime_ns
    assert run(*words).status == 0
    assert file.stat().st_mtime_ns == before
    assert run(*words, "--force").status == 0
    assert file.stat().st_mtime_ns != before
    assert not list((tmp_path / "o").rglob("*.part"))


def test_the_steps_are_those_of_every_optimization(run, tmp_path, paper_steps):
    for steps in ((), ("--steps", "9")):
        assert run("ablate", *UNIT, "--out", tmp_path, *steps).status == 0
    assert paper_steps == [2000, 9]


@pytest.mark.parametrize("verb", ["ablate", "sanity"])
def test_one_unit_is_wanted(run, tmp_path, verb):
    for units, status, told in (("2,3", 2, "2 units"), ("1-", 2, "range"), ("99", 1, "99"), ("upp", 1, "up")):
        outcome = run(verb, "motion13", "fc", "--unit", units, "--weights", "random", "--out", tmp_path / "o")
        assert outcome.status == status, units
        assert told in outcome.err
    assert not (tmp_path / "o").exists()
