"""Tables say what the rows say."""

import math
import random
from statistics import median

import pytest
from evaluation_rows import depth_row, planted_row

from kinetoscope.evaluation.metrics import Spread, interval
from kinetoscope.evaluation.planted import Errors
from kinetoscope.evaluation.report import along, cell, depth_report, planted_report, with_depth
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


def test_intervals_hold_the_number_and_shrink_with_the_count():
    draw = random.Random(1)
    few, many = ([draw.gauss(3.0, 1.0) for _ in range(count)] for count in (12, 300))
    wide, narrow = (interval([values], lambda groups: median(groups[0])) for values in (few, many))
    for (low, high), values in ((wide, few), (narrow, many)):
        assert low <= median(values) <= high
    # a median's deviation is 1.25 sigma / sqrt(n)
    assert narrow[1] - narrow[0] == pytest.approx(2 * 1.96 * 1.25 / math.sqrt(300), rel=0.3)
    assert interval([[]], lambda groups: None) is None


def test_what_grows_with_depth_correlates_with_it():
    groups = [[1.0, 1.2, 0.9], [2.0, 2.2, 1.8], [3.0, 3.1, 2.9]]
    assert with_depth(groups) > 0.9
    assert with_depth([group[::-1] for group in groups[::-1]]) < -0.9
    low, high = interval(groups, with_depth)
    assert 0.8 < low <= high <= 1
