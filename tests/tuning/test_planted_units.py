"""Units of known tuning are measured as what they are."""

import math

import pytest
import torch
from tuned_units import CARD, FRAMES, SIDE, Energies, Pattern, closed_form_dsi, energies

import kinetoscope as ks
from kinetoscope.synthetic.networks import MotionEnergy
from kinetoscope.tuning import sets
from kinetoscope.tuning.curves import difference_deg
from kinetoscope.tuning.report import class_of, unit_row

SPEEDS = (0.5, 1.0, 1.5, 2.0)
MOVING = [((37.0 * k) % 360, SPEEDS[k % 4]) for k in range(24)]
STANDING = [((29.0 * k) % 180, 0.0) for k in range(4)]


@pytest.fixture(scope="module")
def model():
    return energies([*MOVING, *STANDING])


@pytest.fixture(scope="module")
def tuning(model):
    return ks.tune(model, "energy", ["all"], card=CARD)


def test_directions_are_within_five_degrees_for_95_percent(tuning):
    errors = [
        difference_deg(unit.gratings.direction_deg, direction)
        for unit, (direction, _) in zip(tuning.units, MOVING, strict=False)
    ]
    assert sum(error <= 5 for error in errors) >= 0.95 * len(errors)


def test_dsi_is_the_kernels_own_in_closed_form(model, tuning):
    for k, (_, speed) in enumerate(MOVING):
        unit = tuning.units[k]
        wavelength, own_speed, _ = unit.optimum
        assert unit.gratings.dsi == pytest.approx(
            closed_form_dsi(model.conv.weight.detach(), k, wavelength, own_speed), abs=0.1
        )
        if speed >= 1:
            assert unit.gratings.dsi >= 0.8
            assert unit.gratings.p < 0.05


def test_standing_gabors_prefer_no_direction_and_stand(tuning):
    for unit, (axis, _) in zip(tuning.units[len(MOVING) :], STANDING, strict=True):
        assert unit.gratings.dsi <= 0.05
        assert unit.preferred_speed_px_per_frame == 0.0
        assert unit.gratings.osi > 0.5
        still = tuning.responses["static_gratings"][tuning.units.index(unit)].mean(dim=2)
        nearest = 15.0 * int(still.amax(dim=0).argmax())
        assert difference_deg(2 * nearest, 2 * axis) / 2 <= 15


def test_speed_and_wavelength_are_the_nearest_of_the_bank(tuning):
    for unit, (_, speed) in zip(tuning.units, MOVING, strict=False):
        assert unit.preferred_wavelength_px == 9.0
        assert abs(unit.preferred_speed_px_per_frame - speed) <= 0.5


def test_energy_does_not_follow_the_phase_and_answers_to_components(tuning):
    for unit in tuning.units[: len(MOVING)]:
        assert unit.f1_f0 < 0.1
        assert class_of(unit.plaid, "pattern", "component") == "component"


def test_receptive_fields_lie_where_the_kernels_are(tuning):
    for unit in tuning.units:
        middle = (SIDE - 1) / 2
        assert unit.field.centre_px == pytest.approx((middle, middle), abs=0.5)
        # the power's deviation is that of the Gabor's window divided by the square root of 2
        assert unit.field.size_px[0] == pytest.approx(2.355 * SIDE / 3.7 / math.sqrt(2), rel=0.15)
        assert unit.field.centre_frame == pytest.approx((FRAMES - 1) / 2, abs=0.3)
        assert unit.field.fit > 0.9


def test_pattern_units_follow_the_plaid():
    directions = [33.0 * k for k in range(10)]
    found = ks.tune(Pattern(directions), "sharp", ["all"], card=CARD)
    for unit, direction in zip(found.units, directions, strict=True):
        assert class_of(unit.plaid, "pattern", "component") == "pattern"
        assert difference_deg(unit.gratings.direction_deg, direction) <= 5


def test_padding_that_answers_to_grey_is_taken_away():
    """Maps answer to the border of a grey clip where padding is black."""
    model = MotionEnergy([(60.0, 1.0)], size=(5, 7))
    (unit,) = ks.tune(model, "energy", [0], size=(8, 20, 24)).units
    assert unit.response_to_grey > 0
    assert unit.dsi_with_grey < unit.gratings.dsi
    assert difference_deg(unit.gratings.direction_deg, 60.0) <= 5


def test_a_simple_cell_follows_the_phase():
    class Simple(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = energies([(0.0, 1.0)]).conv
            self.relu = torch.nn.ReLU()

        def forward(self, clips):
            return self.relu(self.conv(clips))

    units = ks.tune(Simple(), "relu", [0, 1], card=CARD).units
    assert all(unit.f1_f0 == pytest.approx(math.pi / 2, abs=0.1) for unit in units)


def test_pymotens_filters_prefer_what_pymoten_says():
    core = pytest.importorskip("moten.core", reason="pymoten is not installed")
    directions, cycles = (0.0, 45.0, 110.0, 200.0, 270.0), SIDE / 9.0
    kernels = []
    for direction in directions:
        parts = core.mk_3d_gabor(
            (SIDE, SIDE),
            stimulus_fps=FRAMES,
            filter_temporal_width=FRAMES,
            direction=direction,
            spatial_freq=cycles,
            temporal_freq=FRAMES / 9.0,
            spatial_env=0.2,
            temporal_env=0.25,
        )
        space_sin, space_cos, time_sin, time_cos = (torch.as_tensor(part).float() for part in parts)
        for one, other in ((space_sin, space_cos), (-space_cos, space_sin)):
            kernel = time_cos.view(-1, 1, 1) * one + time_sin.view(-1, 1, 1) * other
            kernels.append(kernel.expand(3, -1, -1, -1))
    found = ks.tune(Energies(torch.stack(kernels)), "energy", ["all"], card=CARD)
    for unit, direction in zip(found.units, directions, strict=True):
        assert difference_deg(unit.gratings.direction_deg, direction) <= 5
        assert unit.optimum[:2] == (9.0, 1.0)


def test_a_silent_unit_has_no_numbers():
    model = Energies(torch.zeros(2, 3, FRAMES, SIDE, SIDE))
    (unit,) = ks.tune(model, "energy", [0], card=CARD).units
    row = unit_row(unit)
    assert row["preferred_direction_deg"] is None
    assert row["dsi"] is None
    assert row["plaids"] is None
    assert row["receptive_field"] is None
    assert unit.beaten_by is None


def test_every_stimulus_is_a_clip_about_grey():
    shape = (3, 6, 20, 28)
    blocks = [*sets.common(shape, 0.2, 0), sets.flashes(shape, 0.2)]
    for block in blocks:
        assert len(block.shown) == math.prod(block.axes)
        for each in block.shown[:: max(1, len(block.shown) // 6)]:
            clip = each.clip()
            assert clip.shape == shape, each.name
            assert float(clip.abs().max()) <= 0.5 + 1e-6, each.name
