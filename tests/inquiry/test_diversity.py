"""Optima that differ: planted units of one and two preferences, and the rules by which clips are sorted."""

import pytest
import torch
from torch import nn

import kinetoscope as ks
from kinetoscope.errors import ModelUnusable, SettingInvalid
from kinetoscope.optimal.objective import Outputs, channel
from kinetoscope.optimal.unlike import Unlike, clusters, cosines
from kinetoscope.synthetic.networks import EitherDirection

pytestmark = pytest.mark.usefixtures("quick_motion")  # of optima

CARD = ks.ModelCard(clip=(7, 14, 16))
DIRECTIONS = (0.0, 90.0, 180.0, 270.0)


@pytest.mark.parametrize("wanted", [(0, 2), (1,)])
def test_as_many_preferences_are_found_as_were_planted(wanted: tuple[int, ...]) -> None:
    model = EitherDirection(DIRECTIONS, wanted, 1.5, wavelength=6.0, size=(5, 7))
    settings = ks.DiversitySettings(count=2, features="first.energy")
    found = ks.diversity(model, "either", 0, card=CARD, steps=16, settings=settings)
    assert found.preferences == len(wanted), (found.shares, found.similarity)
    firsts = [found.results[found.clusters.index(number)].video for number in range(found.preferences)]
    with torch.no_grad():
        shown = [
            model.first(CARD.normalize(clip.transpose(0, 1)[None])).mean(dim=(0, 2, 3, 4)) for clip in firsts
        ]
    assert {int(energies.argmax()) for energies in shown} == set(wanted)
    for energies in shown:  # one of them, not both at once
        best, second = energies.topk(2).values
        assert best > 1.3 * second
    assert max(found.shares) == 1
    torch.testing.assert_close(found.similarity.diagonal(), torch.ones(2))
    own = [result.activation["optimal"] for result in found.results]
    assert own.index(max(own)) == found.shares.index(1)  # the unit's response, nothing repelled


def test_the_term_against_arithmetic_by_hand() -> None:
    maps = torch.randn(2, 4, 3, 5, 7, generator=torch.Generator().manual_seed(0))
    output = Outputs((torch.randn(2, 1), maps))
    raw = maps.relu().mean(dim=(2, 3, 4))
    others = torch.randn(3, 3)
    term = Unlike(layer="x", place=1, weight=-0.5, without=2, response=channel(0), rest=-3.0, others=others)
    kept = raw[:, [0, 1, 3]]
    by_hand = torch.stack([torch.cosine_similarity(kept, other[None]) for other in others], dim=1).amax(dim=1)
    torch.testing.assert_close(term.alike(output), by_hand)
    torch.testing.assert_close(term.value(output), (output.parts[0][:, 0] + 3) * by_hand)
    whole = Unlike(layer="x", place=1, grey=raw[0], spread=torch.full((4,), 2.0), common=torch.eye(4)[1])
    expected = (raw - raw[0]) / 2
    expected[:, 1] = 0
    torch.testing.assert_close(whole.features(output), expected)
    assert float(whole.alike(output).abs().sum()) == 0  # nothing to be like


def test_clips_are_joined_by_their_mean_similarity() -> None:
    alike = torch.tensor(
        [[1.0, 0.1, 0.9, 0.2], [0.1, 1.0, 0.0, 0.7], [0.9, 0.0, 1.0, 0.3], [0.2, 0.7, 0.3, 1.0]]
    )
    assert clusters(alike, [True] * 4, 0.5) == [0, 1, 0, 1]
    assert clusters(alike, [True] * 4, 0.8) == [0, 1, 0, 2]
    assert clusters(alike, [True] * 4, 0.1) == [0, 0, 0, 0]
    assert clusters(alike, [False, True, True, True], 0.5) == [None, 0, 1, 0]
    assert clusters(alike, [False] * 4, 0.5) == [None] * 4
    assert float(cosines(torch.zeros(1, 3), torch.ones(1, 3))) == 0


def test_what_cannot_be_told_apart_is_refused() -> None:
    model = EitherDirection(DIRECTIONS, (0,), 1.0, size=(3, 5))
    with pytest.raises(SettingInvalid, match=r"too few channels.*give features"):
        ks.diversity(model, "either", 0, card=CARD, steps=1)
    dead = nn.Conv3d(3, 4, 3)
    nn.init.zeros_(dead.weight)
    with pytest.raises(ModelUnusable, match="answers to nothing"):
        ks.diversity(nn.Sequential(dead), "0", 1, card=CARD, steps=1)
    for wrong in ({"count": 1}, {"price": 1.5}, {"least": -1.0}, {"alike": 2.0}):
        with pytest.raises(SettingInvalid, match=str(next(iter(wrong.values())))):
            ks.DiversitySettings(**wrong)
