"""Turning, flipping, shifting or reversing a clip turns the recovered field as it must."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from torch import Tensor

from kinetoscope.motion.decompose import decompose_all
from kinetoscope.synthetic.planted import expansion, noise_texture, planted_clip, rotation, translation
from kinetoscope.warp import pixel_grid, sample

FRAMES, HEIGHT, WIDTH = 4, 32, 40
SHIFT = (3, 6)
"""How much later the shifted clip's frame begins, pixels of y and x."""

Field = Callable[[Tensor], Tensor]


def flipped_x(u: Tensor) -> Tensor:
    return u.flip(3) * torch.tensor([-1.0, 1.0]).view(1, 2, 1, 1)


def flipped_y(u: Tensor) -> Tensor:
    return u.flip(2) * torch.tensor([1.0, -1.0]).view(1, 2, 1, 1)


def turned(u: Tensor) -> Tensor:
    """By 90 degrees counter-clockwise on screen: right becomes up, and y points down."""
    x, y = torch.rot90(u, 1, (2, 3)).unbind(dim=1)
    return torch.stack([y, -x], dim=1)


def reversed_in_time(u: Tensor) -> Tensor:
    """What is at q in frame t+1 goes back to p = q - u_t(p); found by looking where it came from."""
    places = pixel_grid(*u.shape[2:])
    back = -u
    for _ in range(10):
        back = -sample(u, places + back)
    return back.flip(0)


# the last number: how far apart the fields may be, pixels per frame; more in time, since the planted clip's
# first frame alone is not interpolated, and what that sharpens is read as jitter
CHANGES: dict[str, tuple[Field, Field, float]] = {
    "flip x": (lambda v: v.flip(3), flipped_x, 0.03),
    "flip y": (lambda v: v.flip(2), flipped_y, 0.03),
    "turn by 90 degrees": (lambda v: torch.rot90(v, 1, (2, 3)), turned, 0.03),
    "time reversal": (lambda v: v.flip(0), reversed_in_time, 0.15),
}

motions = st.one_of(
    st.builds(translation, st.floats(0, 360), st.floats(0.5, 1.5)),
    st.builds(rotation, st.sampled_from([-0.05, 0.03])),
    st.builds(expansion, st.sampled_from([-0.03, 0.04])),
)
textures = st.integers(0, 1000).map(lambda seed: noise_texture(72, 84, torch.Generator().manual_seed(seed)))
few = settings(max_examples=2, derandomize=True, phases=[Phase.generate])


def velocities(clips: list[Tensor]) -> list[Tensor]:
    """Of each clip; those of one shape side by side, for `test_batch.py` shows that each gets its own."""
    found: dict[int, Tensor] = {}
    for shape in {clip.shape for clip in clips}:
        alike = [index for index, clip in enumerate(clips) if clip.shape == shape]
        accounts = decompose_all(torch.stack([clips[index] for index in alike]))
        found |= {index: account.velocity for index, account in zip(alike, accounts, strict=True)}
    return [found[index] for index in range(len(clips))]


def differ(first: Tensor, second: Tensor) -> float:
    return float((first - second).norm(dim=1).median())


@few
@given(texture=textures, motion=motions)
def test_a_changed_clip_has_the_changed_field(texture, motion):
    video = planted_clip(texture, motion, FRAMES, HEIGHT, WIDTH).video
    original, *others = velocities([video, *(change(video) for change, *_ in CHANGES.values())])
    for found, (name, (_, expected, tolerance)) in zip(others, CHANGES.items(), strict=True):
        wanted = expected(original)
        assert found.shape == wanted.shape
        assert differ(found, wanted) < tolerance, name
        # so that no field of zeros passes
        assert float(wanted.norm(dim=1).median()) > 2 * tolerance, name


def ramp(video: Tensor) -> Tensor:
    """Contrast and brightness fall to a half over the clip."""
    return video * torch.linspace(1, 0.5, len(video)).view(-1, 1, 1, 1)


RELIT: dict[str, Field] = {
    "a constant added": lambda v: 0.6 * v + 0.3,
    "contrast changed": lambda v: 0.5 + 0.4 * (v - 0.5),
    "contrast reversed": lambda v: 1 - v,
    "a gain ramp": ramp,
}


@few
@given(texture=textures, motion=motions)
def test_light_leaves_the_velocity(texture, motion):
    video = planted_clip(texture, motion, FRAMES, HEIGHT, WIDTH).video
    original, *others = velocities([video, *(change(video) for change in RELIT.values())])
    for name, found in zip(RELIT, others, strict=True):
        assert differ(found, original) < 0.03, name
    assert float(original.norm(dim=1).median()) > 0.1


@few
@given(texture=textures, motion=motions)
def test_a_translated_clip_has_the_translated_field(texture, motion):
    video = planted_clip(texture, motion, FRAMES, HEIGHT + SHIFT[0], WIDTH + SHIFT[1]).video
    first, second = velocities([video[..., :HEIGHT, :WIDTH], video[..., SHIFT[0] :, SHIFT[1] :]])
    common = first[..., SHIFT[0] :, SHIFT[1] :], second[..., : HEIGHT - SHIFT[0], : WIDTH - SHIFT[1]]
    assert differ(*common) < 0.06 < float(common[0].norm(dim=1).median()) / 2


def test_the_expected_fields_are_those_of_the_planted_truth():
    texture = noise_texture(72, 84, torch.Generator().manual_seed(0))
    right = planted_clip(texture, translation(0, 1.0), FRAMES, HEIGHT, WIDTH).velocity
    turning = planted_clip(texture, rotation(0.03), FRAMES, HEIGHT, HEIGHT).velocity
    assert turned(right)[0, :, 3, 3].tolist() == pytest.approx([0, -1], abs=1e-6)
    assert flipped_x(right)[0, :, 3, 3].tolist() == [-1, 0]
    assert torch.allclose(turned(turning), turning, atol=1e-5)
    inner = (slice(None), slice(None), slice(4, -4), slice(4, -4))
    backwards = planted_clip(texture, rotation(-0.03), FRAMES, HEIGHT, HEIGHT).velocity
    assert torch.allclose(flipped_x(turning), backwards, atol=1e-5)
    assert torch.allclose(flipped_y(turning), backwards, atol=1e-5)
    assert torch.allclose(reversed_in_time(turning)[inner], backwards[inner], atol=1e-3)
