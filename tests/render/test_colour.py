"""Hue is the direction on screen, brightness the speed, nothing wraps and nothing divides by zero."""

import colorsys
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kinetoscope.errors import SettingInvalid
from kinetoscope.render.colour import direction_deg, flow_to_rgb, legend, scale_words, wheel_rgba


def constant(x: float, y: float) -> torch.Tensor:
    return torch.tensor([x, y]).view(1, 2, 1, 1).expand(2, 2, 3, 4)


@pytest.mark.parametrize(
    ("x", "y", "degrees", "rgb"),
    [
        (2.0, 0.0, 0.0, (1.0, 0.0, 0.0)),
        (0.0, -2.0, 90.0, (0.5, 1.0, 0.0)),
        (-2.0, 0.0, 180.0, (0.0, 1.0, 1.0)),
        (0.0, 2.0, 270.0, (0.5, 0.0, 1.0)),
        (1.0, 0.0, 0.0, (0.5, 0.0, 0.0)),
        (0.0, 0.0, 0.0, (0.0, 0.0, 0.0)),
        (300.0, 0.0, 0.0, (1.0, 0.0, 0.0)),
    ],
)
def test_known_directions_have_known_colours(
    x: float, y: float, degrees: float, rgb: tuple[float, float, float]
) -> None:
    flow = constant(x, y)
    assert torch.allclose(direction_deg(flow), torch.full((2, 3, 4), degrees), atol=1e-4)
    assert torch.allclose(flow_to_rgb(flow, 2.0)[1, :, 2, 3], torch.tensor(rgb), atol=1e-5)


def test_colours_agree_with_the_standard_library() -> None:
    flow = torch.randn(3, 2, 5, 7, generator=torch.Generator().manual_seed(0))
    rgb = flow_to_rgb(flow, 1.5)
    for t in range(3):
        for row in range(5):
            for column in range(7):
                x, y = flow[t, :, row, column].tolist()
                hue = math.degrees(math.atan2(-y, x)) % 360 / 360
                wanted = colorsys.hsv_to_rgb(hue, 1.0, min(math.hypot(x, y) / 1.5, 1.0))
                assert rgb[t, :, row, column].tolist() == pytest.approx(wanted, abs=1e-5)


@given(
    angle=st.floats(0.0, 2 * math.pi),
    turn=st.floats(0.0, 2 * math.pi),
    speed=st.floats(0.2, 5.0),
)
def test_turning_a_flow_turns_its_hue_and_keeps_its_brightness(
    angle: float, turn: float, speed: float
) -> None:
    def hue_and_value(direction: float) -> tuple[float, float]:
        flow = constant(speed * math.cos(direction), -speed * math.sin(direction))
        hue, saturation, value = colorsys.rgb_to_hsv(*flow_to_rgb(flow, 2.0)[0, :, 0, 0].tolist())
        assert saturation == pytest.approx(1.0)
        return hue * 2 * math.pi, value

    before, after = hue_and_value(angle), hue_and_value(angle + turn)
    assert math.cos(after[0] - before[0] - turn) == pytest.approx(1.0, abs=1e-4)
    assert after[1] == pytest.approx(before[1], abs=1e-5)
    assert after[1] == pytest.approx(min(speed / 2.0, 1.0), abs=1e-5)


@given(st.floats(-1e30, 1e30), st.floats(-1e30, 1e30))
def test_every_flow_has_a_colour_and_a_direction(x: float, y: float) -> None:
    rgb, degrees = flow_to_rgb(constant(x, y), 2.0), direction_deg(constant(x, y))
    assert 0.0 <= float(rgb.min()) <= float(rgb.max()) <= 1.0
    assert 0.0 <= float(degrees.min()) <= float(degrees.max()) < 360.0


@pytest.mark.parametrize("scale", [0.0, -1.0, math.nan, math.inf])
def test_a_scale_must_be_a_speed(scale: float) -> None:
    with pytest.raises(SettingInvalid, match="colour scale"):
        flow_to_rgb(constant(1.0, 0.0), scale)


def test_a_flow_with_holes_is_refused() -> None:
    with pytest.raises(SettingInvalid, match="not finite"):
        flow_to_rgb(constant(math.nan, 0.0))


def test_the_wheel_shows_each_direction_on_its_own_side() -> None:
    wheel = wheel_rgba(101).astype(int)
    right, up, left, down = wheel[50, 97], wheel[3, 50], wheel[50, 3], wheel[97, 50]
    assert right[0] > 200
    assert right[1:3].max() < 30
    assert up[1] > 200
    assert up[2] < 30
    assert left[0] < 30
    assert left[1:3].min() > 200
    assert down[2] > 200
    assert down[1] < 30
    assert wheel[50, 50, :3].max() < 10
    assert wheel[0, 0, 3] == 0
    assert wheel[50, 50, 3] == 255


def test_the_legend_says_what_full_brightness_means(written: list[str]) -> None:
    assert scale_words(2.0) == "full brightness = 2.0 px/frame"
    assert scale_words(0.125, clipped=True) == "full brightness ≥ 0.125 px/frame"
    assert legend(2.0, height=256).shape == (256, 190, 3)
    assert legend(2.0, height=10).shape == (190, 190, 3)
    assert "= 2.0 px/frame" in written
    written.clear()
    legend(3.0, clipped=True)
    assert written[-2:] == ["full brightness", "≥ 3.0 px/frame"]
