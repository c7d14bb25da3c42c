"""Figures of the evaluation: they are drawn, from full rows and from rows with gaps."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from kinetoscope.render.evaluation import draw_depth, draw_planted


def planted_rows(direction=10.0):
    return [
        {
            "planted": planted,
            "family": family,
            "name": "case",
            "seed": 0,
            "formulation": formulation,
            "errors": {"endpoint_px": 0.0, "direction_deg": direction, "speed_ratio": direction and 0.9},
            "truth_path": [[0.0, 0.0], [1.0, 0.0], [2.0, 0.0]],
            "result_path": [[0.0, 0.0], [0.5, 0.1], [0.2, 0.1]],
        }
        for planted, family in (("clip", "translation"), ("clip", "grating, 8 px"), ("network", "flicker"))
        for formulation in ("layered", "fetch", "paper", "dis")
    ]


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def test_the_planted_figure_shows_points_and_fields():
    field = torch.zeros(2, 12, 16)
    field[0] = 2.0
    fields = {"translation": dict.fromkeys(("truth", "layered", "free", "paper"), field)}
    picture = pixels(draw_planted(planted_rows(), fields))
    assert picture.shape[1] == 1600
    red = (picture == (255, 0, 0)).all(axis=2).sum()
    assert red > 4 * 100 * 75  # four pictures of an even rightward drift
    other = pixels(draw_planted(planted_rows(direction=170.0), fields))
    assert (picture != other).any()


@pytest.mark.parametrize("fields", [{}, None])
def test_gaps_in_the_rows_are_left_blank(fields):
    assert pixels(draw_planted(planted_rows(direction=None), fields or {})).shape[1] == 1600


def test_the_depth_figure_has_a_dot_per_unit():
    measures = ("mean_speed_px_per_frame", "coherence", "affine_r2", "directions")
    rows = [{**dict.fromkeys(measures, 0.5), "layer": layer} for layer in ("conv1", "conv1", "fc")]
    few = pixels(draw_depth(rows[1:], "title"))
    many = pixels(draw_depth(rows, "title"))
    assert few.shape == many.shape == (560, 1600, 3)
    assert (few != many).any()
    without = pixels(draw_depth([{**row, "affine_r2": None} for row in rows], "title"))
    assert (without != many).any()
