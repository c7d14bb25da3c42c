"""What a network's own code does wrong is one line with layer and shapes; what it reaches is listed."""

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import kinetoscope as ks
from kinetoscope.errors import ClipTooSmall, ModelUnusable
from kinetoscope.units.layers import list_layers, list_reached
from kinetoscope.units.tap import output_shape, tap

CARD = ks.ModelCard(clip=(4, 9, 12))


class Faulty(nn.Module):
    """A layer, then `fault`, which is looked for inside `inner`."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.first = nn.Conv3d(3, 4, 3, padding=1)
        self.inner = Inner(kind)
        self.last = nn.Conv3d(4, 4, 1)

    def forward(self, clips: Tensor) -> Tensor:
        return self.last(self.inner(self.first(clips)))


class Inner(nn.Module):
    """Fails in a way that a person's network may."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind, self.conv = kind, nn.Conv3d(4, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        if self.kind == "assertion":
            assert x.shape[1] == 5, "wants five channels"
        if self.kind == "bare assertion":
            assert x.shape[1] == 5
        if self.kind == "index":
            return [x][3]
        if self.kind == "key":
            return {}["features"]
        if self.kind == "name":
            return undefined
        if self.kind == "attribute":
            return x.no_such_thing
        if self.kind == "shape":
            return x.view(7, 11, -1)
        if self.kind == "unpack":
            _a, _b = x.shape
        if self.kind == "import":
            import no_such_module  # noqa: F401
        if self.kind == "half":
            return self.conv(x.half())
        if self.kind == "saved":
            y = x.exp()
            y += 1
            return y
        if self.kind == "reentrant":
            return checkpoint(self.conv, x, use_reentrant=True)
        return x


FORWARD = {
    "assertion": "AssertionError: wants five channels",
    "bare assertion": "AssertionError",
    "index": "IndexError: list index out of range",
    "key": "KeyError: 'features'",
    "name": "NameError: name 'undefined'",
    "attribute": "AttributeError: ",
    "shape": "RuntimeError: shape '",
    "unpack": "ValueError: too many values to unpack",
    "import": "ModuleNotFoundError: No module named 'no_such_module'",
    "half": r"RuntimeError: .*; weights are computed with in fp32 .* leave .half\(\)",
}


@pytest.mark.parametrize("kind", FORWARD)
def test_a_fault_in_the_forward_pass_is_one_line(kind: str) -> None:
    net = Faulty(kind).train()
    clip = torch.rand(1, 3, 4, 9, 12, requires_grad=True)
    told = rf"in layer 'inner(\.conv)?', given (x|input) 1x4x4x9x12, failed with {FORWARD[kind]}"
    for look in (
        lambda: tapped(net, "last", clip),
        lambda: output_shape(net, "last", (3, 4, 9, 12)),
        lambda: list_layers(net, CARD),
        lambda: ks.visualize(net, "last", [0], card=CARD, steps=1, seeds=1),
    ):
        with pytest.raises(ModelUnusable, match=told) as caught:
            look()
        assert "\n" not in str(caught.value)
    assert tapped(net, "first", clip).shape == (1, 4, 4, 9, 12)
    assert net.training
    assert not any(len(module._forward_hooks) for module in net.modules())


def tapped(net: nn.Module, layer: str, clip: Tensor) -> Tensor:
    with tap(net, layer) as forward:
        return forward(clip)


def test_a_fault_of_the_whole_network_is_told_with_the_clip() -> None:
    class Whole(nn.Module):
        def forward(self, *clips: Tensor) -> Tensor:
            raise ValueError("takes\ntwo   clips")

    net = nn.Sequential()
    net.add_module("inner", Whole())
    with pytest.raises(
        ModelUnusable, match="'inner', given 1x3x4x9x12, failed with ValueError: takes two clips;"
    ):
        list_layers(net, CARD)
    with pytest.raises(ModelUnusable, match="of the network, given 1x3x4x9x12, failed with"):
        list_layers(Whole(), CARD)


@pytest.mark.filterwarnings(
    "ignore:None of the inputs have requires_grad"
)  # torch's, where no gradient is asked for
@pytest.mark.parametrize(
    ("kind", "layer", "told"),
    [
        ("saved", "last", "the gradient of layer 'last' failed with RuntimeError: .*; write y = x"),
        (
            "reentrant",
            "last",
            r"the gradient of layer 'last' failed with .*; give checkpoint\(.*use_reentrant=False",
        ),
        ("reentrant", "inner.conv", r"recomputes it with checkpoint\(..., use_reentrant=True\); give"),
    ],
)
def test_a_fault_in_the_backward_pass_is_one_line(kind: str, layer: str, told: str) -> None:
    net = Faulty(kind)
    for look in (
        lambda: ks.visualize(net, layer, [0], card=CARD, steps=1, seeds=1),
        lambda: gradient(net, layer),
    ):
        with pytest.raises(ModelUnusable, match=told) as caught:
            look()
        assert "no_grad" not in str(caught.value)
    assert all(parameter.grad is None and parameter.requires_grad for parameter in net.parameters())


def gradient(net: nn.Module, layer: str) -> Tensor:
    clip = torch.rand(1, 3, 4, 9, 12, requires_grad=True)
    with tap(net, layer) as forward:
        return torch.autograd.grad(forward(clip).sum(), clip)[0]


def test_of_a_clip_that_is_too_small_what_it_reaches_is_listed() -> None:
    net = nn.Sequential(nn.Conv3d(3, 4, 3, padding=1), nn.AvgPool3d((2, 9, 9)), nn.Flatten(), nn.Linear(8, 2))
    net.add_module("spare", nn.Identity())
    rows, stopped = list_reached(net, CARD, size=(2, 6, 8))
    assert isinstance(stopped, ClipTooSmall)
    assert "too small for layer '1'" in str(stopped)
    assert [(row.name, row.calls, row.output_shape) for row in rows] == [
        ("0", 1, (4, 2, 6, 8)), ("1", 0, ()), ("2", 0, ()), ("3", 0, ()), ("spare", 0, ())
    ]  # fmt: skip
    rows, stopped = list_reached(net, ks.ModelCard(clip=(4, 9, 12)), size=(4, 9, 12))
    assert stopped is None
    assert [row.name for row in rows] == ["0", "1", "2", "3", "spare"]


def test_the_command_lists_what_is_reached(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from kinetoscope.cli import main

    for extra in ([], ["--json"]):
        assert main(["layers", "c3d", "--size", "16x20x20", *extra]) == 0
        out, err = capsys.readouterr()
        assert err.count("\n") == 1
        assert "too small for" in err or "does not fit" in err
        assert "layers with 0 calls are not reached" in err
        if extra:
            calls = {row["name"]: row["calls"] for row in json.loads(out)}
            assert calls["conv1"] == 1
            assert calls["fc6"] == 0
        else:
            assert "not reached" in out
    assert main(["layers", "motion13", "--size", "1x8x8", "--weights", "random"]) == 0


def test_a_place_of_a_row_of_frames_can_be_chosen() -> None:
    class Row(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.row = nn.Conv3d(3, 4, 1), nn.Conv1d(4, 5, 3, padding=1)

        def forward(self, clips: Tensor) -> Tensor:
            return self.row(self.conv(clips).mean(dim=(3, 4)))

    card = ks.ModelCard(clip=(10, 9, 12))
    (result,) = ks.visualize(Row(), "row", [1], card=card, objective="unit", position=(7,), steps=2, seeds=1)
    moved = (result.optimal.video - result.optimal.video.mean(dim=0)).abs().mean(dim=(1, 2, 3))
    assert result.record["settings"]["position"] == [7]
    assert moved.shape == (10,)
