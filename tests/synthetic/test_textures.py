import pytest
import torch

from kinetoscope.errors import SettingInvalid
from kinetoscope.synthetic.textures import _half_photographs, make_textures, split_generator


def test_textures_lie_in_range_and_all_have_contrast():
    textures = make_textures(40, 36, torch.Generator().manual_seed(1))
    assert textures.shape == (40, 3, 36, 36)
    assert textures.min() >= 0
    assert textures.max() <= 1
    assert textures.std((1, 2, 3)).min() > 0.04


def test_same_seed_same_textures_and_other_seed_others():
    first, again = (make_textures(8, 20, torch.Generator().manual_seed(3)) for _ in range(2))
    other = make_textures(8, 20, torch.Generator().manual_seed(4))
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)


def test_split_keeps_seeds_and_photographs_apart():
    seeds = {
        split_generator(seed, split).initial_seed() for seed in range(50) for split in ("train", "held-out")
    }
    assert len(seeds) == 100
    train, held_out = _half_photographs("train"), _half_photographs("held-out")
    # the right border of one half and the left border of the other are neighbours in the photograph, so the
    # halves are complementary; taken from the same side they would be equal
    for left, right in zip(train, held_out, strict=True):
        assert left.shape == right.shape == (3, 427, 320)
        assert not torch.equal(left, right)
        assert (left[:, :, -1] - right[:, :, 0]).abs().mean() < (left[:, :, 0] - right[:, :, 0]).abs().mean()


def test_too_small_a_texture_is_refused():
    with pytest.raises(SettingInvalid, match="at least 8 texels wide, not 4"):
        make_textures(1, 4, torch.Generator())
