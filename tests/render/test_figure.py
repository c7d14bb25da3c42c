"""The figure says what was found, in every shape of clip, and says so when nothing was."""

import io
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from matplotlib.quiver import Quiver
from PIL import Image as PillowImage

from kinetoscope.render.figure import draw_summary, summary_figure
from kinetoscope.render.stored import record_of
from kinetoscope.results import Decomposition, UnitResult

Factory = Callable[..., UnitResult]


def draw(result: UnitResult, scale: float = 2.0) -> Figure:
    return summary_figure(result, record_of(result), scale)


def words(figure: Figure) -> str:
    texts = [text.get_text() for text in figure.texts]
    for axes in figure.axes:
        texts += [text.get_text() for text in axes.texts] + [axes.get_xlabel(), axes.get_ylabel()]
    return "\n".join(texts)


def quiver(figure: Figure) -> Quiver | None:
    found = [item for axes in figure.axes for item in axes.collections if isinstance(item, Quiver)]
    return found[0] if found else None


@pytest.mark.parametrize("shape", [(2, 24, 33), (5, 64, 64), (6, 12, 90), (64, 40, 30), (3, 1, 2)])
def test_clips_of_any_shape_are_drawn(result_factory: Factory, shape: tuple[int, int, int]) -> None:
    result = result_factory(*shape)
    with PillowImage.open(io.BytesIO(draw_summary(result, record_of(result)))) as image:
        assert image.width == 1600
        assert 700 < image.height < 1600
        assert np.asarray(image.convert("RGB")).std() > 10


def test_every_number_is_printed_with_its_unit(result_factory: Factory) -> None:
    printed = words(draw(result_factory(velocity=(0.75, -0.5))))
    for expected in (
        "motion13 / conv2.0 / unit 7 (up-right)",
        "objective: channel-relu",
        "up-right ↗ 0.90 px/frame",
        "34° ↗ up-right",
        "31.2 dB",
        "14.8 dB",
        "71 % of the temporal variance",
        "full brightness\n= 2.0 px/frame",
        "t [frames]",
        "x [px]",
        "played backwards",
        "\N{MINUS SIGN}0.6",
        "double speed",
        "0.83",
        "+0.74",
        "2 of 3 seeds",
        "0.34",
        "5 frames of 32 \N{MULTIPLICATION SIGN} 24 px",
    ):
        assert expected in printed


@pytest.mark.parametrize(("velocity", "slice_name"), [((0.9, 0.2), "x-t slice"), ((0.2, 0.9), "y-t slice")])
def test_the_slice_lies_along_the_motion(
    result_factory: Factory, velocity: tuple[float, float], slice_name: str
) -> None:
    assert slice_name in words(draw(result_factory(velocity=velocity)))


def test_arrows_point_where_the_content_goes(result_factory: Factory) -> None:
    figure = draw(result_factory(velocity=(0.75, -0.5)))
    arrows = quiver(figure)
    assert arrows is not None
    assert np.allclose(arrows.U, 0.75)
    assert np.allclose(arrows.V, -0.5)
    assert arrows.angles == "xy"  # in data coordinates, whose y points down
    assert arrows.axes.yaxis_inverted()


def test_fast_motion_changes_the_words_not_the_scale(result_factory: Factory) -> None:
    result = result_factory(velocity=(3.0, 0.0))
    assert "≥ 2.0 px/frame" in words(draw(result))
    assert "= 4.0 px/frame" in words(draw(result, scale=4.0))


def test_a_dead_unit_has_readable_empty_states(dead_factory: Factory) -> None:
    figure = draw(dead_factory())
    printed = words(figure)
    for expected in (
        "dead: no clip changes the response",
        "no finding",
        "the unit shows nothing",
        "no texture",
        "one flat colour",
        "the video does not change",
        "not measured",
        "exact",
    ):
        assert expected in printed
    assert quiver(figure) is None
    assert "120°" not in printed
    assert "0.70 px/frame" not in printed


def test_a_unit_that_stands_still_says_so(result_factory: Factory) -> None:
    assert "no motion" in words(draw(result_factory(velocity=(0.0, 0.0))))


def test_a_given_video_needs_no_unit(result_factory: Factory) -> None:
    given = replace(
        result_factory(),
        optimal=None,
        activation={},
        indices={},
        confidence=None,
        record={"video": "tennis.mp4"},
    )
    printed = words(draw(given))
    assert "Decomposition of tennis.mp4" in printed
    assert "Optimal input" not in printed
    assert "response" not in printed
    assert "seeds" not in printed


def test_names_are_printed_as_they_are(result_factory: Factory) -> None:
    result = result_factory(unit_name="$x^{ <b>", model="a_b$")
    assert "a_b$ / conv2.0 / unit 7 ($x^{ <b>)" in words(draw(result))
    draw_summary(result, record_of(result))


def test_names_in_other_scripts_and_with_control_characters_do_no_harm(result_factory: Factory) -> None:
    result = result_factory(unit_name="\u540d\n\0\udc80x")
    assert "(\u540d   x)" in words(draw(result))
    with PillowImage.open(io.BytesIO(draw_summary(result, record_of(result)))) as image:
        assert image.width == 1600


def test_missing_and_odd_numbers_are_dashes(result_factory: Factory) -> None:
    result = result_factory()
    parts: Decomposition = replace(result.decomposition, variance_explained={}, displacement_tv=float("nan"))
    result = replace(result, decomposition=parts, activation={"optimal": -3.0, "shuffled": -1.0})
    printed = words(draw(result))
    assert "\N{MINUS SIGN}3" in printed
    assert "\n\N{EN DASH}\n" in printed
    assert torch.isfinite(result.video).all()
