"""Constraints on the clip: masks, staying near a given one, and alpha, on a network whose answer is known."""

from pathlib import Path

import numpy as np
import pytest
import torch

import kinetoscope as ks
from kinetoscope.errors import KinetoscopeError, SettingInvalid
from kinetoscope.optimal.held import hold, read_mask
from kinetoscope.synthetic.networks import MotionEnergy

pytestmark = pytest.mark.usefixtures("quick_motion")  # of optima

T, H, W = 6, 14, 18
CARD = ks.ModelCard(clip=(T, H, W))
HOW = {"card": CARD, "steps": 6, "seeds": 1}
START = torch.rand(T, 3, H, W, generator=torch.Generator().manual_seed(3)) * 0.6 + 0.2


@pytest.fixture(scope="module")
def model() -> MotionEnergy:
    return MotionEnergy([(0.0, 1.0), (90.0, 1.0)], wavelength=5.0, size=(3, 5))


def energy(model: MotionEnergy, video: torch.Tensor) -> float:
    with torch.no_grad():
        return float(model(CARD.normalize(video.transpose(0, 1)[None]))[:, 0].mean())


@pytest.mark.parametrize(
    ("text", "free"),
    [
        ("centre:1", lambda t, y, x: ((2 * y + 1) / H - 1) ** 2 + ((2 * x + 1) / W - 1) ** 2 <= 1),
        ("surround:0.5", lambda t, y, x: ((2 * y + 1) / H - 1) ** 2 + ((2 * x + 1) / W - 1) ** 2 > 0.25),
        ("frames:2-3", lambda t, y, x: 2 <= t <= 3),
        ("frames:4,centre:0.5", lambda t, y, x: t == 4 and abs(2 * y + 1 - H) / H < 0.5 and read_half(y, x)),
    ],
)
def test_masks_as_they_are_written(text, free) -> None:
    mask = read_mask(text, (T, H, W))
    by_hand = [[[bool(free(t, y, x)) for x in range(W)] for y in range(H)] for t in range(T)]
    assert torch.equal(mask[:, 0], torch.tensor(by_hand).float())


def read_half(y: int, x: int) -> bool:
    return ((2 * y + 1) / H - 1) ** 2 + ((2 * x + 1) / W - 1) ** 2 <= 0.25


def test_masks_from_files_and_those_that_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given = np.random.default_rng(0).random((T, H, W), dtype=np.float32)
    np.save("m.npy", given)
    assert np.allclose(read_mask("m.npy", (T, H, W))[:, 0].numpy(), given)
    np.save("small.npy", given[:, 1:])
    for wrong, told in (
        ("middle:0.5", "write centre:SHARE"),
        ("centre:half", "cannot be read"),
        ("frames:9-12", "leaves nothing"),
        ("frames:-2", "cannot be read"),
        ("small.npy", "wanted 6x14x18"),
        ("none.npy", r"none\.npy"),
    ):
        with pytest.raises(KinetoscopeError, match=told):
            read_mask(wrong, (T, H, W))


def test_the_clip_has_contrast_only_where_it_is_free(model: MotionEnergy) -> None:
    mask = read_mask("centre:0.6,frames:1-4", (T, H, W))
    (found,) = ks.visualize(model, "energy", [0], mask=mask, contrast=0.15, **HOW)
    outside = (mask == 0).expand_as(found.video)
    assert bool((found.video[outside] == 0.5).all())
    inside = (found.video - 0.5)[~outside].square().mean().sqrt()
    assert 0.05 < float(inside) < 0.16  # counted where the clip is free, not over all of it
    (begun,) = ks.visualize(model, "energy", [0], mask=mask, start=START, **HOW)
    torch.testing.assert_close(begun.video[outside], START[outside])
    assert not torch.allclose(begun.video[~outside], START[~outside], atol=0.01)


def test_the_optimum_stays_near_and_gains(model: MotionEnergy) -> None:
    rest, gained = energy(model, START), []
    for near in (0.02, 0.08):
        (found,) = ks.visualize(model, "energy", [0], start=START, stay=near, **HOW)
        change = float((found.video - START).square().mean().sqrt())
        assert 0.3 * near < change <= near * 1.001
        gained.append(found.activation["optimal"] - rest)
        assert found.optimal is not None
        assert found.optimal.given is not None
        torch.testing.assert_close(found.optimal.given, START)
    assert 0 < gained[0] < gained[1]


def test_alpha_is_where_the_unit_looks_and_is_kept(model: MotionEnergy, tmp_path: Path) -> None:
    (found,) = ks.visualize(model, "energy", [0], position=(3, 3, 4), alpha=True, **HOW)
    (plain,) = ks.visualize(model, "energy", [0], position=(3, 3, 4), **HOW)
    assert torch.equal(found.video, plain.video)  # noting it changes nothing
    assert found.optimal is not None
    assert found.optimal.alpha is not None
    assert plain.optimal is not None
    assert plain.optimal.alpha is None
    alpha = found.optimal.alpha[:, 0]
    assert alpha.shape == (T, H, W)
    assert float(alpha.min()) >= 0
    assert float(alpha.max()) == 1
    assert float(alpha[2:5, 1:6, 2:7].mean()) > 0.4
    assert float(alpha[:, 10:].mean()) < 0.05
    assert float(alpha[:, :, 12:].mean()) < 0.05
    back = ks.load_result(found.save(tmp_path))
    assert torch.equal(back.optimal.alpha, found.optimal.alpha)


def test_what_cannot_be_held_is_refused(model: MotionEnergy) -> None:
    for wrong, told in (
        ({"stay": 0.1}, "give the clip as start"),
        ({"stay": 0.7, "start": START}, "at most 0.5"),
        ({"stay": 0.1, "start": START, "contrast": 0.1}, "leave contrast out"),
        ({"mask": torch.zeros(T, 1, H, W)}, "some above 0"),
        ({"mask": torch.ones(T, 1, H, 5)}, "6x1x14x18"),
        ({"mask": torch.ones(T, 1, H, W), "preset": "strong"}, "knows no mask"),
        ({"alpha": True, "preset": "paper"}, "knows no alpha"),
    ):
        with pytest.raises(SettingInvalid, match=told):
            ks.visualize(model, "energy", [0], **HOW, **wrong)
    assert hold((3, T, H, W), None, START, None) is None
