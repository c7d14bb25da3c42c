"""How long a texture lasts, what motion carries, and where content has no counterpart."""

import pytest
import torch

from kinetoscope.motion import lifetime as batched
from kinetoscope.motion.decompose import decompose
from kinetoscope.motion.lifetime import key_times, unmatched
from kinetoscope.motion.light import LightSettings
from kinetoscope.synthetic.light import contrast_reversal, dimming
from kinetoscope.synthetic.pieces import covering
from kinetoscope.synthetic.planted import noise_texture, planted_clip, still, translation

SIZE = (8, 40, 56)
NONE = torch.zeros(SIZE[0] - 1, 2, *SIZE[1:])


def texture_lifetime(video, back):
    return batched.texture_lifetime(video[None], back[None]).item()


def carried(video, back, settings):
    """Both shares of one clip; None where they are not defined."""
    (shares,) = batched.carried(video[None], back[None], settings)
    return None if bool(shares.isnan().all()) else tuple(shares.tolist())


def texture(seed, margin=80):
    return noise_texture(SIZE[1] + margin, SIZE[2] + margin, torch.Generator().manual_seed(seed))


def test_a_standing_texture_lasts_the_clip_in_any_light():
    assert texture_lifetime(planted_clip(texture(0), still(), *SIZE).video, NONE) == 8
    assert texture_lifetime(dimming(texture(0), 0.4, *SIZE).video, NONE) == 8
    assert texture_lifetime(contrast_reversal(texture(0), 6.0, *SIZE).video, NONE) == 8


def test_a_moving_texture_lasts_along_its_motion_only():
    clip = planted_clip(texture(1), translation(0, 3.0), *SIZE)
    assert texture_lifetime(clip.video, -clip.velocity) == 8
    assert texture_lifetime(clip.video, NONE) < 3


def test_independent_frames_last_less_than_one():
    frames = torch.rand(*SIZE[:1], 3, *SIZE[1:], generator=torch.Generator().manual_seed(2))
    assert texture_lifetime(frames, NONE) == pytest.approx(0.5, abs=0.05)


def test_a_texture_renewed_every_fourth_frame_lasts_about_so_long():
    parts = [texture(seed, 0).expand(4, -1, -1, -1) for seed in (3, 4)]
    assert 2 <= texture_lifetime(torch.cat(parts), NONE) <= 4


@pytest.mark.parametrize(
    ("lifetime", "frames", "times"),
    [
        (16.0, 16, (0,)),
        (20.0, 16, (0,)),
        (9.0, 16, (4, 12)),
        (1.0, 16, (2, 6, 10, 14)),
        (0.1, 9, (2, 6)),
        (0.5, 7, (0,)),
        (1.0, 3, (0,)),
    ],
)
def test_key_textures_are_few_and_evenly_spread(lifetime, frames, times):
    assert key_times(lifetime, frames) == times
    assert len(times) == 1 or len(times) <= frames / 4


def test_textures_that_take_each_others_place_are_shown_as_such():
    halves = [texture(seed, 0).expand(8, -1, -1, -1) for seed in (5, 6)]
    video = torch.cat(halves)
    found = decompose(video)
    assert 1 < len(found.textures) == len(found.texture_times) <= 4
    assert found.texture_lifetime_frames < 16
    assert found.psnr_db > found.single_psnr_db + 3
    middle = found.texture_times[len(found.texture_times) // 2]
    assert torch.equal(found.static_image, found.textures[found.texture_times.index(middle)])
    assert found.variance_explained["residual"] > 0.8, "no motion explains that one texture ends"
    assert float(found.velocity.abs().max()) == 0


def test_what_motion_carries():
    clip = planted_clip(texture(7), translation(40, 2.0), *SIZE)
    change, rest = carried(clip.video, -clip.velocity, LightSettings())
    assert 0.5 < change <= 1
    assert rest > 0.9
    nothing = carried(dimming(texture(7), 0.5, *SIZE).video, NONE, LightSettings())
    assert nothing == pytest.approx((0, 0), abs=1e-3)
    assert carried(texture(7, 0).expand(8, -1, -1, -1), NONE, LightSettings()) is None


def test_covered_and_entered_content_is_marked():
    """A square that moves right covers at its right edge and uncovers at its left one."""
    clip = covering(texture(8), texture(9), ((0.0, 0.0), (0.0, 3.0)), *SIZE)
    truth = clip.velocity
    covered, entered = unmatched(truth, -truth)
    # ahead and back live on different frames; the square's own fields tell the edges apart to a pixel
    mean_x = [float(torch.nonzero(mask[3, 0])[:, 1].float().mean()) for mask in (covered, entered)]
    middle = (SIZE[2] - 1) / 2 + 3.0 * (3 - (SIZE[0] - 1) / 2)
    assert mean_x[0] > middle > mean_x[1]
    assert float(covered.float().mean()) < 0.15


def test_content_that_leaves_is_covered_and_what_comes_in_has_entered():
    clip = planted_clip(texture(10), translation(0, 4.0), *SIZE)
    found = decompose(clip.video)
    assert bool(found.covered[:, :, 6:-6, -3:].all())
    assert bool(found.entered[:, :, 6:-6, :3].all())
    assert float(found.covered[..., 6:-8].float().mean()) < 0.02
