"""Numbers as words: units, signs, and a dash for what is not known."""

import pytest

from kinetoscope.render.words import (
    activation_rows,
    compass,
    confidence_rows,
    decibels,
    direction_words,
    headline,
    index_rows,
    number,
    share_rows,
    title_of,
)
from kinetoscope.types import MOTION_LABELS


@pytest.mark.parametrize("index", range(8))
def test_the_compass_agrees_with_the_labels(index: int) -> None:
    for offset in (-22.0, 0.0, 22.0):
        assert compass((45.0 * index + offset) % 360.0) == index
    spoken = direction_words({"direction_deg": 45.0 * index, "speed_px_per_frame": 1.0})
    assert spoken == f"{45 * index}° {'→↗↑↖←↙↓↘'[index]} {MOTION_LABELS[index]}"


def test_a_direction_of_nothing_is_a_dash() -> None:
    assert direction_words({"direction_deg": 10.0, "speed_px_per_frame": 0.001}) == "\N{EN DASH}"
    assert direction_words({}) == "\N{EN DASH}"


def test_numbers_carry_sign_and_unit() -> None:
    assert number(-0.5, unit="px/frame") == "\N{MINUS SIGN}0.50 px/frame"
    for missing in (None, float("nan"), "x", True):
        assert number(missing) == "\N{EN DASH}"
    assert decibels(31.24) == "31.2 dB"
    assert decibels(float("inf")) == decibels(None) == "exact"


@pytest.mark.parametrize("label", MOTION_LABELS)
def test_every_label_has_a_headline(label: str) -> None:
    motion = {
        "label": label,
        "speed_px_per_frame": 1.2,
        "divergence_per_frame": 0.04,
        "rotation_per_frame": -0.05,
    }
    assert headline(motion).startswith(label)


def test_headlines_name_the_number_that_matters() -> None:
    assert headline({"label": "expansion", "divergence_per_frame": 0.04}) == "expansion +0.040 /frame"
    assert (
        headline({"label": "clockwise", "rotation_per_frame": -0.05})
        == "clockwise \N{MINUS SIGN}0.050 rad/frame"
    )
    assert headline({"label": "mixed"}) == "mixed"


def test_rows_come_in_a_fixed_order() -> None:
    assert activation_rows({"shuffled": 1, "optimal": 2.5, "reversed": None}) == [
        ("optimal input", 2.5),
        ("played backwards", None),
        ("frames shuffled", 1.0),
    ]
    shares = share_rows({"variance_explained": {"residual": 0.25, "coherent": 1.2}})
    assert [(key, share) for key, _, share in shares] == [("coherent", 1.0), ("residual", 0.25)]


def test_units_that_show_nothing_have_words_and_no_direction() -> None:
    motion = {"direction_deg": 90.0, "speed_px_per_frame": 1.0}
    assert direction_words({**motion, "label": "up"}) == "90° ↑ up"
    for label in ("dead", "flat"):
        assert direction_words({**motion, "label": label}) == "\N{EN DASH}"
        assert headline({**motion, "label": label}).startswith(f"{label}: ")


def test_indices_and_confidence_are_rows_where_there_are_any() -> None:
    assert index_rows({}) == confidence_rows(None) == []
    known = {
        "reconstruction_kept": 0.987,
        "motion_dependence": None,
        "direction_index": -0.5,
        "colour_dependence": 0.25,
    }
    assert [value for _, value in index_rows(known)] == ["0.99", "\N{EN DASH}", "\N{MINUS SIGN}0.50", "0.25"]
    rows = dict(
        confidence_rows({"seeds": [0, 1, 2], "label_agreement": 1 / 3, "speed_spread_px_per_frame": 0.25})
    )
    assert rows["same motion"] == "1 of 3 seeds"
    assert rows["variance of direction"] == "\N{EN DASH}"
    assert rows["speed spread"] == "0.25 px/frame"


def test_titles_name_model_layer_and_unit() -> None:
    record = {"model": "c3d", "layer": "conv3b", "unit": 4, "unit_name": None}
    assert title_of(record) == "c3d / conv3b / unit 4"
    assert title_of({**record, "unit_name": "up"}) == "c3d / conv3b / unit 4 (up)"
    assert title_of({}) == "Decomposition of a given video"
