"""A request: what is asked, what is settled, and that the keywords of all who take one are the same."""

import inspect
from dataclasses import fields, replace

import pytest
import torch
from torch import nn

import kinetoscope as ks
from kinetoscope.errors import PositionInvalid, SettingInvalid, UnitOutOfRange
from kinetoscope.inquiry.request import Options
from kinetoscope.inquiry.settle import request_for
from kinetoscope.motion.paper import PaperSettings
from kinetoscope.optimal.objective import channel, channel_relu, unit

pytestmark = pytest.mark.usefixtures("quick_motion")  # of optima

CARD = ks.ModelCard(clip=(4, 12, 16), class_names=("a", "b"), output_layer="3")


def network() -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv3d(3, 4, 3, padding=1), nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(4, 2)
        )


@pytest.mark.parametrize("verb", [ks.visualize, ks.visualize_each, ks.ablate, ks.check_sanity])
def test_keywords_are_those_of_the_options_with_the_same_defaults(verb) -> None:
    parameters = inspect.signature(verb).parameters
    assert all(parameter.kind is not parameter.VAR_KEYWORD for parameter in parameters.values())
    wanted = {field.name: field.default for field in fields(Options)}
    if verb in (ks.ablate, ks.check_sanity):
        # studies are of one channel of one network, and of the whole clip
        for name in ("seeds", "vectors", "networks", "mask", "stay", "alpha", "spectrum"):
            wanted.pop(name)
    assert {name: parameters[name].default for name in wanted} == wanted
    with pytest.raises(TypeError, match="stpes"):
        verb(network(), "0", [0], stpes=3)


def test_what_is_left_open_is_settled() -> None:
    request = request_for(network(), "0", ["2", 0], Options(card=CARD))
    assert (request.units, request.count, request.shape) == ((2, 0), 4, (3, 4, 12, 16))
    assert (request.objective, request.preset) == ("channel-relu", "default")
    assert len(repr(request)) < 1000
    assert request_for(network(), "3", ["b"], Options(card=CARD)).objective == "channel"
    assert request_for(network(), "0", [0], Options(card=CARD, preset="paper")).objective == "channel"
    assert request_for(network(), "0", [0], Options(card=CARD, position=(0, 1, 2))).objective == "unit"
    with pytest.raises(SettingInvalid, match="a position is of one unit"):
        request_for(network(), "0", [0], Options(card=CARD, position=(0, 1, 2), objective="channel"))
    with pytest.raises(PositionInvalid, match="give as many"):
        request_for(network(), "0", [0], Options(card=CARD, position=(0, 1)))


def test_settings_made_by_hand_are_used_and_told() -> None:
    optimal = ks.OptimalSettings(steps=3, contrast=0.1, most_contrast=0.1)
    motion = ks.DecomposeSettings(formulation="paper", paper=PaperSettings(steps=4))
    (result,) = ks.visualize(network(), "0", [1], card=CARD, optimal=optimal, motion=motion, seeds=1)
    settings = result.record["settings"]
    assert (settings["optimal"]["steps"], settings["optimal"]["contrast"]) == (3, 0.1)
    assert settings["decompose"]["paper"]["steps"] == 4
    assert result.decomposition.settings["formulation"] == "paper"
    assert float((result.video - 0.5).square().mean().sqrt()) <= 0.11
    request = request_for(network(), "0", [1], Options(card=CARD, optimal=optimal, steps=5))
    assert request.optimal == replace(optimal, steps=5)
    (bare,) = ks.visualize(network(), "0", [1], card=CARD, optimal=ks.AdamSettings(steps=2), seeds=1)
    assert bare.record["search"] is None


def test_an_objective_made_by_hand_is_maximized_among_the_channels_it_names() -> None:
    model, options = network(), {"card": CARD, "steps": 6, "seeds": 1}
    (usual,) = ks.visualize(model, "0", [2], objective="channel", **options)
    (same,) = ks.visualize(model, "0", [2], objective=channel(2), **options)
    assert torch.equal(usual.video, same.video)
    assert usual.activation == same.activation
    (found,) = ks.visualize(model, "0", [3], objective=channel_relu(3) - 0.5 * channel(1), **options)
    assert found.record["objective"] == "relu(0:3) - 0.5*mean(0:1)"
    with torch.no_grad():
        maps = model[0](found.video.transpose(0, 1)[None])[0]
    wanted = maps[3].relu().mean() - 0.5 * maps[1].mean()
    assert found.activation["optimal"] == pytest.approx(float(wanted), abs=1e-4)


def test_objectives_are_written_as_they_are_made() -> None:
    assert str(channel(3)) == "mean(3)"
    assert str(-2 * unit(5, (1, 2, 2)) + channel(0)) == "-2*5@1,2,2 + mean(0)"
    assert str(0.1234567891 * channel(0)) != str(0.1234567892 * channel(0))


@pytest.mark.parametrize(
    ("units", "change", "error", "words"),
    [
        ([0, 1], {"objective": channel(0)}, SettingInvalid, "for one unit"),
        ([0], {"objective": channel(9)}, UnitOutOfRange, "channel 9"),
        ([0], {"objective": unit(0, (1, 2))}, SettingInvalid, "give as many"),
        ([0], {"objective": channel(0), "position": (0, 0, 0)}, SettingInvalid, "names its places"),
    ],
)
def test_an_objective_that_cannot_be_is_refused(units, change, error, words) -> None:
    with pytest.raises(error, match=words):
        request_for(network(), "0", units, Options(card=CARD, **change))


def test_a_study_of_an_objective_made_by_hand() -> None:
    with pytest.raises(SettingInvalid, match="neighbour"):
        ks.check_sanity(network(), "0", 0, objective=channel(0), card=CARD)


def test_two_requests_are_the_same_where_their_content_is() -> None:
    one = request_for(network(), "0", [0], Options(card=CARD))
    assert one.to_json(0) == request_for(network(), "0", [0], Options(card=CARD)).to_json(0)
    other = network()
    other[1] = nn.AdaptiveMaxPool3d(1)
    assert request_for(other, "0", [0], Options(card=CARD)).source_sha256 != one.source_sha256
    dark = replace(CARD, mean=(0.5,))
    assert request_for(network(), "0", [0], Options(card=dark)).card_sha256 != one.card_sha256
