"""Objectives of several terms: what they read, and planted networks whose answers are known."""

import pytest
import torch
from torch import Tensor, nn

import kinetoscope as ks
from kinetoscope.errors import KinetoscopeError, LayerNotFound, SettingInvalid, UnitOutOfRange
from kinetoscope.inquiry.request import Options
from kinetoscope.inquiry.run import Inquiry
from kinetoscope.inquiry.settle import request_for

CARD = ks.ModelCard(clip=(6, 16, 20), class_names=("near", "far", "up"), output_layer="head")
CLIPS = torch.rand(2, 3, 6, 16, 20, generator=torch.Generator().manual_seed(1))


class Small(nn.Module):
    """Two layers with maps, and named classes."""

    def __init__(self, seed: int = 3) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.first = nn.Conv3d(3, 5, 3, padding=1)
            self.second = nn.Conv3d(5, 4, 3)
            self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.relu(self.second(torch.relu(self.first(x)))).mean(dim=(2, 3, 4)))


def outputs(model: Small) -> dict[str, Tensor]:
    clips = CARD.normalize(CLIPS)
    first = model.first(clips)
    second = model.second(first.relu())
    return {"first": first, "second": second, "head": model.head(second.relu().mean(dim=(2, 3, 4)))}


def value_of(text: str, model: Small, layer: str = "first", **options: object) -> Tensor:
    """What the objective of an expression is for both clips, by the same way that a search takes."""
    request = request_for(model, layer, [0], Options(card=CARD, objective=text, **options))  # type: ignore[arg-type]
    with Inquiry(request).listening(request.units) as (forward, (objective,)), torch.no_grad():
        return objective(forward(CLIPS))


@torch.no_grad()
def test_every_way_of_writing_against_arithmetic_by_hand() -> None:
    model = Small()
    out = outputs(model)
    first, second, head = out["first"], out["second"], out["head"]
    cases = {
        "first:2": first[:, 2].relu().mean(dim=(1, 2, 3)),
        "mean(first:2)": first[:, 2].mean(dim=(1, 2, 3)),
        "-first:2": -first[:, 2].mean(dim=(1, 2, 3)),
        "first:2 - first:4": (first[:, 2].relu() - first[:, 4].relu()).mean(dim=(1, 2, 3)),
        "first:2@1,3,4": first[:, 2, 1, 3, 4],
        "first:2@1": first[:, 2, 1].relu().mean(dim=(1, 2)),
        "first:2@1-3,*,4": first[:, 2, 1:4, :, 4].relu().mean(dim=(1, 2)),
        "first:*": first.square().mean(dim=(1, 2, 3, 4)),
        "head:near - head:up": head[:, 0] - head[:, 2],
        "0.5*second:3 + 2*head:far": 0.5 * second[:, 3].relu().mean(dim=(1, 2, 3)) + 2 * head[:, 1],
        "second:* - first:0": second.square().mean(dim=(1, 2, 3, 4)) - first[:, 0].relu().mean(dim=(1, 2, 3)),
    }
    for text, expected in cases.items():
        torch.testing.assert_close(value_of(text, model), expected, msg=text)


@pytest.mark.parametrize(
    "text",
    [
        "first:2 - 0.25*second:1@1-2,*,3",
        "-first:2",
        "first:2@1,2,3 + 1e-05*head:up",
        "second:* - 3*mean(first:1)",
        "vector:1",
    ],
)
def test_an_objective_reads_as_it_is_written(text: str) -> None:
    vectors = ks.Vectors(torch.eye(5))
    found = request_for(Small(), "first", [0], Options(card=CARD, objective=text, vectors=vectors)).objective
    options = Options(card=CARD, objective=str(found), vectors=vectors)
    assert request_for(Small(), "first", [0], options).objective == found


@torch.no_grad()
def test_vectors_are_units_and_terms() -> None:
    model, rows = Small(), torch.tensor([[3.0, 0, 4, 0, 0], [0, 0, 0, 0, -2.0]])
    first = outputs(model)["first"]
    made = 0.6 * first[:, 0] + 0.8 * first[:, 2], -first[:, 4]
    request = request_for(model, "first", [1, 0], Options(card=CARD, vectors=ks.Vectors(rows, "probe")))
    assert (request.count, request.name(1)) == (2, "probe[1]")
    with Inquiry(request).listening([1, 0]) as (forward, objectives):
        values = [objective(forward(CLIPS)) for objective in objectives]
    torch.testing.assert_close(
        values, [made[1].relu().mean(dim=(1, 2, 3)), made[0].relu().mean(dim=(1, 2, 3))]
    )
    torch.testing.assert_close(
        value_of("vector:0 - first:1", model, vectors=ks.Vectors(rows)),
        (made[0].relu() - first[:, 1].relu()).mean(dim=(1, 2, 3)),
    )


@torch.no_grad()
def test_the_mean_over_networks() -> None:
    models = [Small(seed) for seed in (3, 4, 5)]
    expected = torch.stack([outputs(model)["first"][:, 2].relu().mean(dim=(1, 2, 3)) for model in models])
    torch.testing.assert_close(value_of("first:2", models[0], networks=models[1:]), expected.mean(dim=0))
    request = request_for(models[0], "first", [2, 4], Options(card=CARD, networks=models[1:]))
    with Inquiry(request).listening([2, 4]) as (forward, objectives):
        torch.testing.assert_close(objectives[0](forward(CLIPS)), expected.mean(dim=0))
    assert len(request.to_json(2)["networks_sha256"]) == 2


def test_networks_of_another_kind_are_refused() -> None:
    other = Small()
    other.first, other.second = nn.Conv3d(3, 7, 3, padding=1), nn.Conv3d(7, 4, 3)
    with pytest.raises(SettingInvalid, match="one architecture"):
        request_for(Small(), "first", [0], Options(card=CARD, networks=[other]))


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("frist:2", LayerNotFound, "closest: first"),
        ("first:9", UnitOutOfRange, "channel 9"),
        ("head:nearest", UnitOutOfRange, "closest: near"),
        ("first:near", UnitOutOfRange, "no names"),
        ("first:2@1,3,40", UnitOutOfRange, "outside"),
        ("first:2@1,3-40", UnitOutOfRange, "outside the layer's map of 6x16x20"),
        ("head:near@1", UnitOutOfRange, "map of none"),
        ("vector:0", SettingInvalid, "see --vector"),
        ("mean(first:*)", SettingInvalid, "mean square"),
        ("0*first:1", SettingInvalid, "no terms"),
        ("first", SettingInvalid, "channel-relu"),
    ],
)
def test_what_is_not_there_is_named(text: str, error: type[KinetoscopeError], words: str) -> None:
    with pytest.raises(error, match=words):
        request_for(Small(), "first", [0], Options(card=CARD, objective=text))


class Oriented(nn.Module):
    """Channels 0 to 3: gratings of 6 px drifting right, left, up, down; their sum is channel 4."""

    def __init__(self) -> None:
        super().__init__()
        t, y, x = (torch.arange(n).float() - n // 2 for n in (5, 9, 9))
        window = torch.exp(-(y[:, None] ** 2 + x**2) / 12)
        kernels = []
        for along, sign in (
            (x.expand(9, 9), 1),
            (x.expand(9, 9), -1),
            (-y[:, None].expand(9, 9), 1),
            (-y[:, None].expand(9, 9), -1),
        ):
            phase = 2 * torch.pi / 6 * (along - sign * t[:, None, None])
            kernel = phase.cos() * window
            kernels.append((kernel - kernel.mean()) / kernel.norm())
        self.even = nn.Conv3d(1, 4, (5, 9, 9), bias=False)
        self.even.weight.data = torch.stack(kernels)[:, None].repeat(1, 1, 1, 1, 1)
        self.mix = nn.Conv3d(4, 5, 1, bias=False)
        self.mix.weight.data = torch.cat([torch.eye(4), torch.ones(1, 4)])[:, :, None, None, None]

    def forward(self, x: Tensor) -> Tensor:
        return self.mix(self.even(x).relu())


GREY = ks.ModelCard(clip=(9, 24, 28), channels=1)


def answers(text: str, layer: str = "mix", **options: object) -> tuple[Tensor, ks.UnitResult]:
    """Mean answers of the five channels to the optimum of an objective, and its result."""
    model = Oriented()
    (found,) = ks.visualize(
        model, layer, 0, objective=text, card=GREY, steps=25, seeds=1, start="noise", **options
    )  # type: ignore[arg-type]
    with torch.no_grad():
        return model(GREY.normalize(found.video.transpose(0, 1)[None])).mean(dim=(0, 2, 3, 4)), found


def apart(found: ks.UnitResult, direction_deg: float) -> float:
    """Degrees between the direction that is shown and another one."""
    return abs((found.motion.direction_deg - direction_deg + 180) % 360 - 180)


def test_this_and_not_that() -> None:
    both, _ = answers("mix:4")
    only, found = answers("mix:4 - 3*mix:1 - 3*mix:2 - 3*mix:3")
    assert float(only[0] / only.sum()) > float(both[0] / both.sum())
    assert float(only[0]) > 2 * float(only[1:4].max())
    assert apart(found, 0) < 10


def test_two_at_once() -> None:
    found, _ = answers("mix:0 + mix:2")
    assert min(float(found[0]), float(found[2])) > 1.5 * max(float(found[1]), float(found[3]))


def test_what_inhibits_most() -> None:
    model = Oriented()
    model.mix.weight.data[4] = torch.tensor([-1.0, 0, 0, 0])[:, None, None, None]
    (found,) = ks.visualize(model, "mix", 4, objective="-mix:4", card=GREY, steps=25, seeds=1, start="noise")
    with torch.no_grad():
        answer = model(GREY.normalize(found.video.transpose(0, 1)[None])).mean(dim=(0, 2, 3, 4))
    assert float(answer[0]) > 2 * float(answer[1:4].max())
    assert apart(found, 0) < 10


def test_a_window_of_frames_fills_its_frames_only() -> None:
    _, found = answers("mix:0@0,*,*")
    power = (found.video - 0.5).square().mean(dim=(1, 2, 3))
    assert float(power[:5].mean()) > 100 * float(power[-3:].mean())


def test_a_vector_of_two_channels_finds_what_both_like() -> None:
    rows = torch.tensor([[0.0, 1, 0, -1, 0]])
    model = Oriented()
    (found,) = ks.visualize(
        model, "mix", 0, vectors=ks.Vectors(rows), card=GREY, steps=25, seeds=1, start="noise"
    )
    with torch.no_grad():
        answer = model(GREY.normalize(found.video.transpose(0, 1)[None])).mean(dim=(0, 2, 3, 4))
    assert float(answer[1]) > 2 * max(float(answer[0]), float(answer[2]), float(answer[3]))
    assert apart(found, 180) < 10
