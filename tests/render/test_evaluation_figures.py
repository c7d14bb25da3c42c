"""Figures of the evaluation: they are drawn, from full rows and from rows with gaps."""

import io

import numpy as np
import pytest
import torch
from evaluation_rows import depth_row, planted_row
from PIL import Image

from kinetoscope.evaluation.planted import Errors
from kinetoscope.render.evaluation import COLOURS, draw_depth, draw_planted


def planted_rows(direction=10.0):
    errors = Errors(0.0, 0.0, 0.0, direction, direction and 0.9, None)
    paths = {
        "truth_path": torch.tensor([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0]]),
        "result_path": torch.tensor([[0.0, 0.0], [0.5, 0.1], [0.2, 0.1]]),
    }
    return [
        planted_row(formulation, errors, planted=planted, family=family, **paths)
        for planted, family in (("clip", "translation"), ("clip", "grating, 8 px"), ("network", "flicker"))
        for formulation in ("layered", "fetch", "paper", "dis")
    ]


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def is_ours(picture):
    """Where the default formulation's colour is, mixed with white or not."""
    red, _, blue = picture.astype(int).transpose(2, 0, 1)
    return blue - red > 60


def test_the_planted_figure_shows_points_and_fields():
    field = torch.zeros(2, 12, 16)
    field[0] = 2.0
    fields = {"translation": dict.fromkeys(("truth", "layered", "free", "paper"), field)}
    picture = pixels(draw_planted(planted_rows(), fields))
    assert picture.shape[1] == 1600
    red = (picture == (255, 0, 0)).all(axis=2).sum()
    assert red > 4 * 100 * 75  # four pictures of an even rightward drift


@pytest.mark.parametrize("degrees", [10.0, 170.0])
def test_an_error_of_direction_is_a_dot_at_its_degrees(degrees):
    panel = pixels(draw_planted(planted_rows(degrees), {}))[135:250, 880:1200]  # -3 to 183 degrees
    wanted = [int(COLOURS["layered"][index : index + 2], 16) for index in (1, 3, 5)]
    columns = np.nonzero((panel == wanted).all(axis=2))[1]
    assert len(columns) > 3 * 15  # a dot per family
    assert columns.mean() == pytest.approx(320 * (degrees + 3) / 186, abs=3)


@pytest.mark.parametrize("fields", [{}, None])
def test_gaps_in_the_rows_are_left_blank(fields):
    assert pixels(draw_planted(planted_rows(direction=None), fields or {})).shape[1] == 1600


def dots(panel):
    """Runs of columns in which dots lie; a bar may hide the middle of a dot."""
    columns = np.concatenate([[False], is_ours(panel).any(axis=0), [False]])
    return int((columns[1:] > columns[:-1]).sum())


def test_the_depth_figure_has_a_dot_per_unit():
    rows = [depth_row("conv1", 0.2, 0.2), depth_row("conv1", 0.8, 0.8), depth_row("fc", 0.8)]
    picture = pixels(draw_depth(rows, "title"))
    assert picture.shape == (560, 1600, 3)
    for index in range(4):
        left = round(75 + 385 * index)
        conv, fc = picture[160:460, left : left + 160], picture[160:460, left + 160 : left + 320]
        assert dots(conv) == 2
        assert dots(fc) == (0 if index == 2 else 1)  # how large its patches are is not known
