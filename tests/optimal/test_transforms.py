"""Random shifts and scalings are centred, small and drawn from the generator given."""

import pytest
import torch

from kinetoscope.errors import SettingInvalid
from kinetoscope.optimal.transforms import TransformSettings, draw, transform

T, H, W = 5, 8, 11
NEUTRAL = torch.tensor([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]])


def clip():
    return torch.rand(1, 3, T, H, W, generator=torch.Generator().manual_seed(0))


def test_the_neutral_draw_changes_nothing():
    torch.testing.assert_close(transform(clip(), NEUTRAL[None]), clip())


@pytest.mark.parametrize(("axis", "dim"), [(0, 2), (1, 3), (2, 4)])
def test_a_shift_moves_content_forward_along_its_own_axis(axis, dim):
    draws = NEUTRAL.clone()
    draws[0, axis] = 2
    moved = transform(clip(), draws[None])
    size = clip().shape[dim]
    torch.testing.assert_close(moved.narrow(dim, 2, size - 2), clip().narrow(dim, 0, size - 2))
    torch.testing.assert_close(moved.narrow(dim, 0, 1), clip().narrow(dim, 0, 1))  # the border is repeated


@pytest.mark.parametrize(("axis", "dim"), [(0, 2), (2, 4)])
def test_scaling_keeps_the_middle_and_enlarges(axis, dim):
    draws = NEUTRAL.clone()
    draws[1, axis] = 2
    ramp = torch.arange(clip().shape[dim], dtype=torch.float32)
    shape = [1] * 5
    shape[dim] = -1
    moved = transform(ramp.view(shape).expand(clip().shape).contiguous(), draws[None])
    middle = (len(ramp) - 1) / 2
    expected = middle + (ramp - middle) / 2  # twice as large: values change half as fast
    torch.testing.assert_close(moved.select(1, 0).transpose(0, dim - 1).flatten(1)[:, 0], expected)


def test_draws_are_centred_and_in_range():
    settings = TransformSettings(shift=(1.5, 4.0, 2.0), scale=(0.9, 0.8, 1.0))
    draws = draw(settings, 4000, torch.Generator().manual_seed(1))
    shifts, scales = draws[:, 0], draws[:, 1]
    assert bool((shifts.abs() <= torch.tensor(settings.shift)).all())
    assert bool((shifts.mean(dim=0).abs() < 0.1 * torch.tensor(settings.shift)).all())
    assert bool((scales >= torch.tensor(settings.scale) - 1e-6).all())
    assert bool((scales <= 1 / torch.tensor(settings.scale) + 1e-6).all())
    assert bool((scales.log().mean(dim=0).abs() < 0.01).all())
    assert bool((scales[:, 2] == 1).all())


def test_draws_fade_to_their_final_share():
    wide = draw(TransformSettings(final=1.0), 400, torch.Generator().manual_seed(1))
    faded = draw(TransformSettings(final=0.25), 400, torch.Generator().manual_seed(1))
    for step, share in ((0, 1.0), (200, 0.625), (399, 0.25)):
        torch.testing.assert_close(faded[step, 0], share * wide[step, 0], atol=1e-3, rtol=1e-3)
        torch.testing.assert_close(faded[step, 1], wide[step, 1] ** share, atol=1e-4, rtol=1e-4)


def test_draws_come_from_the_generator_alone():
    settings = TransformSettings()
    state = torch.get_rng_state()
    first, again = (draw(settings, 7, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, again)
    assert torch.equal(state, torch.get_rng_state())


def test_each_clip_has_its_own_draw():
    draws = torch.stack([NEUTRAL, draw(TransformSettings(), 1, torch.Generator().manual_seed(2))[0]])
    both = transform(clip().expand(2, -1, -1, -1, -1), draws)
    torch.testing.assert_close(both[:1], transform(clip(), draws[:1]))
    torch.testing.assert_close(both[1:], transform(clip(), draws[1:]))


@pytest.mark.parametrize("settings", [{"shift": (-1.0, 0.0, 0.0)}, {"scale": (1.1, 1.0, 1.0)}])
def test_impossible_ranges_are_refused(settings):
    with pytest.raises(SettingInvalid):
        TransformSettings(**settings)
