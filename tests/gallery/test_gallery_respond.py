"""Counterparts by response: the unit that answers most to an optimum, and how much, as a share of its own."""

from pathlib import Path

import numpy as np
import pytest
import torch
from stores import about, add
from torch import nn

from kinetoscope.card import ModelCard
from kinetoscope.errors import SettingInvalid
from kinetoscope.gallery import respond
from kinetoscope.gallery.columns import Table, read_table
from kinetoscope.gallery.read import open_atlas
from kinetoscope.gallery.respond import by_response


class Colours(nn.Module):
    """A unit for red, one for green, one for blue: the mean of the channel."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = nn.Conv3d(3, 3, 1, bias=False)
        self.seen.weight.data = torch.eye(3).reshape(3, 3, 1, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.seen(x)


CARD = ModelCard(clip=(4, 8, 8))


def clip(*colour: float) -> torch.Tensor:
    return torch.tensor(colour).reshape(1, 3, 1, 1).expand(6, 3, 12, 10).contiguous()


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Table, Table]:
    """Units that want red, dim blue, and nothing known; and `Colours`, whose green unit is dead."""
    mine = about(tmp_path / "mine", {"other.name": 3})
    for unit in range(3):
        add(mine, "other.name", unit)
    theirs = about(tmp_path / "theirs", {"seen": 3})
    for unit in range(3):
        add(theirs, "seen", unit, label="dead" if unit == 1 else "up")
    wanted = {"0": clip(0.8, 0.9, 0.1), "1": clip(0.0, 0.0, 0.4)}
    monkeypatch.setattr(respond, "_optimum", lambda folder: wanted.get(folder.name))
    monkeypatch.setattr(respond, "_network", lambda said, weights: (Colours(), CARD, (4, 8, 8)))
    first, second = (read_table(open_atlas(root)) for root in (mine, theirs))
    second.values["activation_optimal"] = {0: 1.0, 1: 1.0, 2: 0.5}
    return first, second


def test_the_strongest_answer_is_the_counterpart(tables: tuple[Table, Table]) -> None:
    told: list[tuple[int, int]] = []
    pairs = by_response(*tables, told=lambda done, count: told.append((done, count)))
    normalized = CARD.normalize(torch.stack([clip(0.8, 0.9, 0.1), clip(0, 0, 0.4)]).transpose(1, 2))
    red, blue = (normalized[:, channel].relu().mean(dim=(1, 2, 3)).numpy() for channel in (0, 2))
    shares = np.stack([red / 1.0, blue / 0.5], axis=1)
    assert pairs.by == "response"
    assert pairs.rows[0, 0] == (0, 2)[int(shares[0].argmax())]
    assert pairs.rows[1, 0] == (0, 2)[int(shares[1].argmax())]
    assert pairs.numbers[:2, 0] == pytest.approx(shares.max(axis=1), abs=1e-5)
    assert 1 not in pairs.rows, "a dead unit answers to nothing"
    assert (pairs.rows[2] == -1).all(), "nothing is known of a unit without a film"
    assert told == [(1, 1)]


def test_the_atlas_and_its_network_must_be_one(tmp_path: Path) -> None:
    said = {"model": "motion13", "weights": "random", "seed": 0, "weights_sha256": "0" * 64}
    with pytest.raises(SettingInvalid, match="are not those of its atlas; give --weights"):
        respond._network(said, None)
