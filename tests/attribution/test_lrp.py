"""Relevance: what is known by hand, what adds up, what is refused, and what to install."""

import sys
from importlib.util import find_spec

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from kinetoscope.attribution.attribute import Attribution, attribute
from kinetoscope.attribution.methods import AttributionSettings
from kinetoscope.card import ModelCard
from kinetoscope.errors import ModelUnusable, SettingInvalid

T, H, W = 6, 8, 10
CARD = ModelCard(clip=(T, H, W), mean=(0.4,), std=(0.25,))
FEW = AttributionSettings(points=4)
pytestmark = pytest.mark.skipif(find_spec("zennit") is None, reason="zennit, the extra lrp, is not there")


def video(seed: int = 0) -> torch.Tensor:
    return torch.rand(T, 3, H, W, generator=torch.Generator().manual_seed(seed))


def found_in(net: nn.Module, target: str) -> Attribution:
    return attribute(net, video(), target, "lrp", FEW, card=CARD)


class Plain(nn.Module):
    """Without biases; pooled by modules, or by functions and with a branch around a layer."""

    def __init__(self, functions: bool, norm: bool = False) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.first = nn.Conv3d(3, 6, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm3d(6, eps=0.0) if norm else nn.Identity()
        self.second = nn.Conv3d(6, 6, (2, 3, 3), padding=(0, 1, 1), bias=False)
        self.pool, self.whole = nn.AvgPool3d((1, 2, 2)), nn.AdaptiveAvgPool3d(1)
        self.head = nn.Linear(6, 3, bias=False)
        self.functions = functions

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        x = self.norm(self.first(clips)).relu()
        if self.functions:
            x = F.avg_pool3d(x, (1, 2, 2))
            x = x[:, :, 1:] + F.relu(self.second(x))
            return self.head(x.mean(dim=(2, 3, 4)))
        x = self.pool(x)
        return self.head(self.whole(F.relu(self.second(x))).flatten(1))


@pytest.mark.parametrize("functions", [False, True])
def test_without_biases_everything_adds_up(functions: bool) -> None:
    for target in ("head:0", "head:1", "head:2", "second:4"):
        found = found_in(Plain(functions), target)
        assert abs(found.response) > 1e-3
        assert float(found.map.sum()) == pytest.approx(found.response, rel=1e-2)
        assert found.completeness_gap == pytest.approx(
            abs(float(found.map.double().sum()) - found.response), abs=1e-7
        )


def test_batch_norms_are_merged() -> None:
    """Scaling by a batch norm is the same as scaled weights."""
    net, scaled = Plain(functions=False, norm=True), Plain(functions=False)
    scales = torch.tensor([2.0, -1.0, 0.5, 3.0, -0.3, 1.0])
    with torch.no_grad():
        net.norm.weight.copy_(scales * 2)
        net.norm.running_var.fill_(4.0)
        scaled.load_state_dict(net.state_dict(), strict=False)
        scaled.first.weight.mul_(scales[:, None, None, None, None])
    torch.testing.assert_close(found_in(net, "head:1").map, found_in(scaled, "head:1").map)


def test_one_convolution_follows_the_box_rule() -> None:
    """R = (w x - w+ low - w- high) / z times the response [Montavon2019], by hand for a 1x1x1 kernel."""
    net = nn.Sequential(nn.Conv3d(3, 1, 1, bias=False), nn.Flatten(1), nn.Linear(T * H * W, 1, bias=False))
    nn.init.ones_(net[2].weight)
    weights = torch.tensor([1.0, -2.0, 0.5])
    net[0].weight = nn.Parameter(weights.view(1, 3, 1, 1, 1))
    clips = (video() - 0.4) / 0.25
    shape = (3, 1, 1)
    low, high = (0.0 - 0.4) / 0.25, (1.0 - 0.4) / 0.25
    shares = weights.view(shape) * clips
    shares = shares - weights.clamp(min=0).view(shape) * low - weights.clamp(max=0).view(shape) * high
    values = (clips * weights.view(shape)).sum(dim=1)
    found = found_in(net, "2:0")
    torch.testing.assert_close(
        found.map, shares.sum(dim=1) / (shares.sum(dim=1) + 1e-6) * values, atol=1e-4, rtol=1e-3
    )
    assert found.response == pytest.approx(float(values.sum()), rel=1e-4)


def test_mass_lies_where_the_unit_looks() -> None:
    class Corner(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv3d(3, 4, 3, padding=1)
            self.end = nn.Conv3d(4, 1, 1, bias=False)
            nn.init.ones_(self.end.weight)

        def forward(self, clips: torch.Tensor) -> torch.Tensor:
            return self.end(self.conv(clips).relu()[:, :, :2, :3, 5:])

    torch.manual_seed(1)
    found = found_in(Corner(), "end:0").map.abs()
    assert float(found.sum()) > 0
    # the box, and what its kernels reach beyond it
    assert float(found[:3, :4, 4:].sum() / found.sum()) > 0.999


def test_the_model_is_copied() -> None:
    net = Plain(functions=True, norm=True).train()
    before = {name: (id(t), t.clone()) for name, t in [*net.named_parameters(), *net.named_buffers()]}
    found_in(net, "head:0")
    after = dict([*net.named_parameters(), *net.named_buffers()])
    assert all(
        id(after[name]) == place and torch.equal(after[name], t) for name, (place, t) in before.items()
    )
    assert net.first.bias is None
    assert net.training


class Odd(nn.Module):
    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind, self.conv = kind, nn.Conv3d(3, 3, 3, padding=1)
        self.norm = nn.BatchNorm3d(3, affine=False) if kind == "norm" else nn.Identity()
        self.end = nn.Identity()

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        x = self.norm(self.conv(clips))
        if self.kind == "gelu":
            x = F.gelu(x)
        elif self.kind == "gate":
            x = x * x.sigmoid()
        elif self.kind == "twice":
            x = self.conv(x)
        elif self.kind == "bare":
            x = F.conv3d(x, torch.ones(3, 3, 1, 1, 1))
        return self.end(x)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("gelu", "this network has Gelu before the target"),
        ("gate", "this network has Sigmoid"),
        ("twice", "weights that are used several times"),
        ("bare", "weights outside of convolutions and linear layers"),
        ("norm", "batch norms with weights and running means"),
    ],
)
def test_what_has_no_rule_is_refused(kind: str, said: str) -> None:
    with pytest.raises(ModelUnusable, match=said):
        found_in(Odd(kind), "end:0")


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "zennit"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "zennit", None)
    with pytest.raises(SettingInvalid, match=r"pip install 'kinetoscope\[lrp\]'"):
        found_in(Plain(functions=False), "head:0")
