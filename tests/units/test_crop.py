"""The part of a clip that a unit sees gives the unit the value it has in the whole clip."""

import pytest
import torch
from torch import nn

import kinetoscope as ks
from kinetoscope.units.crop import crop_to_unit
from kinetoscope.units.tap import tap

pytestmark = pytest.mark.usefixtures("quick_motion")  # of optima

T, H, W = 14, 45, 62


def probe(channels=3):
    return torch.rand(1, channels, T, H, W, generator=torch.Generator().manual_seed(0))


CHAINS = {
    "padded": nn.Sequential(nn.Conv3d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv3d(4, 5, (1, 5, 3), padding=2)),
    "strided": nn.Sequential(
        nn.Conv3d(3, 4, (3, 7, 7), stride=(1, 2, 2), padding=(1, 3, 3)),
        nn.MaxPool3d((1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1)),
        nn.Conv3d(4, 5, 3, stride=(2, 1, 1), padding=1, dilation=1),
    ),
    "dilated": nn.Sequential(nn.Conv3d(3, 4, 3, dilation=(1, 2, 3)), nn.AvgPool3d(2), nn.Conv3d(4, 5, 3)),
}


@pytest.mark.parametrize("name", CHAINS)
@pytest.mark.parametrize("where", [0.0, 0.4, 1.0])
def test_the_value_is_the_same(name, where):
    model, last = CHAINS[name].double(), str(len(CHAINS[name]) - 1)
    clip = probe().double()
    with tap(model, last) as forward, torch.no_grad():
        whole = forward(clip)
        position = tuple(int(where * (size - 1)) for size in whole.shape[2:])
        crop = crop_to_unit(model, last, position, clip)
        assert crop is not None
        part = crop(clip)
        values = forward(part)
    assert part.numel() < clip.numel()
    t, y, x = position
    in_t, in_y, in_x = crop.position
    torch.testing.assert_close(values[:, :, in_t, in_y, in_x], whole[:, :, t, y, x])


def test_nothing_is_cut_where_a_unit_sees_all_or_the_size_is_fixed():
    pooled = nn.Sequential(nn.Conv3d(3, 4, 3, padding=1), nn.AdaptiveAvgPool3d(2), nn.Conv3d(4, 5, 1))
    assert crop_to_unit(pooled, "2", (1, 1, 1), probe()) is None
    centred = nn.Sequential(Centred(), nn.Conv3d(3, 4, 3, padding=1))
    assert crop_to_unit(centred, "1", (4, 9, 9), probe()) is None

    assert crop_to_unit(Fixed(), "conv", (4, 9, 9), probe()) is None


class Fixed(nn.Module):
    """Takes real clips of one size only, and says so as many networks do."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv3d(3, 4, 3, padding=1)

    def forward(self, x):
        assert x.device.type == "cpu"
        assert x.shape[2:] == (T, H, W), "wrong input size"
        return self.conv(x)


class Centred(nn.Module):
    """Takes the clip's own mean away, out of sight of any geometry."""

    def forward(self, x):
        return x - x.mean()


def test_a_cropped_search_shows_the_same_optimum(monkeypatch):
    model = CHAINS["padded"].float()
    options = {"card": ks.ModelCard(clip=(9, 24, 31)), "objective": "unit", "steps": 12, "seeds": 1}
    (cropped,) = ks.visualize(model, "2", [1], position=(3, 8, 20), **options)
    monkeypatch.setattr("kinetoscope.inquiry.settle.crop_to_unit", lambda *_: None)
    (whole,) = ks.visualize(model, "2", [1], position=(3, 8, 20), **options)
    assert cropped.video.shape == (9, 3, 24, 31)
    torch.testing.assert_close(cropped.video, whole.video, atol=1e-3, rtol=0)
    assert cropped.activation == pytest.approx(whole.activation, rel=1e-3, abs=1e-5)
