"""Clips whose texture tells the class, and nothing else does."""

import pytest
import torch

from kinetoscope.errors import SettingInvalid
from kinetoscope.synthetic import appearance
from kinetoscope.synthetic.appearance import TEXTURE_KINDS, make_appearance_clips
from kinetoscope.synthetic.motions import ClipSettings
from kinetoscope.synthetic.textures import split_generator

CLEAN = ClipSettings(clip=(4, 40, 48), texture_size=96).clean()


def clips(kind, count, settings=CLEAN, seed=0):
    labels = torch.full((count,), TEXTURE_KINDS.index(kind))
    return make_appearance_clips(labels, split_generator(seed, "train"), settings)


def roughness(video):
    """Mean absolute difference between neighbours, over the deviation."""
    steps = video.diff(dim=-1).abs().mean((1, 2, 3, 4))
    return (steps / video.std((1, 2, 3, 4))).mean().item()


def test_clips_are_whole_and_repeat_themselves():
    labels = torch.arange(16)
    settings = ClipSettings(clip=(4, 18, 22), texture_size=48)
    first, again = (make_appearance_clips(labels, split_generator(3, "train"), settings) for _ in range(2))
    assert first.shape == (16, 3, 4, 18, 22)
    assert torch.equal(first, again)
    assert 0 <= first.min() < first.max() <= 1
    assert first.std((1, 2, 3, 4)).min() > 0.01
    with pytest.raises(SettingInvalid, match=r"0\.\.15"):
        make_appearance_clips(torch.tensor([16]), split_generator(3, "train"), settings)


@pytest.mark.parametrize(
    ("fine", "coarse"),
    [
        ("fine stripes", "coarse stripes"),
        ("fine checks", "coarse checks"),
        ("fine hexagons", "coarse hexagons"),
        ("speckle", "clouds"),
        ("fine streaks", "coarse streaks"),
    ],
)
def test_fine_kinds_are_finer(fine, coarse):
    assert roughness(clips(fine, 12)) > 1.3 * roughness(clips(coarse, 12))


def test_stripes_have_one_direction_and_checks_two():
    def anisotropy(kind):
        frames = clips(kind, 12)[:, 1, 0]
        gy, gx = frames.diff(dim=1)[:, :, :-1], frames.diff(dim=2)[:, :-1]
        xx, yy, xy = ((a * b).mean((1, 2)) for a, b in ((gx, gx), (gy, gy), (gx, gy)))
        return ((((xx - yy) ** 2 + 4 * xy**2).sqrt()) / (xx + yy)).mean().item()

    assert anisotropy("coarse stripes") > 0.9
    assert anisotropy("fine streaks") > 0.6
    assert anisotropy("coarse checks") < 0.3


def test_motions_are_drawn_regardless_of_the_class(monkeypatch):
    drawn = []
    monkeypatch.setattr(
        appearance, "draw_motions", lambda labels, *rest: drawn.append(labels) or original(labels, *rest)
    )
    for kind in ("discs", "bars"):
        clips(kind, 200, ClipSettings(clip=(2, 8, 9), texture_size=16))
    for labels in drawn:
        assert labels.bincount(minlength=13).min() >= 4


original = appearance.draw_motions
