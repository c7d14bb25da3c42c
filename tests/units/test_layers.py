import time

import pytest
import torch
from torch import Tensor, nn

from kinetoscope.errors import ClipTooSmall
from kinetoscope.models.card import ModelCard
from kinetoscope.units.layers import list_layers

CARD = ModelCard(clip=(6, 10, 14), channels=3)


class Odd(nn.Module):
    """Looks at values in its forward pass, gives tuples, calls a layer twice, and leaves one out."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv3d(3, 4, 3)
        self.unused = nn.Conv3d(3, 4, 3)
        self.act = nn.ReLU(inplace=True)
        self.norm = nn.BatchNorm3d(4)
        self.lstm = nn.LSTM(8 * 12, 5, batch_first=True)
        self.fc = nn.Linear(5, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.norm(self.conv(x)))
        if float(x.sum()) == 12345.0:
            return x
        x = self.act(x[:, :2])
        steps, _ = self.lstm(x.mean(1).flatten(2))
        return self.fc(steps[:, -1])


def test_layers_are_listed_as_they_run() -> None:
    rows = {row.name: row for row in list_layers(Odd().train(), CARD)}
    assert list(rows) == ["conv", "act", "norm", "lstm", "fc"]
    assert rows["conv"].output_shape == (4, 4, 8, 12)
    assert rows["act"].output_shape == (4, 4, 8, 12), "the first of two calls counts"
    assert (rows["fc"].type, rows["fc"].output_shape, rows["fc"].units) == ("Linear", (2,), 2)
    assert rows["lstm"].output_shape == (4, 5)
    assert rows["norm"].receptive_field.width == 3


def test_listing_leaves_the_model_alone() -> None:
    net = Odd().train()
    net.norm.eval()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    parameters = dict(net.named_parameters())
    list_layers(net, CARD)
    assert all(torch.equal(before[k], v) for k, v in net.state_dict().items())
    assert all(parameters[k] is v for k, v in net.named_parameters())
    assert net.training
    assert net.conv.training
    assert not net.norm.training
    assert not any(m._forward_hooks for m in net.modules())


def test_the_size_given_replaces_the_cards() -> None:
    rows = list_layers(nn.Sequential(nn.Conv3d(3, 4, (1, 3, 5))), CARD, size=(2, 9, 7))
    assert rows[0].output_shape == (4, 2, 7, 3)
    assert rows[0].to_json() == {
        "name": "0",
        "type": "Conv3d",
        "output_shape": (4, 2, 7, 3),
        "units": 4,
        "receptive_field": {"frames": 1, "height": 3, "width": 5, "stride": (1, 1, 1)},
    }


def test_a_clip_that_does_not_pass_is_named_with_its_layer() -> None:
    net = nn.Sequential(nn.Conv3d(3, 4, 3), nn.Sequential(nn.MaxPool3d(2), nn.AvgPool3d(4)))
    with pytest.raises(ClipTooSmall, match=r"6x10x14.*'1\.1'"):
        list_layers(net, CARD)


def test_big_models_are_listed_without_arithmetic() -> None:
    wide = nn.Sequential(*[nn.Sequential(nn.Conv3d(512, 512, 3, padding=1), nn.ReLU()) for _ in range(12)])
    net = nn.Sequential(nn.Conv3d(3, 512, 3, padding=1), wide)
    start = time.perf_counter()
    rows = list_layers(net, ModelCard(clip=(16, 112, 112)))  # 17 TFLOP, were it run
    assert time.perf_counter() - start < 5
    assert rows[-1].receptive_field.frames == 27
