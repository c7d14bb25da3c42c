"""Stimuli contain the motion that they are called after."""

import math

import pytest
import torch

from kinetoscope.stimuli import counterphase, drifted, grating, noise_planes, plaid, without_seam
from kinetoscope.tuning import own
from kinetoscope.tuning.scenes import bar, disc, dots, flash, flicker, turning

SHAPE = (3, 9, 31, 41)


def centroid(frame):
    y, x = torch.arange(frame.shape[0]).view(-1, 1), torch.arange(frame.shape[1])
    return torch.stack([(frame * x).sum(), (frame * y).sum()]) / frame.sum()


def test_a_bar_moves_across_itself_and_passes_the_middle():
    right, up = bar(SHAPE, 0.0, 2.0)[0], bar(SHAPE, 90.0, 1.0)[0]
    assert (centroid(right[5]) - centroid(right[4])).tolist() == pytest.approx([2, 0], abs=1e-3)
    assert (centroid(up[5]) - centroid(up[4])).tolist() == pytest.approx([0, -1], abs=1e-3)
    assert centroid(right[4]).tolist() == pytest.approx([20, 15], abs=1e-3)
    assert float(bar(SHAPE, 0.0, 2.0, sign=-1.0).max()) <= 0


def test_a_disc_looms_by_its_growth():
    area = disc(SHAPE, 1.0)[0].sum(dim=(1, 2)) * 2
    radius = (area / math.pi).sqrt()
    assert (radius[1:] - radius[:-1]).tolist() == pytest.approx([1.0] * 8, abs=0.1)
    assert torch.equal(disc(SHAPE, -1.0), disc(SHAPE, 1.0).flip(1))


def test_a_texture_turns_counter_clockwise_and_grows():
    plane = torch.zeros(81, 81)
    plane[38:43, 52:57] = 0.5  # right of the middle
    turned = turning(SHAPE, plane, math.pi / 16)[0]
    first, last = (centroid(turned[t].clamp(min=0)) - torch.tensor([20.0, 15.0]) for t in (4, 8))
    angles = [math.degrees(math.atan2(-float(y), float(x))) for x, y in (first, last)]
    assert angles[1] - angles[0] == pytest.approx(45, abs=1.5)
    grown = turning(SHAPE, plane, 0.0, 0.05)[0]
    near, far = (float(centroid(grown[t].clamp(min=0))[0]) - 20 for t in (2, 6))
    assert far / near == pytest.approx(math.exp(0.2), rel=0.03)


@pytest.mark.parametrize(("flow", "wanted"), [("expansion", (1, 0)), ("clockwise", (0, -1))])
def test_coherent_dots_follow_their_flow(flow, wanted):
    """Optic flow of the clip by least squares: growth and turn about the middle."""
    clip = dots((1, 9, 48, 48), flow, 1.0, 1.0, torch.Generator().manual_seed(1), spacing=9.0)[0]
    y, x = torch.arange(48.0).view(-1, 1) - 23.5, torch.arange(48.0) - 23.5
    dy, dx = torch.gradient(clip, dim=(1, 2))
    dt = clip[1:] - clip[:-1]
    dx, dy = ((d[1:] + d[:-1]) / 2 for d in (dx, dy))
    r = torch.hypot(x, y).clamp(min=1)
    radial, tangential = (x * dx + y * dy) / r, (-y * dx + x * dy) / r
    basis = torch.stack([radial.flatten(), -tangential.flatten()], dim=1)
    outward, counter = torch.linalg.lstsq(basis, -dt.flatten()[:, None]).solution.flatten().tolist()
    strong, weak = (outward, counter) if wanted[0] else (counter, outward)
    assert strong * (wanted[0] or wanted[1]) > 0.3
    assert abs(weak) < 0.15


def test_dots_of_no_coherence_go_nowhere_in_particular_and_stay_in_number():
    clip = dots((1, 20, 48, 48), "contraction", 2.0, 1.0, torch.Generator().manual_seed(0))[0]
    energy = clip.square().sum(dim=(1, 2))
    assert float(energy[-5:].mean()) > 0.5 * float(energy[:5].mean())


def test_light():
    assert torch.equal(flash(SHAPE, 1.0)[0, :, 0, 0], torch.tensor([0.0] * 4 + [0.5] * 5))
    quarter = flicker(SHAPE, 0.25)[0, :, 3, 3]
    assert quarter.tolist() == pytest.approx([0, 0.5, 0, -0.5] * 2 + [0], abs=1e-6)


def test_a_counterphase_grating_is_two_that_drift_against_each_other():
    both = grating(SHAPE, 8.0, 30.0, 1.0) + grating(SHAPE, 8.0, 30.0, -1.0)
    assert torch.allclose(counterphase(SHAPE, 8.0, 30.0, 1 / 8), both / 2, atol=1e-5)


def test_a_plaid_drifts_midway_and_faster():
    clip = plaid((1, 4, 40, 40), 8.0, 0.0, 1.0)[0]
    assert torch.allclose(clip[1, :, 2:], clip[0, :, :-2], atol=1e-4)  # 1 / cos 60 = 2 px per frame


def test_a_texture_without_its_seam_fits_itself_and_keeps_its_inside():
    generator = torch.Generator().manual_seed(0)
    image = noise_planes(1, 96, generator)[:, :40, :56]
    planes = without_seam(image)
    jump = (image[:, :, -1] - image[:, :, 0]).abs().mean()
    assert float((planes[:, :, -1] - planes[:, :, 0]).abs().mean()) < 0.35 * float(jump)
    details = [part - torch.nn.functional.avg_pool2d(part[None], 5, 1, 2)[0] for part in (image, planes)]
    inside = [part[:, 8:-8, 8:-8].flatten() for part in details]
    assert float(torch.corrcoef(torch.stack(inside))[0, 1]) > 0.99


def test_textures_drift_by_whole_and_half_pixels():
    plane = noise_planes(1, 32, torch.Generator().manual_seed(0))
    clip = drifted(plane, 5, 90.0, 0.5)[0]
    assert torch.allclose(clip[2], clip[0].roll(-1, dims=0), atol=1e-5)  # up is towards row 0


def test_own_textures_keep_their_colour_and_their_grey_has_none():
    image = torch.rand(3, 31, 41, generator=torch.Generator().manual_seed(0)) * 0.2 + 0.4
    drifts, still = own.at_all_speeds(SHAPE, image), own.standing(SHAPE, image)
    clip = drifts.shown[5].clip()
    assert clip.shape == SHAPE
    assert (clip.mean(dim=(1, 2, 3)) - (image.mean(dim=(1, 2)) - 0.5)).abs().max() < 1e-3
    assert torch.allclose(still.shown[0].clip()[:, 3], image - 0.5)
    grey = own.without_colour(SHAPE, image, 1.0)
    assert torch.allclose(grey.shown[5].clip()[0], grey.shown[5].clip()[2])
