"""Windows of a long clip count by how much they have to say."""

import pytest

from kinetoscope.attribution.faithful import Curve
from kinetoscope.attribution.windows import mean_levels


def curve(*responses: float) -> Curve:
    """An insertion from the first response, the baseline's, to the last, the clip's."""
    span = abs(responses[-1] - responses[0])
    levels = tuple((value - responses[0]) / span for value in responses) if span else ()
    area = (levels[0] / 2 + levels[1] + levels[2] / 2) / 2 if levels else None
    return Curve((0.0, 0.5, 1.0), responses, levels, area)


def test_a_window_counts_by_how_far_it_is_from_its_baseline() -> None:
    plain, wild = curve(0.0, 5.0, 10.0), curve(1.0, 3.0, 1.001)
    assert wild.area == pytest.approx(1000.25)
    found = mean_levels([plain, wild])
    assert found is not None
    levels, area = found
    assert levels == pytest.approx((0.0, (5.0 + 2.0) / 10.001, 1.0))
    assert area == pytest.approx((10 * 0.5 + 2.0 / 2 + 0.001 / 4) / 10.001)
    assert mean_levels([plain]) == (pytest.approx(plain.levels), plain.area)


def test_windows_without_a_change_do_not_count() -> None:
    still = curve(2.0, 3.0, 2.0)
    assert mean_levels([still, still]) is None
    assert mean_levels([still, curve(0.0, 1.0, 2.0)]) == (pytest.approx((0.0, 0.5, 1.0)), 0.5)
