"""Light in closed form, its gauge, and clips in which nothing but light changes."""

import math
from functools import cache

import pytest
import torch

from kinetoscope.motion.decompose import decompose_all
from kinetoscope.motion.light import Light, LightSettings, fit_light, gauged, steady
from kinetoscope.motion.summary import summarize
from kinetoscope.synthetic.light import (
    coloured_light,
    contrast_reversal,
    cross_fade,
    dimming,
    light_edge,
    standing,
    whole_field_flicker,
)
from kinetoscope.synthetic.planted import noise_texture
from kinetoscope.warp import pixel_grid

SIZE = (8, 40, 56)


def texture(seed, margin=0):
    return noise_texture(SIZE[1] + margin, SIZE[2] + margin, torch.Generator().manual_seed(seed))


def smooth_light():
    """Gain and offset that change slowly over time and space."""
    t = torch.arange(SIZE[0]).view(-1, 1, 1, 1)
    x, y = (pixel_grid(*SIZE[1:])[:, k : k + 1] for k in (0, 1))
    gain = 1 + 0.3 * torch.sin(t * 0.9 + x / 60)
    channel = torch.arange(3).view(1, 3, 1, 1)
    return Light(gain, 0.1 * torch.cos(t * 0.7 + y / 60 + channel))


def test_a_smooth_gain_and_offset_come_back():
    light, still = smooth_light(), texture(1).expand(SIZE[0], -1, -1, -1)
    found = fit_light(light.on(still), still, LightSettings(ridge=0.0, floor=0.0))
    assert float((found.gain - light.gain).abs().median()) < 0.02
    assert float((found.on(still) - light.on(still)).square().mean()) < 1e-4


def test_only_masked_places_count():
    light, still = smooth_light(), texture(1).expand(SIZE[0], -1, -1, -1)
    mask = torch.ones(SIZE[0], 1, *SIZE[1:])
    mask[..., 30:] = 0
    spoiled = torch.where(mask > 0, light.on(still), 7.0)
    found = fit_light(spoiled, still, LightSettings(ridge=0.0, floor=0.0), mask)
    assert float((found.gain - light.gain)[..., :20].abs().median()) < 0.02


def test_the_gauge_is_mean_gain_one_and_mean_offset_zero_at_each_place():
    light = smooth_light()
    found = gauged(Light(2.5 * light.gain, light.offset + 0.2))
    assert torch.allclose(found.gain.mean(dim=0), torch.ones(1, *SIZE[1:]), atol=1e-5)
    assert float(found.offset.mean(dim=0).abs().max()) < 1e-5
    again = gauged(found)
    assert torch.allclose(again.gain, found.gain, atol=1e-5)


def test_the_gauge_changes_nothing_that_a_standing_texture_shows():
    light, still = smooth_light(), texture(2).expand(SIZE[0], -1, -1, -1)
    seen = light.on(still)
    other = gauged(light)
    mean_gain, mean_offset = light.gain.mean(dim=0), light.offset.mean(dim=0)
    assert torch.allclose(other.on(mean_gain * still + mean_offset), seen, atol=1e-4)


def test_reversed_contrast_keeps_its_size():
    swing = torch.cos(torch.arange(8) * math.pi / 4).view(-1, 1, 1, 1).expand(-1, 1, 5, 6)
    found = gauged(Light(swing, torch.zeros(8, 3, 5, 6)))
    assert torch.allclose(found.gain.square().mean(dim=0), torch.ones(1, 5, 6), atol=1e-4)


def test_steady_light_is_none():
    video = torch.rand(3, 2, 8, 9)
    assert torch.equal(steady(video).on(video), video)


CLIPS = {
    "cross-fade": cross_fade(texture(1), texture(2), *SIZE),
    "light edge": light_edge(texture(3), 3.0, *SIZE),
    "contrast reversal": contrast_reversal(texture(4), 8.0, *SIZE),
    "flicker": whole_field_flicker(texture(5), 0.15, *SIZE, torch.Generator().manual_seed(0)),
    "dimming": dimming(texture(6), 0.5, *SIZE),
    "coloured": coloured_light(standing(texture(7), *SIZE), 0.4),
}


@cache
def accounts():
    """Of each clip; `test_batch.py` shows that side by side each gets what it gets alone."""
    found = decompose_all(torch.stack([clip.video for clip in CLIPS.values()]))
    return dict(zip(CLIPS, found, strict=True))


@pytest.mark.parametrize("name", CLIPS)
def test_light_is_no_motion(name):
    found = accounts()[name]
    assert float(found.velocity.norm(dim=1).mean()) < 0.02
    shares = found.variance_explained
    assert shares["coherent"] + shares["jitter"] < (0.15 if name == "cross-fade" else 0.05)
    words = {"cross-fade": "unexplained", "light edge": "still"}  # the edge changes little of the film
    assert summarize(found).label == words.get(name, "flicker")
    assert found.carried is not None
    assert found.carried < 0.05
    if name != "cross-fade":
        assert shares["light"] > 0.75
    # the texture is the scene, not dots planted in it for a warp to fetch
    frames = sorted(roughness(frame) for frame in CLIPS[name].video)
    assert roughness(found.static_image) <= 1.15 * frames[len(frames) // 2]


def roughness(image):
    return float(image.diff(dim=-1).abs().mean() + image.diff(dim=-2).abs().mean())


def test_the_reconstruction_is_what_the_arrays_say():
    found = accounts()["coloured"]
    seen = (found.light_gain * found.static_image + found.light_offset).clamp(0, 1)
    assert torch.allclose(found.reconstruction, seen, atol=1e-5)
    assert torch.allclose(found.light_gain.mean(dim=0), torch.ones(1, *SIZE[1:]), atol=1e-4)
    assert float(found.light_offset.mean(dim=0).abs().max()) < 1e-4
