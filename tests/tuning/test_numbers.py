"""Each number at curves whose answer is known."""

import math

import pytest
import torch

from kinetoscope.tuning.agreement import Pair, agreement, circular_correlation, rank_correlation
from kinetoscope.tuning.classes import partial, pattern_or_component, rivals, speed_or_frequency
from kinetoscope.tuning.curves import difference_deg, direction_tuning, half_width, modulation
from kinetoscope.tuning.field import fit_gaussian, fitted
from kinetoscope.tuning.found import half_contrast, latency
from kinetoscope.tuning.report import as_csv, flattened, vivit_deg

ANGLES = torch.deg2rad(torch.arange(24) * 15.0)


def bump(direction_deg, sharpness=3.0):
    return torch.exp(sharpness * (torch.cos(ANGLES - math.radians(direction_deg)) - 1))


@pytest.mark.parametrize("direction", [0.0, 7.0, 123.0, 300.0])
def test_the_vector_sum_finds_a_direction_between_those_shown(direction):
    tuning = direction_tuning(bump(direction)[:, None])
    assert difference_deg(tuning.direction_deg, direction) < 0.1
    # the first Fourier coefficient of a von Mises curve: I1 / I0
    three = torch.tensor(3.0)
    assert tuning.dsi == pytest.approx(float(torch.special.i1(three) / torch.special.i0(three)), abs=1e-4)


def test_indices_at_their_best_and_worst():
    one = torch.zeros(24)
    one[6] = 2.0
    only = direction_tuning(one[:, None])
    assert (only.dsi, only.osi, only.direction_index) == pytest.approx((1.0, 1.0, 1.0))
    assert only.direction_deg == pytest.approx(90)
    axis = direction_tuning((one + one.roll(12))[:, None])
    assert axis.dsi == pytest.approx(0, abs=1e-9)
    assert (axis.osi, axis.direction_index, axis.orientation_index) == pytest.approx((1.0, 0.0, 1.0))
    even = direction_tuning(torch.ones(24, 2))
    assert even.dsi == pytest.approx(0, abs=1e-9)
    assert even.width_deg is None
    assert direction_tuning(torch.zeros(24, 1)).dsi is None
    assert direction_tuning(-bump(0)[:, None]).direction_deg is None


def test_half_width_of_a_triangle_is_half_its_height():
    triangle = (1 - torch.arange(24).sub(12).abs() / 6).clamp(min=0).roll(5)
    assert half_width(triangle) == pytest.approx(45.0)


def test_chance_is_small_for_a_preference_and_large_for_noise():
    assert direction_tuning(bump(40)[:, None].expand(-1, 2)).p == pytest.approx(1 / 101)
    noise = torch.rand(24, 2, generator=torch.Generator().manual_seed(3))
    assert direction_tuning(noise).p > 0.05


def test_modulation_of_a_rectified_and_of_a_constant_answer():
    phases = torch.arange(64) * 2 * math.pi / 64
    assert modulation(phases.cos().clamp(min=0)) == pytest.approx(math.pi / 2, rel=1e-3)
    assert modulation(torch.ones(8)) == pytest.approx(0, abs=1e-6)
    assert modulation(torch.zeros(8)) is None


def test_partial_correlation_takes_away_what_is_shared():
    assert partial(1.0, 0.5, 0.5) == pytest.approx(1.0)
    assert partial(0.25, 0.5, 0.5) == pytest.approx(0.0)
    flat = torch.ones(24)
    assert rivals(flat, bump(0), bump(90)) is None


def test_plaids_by_prediction():
    gratings = bump(60)[::2]
    pattern = pattern_or_component(gratings, gratings)
    component = pattern_or_component(gratings.roll(2) + gratings.roll(-2), gratings)
    assert (pattern.winner, component.winner) == (1, 2)
    assert pattern.z_first > 10 > pattern.z_second
    both = gratings + gratings.roll(2) + gratings.roll(-2)
    assert pattern_or_component(both, gratings).first == pytest.approx(1.0, abs=0.5)


def test_speed_and_frequency_by_prediction():
    cells = torch.tensor([(w, s) for w in (4.0, 6, 9, 14, 22) for s in (0.5, 1, 1.5, 2, 3, 4) if 3 * s <= w])
    w, s = cells[:, 0], cells[:, 1]
    space = torch.exp(-0.5 * (w.log2() - 3.2) ** 2)
    by_speed = space * torch.exp(-0.5 * ((s.log2() - 0.5) / 0.6) ** 2)
    by_frequency = space * torch.exp(-0.5 * (((s / w).log2() + 2.7) / 0.6) ** 2)
    assert speed_or_frequency(by_speed, w, s).winner == 1
    assert speed_or_frequency(by_frequency, w, s).winner == 2


def test_a_gaussian_is_found_again():
    y, x = torch.arange(40.0)[:, None], torch.arange(56.0)
    u, v = x - 30.5, y - 17.25
    turned = (u + v) / math.sqrt(2), (v - u) / math.sqrt(2)  # the long axis runs down to the right
    surface = 0.7 * torch.exp(-0.5 * ((turned[0] / 6) ** 2 + (turned[1] / 3) ** 2))
    centre, covariance, fit = fit_gaussian(surface)
    assert centre.tolist() == pytest.approx([30.5, 17.25], abs=1e-3)
    assert torch.linalg.eigvalsh(covariance).tolist() == pytest.approx([9.0, 36.0], rel=1e-3)
    assert fit == pytest.approx(1.0, abs=1e-6)
    field = fitted(surface[None].expand(3, -1, -1), ((0, 6), (0, 40), (0, 56)))
    assert field.angle_deg == pytest.approx(135, abs=0.1)
    assert field.latency_frames == pytest.approx(4.0)
    assert field.size_px == pytest.approx((6 * 2.3548, 3 * 2.3548), rel=1e-3)


def test_half_contrast_and_latency():
    assert half_contrast(torch.tensor([0.0, 0.2, 0.6, 1.0])) == pytest.approx(0.175)
    assert half_contrast(torch.zeros(4)) is None
    course = torch.tensor([1.0, 1, 1, 1, 1, 1, 3, 5])
    assert latency(course, 8) == pytest.approx(2.0)
    assert latency(course, 16) == pytest.approx(4.5)
    assert latency(torch.ones(8), 8) is None
    assert latency(torch.ones(1), 8) is None


def test_circular_correlation_of_turned_mirrored_and_unrelated_directions():
    angles = [10.0, 80.0, 150.0, 220.0, 305.0]
    assert circular_correlation(angles, [a + 77 for a in angles]) == pytest.approx(1.0)
    assert circular_correlation(angles, [-a for a in angles]) == pytest.approx(-1.0)
    assert circular_correlation(angles[:2], angles[:2]) is None
    assert circular_correlation(angles, [30.0] * 5) is None


def test_rank_correlation_shares_ranks_of_ties():
    stats = pytest.importorskip("scipy.stats")
    first, second = [0.5, 1, 1, 2, 4, 1], [0.4, 0.9, 1.3, 1.3, 2.2, 0.7]
    assert rank_correlation(first, second) == pytest.approx(stats.spearmanr(first, second).statistic)
    assert rank_correlation(first, [1.0] * 6) is None


def test_agreement_counts_what_stands_as_chance_and_leaves_the_rest_apart():
    pairs = [
        Pair(0, 90.0, 1.0, 100.0, 1.0, 0.8),
        Pair(1, 180.0, 2.0, 175.0, 2.0, 0.6),
        Pair(2, 355.0, 0.5, 5.0, 0.5, 0.9),
        Pair(3, None, 0.0, 40.0, 1.0, 0.5),
        Pair(4, 10.0, 1.0, 90.0, 1.0, 0.1),
        Pair(5, None, 0.0, None, None, None),
    ]
    found = agreement(pairs)
    assert found.units == 4
    assert found.median_error_deg == pytest.approx(10.0)
    assert found.within_45_deg == pytest.approx(0.75)
    assert found.circular_correlation > 0.95
    assert found.speed_correlation == pytest.approx(1.0)
    assert (found.shown_still, found.without_preference, found.of_these_shown_moving) == (1, 2, 1)
    assert found.outside == (3,)


def test_no_unit_with_a_preference_gives_no_numbers():
    found = agreement([Pair(4, 10.0, 1.0, 90.0, 1.0, 0.1)])
    assert (found.units, found.median_error_deg, found.within_45_deg) == (0, None, None)


def test_vivit_counts_from_the_left_and_downward():
    assert [vivit_deg(angle) for angle in (180.0, 270.0, 0.0, 90.0)] == [0, 90, 180, 270]
    assert vivit_deg(None) is None


def test_a_table_has_a_column_for_every_number():
    rows = [{"unit": 0, "a": {"b": 1.5, "c": None}}, {"unit": 1, "a": {"b": 2.0}, "d": [1, 2]}]
    assert flattened(rows[0]) == {"unit": 0, "a.b": 1.5, "a.c": None}
    assert as_csv(rows) == "unit,a.b,a.c,d\n0,1.5,,\n1,2.0,,1 2\n"


@pytest.mark.parametrize(
    "surface",
    [
        torch.ones(18, 26),
        torch.linspace(0, 1, 26).expand(18, -1),
        torch.linspace(0, 1, 18)[:, None].expand(-1, 26) ** 8,
        (torch.arange(26) % 2).float().expand(18, -1),
        torch.nn.functional.one_hot(torch.tensor(3 * 26 + 5), 18 * 26).view(18, 26).float(),
        torch.linspace(-13, 12, 26).square().expand(18, -1) / 169,
    ],
)
def test_fields_without_an_end_or_without_a_width_are_fitted_all_the_same(surface):
    centre, covariance, fit = fit_gaussian(surface)
    assert torch.isfinite(centre).all()
    assert torch.isfinite(covariance).all()
    assert (torch.linalg.eigvalsh(covariance) >= -1e-9).all()
    assert fit <= 1
