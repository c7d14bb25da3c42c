"""The ablations: every variant measured alike, each loss term doing what it is for."""

import math

import pytest
import torch
from quick import QUICK
from torch import nn

import kinetoscope as ks
from kinetoscope.errors import ModelUnusable, UnitOutOfRange
from kinetoscope.evaluation.ablate import VARIANTS, ablate, truth_of
from kinetoscope.evaluation.one_stage import one_stage
from kinetoscope.motion.paper import PaperSettings
from kinetoscope.optimal.ascend import AdamSettings
from kinetoscope.optimal.objective import channel
from kinetoscope.optimal.transforms import TransformSettings
from kinetoscope.types import MOTION_LABELS

pytestmark = pytest.mark.usefixtures("quick_motion")  # of optima

T, H, W = 5, 12, 17
CARD = ks.ModelCard(clip=(T, H, W), class_names=("up", "dead", "other"), output_layer="head")


class Head(nn.Module):
    """Three class outputs; the second never changes."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv3d(3, 4, 3)
        self.head = nn.Linear(4, 3)
        draw = torch.Generator().manual_seed(1)
        with torch.no_grad():
            for weight in self.parameters():
                weight.copy_(torch.randn(weight.shape, generator=draw))
            self.head.weight[1] = 0

    def forward(self, clips):
        return self.head(self.conv(clips).relu().mean(dim=(2, 3, 4)))


@pytest.fixture(scope="module")
def found():
    model = Head()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    told = []
    result = ablate(
        model,
        "head",
        "up",
        card=CARD,
        steps=6,
        motion=QUICK,
        seed=2,
        paper=PaperSettings(steps=40),
        progress=lambda *step: told.append(step),
    )
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    searched = {i for i, (group, _, _) in enumerate(VARIANTS) if group != "loss"}
    assert {index for index, _, _ in told} == searched
    return result


def test_every_variant_is_there_and_measured(found):
    assert tuple((v.group, v.name, v.note) for v in found.variants) == VARIANTS
    for variant in found.variants:
        assert variant.video.shape == (T, 3, H, W)
        for name, value in variant.numbers.items():
            if isinstance(value, float):
                assert math.isfinite(value), (variant.name, name)
    assert found.record["settings"]["paper"]["steps"] == 40
    assert found.record["settings"]["optimal"]["steps"] == 6
    assert found.record["truth"] == {"label": "up", "direction_deg": 90.0}


def test_the_search_is_run_without_each_part(found):
    """But for colours: this unit wants them, and then they are free anyway."""
    searched = {variant.name: variant.video for variant in found.variants if variant.group == "search"}
    for name in ("level spectrum", "space only", "not calmed"):
        assert float((searched[name] - searched["natural"]).abs().mean()) > 1e-3


def test_gains_are_shares_of_the_defaults_optimum(found):
    numbers = {v.name: v.numbers for v in found.variants}
    assert numbers["natural"]["optimum_gain"] == pytest.approx(1)
    assert numbers["all terms"]["optimum_gain"] == pytest.approx(1)
    assert numbers["one stage"]["optimum_gain"] == numbers["one stage"]["activation_kept"]
    assert numbers["one stage"]["psnr_db"] is None


def test_each_term_is_dropped_in_turn(found):
    parts = {v.name: v.decomposition for v in found.variants}
    videos = {v.name: v.video for v in found.variants}
    terms = [name for group, name, _ in VARIANTS if group == "loss"]
    assert all(torch.equal(videos["natural"], videos[name]) for name in terms)
    weights = {
        name: tuple(parts[name].settings["paper"][w] for w in ("deformation", "smoothness", "similarity"))
        for name in terms
    }
    assert list(weights.values()) == [(1, 1, 1), (0, 1, 1), (1, 0, 1), (1, 1, 0)]
    assert parts["without L_D"].displacement_tv > 2 * parts["all terms"].displacement_tv


def test_a_dead_unit_and_a_missing_one_are_refused():
    for unit, error, words in ((1, ModelUnusable, "unit 1"), (9, UnitOutOfRange, "0 to 2")):
        with pytest.raises(error, match=words):
            ablate(Head(), "head", unit, card=CARD, steps=2, paper=PaperSettings(steps=1))


def test_the_truth_is_known_of_motion_words_only():
    assert [truth_of(name)["direction_deg"] for name in MOTION_LABELS[:8]] == [45.0 * i for i in range(8)]
    assert truth_of("expansion") == {"label": "expansion", "direction_deg": None}
    assert truth_of("playing the flute") is None


STEADY = AdamSettings(
    steps=40, rate=0.2, transforms=TransformSettings(shift=(0.0, 0.0, 0.0), scale=(1.0, 1.0, 1.0))
)


def driven(weights):
    """One stage for a unit that wants bright pixels wherever a fixed checkerboard is positive."""
    board = torch.arange(H)[:, None].add(torch.arange(W)).remainder(2).mul(2.0).sub(1)

    def forward(clips):
        return (clips * board).mean(dim=(1, 2, 3, 4))[:, None]

    shape, draw = (1, T, H, W), torch.Generator().manual_seed(0)
    image, displacement, video = one_stage(forward, channel(0), shape, STEADY, weights, 0.5, draw)
    assert (image.shape, displacement.shape, video.shape) == ((1, H, W), (T, 2, H, W), (T, 1, H, W))
    return image, displacement, float(forward(video.transpose(0, 1)[None]))


def test_one_stage_climbs_and_its_terms_smooth():
    free = driven(PaperSettings(deformation=0.0, smoothness=0.0, similarity=0.0))
    held = driven(PaperSettings(smoothness=50.0))
    assert free[2] > 0.1  # 0.5 is the most there is
    assert held[2] < 0.5 * free[2]
    assert float(held[0].diff(dim=2).abs().mean()) < 0.2 * float(free[0].diff(dim=2).abs().mean())
