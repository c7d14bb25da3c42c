"""Tables say what the rows say."""

import pytest
from evaluation_rows import depth_row, planted_row

from kinetoscope.evaluation.metrics import Spread
from kinetoscope.evaluation.planted import Errors
from kinetoscope.evaluation.report import along, cell, depth_report, planted_report
from kinetoscope.render.words import MISSING


def row(formulation, endpoint):
    return planted_row(formulation, Errors(endpoint, 2.0, 5.0, None, None, None))


SETTINGS = {"clip": [16, 48, 64], "network_clip": [16, 40, 48], "seeds": 1, "paper_steps": 400}


def test_cells_give_median_and_range():
    assert cell(Spread(0.5, 1.25, 2.0, 3), ".1f") == "1.2 [0.5, 2.0]"
    assert cell(Spread(0.501, 0.502, 0.503, 3), ".2f") == "0.50"
    assert cell(None, ".2f") == MISSING


def test_rows_of_a_family_are_put_together_per_formulation():
    rows = [row("layered", 0.1), row("layered", 0.3), row("layered", 0.4), row("paper", 2.5)]
    report = planted_report(rows, SETTINGS, {"torch": "2.0", "threads": 2})
    (ours,) = (line for line in report.splitlines() if line.startswith("| grating, 8 px | layered"))
    assert ours.startswith(f"| grating, 8 px | layered | 3 | 0.300 [0.100, 0.400] | 2.00 | 5.0 | {MISSING} |")
    assert "16x48x64" in report
    assert "400 steps" in report
    assert "threads 2" in report
    assert "travelled 4.0 px" in report
    assert "paper 1.5 px" in report


def test_distance_is_along_the_truth():
    truth = [[0.0, 0.0], [3.0, 4.0]]
    assert along(truth, truth) == pytest.approx([0, 5])
    assert along([[0.0, 0.0], [-4.0, 3.0]], truth) == pytest.approx([0, 0])
    assert along([[0.0, 0.0], [-3.0, -4.0]], truth) == pytest.approx([0, -5])
    assert along([[0.0, 0.0], [1.0, 1.0]], [[0.0, 0.0], [0.0, 0.0]]) == [0, 0]


def test_depth_has_a_line_per_layer():
    rows = [depth_row(name) for name in ("conv1", "conv1", "fc")]
    lines = depth_report(rows, "Motion by depth: m", {"model": "m", "steps": None}).splitlines()
    assert lines[0] == "# Motion by depth: m"
    assert [line.split(" | ")[:2] for line in lines if line.startswith(("| conv1", "| fc"))] == [
        ["| conv1", "2"],
        ["| fc", "1"],
    ]
    assert not any("None" in line for line in lines)
