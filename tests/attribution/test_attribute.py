"""Attribution finds what was planted, adds up where it promises to, and leaves the model as it was."""

from collections.abc import Iterator
from importlib.util import find_spec

import pytest
import torch
from torch import nn

from kinetoscope.attribution.attribute import (
    Attribution,
    attribute,
    find_cam_layer,
    find_target,
    frame_importance,
)
from kinetoscope.attribution.faithful import curves
from kinetoscope.attribution.methods import METHODS, AttributionSettings
from kinetoscope.card import ModelCard, card_of
from kinetoscope.errors import KinetoscopeError, LayerNotFound, ModelUnusable, SettingInvalid, UnitOutOfRange
from kinetoscope.zoo.registry import load_model

T, H, W = 8, 10, 12
CARD = ModelCard(clip=(T, H, W), mean=(0.5,), std=(0.25,), class_names=("a", "b"), output_layer="head")
QUICK = AttributionSettings(steps=6, samples=5, batch=2, points=8, window=(2, 3, 4), mask_steps=6)
NEEDS_ZENNIT = pytest.mark.skipif(find_spec("zennit") is None, reason="zennit, the extra lrp, is not there")
THERE = [pytest.param(name, marks=NEEDS_ZENNIT if name == "lrp" else ()) for name in METHODS]


class Network(nn.Module):
    """In-place ReLUs, batch norm, dropout: what makes hooks stumble."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv1 = nn.Conv3d(3, 6, 3, padding=1)
        self.norm = nn.BatchNorm3d(6)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv3d(6, 4, 3, padding=1)
        self.drop = nn.Dropout3d(0.5)
        self.pool = nn.AdaptiveAvgPool3d(1)
        self.head = nn.Linear(4, 2)

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        x = self.relu(self.norm(self.conv1(clips)))
        x = self.relu(self.conv2(x))
        return self.head(self.pool(self.drop(x)).flatten(1))


class Planted(nn.Module):
    """Responds to brightness in one box of space-time only."""

    box = (slice(3, 5), slice(2, 6), slice(5, 9))

    def __init__(self) -> None:
        super().__init__()
        self.maps = nn.Conv3d(3, 1, 1, bias=False)
        self.relu = nn.ReLU()
        nn.init.constant_(self.maps.weight, 1.0)

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        mask = torch.zeros(clips.shape[2:])
        mask[self.box] = 1.0
        return (self.relu(self.maps(clips)).square() * mask).sum(dim=(2, 3, 4))


def video(seed: int = 0) -> torch.Tensor:
    return torch.rand(T, 3, H, W, generator=torch.Generator().manual_seed(seed))


def state(model: nn.Module) -> Iterator[object]:
    """Everything that could have changed, in comparable pieces."""
    for name, module in model.named_modules():
        for key, value in sorted(vars(module).items()):
            hooks = len(value) if "hooks" in key and hasattr(value, "__len__") else None
            yield name, key, type(value), hooks, value if isinstance(value, (bool, int, float)) else None
    for name, tensor in model.state_dict().items():
        yield name, tensor.clone().view(-1).tolist()
    for name, parameter in model.named_parameters():
        yield name, parameter.requires_grad, parameter.grad is None, id(parameter)


@pytest.mark.parametrize("method", THERE)
def test_the_model_comes_back_as_it_was(method: str) -> None:
    model = Network().train()
    before = list(state(model))
    attribute(model, video(), "head:1", method, QUICK, card=CARD)
    assert list(state(model)) == before
    model.conv1.register_backward_hook(lambda *_: None)  # refused where a full hook has left its mark


@pytest.mark.parametrize("method", THERE)
def test_the_model_comes_back_after_a_failure(method: str) -> None:
    class Fails(Network):
        def forward(self, clips: torch.Tensor) -> torch.Tensor:
            x = self.relu(self.conv2(self.relu(self.conv1(clips))))
            if clips.device.type != "meta":
                raise FloatingPointError("planted")
            return self.head(self.pool(x).flatten(1))

    model = Fails()
    before = list(state(model))
    with pytest.raises(ModelUnusable, match="FloatingPointError: planted"):
        attribute(model, video(), "head:1", method, QUICK, card=CARD)
    assert list(state(model)) == before


@pytest.mark.parametrize("method", [name for name in METHODS if name not in ("occlusion", "lrp")])
def test_what_was_planted_is_found(method: str) -> None:
    card = ModelCard(clip=(T, H, W), output_layer="relu")
    found = planted(method, card)
    inside = found.map[Planted.box].abs().sum() / found.map.abs().sum()
    assert inside > (0.15 if method.startswith("grad-cam") or method == "perturbation" else 0.999)
    assert found.insertion.area is not None
    assert found.deletion.area is not None
    if method == "perturbation":  # the mask's knots lie farther apart than the box is wide
        assert found.insertion.area > 0.5 > found.deletion.area
    else:
        assert found.insertion.area > 0.7 > 0.3 > found.deletion.area
    assert found.insertion.responses[0] == pytest.approx(found.baseline_response)
    assert found.insertion.responses[-1] == pytest.approx(found.response)
    assert found.deletion.responses[-1] == pytest.approx(found.baseline_response, rel=1e-4)


def planted(method: str, card: ModelCard) -> Attribution:
    """The planted network's only unit, tapped behind the whole network."""

    class Whole(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = Planted()

        def forward(self, clips: torch.Tensor) -> torch.Tensor:
            return self.net(clips)

    clip = 0.2 * video()
    clip[Planted.box[0], :, Planted.box[1], Planted.box[2]] += 0.7
    settings = AttributionSettings(batch=3, cam_layer="net.relu", window=(2, 4, 4))
    return attribute(Whole(), clip, "net:0", method, settings, card=card)


def test_occlusion_finds_the_box_it_can_cover() -> None:
    found = planted("occlusion", ModelCard(clip=(T, H, W)))
    assert float(found.map[Planted.box].min()) > 0
    outside = found.map.clone()
    outside[2:6, 0:8, 4:12] = 0  # the windows that touch the box
    assert outside.abs().max() < 1e-4


def test_a_random_order_is_worse_than_the_right_one() -> None:
    clip = video().transpose(0, 1)[None]
    baseline, network = torch.zeros_like(clip), Planted()

    def respond(clips: torch.Tensor) -> torch.Tensor:
        return network(clips)[:, 0]

    areas = {}
    for name, order in (("true", torch.zeros(T, H, W)), ("random", torch.rand(T, H, W))):
        if name == "true":
            order[Planted.box] = 1.0
        areas[name] = [c.area for c in curves(respond, clip, baseline, order, points=30, batch=4)]
    assert areas["true"][0] > 0.95 > areas["random"][0]
    assert areas["true"][1] < 0.05 < areas["random"][1]
    flat = curves(respond, baseline, baseline, torch.rand(T, H, W), points=3, batch=4)
    assert [c.area for c in flat] == [None, None]


def test_integrated_gradients_add_up() -> None:
    model = Network().eval()
    coarse, fine = (
        attribute(model, video(), "b", "integrated-gradients", AttributionSettings(steps=n), card=CARD)
        for n in (2, 64)
    )
    wanted = fine.response - fine.baseline_response
    assert fine.completeness_gap == pytest.approx(abs(float(fine.map.sum()) - wanted), abs=1e-5)
    assert fine.completeness_gap < 0.02 * abs(wanted)
    assert fine.completeness_gap <= coarse.completeness_gap
    assert attribute(model, video(), "b", "gradient", card=CARD).completeness_gap is None


@pytest.mark.parametrize("method", ["integrated-gradients", "smoothgrad", "occlusion"])
def test_batches_change_nothing(method: str) -> None:
    model = Network().eval()
    maps = [
        attribute(
            model,
            video(),
            "a",
            method,
            AttributionSettings(steps=5, samples=6, batch=batch, window=(3, 4, 5), points=2),
            card=CARD,
        ).map
        for batch in (2, 7)
    ]
    torch.testing.assert_close(maps[0], maps[1], atol=1e-6, rtol=1e-3)
    state_before = torch.random.get_rng_state()
    again = attribute(
        model, video(), "a", method, AttributionSettings(5, 6, batch=2, window=(3, 4, 5), points=2), card=CARD
    )
    assert torch.equal(again.map, maps[0])
    assert torch.equal(torch.random.get_rng_state(), state_before)


def test_gradients_are_those_of_autograd() -> None:
    model = Network().eval()
    clip = video().transpose(0, 1)[None].requires_grad_()
    model((clip - 0.5) / 0.25)[0, 1].backward()
    found = attribute(model, video(), "head:b", "gradient", QUICK, card=CARD)
    torch.testing.assert_close(found.map, clip.grad[0].abs().amax(dim=0))


def test_weights_per_step_tell_moments_apart() -> None:
    """A unit that wants a channel early and shuns it late: one weight for all steps cancels."""

    class Turns(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.maps = nn.Conv3d(3, 1, 1, bias=False)
            nn.init.constant_(self.maps.weight, 1.0)

        def forward(self, clips: torch.Tensor) -> torch.Tensor:
            sign = torch.tensor([1.0] * 4 + [-1.0] * 4, device=clips.device).view(1, 1, T, 1, 1)
            return (self.maps(clips) * sign).sum(dim=(2, 3, 4))

    class Whole(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = Turns()

        def forward(self, clips: torch.Tensor) -> torch.Tensor:
            return self.net(clips)

    card = ModelCard(clip=(T, H, W))
    settings = AttributionSettings(cam_layer="net.maps", points=2)
    pooled, stepwise = (
        attribute(Whole(), video(), "net:0", method, settings, card=card).map
        for method in ("grad-cam", "grad-cam-t")
    )
    assert float(pooled.abs().max()) < 1e-6
    assert float(stepwise[:4].min()) > 0
    assert float(stepwise[4:].abs().max()) == 0


@pytest.mark.parametrize("method", THERE)
def test_maps_differ_from_frame_to_frame(method: str) -> None:
    found = attribute(Network().eval(), video(), "b", method, QUICK, card=CARD)
    assert found.map.shape == (T, H, W)
    spread = found.map.double().std(dim=0).mean() / found.map.double().abs().mean()
    assert spread > 0.05
    shares = frame_importance(found.map)
    assert float(shares.sum()) == pytest.approx(1.0)
    assert float(shares.max() - shares.min()) > 0.005
    assert method in ("integrated-gradients", "occlusion", "lrp") or float(found.map.min()) >= 0
    assert frame_importance(torch.zeros(T, H, W)).tolist() == [0.0] * T


def test_targets_are_read() -> None:
    model = load_model("motion13", weights="random")
    card = card_of(model)
    assert str(find_target(model, card, "up")) == "fc:2 (up)"
    assert str(find_target(model, card, "fc:up")) == "fc:2 (up)"
    assert str(find_target(model, card, "conv3b:7")) == "conv3b:7"
    assert find_cam_layer(model, card, "fc") == "relu4b"
    assert find_cam_layer(model, card, "conv3b") == "relu3a"
    for wrong, kind in (
        ("upp", UnitOutOfRange),
        ("conv9:1", LayerNotFound),
        ("conv1:99", UnitOutOfRange),
        ("fc:0-3", SettingInvalid),
    ):
        with pytest.raises(kind):
            find_target(model, card, wrong)
    with pytest.raises(LayerNotFound, match="LAYER:UNIT"):
        find_target(model, ModelCard(), "up")
    with pytest.raises(LayerNotFound, match="no layer before 'conv1'"):
        find_cam_layer(model, card, "conv1")


def test_what_cannot_be_done_is_said() -> None:
    model = Network()
    with pytest.raises(SettingInvalid, match="grad-cam"):
        attribute(model, video(), "a", "gradcam", card=CARD)
    smooth = nn.Sequential(nn.Conv3d(3, 2, 3), nn.Softplus())
    with pytest.raises(ModelUnusable, match=r"nn\.ReLU"):
        attribute(smooth, video(), "1:0", "guided-backprop", QUICK, card=CARD)
    for method in ("grad-cam", "grad-cam-t"):
        for target, layer in (("a", "head"), ("conv1:0", "conv2")):
            settings = AttributionSettings(cam_layer=layer, points=1)
            with pytest.raises(LayerNotFound, match="before the target with maps over time and space"):
                attribute(model, video(), target, method, settings, card=CARD)
    for wrong in ({"steps": 0}, {"batch": 0}, {"noise": 0.0}, {"window": (0, 1, 1)}):
        with pytest.raises(KinetoscopeError):
            AttributionSettings(**wrong)


def test_a_response_that_is_no_number_is_refused() -> None:
    """A network that divides by the clip's spread has none for a clip of one colour."""

    class Spread(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv3d(3, 2, 3)

        def forward(self, clips: torch.Tensor) -> torch.Tensor:
            return self.conv((clips - clips.mean()) / clips.std())

    plain = torch.full((T, 3, H, W), 0.5)
    with pytest.raises(ModelUnusable, match=r"the response of conv:0 to this clip is nan, so nothing"):
        attribute(Spread(), plain, "conv:0", "gradient", QUICK, card=CARD)


def test_insertion_is_large_when_right_even_where_the_clip_responds_less() -> None:
    clip = -video().transpose(0, 1)[None]
    clip[0, :, :, :2] *= -1.0

    def respond(clips: torch.Tensor) -> torch.Tensor:
        return clips.sum(dim=(1, 2, 3, 4))

    right = clip[0].sum(dim=0)
    good, bad = (curves(respond, clip, clip * 0, map_, points=10, batch=3) for map_ in (right, -right))
    assert good[0].levels[-1] == pytest.approx(-1.0)
    assert good[0].area > bad[0].area
    assert good[1].area < bad[1].area
