"""Re-drive: what each clip is, and indices of units whose answer is known."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from kinetoscope.inquiry.redrive import derived_indices, redrive, retime, shuffled_orders
from kinetoscope.optimal.objective import channel
from kinetoscope.results import Decomposition, one_texture
from kinetoscope.synthetic.networks import MotionEnergy

T, H, W = 10, 18, 24
NAMES = (
    "optimal",
    "random_input",
    "reconstruction",
    "static_only",
    "flat_colour",
    "reversed",
    "shuffled",
    "slowed",
    "sped_up",
    "grey",
)


def drifting(direction_deg, speed, wavelength=8.0):
    """A grating that drifts, (T, 3, H, W) in [0, 1]."""
    angle = math.radians(direction_deg)
    t, y, x = torch.meshgrid(torch.arange(T), torch.arange(H), torch.arange(W), indexing="ij")
    along = x * math.cos(angle) - y * math.sin(angle) - speed * t
    return (0.5 + 0.4 * torch.sin(2 * math.pi * along / wavelength))[:, None].repeat(1, 3, 1, 1)


def exact(video):
    """A decomposition that rebuilds the clip and stands still at its first frame."""
    still = torch.zeros(T, 2, H, W)
    shares = {"coherent": 1.0, "jitter": 0.0, "residual": 0.0}
    return Decomposition(
        static_image=video[0],
        displacement=still,
        velocity=still[1:],
        coherent_velocity=still[1:],
        reconstruction=video.clone(),
        psnr_db=100.0,
        single_psnr_db=100.0,
        static_psnr_db=100.0,
        displacement_tv=0.0,
        variance_explained=shares,
        change_share=0.5,
        settings={},
        seconds=0.0,
        **one_texture(video[0], video),
    )


def responses(forward, video):
    return redrive(forward, channel(0), video, exact(video), torch.full_like(video, 0.5))


class Flicker(nn.Module):
    """Answers to change from frame to frame, whatever moves or does not."""

    def forward(self, clips):
        return clips.mean(dim=1, keepdim=True).diff(dim=2).square()


class Texture(nn.Module):
    """Answers to vertical stripes in any frame."""

    def forward(self, clips):
        x = torch.arange(W) * 2 * math.pi / 8
        waves = torch.stack([x.cos(), x.sin()])
        return (clips.mean(dim=1) @ waves.T).square().sum(dim=-1)[:, None]


@pytest.mark.parametrize("direction", [0, 135, 270])
def test_a_motion_energy_unit_depends_on_motion_and_on_its_direction(direction):
    video = drifting(direction, 2.0)
    found = derived_indices(responses(MotionEnergy([(direction, 2.0)], size=(5, 9)), video))
    assert found["direction_index"] > 0.9
    assert found["motion_dependence"] > 0.7
    assert found["reconstruction_kept"] == pytest.approx(1)


def test_a_texture_unit_depends_on_neither():
    video = drifting(0, 1.0)
    found = derived_indices(responses(Texture(), video))
    assert abs(found["direction_index"]) < 1e-5
    assert found["motion_dependence"] < 1e-3


def test_a_flicker_unit_depends_on_change_but_on_no_direction():
    level = torch.arange(T).remainder(2).float().view(T, 1, 1, 1)
    found = derived_indices(responses(Flicker(), level.expand(T, 3, H, W)))
    assert found["motion_dependence"] == 1
    assert abs(found["direction_index"]) < 1e-6


@pytest.mark.parametrize(("colour", "wanted"), [((1.0, 1.0, 1.0), 0.0), ((1.0, -1.0, 0.0), 1.0)])
def test_colour_counts_for_a_unit_that_wants_it(colour, wanted):
    axis = torch.tensor(colour)

    def forward(clips):
        return torch.einsum("c,bcthw->b", axis, clips)[:, None]

    video = 0.5 + 0.2 * axis.view(1, 3, 1, 1) * torch.ones(T, 3, H, W)
    assert derived_indices(responses(forward, video))["colour_dependence"] == pytest.approx(wanted, abs=1e-5)


def test_the_clips_are_what_their_names_say():
    """A unit that reads out one fixed place in the middle of time tells which frame it was shown."""
    seen = []

    def forward(clips):
        seen.append(clips[0, 0, :, 0, 0].tolist())
        return clips.mean(dim=(2, 3, 4))

    video = torch.linspace(0, 1, T).view(T, 1, 1, 1).expand(T, 3, H, W)
    made = redrive(forward, channel(0), video, exact(video), torch.zeros_like(video))
    assert tuple(made) == NAMES
    optimal, random, reconstruction, static, colour, backward = seen[:6]
    assert (optimal, reconstruction, backward) == (video[:, 0, 0, 0].tolist(), optimal, optimal[::-1])
    assert (set(random), set(static)) == ({0.0}, {0.0})
    assert colour == pytest.approx([0.5] * T)
    shuffles, (slowed, sped_up) = seen[6:-3], seen[-3:-1]
    assert all(sorted(frames) == optimal and frames != optimal for frames in shuffles)
    assert len(shuffles) == 4
    steps = torch.tensor([slowed, sped_up]).diff(dim=1) * (T - 1)
    torch.testing.assert_close(steps[0], torch.full((T - 1,), 0.5))
    assert steps[1].round(decimals=3).tolist() == [0, 0, 1.5, 2, 2, 2, 1.5, 0, 0]


@given(frames=st.integers(2, 40))
def test_no_shuffle_keeps_the_order(frames):
    orders = shuffled_orders(frames)
    assert all(sorted(order.tolist()) == list(range(frames)) for order in orders)
    assert not any(torch.equal(order, torch.arange(frames)) for order in orders)
    assert all(torch.equal(*pair) for pair in zip(orders, shuffled_orders(frames), strict=True))


@pytest.mark.parametrize(("speed", "same"), [(1.0, lambda v: v), (-1.0, lambda v: v.flip(0))])
def test_playing_at_the_same_speed_changes_nothing(speed, same):
    video = torch.rand(T, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(retime(video, speed), same(video))


finite = st.floats(-1e3, 1e3, allow_subnormal=False)


@given(values=st.lists(finite, min_size=10, max_size=10))
def test_indices_stay_in_their_ranges(values):
    found = derived_indices(dict(zip(NAMES, values, strict=True)))
    if found["direction_index"] is None:
        assert set(found.values()) == {None}
        return
    assert -1 <= found["direction_index"] <= 1
    assert 0 <= found["motion_dependence"] <= 1
    assert 0 <= found["colour_dependence"] <= 1
    assert math.isfinite(found["reconstruction_kept"])


@settings(max_examples=50)
@given(
    values=st.lists(st.integers(-50, 50), min_size=10, max_size=10),
    scale=st.sampled_from([0.25, 2.0, 64.0]),
    offset=st.integers(-40, 40),
)
def test_neither_scale_nor_offset_of_the_layer_matters(values, scale, offset):
    activation = dict(zip(NAMES, map(float, values), strict=True))
    moved = {name: scale * value + offset for name, value in activation.items()}
    for name, value in derived_indices(activation).items():
        assert derived_indices(moved)[name] == pytest.approx(value, abs=1e-9), name


def test_best_and_worst_cases():
    best = dict.fromkeys(NAMES, 0.0) | {"optimal": 2.0, "reconstruction": 2.0}
    assert derived_indices(best) == {
        "reconstruction_kept": 1.0,
        "motion_dependence": 1.0,
        "direction_index": 1.0,
        "colour_dependence": 1.0,
    }
    worst = dict.fromkeys(NAMES, 2.0) | {"random_input": 0.0}
    assert derived_indices(worst) == {
        "reconstruction_kept": 1.0,
        "motion_dependence": 0.0,
        "direction_index": 0.0,
        "colour_dependence": 0.0,
    }
    backward = best | {"reversed": 6.0}
    assert derived_indices(backward)["direction_index"] == -0.5
    assert set(derived_indices(dict.fromkeys(NAMES, 3.0)).values()) == {None}
    assert set(derived_indices(best | {"optimal": math.nan}).values()) == {None}
