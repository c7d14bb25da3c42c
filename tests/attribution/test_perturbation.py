"""Masks of a fixed volume: the volume is held, the place a unit looks at is found, the response is kept."""

import pytest
import torch
from torch import nn

from kinetoscope.attribution.attribute import attribute
from kinetoscope.attribution.methods import AttributionSettings
from kinetoscope.attribution.perturbation import extremal_mask, masked
from kinetoscope.card import ModelCard
from kinetoscope.errors import SettingInvalid

T, H, W = 8, 24, 32
BOX = (slice(0, 4), slice(0, 12), slice(16, 32))  # an eighth of space-time, in a corner and the first half


class Corner(nn.Module):
    """Answers to one corner in the first frames, by its contrast."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv3d(3, 1, 1, bias=False)
        nn.init.constant_(self.conv.weight, 1.0)
        self.end = nn.Flatten(1)

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        seen = self.conv(clips)[:, 0][:, BOX[0], BOX[1], BOX[2]]
        return self.end(seen.square().mean(dim=(1, 2, 3))[:, None])


def video() -> torch.Tensor:
    return torch.rand(T, 3, H, W, generator=torch.Generator().manual_seed(0))


CARD = ModelCard(clip=(T, H, W), mean=(0.5,))


@pytest.mark.parametrize("volume", [0.05, 0.125, 0.3])
def test_the_mask_lies_where_the_unit_looks_and_has_its_volume(volume: float) -> None:
    settings = AttributionSettings(volume=volume, mask_steps=40)
    found = attribute(Corner(), video(), "end:0", "perturbation", settings, card=CARD)
    assert float(found.map.mean()) == pytest.approx(volume, rel=1e-3)
    assert 0 <= float(found.map.min()) <= float(found.map.max()) <= 1
    inside = float(found.map[BOX].sum())
    # of a mask as large as the box, an eighth, the smooth edge lies outside
    assert inside / float(found.map.sum()) > (0.95 if volume < 0.1 else 0.75 if volume < 0.2 else 0.4)
    assert inside / found.map[BOX].numel() > (0.95 if volume > 0.2 else 0.75 * volume / 0.125)
    assert found.completeness_gap is None


def test_more_volume_keeps_more_of_the_response() -> None:
    kept = [
        attribute(
            Corner(),
            video(),
            "end:0",
            "perturbation",
            AttributionSettings(volume=v, mask_steps=30, points=2),
            card=CARD,
        ).kept
        for v in (0.02, 0.08, 0.3)
    ]
    assert kept == sorted(kept)
    assert kept[0] < 0.4
    assert kept[2] > 0.95


def test_what_is_kept_is_the_response_through_the_mask() -> None:
    net, settings = Corner(), AttributionSettings(volume=0.1, mask_steps=10, points=2)
    found = attribute(net, video(), "end:0", "perturbation", settings, card=CARD)
    clip = video().transpose(0, 1)[None]
    baseline = clip.mean(dim=(2, 3, 4), keepdim=True).expand_as(clip)
    through = float(net(masked(clip, baseline, found.map) - 0.5).detach())
    span = found.response - found.baseline_response
    assert found.kept == pytest.approx((through - found.baseline_response) / span, rel=1e-4)


def test_the_level_moves_with_the_field() -> None:
    """The gradient of a mask of fixed volume is zero for whatever raises all places alike."""
    clip, weights = torch.rand(1, 1, 4, 9, 10), torch.rand(4, 9, 10)
    seen = []

    def respond(clips: torch.Tensor) -> torch.Tensor:
        seen.append(float(clips.detach().mean()))
        return (clips[:, 0] * weights).sum(dim=(1, 2, 3))

    mask = extremal_mask(respond, torch.ones_like(clip), torch.zeros_like(clip), volume=0.25, steps=12)
    assert seen == pytest.approx([0.5 ** (1 - k / 6) * 0.25 ** (k / 6) if k < 6 else 0.25 for k in range(12)])
    assert float(mask.mean()) == pytest.approx(0.25, rel=1e-4)
    assert float((mask * weights).sum()) > 0.25 * float(weights.sum()), "better than any place alike"


def test_volumes_are_shares() -> None:
    for wrong in (0.0, 1.0):
        with pytest.raises(SettingInvalid, match="volume is above 0 and below 1"):
            AttributionSettings(volume=wrong)
