import time
import warnings

import pytest
import torch
from torch import Tensor, nn

from kinetoscope.card import ModelCard
from kinetoscope.errors import ClipTooSmall, ModelUnusable
from kinetoscope.units.layers import ReceptiveField, list_layers, list_reached
from kinetoscope.units.tap import output_shape

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
    assert list(rows) == ["conv", "norm", "act", "lstm", "fc"]
    assert rows["conv"].output_shape == (4, 4, 8, 12)
    assert rows["act"].output_shape == (4, 4, 8, 12), "the first of two calls counts"
    assert (rows["fc"].type, rows["fc"].output_shape, rows["fc"].units) == ("Linear", (2,), 2)
    assert rows["lstm"].output_shape == (4, 5)
    assert rows["norm"].receptive_field.width == 3
    assert (rows["act"].calls, rows["fc"].calls) == (2, 1)


class Backwards(nn.Module):
    """Parts that are named in another order than they run, one block inside another, and one left out."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.unused = nn.Linear(2, 3), nn.Linear(2, 3)
        self.body = nn.ModuleDict({"late": nn.Conv3d(4, 2, 1), "early": nn.Sequential(nn.Conv3d(3, 4, 3))})

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body["late"](self.body["early"](x)).mean((2, 3, 4)))


def test_layers_are_listed_from_input_to_output_and_blocks_before_their_parts() -> None:
    names = [row.name for row in list_layers(Backwards(), CARD)]
    assert names == ["body.early", "body.early.0", "body.late", "head"]
    rows, stopped = list_reached(Backwards(), ModelCard(clip=(6, 10, 14), channels=3), size=(2, 10, 14))
    assert stopped is not None
    assert [row.name for row in rows] == names, "as with a clip that goes all the way"


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
        "map_shape": (2, 7, 3),
        "calls": 1,
        "receptive_field": {"frames": 1, "height": 3, "width": 5, "stride": (1, 1, 1), "centre": (0, 1, 2)},
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


def test_centres_are_those_of_the_first_field() -> None:
    net = nn.Sequential(
        nn.Conv3d(3, 2, (2, 3, 5), stride=2, padding=(0, 1, 0)),
        nn.MaxPool3d((1, 1, 2)),
        nn.AdaptiveAvgPool3d(1),
        nn.Conv3d(2, 2, 1),
    )
    centres = [row.receptive_field.centre for row in list_layers(net, CARD)]
    assert centres == [(0.5, 0, 2), (0.5, 0, 3), (2.5, 4.5, 6.5), (2.5, 4.5, 6.5)]


def test_a_linear_layer_on_every_place_widens_nothing() -> None:
    class Head(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.project = nn.Conv3d(3, 4, (1, 3, 3)), nn.Linear(4, 9)
            self.softmax = nn.Softmax(dim=4)

        def forward(self, x: Tensor) -> Tensor:
            return self.softmax(self.project(self.conv(x).movedim(1, -1))).mean((1, 2, 3))

    rows = {row.name: row for row in list_layers(Head(), CARD)}
    for name in ("project", "softmax"):
        row = rows[name]
        assert (row.output_shape, row.units, row.map_shape) == ((6, 8, 12, 9), 9, (6, 8, 12))
        assert (row.receptive_field.frames, row.receptive_field.height) == (1, 3)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_models_of_every_precision_are_listed(dtype: torch.dtype) -> None:
    net = nn.Sequential(nn.Conv3d(3, 4, 3), nn.BatchNorm3d(4), nn.ReLU()).to(dtype)
    rows = list_layers(net, ModelCard(clip=(6, 10, 12)))
    assert [row.output_shape for row in rows] == [(4, 4, 8, 10)] * 3
    assert next(net.parameters()).dtype == dtype


def test_what_cannot_be_listed_is_told_and_left_as_it_was() -> None:
    lazy = nn.Sequential(nn.LazyConv3d(2, 3))
    with pytest.raises(ModelUnusable, match=r"not initialized yet: 0\.weight, 0\.bias"):
        list_layers(lazy, ModelCard(clip=(6, 10, 12)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch has something better by now
        script = torch.jit.script(nn.Conv3d(4, 4, 1))
    mixed = nn.Sequential(nn.Conv3d(3, 4, 3), script)
    with pytest.raises(ModelUnusable, match="TorchScript"):
        list_layers(mixed, ModelCard(clip=(6, 10, 12)))
    assert mixed.training
    assert not mixed[0]._forward_hooks
    with pytest.raises(ModelUnusable, match=r"takes 3 channels and is given 2; .* set channels"):
        list_layers(nn.Sequential(nn.Conv3d(3, 4, 3)), ModelCard(clip=(6, 10, 12), channels=2))


class Particular(nn.Module):
    """Wants a real device, and remembers its last output."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.last = nn.Conv2d(3, 2, 3), None

    def forward(self, clip: Tensor) -> Tensor:
        assert clip.device.type == "cpu"
        self.last = self.conv(clip[:, :, 1])
        return self.last


def test_a_forward_pass_that_minds_the_device_is_run_and_leaves_nothing() -> None:
    net = Particular()
    (row,) = list_layers(net, ModelCard(clip=(6, 10, 12)))
    assert row.receptive_field == ReceptiveField(1, 3, 3, (None, 1, 1), (1, 1, 1)), "one frame, no neighbours"
    assert net.last is None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what torch imports for it
        wrapped = torch.compile(net)
    before = set(vars(wrapped))
    list_layers(wrapped, ModelCard(clip=(6, 10, 12)))
    assert set(vars(wrapped)) == before


class Drawing(nn.Module):
    """Draws numbers and makes places of its own in its forward pass."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv3d(3, 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x + torch.rand_like(x) + torch.arange(x.shape[-1]))


def test_the_generator_of_random_numbers_is_left_where_it_was() -> None:
    net, before = Drawing(), torch.get_rng_state()
    assert list_layers(net, CARD)[0].map_shape == (4, 8, 12)
    assert output_shape(net, "conv", (3, 6, 10, 14)) == (4, 4, 8, 12)
    assert torch.equal(torch.get_rng_state(), before)


def test_weights_without_numbers_are_listed() -> None:
    with torch.device("meta"):
        net = Drawing()
    assert list_layers(net, CARD)[0].map_shape == (4, 8, 12)
