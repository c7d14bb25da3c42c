"""Textures by least squares, against problems written out."""

import pytest
import torch

from kinetoscope.motion.light import Light, steady
from kinetoscope.motion.metrics import roughness
from kinetoscope.motion.texture import (
    Textures,
    displacement_to,
    evened,
    fit_textures,
    key_shares,
    standing_textures,
)
from kinetoscope.synthetic.planted import noise_texture, planted_clip, translation

T, H, W = 5, 12, 17


def test_every_frame_shows_its_nearest_keys():
    shares = key_shares((1, 4), 6)
    assert torch.allclose(shares.sum(dim=0), torch.ones(6))
    assert shares[0].tolist() == pytest.approx([1, 1, 2 / 3, 1 / 3, 0, 0])
    assert key_shares((0,), 4).tolist() == [[1.0] * 4]


def test_standing_textures_are_the_least_squares_solution():
    draw = torch.Generator().manual_seed(0)
    video = torch.rand(T, 2, H, W, generator=draw)
    light = Light(0.5 + torch.rand(T, 1, H, W, generator=draw), 0.1 * torch.rand(T, 2, H, W, generator=draw))
    shares = key_shares((1, 3), T)
    found = standing_textures(video, shares, light)
    for y, x in ((0, 0), (5, 9), (H - 1, W - 1)):
        matrix = light.gain[:, 0, y, x, None] * shares.T
        wanted = torch.linalg.lstsq(matrix, (video - light.offset)[:, :, y, x]).solution
        assert torch.allclose(found[:, :, y, x], wanted, atol=0.02)


def test_a_moved_texture_comes_back_to_its_canvas():
    texture = noise_texture(60, 70, torch.Generator().manual_seed(1))
    clip = planted_clip(texture, translation(0, 1.5), 6, 24, 32)
    field = displacement_to(0, clip.velocity, -clip.velocity)
    assert torch.allclose(field[3], torch.tensor([-4.5, 0.0]).view(2, 1, 1).expand(2, 24, 32), atol=1e-5)
    textures, video = Textures([field[None]], key_shares((0,), 6)), clip.video[None]
    start = textures.around(video[:, :1])
    canvas = fit_textures(video, textures, steady(video), start, iterations=20)
    assert float((textures.render(canvas) - video).square().mean()) < 1e-4
    assert textures.frame(canvas).shape == (1, 1, 3, 24, 32)


def test_canvases_of_a_batch_end_where_each_clips_own_do():
    """A fast clip beside a slow one widens the slow one's canvas, and changes nothing in it."""
    clips = [
        planted_clip(
            noise_texture(90, 100, torch.Generator().manual_seed(k)), translation(70, speed), 6, 24, 32
        )
        for k, speed in enumerate((0.5, 3.0))
    ]
    videos = torch.stack([clip.video for clip in clips]).double()
    fields = torch.stack([displacement_to(0, clip.velocity, -clip.velocity) for clip in clips]).double()

    def fitted(which):
        textures, few = Textures([fields[which]], key_shares((0,), 6)), videos[which]
        canvas = fit_textures(few, textures, steady(few), textures.around(few[:, :1]), smooth=0.5)
        return textures, canvas

    both, canvases = fitted([0, 1])
    evens = evened(canvases, torch.tensor([0.05, 0.02]), both)
    for k in (0, 1):
        alone, canvas = fitted([k])
        assert canvas.shape[-2:] <= canvases.shape[-2:]
        assert torch.allclose(both.frame(canvases)[k], alone.frame(canvas)[0], atol=1e-12, rtol=0)
        assert torch.allclose(both.render(canvases)[k], alone.render(canvas)[0], atol=1e-12, rtol=0)
        even = evened(canvas, torch.tensor([0.05, 0.02])[[k]], alone)
        assert torch.allclose(both.frame(evens)[k], alone.frame(even)[0], atol=1e-12, rtol=0)


def test_fields_to_a_middle_frame_agree_with_the_velocity():
    velocity = torch.tensor([1.0, -0.5]).view(1, 2, 1, 1).expand(T - 1, 2, H, W)
    field = displacement_to(2, velocity, -velocity)
    wanted = (2.0 - torch.arange(T)).view(-1, 1, 1, 1) * velocity[:1]
    assert torch.allclose(field, wanted.expand_as(field), atol=1e-5)


def test_blended_textures_are_rendered_with_their_shares():
    none = torch.zeros(T, 2, H, W)
    shares = key_shares((0, 4), T)
    textures = Textures([none[None]] * 2, shares)
    images = torch.stack([torch.zeros(1, H, W), torch.ones(1, H, W)])
    (seen,) = textures.render(textures.around(images[None]))
    assert seen[:, 0, 4, 5].tolist() == pytest.approx([0, 0.25, 0.5, 0.75, 1])


def test_only_what_is_too_rough_is_blurred_and_just_enough():
    rough, smooth = (
        torch.rand(1, 3, H, W, generator=torch.Generator().manual_seed(3)),
        torch.zeros(1, 3, H, W),
    )
    both = torch.cat([rough, smooth])
    textures = Textures([torch.zeros(1, T, 2, H, W)] * 2, key_shares((1, 3), T))
    canvases = textures.around(both[None])

    def held_to(roughest):
        return evened(canvases, torch.tensor([roughest], dtype=torch.float64), textures)

    (found,) = textures.frame(held_to(0.5 * roughness(rough[0])))
    assert 0.49 < roughness(found[0]) / roughness(rough[0]) <= 0.5
    assert torch.equal(found[1], both[1])
    assert torch.equal(held_to(1.01 * roughness(rough[0])), canvases)
    assert torch.isfinite(held_to(0.0)).all()
