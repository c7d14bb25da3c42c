"""Clips side by side get what they get alone."""

from dataclasses import fields
from functools import cache

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import kinetoscope.motion.layered as layered
from kinetoscope.errors import ClipTooSmall, SettingInvalid
from kinetoscope.evaluation.cases import clip_cases
from kinetoscope.motion.decompose import DecomposeSettings, decompose, decompose_all
from kinetoscope.motion.metrics import temporal_variance
from kinetoscope.motion.paper import PaperSettings
from kinetoscope.results import Decomposition
from kinetoscope.warp import pixel_grid, sample

SIZE = (9, 28, 34)
FAMILIES = (
    "translation",
    "grating, 8 px",
    "two objects apart",
    "local jitter",
    "motion and flicker",
    "cross-fade",
    "contrast reversal",
    "fast, 5 px/frame",
)
"""Each goes another way: with stripes, edges, jitter, light, several textures, none that moves, far away."""


@cache
def videos():
    """One clip of each family, and one of independent frames, (9, T, C, H, W)."""
    found = {case.family: case.clip.video for case in reversed(list(clip_cases(0, SIZE)))}
    frames = torch.rand(SIZE[0], 3, *SIZE[1:], generator=torch.Generator().manual_seed(5))
    return torch.stack([*(found[family] for family in FAMILIES), frames])


def arrays(found):
    """What a formulation found, tensors and numbers, each as a tensor in double precision."""
    parts = {part.name: getattr(found, part.name) for part in fields(found)}
    light = parts.pop("light")
    parts |= {"gain": light.gain, "offset": light.offset}
    nan = float("nan")
    return {
        name: torch.as_tensor(nan if part is None else part, dtype=torch.float64)
        for name, part in parts.items()
    }


def together(clips):
    clips = clips.double()
    still = torch.tensor([temporal_variance(clip) for clip in clips], dtype=torch.float64)
    with torch.no_grad():
        return [arrays(found) for found in layered.explain(clips, still, layered.LayeredSettings())]


def assert_same(one, other, tolerance=1e-5):
    for name, part in one.items():
        assert part.shape == other[name].shape, name
        assert torch.allclose(part, other[name], atol=tolerance, rtol=0, equal_nan=True), name


@pytest.fixture(scope="module")
def alone():
    """What each clip gets by itself."""
    return [together(clip[None])[0] for clip in videos()]


def test_each_clip_gets_what_it_gets_alone(alone):
    batch = together(videos())
    ways = (
        lambda found: len(found["textures"]) > 1,
        lambda found: found["gain"].std().item() > 0,
        lambda found: found["coherent_velocity"].any().item(),
        lambda found: torch.equal(found["velocity"], found["coherent_velocity"]),
    )
    assert all({way(found) for found in batch} == {False, True} for way in ways), "they go different ways"
    for found, own in zip(batch, alone, strict=True):
        assert_same(found, own)


def test_neighbours_and_order_change_nothing(alone):
    """Stripes among them: narrow ones are searched for in striped clips only."""
    order = [7, 8, 1, 0]
    for found, index in zip(together(videos()[order]), order, strict=True):
        assert_same(found, alone[index])


def test_the_public_account_of_many_is_that_of_one_each():
    clips = torch.cat([videos()[[0, 4]], torch.full((1, SIZE[0], 3, *SIZE[1:]), 0.5)])
    batch = decompose_all(clips)
    for clip, found in zip(clips, batch, strict=True):
        alone = decompose(clip)
        assert isinstance(found, Decomposition)
        assert torch.allclose(found.velocity, alone.velocity, atol=1e-3)
        assert torch.allclose(found.static_image, alone.static_image, atol=1e-3)
        assert found.variance_explained == pytest.approx(alone.variance_explained, abs=1e-3)
        assert found.psnr_db == pytest.approx(alone.psnr_db, abs=0.01)
        assert found.texture_times == alone.texture_times
        assert found.settings == alone.settings
    assert batch[0].velocity.untyped_storage().nbytes() == 4 * batch[0].velocity.numel(), "a copy of its own"
    assert len({found.seconds for found in batch}) == 1


class Operators(TorchDispatchMode):
    """Counts what torch is asked to do."""

    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += 1
        return func(*args, **(kwargs or {}))


def test_no_step_goes_from_clip_to_clip():
    """Six clips take as many operations as one, but for their summing up."""
    clip, counts = videos()[:1, :6], []
    for number in (1, 6):
        with Operators() as operators:
            decompose_all(clip.repeat(number, 1, 1, 1, 1))
        counts.append(operators.count)
    assert counts[1] < 1.02 * counts[0] + 6 * 150


@pytest.mark.parametrize("formulation", ["paper", "fetch"])
def test_other_accounts_are_made_one_after_the_other(formulation):
    settings = DecomposeSettings(formulation=formulation, paper=PaperSettings(steps=3))
    clips = videos()[:2]
    for clip, found in zip(clips, decompose_all(clips, settings, seed=4), strict=True):
        assert torch.equal(found.displacement, decompose(clip, settings, seed=4).displacement)


def test_what_is_no_batch_is_refused():
    with pytest.raises(SettingInvalid, match="B, T, C, H, W"):
        decompose_all(torch.rand(0, 4, 3, 16, 16))
    with pytest.raises(ClipTooSmall):
        decompose_all(torch.rand(2, 1, 3, 16, 16))
    with pytest.raises(SettingInvalid, match="NaN"):
        decompose_all(torch.full((2, 4, 3, 16, 16), float("nan")))


def test_maps_that_share_an_image_sample_it_as_each_would():
    """Many maps of one image are asked for at once; values and gradients are those of copies."""
    draw = torch.Generator().manual_seed(0)
    images = torch.rand(2, 1, 3, 6, 7, generator=draw, dtype=torch.float64, requires_grad=True)
    places = 5 * torch.rand(2, 4, 2, 5, 8, generator=draw, dtype=torch.float64) + pixel_grid(5, 8) / 4
    shared = sample(images, places)
    copied = sample(images.expand(-1, 4, -1, -1, -1), places)
    assert torch.equal(shared, copied)
    weights = torch.rand(shared.shape, generator=draw, dtype=torch.float64)
    slopes = (torch.autograd.grad(values, images, weights)[0] for values in (shared, copied))
    assert torch.allclose(*slopes, atol=1e-12)
