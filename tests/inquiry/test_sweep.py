"""Sweeps of a prior: what grows does what it says, from the same noise."""

import pytest
import torch

import kinetoscope as ks
from kinetoscope.errors import SettingInvalid
from kinetoscope.synthetic.networks import MotionEnergy

pytestmark = pytest.mark.usefixtures("quick_motion")  # of optima

CARD = ks.ModelCard(clip=(6, 14, 18))


@pytest.fixture(scope="module")
def model() -> MotionEnergy:
    return MotionEnergy([(0.0, 1.0), (90.0, 1.0)], wavelength=5.0, size=(3, 5))


def change(video: torch.Tensor) -> float:
    about = video - video.mean(dim=0)
    return float(about.square().mean() / (video - video.mean(dim=(0, 2, 3), keepdim=True)).square().mean())


def test_slower_clips_change_less_and_each_is_the_search_under_that_metric(model: MotionEnergy) -> None:
    found = ks.sweep(model, "energy", 0, over="slowness", values=(0.0, 6.0), card=CARD, steps=6)
    assert found.values == (0.0, 6.0)
    assert max(found.shares) == 1
    fast, slow = (change(result.video) for result in found.results)
    assert slow < 0.7 * fast
    metric = ks.NaturalMetric(**{**vars(CARD.natural), "slowness": 6.0})
    settings = ks.OptimalSettings(metric=metric, steps=6)
    how = {"card": CARD, "optimal": settings, "start": "noise", "seeds": 1}
    (alone,) = ks.visualize(model, "energy", [0], **how)
    assert torch.equal(alone.video, found.results[1].video)


def test_contrast_is_the_budget(model: MotionEnergy) -> None:
    found = ks.sweep(model, "energy", 1, over="contrast", values=(0.05, 0.3), card=CARD, steps=4)
    contrasts = [float((result.video - 0.5).square().mean().sqrt()) for result in found.results]
    assert contrasts[0] <= 0.051
    assert 0.1 < contrasts[1] <= 0.301
    assert found.shares[0] < found.shares[1] == 1


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"over": "colour"}, "slowness, power, contrast"),
        ({"values": ()}, "at least one value"),
        ({"values": (-1.0,)}, "at least 0"),
        ({"over": "contrast", "values": (0.9,)}, "at most 0.5"),
    ],
)
def test_what_cannot_be_swept_is_refused(model: MotionEnergy, wrong: dict, told: str) -> None:
    with pytest.raises(SettingInvalid, match=told):
        ks.sweep(model, "energy", 0, card=CARD, **wrong)
