"""Where units lie: every layer's output comes as (clips, units, *map), whatever the layer's own order."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from kinetoscope.card import ModelCard
from kinetoscope.units.layers import list_layers
from kinetoscope.units.tap import output_shape, tap

CLIP = (3, 4, 6, 10)  # C, T, H, W


class Tokens(nn.Module):
    """A small transformer: patches by a convolution, a class token, blocks that give their grid or not."""

    def __init__(self, told: bool) -> None:
        super().__init__()
        self.patches = nn.Conv3d(3, 8, 2, stride=2)
        self.join = Join()
        self.block = Block()
        self.gelu = nn.GELU()
        self.thin = Thinned(told)
        self.norm = nn.LayerNorm(8)
        self.head = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.gelu(self.block(self.join(self.patches(x).flatten(2).mT)))
        x, _ = self.thin(x)
        return self.head(self.norm(x)[:, 0])


class Join(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.ones(8))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.token.expand(len(x), 1, -1), x], dim=1)


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.up, self.act, self.down = nn.Linear(8, 12), nn.ReLU(inplace=True), nn.Linear(12, 8)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.down(self.act(self.up(x)))


class Thinned(nn.Module):
    """Gives every second column only, and says so if it is told to."""

    def __init__(self, told: bool) -> None:
        super().__init__()
        self.told = told

    def forward(self, x: Tensor) -> Any:
        grid = x[:, 1:].unflatten(1, (2, 3, 5))[:, :, :, ::2]
        kept = torch.cat([x[:, :1], grid.flatten(1, 3)], dim=1)
        return kept, [2, 3, 3] if self.told else None


def seen(net: nn.Module, layer: str, clips: Tensor) -> tuple[Tensor, Any]:
    """What a tap gives, and what the layer itself gave when the whole model ran."""
    kept = {}
    handle = net.get_submodule(layer).register_forward_hook(lambda m, a, out: kept.update(out=out))
    net.eval()(clips)
    handle.remove()
    with tap(net, layer) as forward:
        return forward(clips), kept["out"]


@pytest.mark.parametrize("layer", ["join", "block", "gelu", "block.act", "block.down"])
def test_tokens_are_addressed_like_channels_on_their_grid(layer: str) -> None:
    torch.manual_seed(0)
    net, clips = Tokens(told=True), torch.rand(2, *CLIP)
    output, own = seen(net, layer, clips)
    width = 12 if layer == "block.act" else 8
    assert own.shape == (2, 1 + 2 * 3 * 5, width)
    assert output.shape == (2, width, 2, 3, 5)
    torch.testing.assert_close(output[1, 6, 1, 2, 3], own[1, 1 + 1 * 15 + 2 * 5 + 3, 6])


def test_a_grid_is_taken_from_the_layer_that_tells_it() -> None:
    clips = torch.rand(2, *CLIP)
    told, own = seen(Tokens(told=True), "thin", clips)
    assert told.shape == (2, 8, 2, 3, 3)
    torch.testing.assert_close(told[0, 3, 1, 0, 2], own[0][0, 1 + 9 + 2, 3])
    silent, own = seen(Tokens(told=False), "thin", clips)
    assert silent.shape == (2, 8, 1 + 18), "no grid is made up"
    torch.testing.assert_close(silent[1, 3, 4], own[0][1, 4, 3])
    assert output_shape(Tokens(told=False), "head", CLIP) == (5,)


def test_the_list_says_where_units_are() -> None:
    rows = {row.name: row for row in list_layers(Tokens(told=True), ModelCard(clip=CLIP[1:]))}
    assert (rows["block"].output_shape, rows["block"].units) == ((31, 8), 8)
    assert rows["block"].map_shape == (2, 3, 5)
    assert rows["thin"].map_shape == (2, 3, 3)
    assert (rows["head"].units, rows["head"].map_shape) == (5, ())


class ChannelsLast(nn.Module):
    """(B, T, H, W, C), as Swin transformers have it, and a gate made by linear layers on channels first."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv3d(3, width, 1)
        self.norm, self.drop, self.wide = nn.LayerNorm(width), nn.Dropout(), nn.Linear(width, 7)
        self.gate = Gate(width)
        self.pool = nn.AvgPool3d(2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        self.wide(self.drop(self.norm(x.movedim(1, -1))))
        return self.pool(self.gate(x))


class Gate(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.fc(x.mean((2, 3, 4)))[:, :, None, None, None]


@pytest.mark.parametrize("width", [10, 5])  # 10 is the clip's width as well
def test_channels_last_maps_and_channels_first_ones(width: int) -> None:
    net, clips = ChannelsLast(width), torch.rand(2, *CLIP)
    for layer, units, places in [
        ("conv", width, (4, 6, 10)),
        ("norm", width, (4, 6, 10)),
        ("wide", 7, (4, 6, 10)),
        ("gate", width, (4, 6, 10)),
        ("pool", width, (2, 3, 5)),
        ("gate.fc", width, ()),
    ]:
        output, own = seen(net, layer, clips)
        assert output.shape == (2, units, *places), layer
        torch.testing.assert_close(output, own.movedim(-1, 1) if layer in ("norm", "wide") else own)
    assert output_shape(ChannelsLast(5), "drop", CLIP) == (5, 4, 6, 10)


class FrameByFrame(nn.Module):
    """A 2D network on every frame, then a recurrent layer: the frames share the batch axis."""

    def __init__(self, time_first: bool = False) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 5, 3)
        self.fc = nn.Linear(5, 6)
        self.lstm = nn.LSTM(6, 4, batch_first=not time_first)
        self.score = nn.Linear(4, 1)
        self.time_first = time_first

    def forward(self, x: Tensor) -> Tensor:
        x = x.permute(2, 0, 1, 3, 4) if self.time_first else x.transpose(1, 2)
        features = self.fc(self.conv(x.flatten(0, 1)).mean((2, 3)))
        steps, _ = self.lstm(features.unflatten(0, x.shape[:2]))
        return self.score(steps[-1] if self.time_first else steps[:, -1]).squeeze(1)


@pytest.mark.parametrize("time_first", [False, True])
@pytest.mark.parametrize("clips", [1, 3, 4])  # 4 is the number of frames as well
def test_frames_in_the_batch_become_the_first_axis_of_the_map(time_first: bool, clips: int) -> None:
    torch.manual_seed(0)
    net, x = FrameByFrame(time_first), torch.rand(clips, *CLIP)
    for layer, shape in [("conv", (5, 4, 4, 8)), ("fc", (6, 4)), ("lstm", (4, 4)), ("score", (1,))]:
        assert output_shape(net, layer, CLIP) == shape
        with tap(net, layer) as forward, torch.no_grad():
            found = forward(x)
        assert found.shape == (clips, *shape)
        if layer == "conv":
            torch.testing.assert_close(found[-1, :, 2], net.conv(x[-1:, :, 2])[0])
        if layer == "lstm":
            frames = net.fc(net.conv(x.transpose(1, 2).flatten(0, 1)).mean((2, 3))).view(clips, 4, 6)
            expected = net.lstm(frames.transpose(0, 1))[0].permute(1, 2, 0) if time_first else None
            expected = net.lstm(frames)[0].mT if expected is None else expected
            torch.testing.assert_close(found, expected)
    rows = {row.name: row for row in list_layers(net, ModelCard(clip=CLIP[1:]))}
    assert (rows["conv"].units, rows["conv"].map_shape) == (5, (4, 4, 8))
    assert (rows["lstm"].units, rows["lstm"].map_shape) == (4, (4,))


def test_one_number_per_clip_is_one_unit() -> None:
    class Mean(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.end = nn.Flatten(0)

        def forward(self, x: Tensor) -> Tensor:
            return self.end(x.mean((1, 2, 3, 4)))

    clips = torch.rand(3, *CLIP)
    with tap(Mean(), "end") as forward:
        assert forward(clips).shape == (3, 1)


def test_attention_of_torch_itself() -> None:
    for first in (True, False):
        net = nn.Sequential(nn.Conv3d(3, 8, 2, stride=2), Flat(first), Attend(first))
        assert output_shape(net, "2.attend", CLIP) == (8, 2, 3, 5)
        assert output_shape(net, "2.block", CLIP) == (8, 2, 3, 5)


class Flat(nn.Module):
    def __init__(self, batch_first: bool) -> None:
        super().__init__()
        self.batch_first = batch_first

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(2).mT if self.batch_first else x.flatten(2).permute(2, 0, 1)


class Attend(nn.Module):
    def __init__(self, batch_first: bool) -> None:
        super().__init__()
        self.attend = nn.MultiheadAttention(8, 2, batch_first=batch_first)
        self.block = nn.TransformerEncoderLayer(8, 2, 12, batch_first=batch_first)

    def forward(self, x: Tensor) -> Tensor:
        return self.block(self.attend(x, x, x)[0])


class AsManyTokensAsUnits(nn.Module):
    """Patches of a convolution of a width, plus positions, before blocks that normalize; or none of these."""

    def __init__(self, width: int, blocks: bool) -> None:
        super().__init__()
        self.embed = nn.Sequential(nn.Conv3d(3, width, 2, stride=2), nn.Flatten(2))
        self.positions = Positions(width, blocks)
        self.norm = nn.LayerNorm(width) if blocks else nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.positions(self.embed(x)))


class Positions(nn.Module):
    def __init__(self, width: int, turned: bool) -> None:
        super().__init__()
        self.table, self.turned = nn.Parameter(torch.arange(float(width))), turned

    def forward(self, x: Tensor) -> Tensor:
        return x.mT.contiguous() + self.table if self.turned else x + self.table[None, :, None]


@pytest.mark.parametrize("width", [30, 8])  # 30 is the number of tokens as well
def test_embeddings_are_addressed_like_the_blocks_behind_them(width: int) -> None:
    torch.manual_seed(0)
    net, clips = AsManyTokensAsUnits(width, blocks=True), torch.rand(2, *CLIP)
    for layer in ("positions", "norm"):
        output, own = seen(net, layer, clips)
        assert output.shape == (2, width, 2, 3, 5)
        torch.testing.assert_close(output[1, 6, 1, 2, 3], own[1, 1 * 15 + 2 * 5 + 3, 6])
    plain, own = seen(AsManyTokensAsUnits(width, blocks=False), "positions", clips)
    torch.testing.assert_close(plain, own)
