"""The probe: what is planted is read, what is not is not, and the shortcuts are those of the long way."""

import math

import pytest
import torch
from motion_shares import MotionShares

from kinetoscope.bearings import probe as probes
from kinetoscope.bearings.probe import (
    PENALTIES,
    Planted,
    Score,
    held_out_score,
    knows_direction,
    planted_clips,
    score,
    train,
)
from kinetoscope.card import ModelCard
from kinetoscope.tuning.listen import layer_of


def tuned(count: int, channels: int, noise: float, seed: int = 0) -> Planted:
    """Channels with cosine tuning of evenly spaced directions, of very different scales, and noise."""
    generator = torch.Generator().manual_seed(seed)
    angles = 360 * torch.rand(count, generator=generator, dtype=torch.float64)
    preferred = 360 * torch.arange(channels).double() / channels
    answers = torch.deg2rad(angles[:, None] - preferred).cos()
    answers = answers + noise * torch.randn(count, channels, generator=generator, dtype=torch.float64)
    scales = torch.logspace(-2, 2, channels, dtype=torch.float64)
    return Planted(answers * scales + 5, angles)


def test_what_channels_know_is_read_in_new_clips() -> None:
    probe = train(tuned(80, 7, 0.2))
    read = held_out_score(probe, tuned(50, 7, 0.2, seed=1))
    assert read.median_error_deg < 10
    assert read.circular_correlation > 0.9


def test_directions_dealt_anew_are_not_read() -> None:
    correlations = [
        held_out_score(
            train(tuned(80, 7, 0.2), torch.Generator().manual_seed(seed)), tuned(50, 7, 0.2, seed=1)
        ).circular_correlation
        for seed in range(12)
    ]
    assert abs(sum(correlations) / 12) < 0.35
    assert min(correlations) < 0 < max(correlations)  # either sign: one dealing alone is no control


def test_the_penalty_is_the_one_that_leaving_clips_out_one_by_one_finds() -> None:
    planted = tuned(14, 3, 1.5)
    x, angles = planted.activations, torch.deg2rad(planted.planted_deg)
    spread = x.std(dim=0, correction=0)
    x = (x - x.mean(dim=0)) / torch.hypot(spread, spread.median())
    y = torch.stack([angles.cos(), angles.sin()], dim=1)

    def fitted(rows: torch.Tensor, targets: torch.Tensor, penalty: float) -> torch.Tensor:
        """Ridge with a free level, by its normal equations; the penalty is that of the whole set."""
        ones = torch.cat([rows, torch.ones(len(rows), 1, dtype=torch.float64)], dim=1)
        weights = torch.diag(torch.tensor([penalty * len(x)] * x.shape[1] + [0.0], dtype=torch.float64))
        return torch.linalg.solve(ones.T @ ones + weights, ones.T @ targets)

    def left_out(penalty: float) -> float:
        total = 0.0
        for k in range(len(x)):
            rest = [j for j in range(len(x)) if j != k]
            found = fitted(x[rest], y[rest], penalty)
            total += float((y[k] - x[k] @ found[:-1] - found[-1]).square().sum())
        return total

    probe = train(planted)
    assert probe.penalty == min(PENALTIES.tolist(), key=left_out)
    found = fitted(x, y, probe.penalty)
    near = planted.activations @ probe.weights.T + probe.offset
    assert torch.allclose(near, x @ found[:-1] + found[-1], atol=1e-8)


def test_a_channel_that_hardly_answers_gets_no_great_weight() -> None:
    planted = tuned(60, 6, 0.0)
    faint = planted.activations.clone()
    faint[:, 0] = 1e-9 * faint[:, 0]
    weights = train(Planted(faint, planted.planted_deg)).weights
    assert float(weights[:, 0].norm()) < 1e-3 * float(weights.norm())
    silent = train(Planted(torch.zeros_like(faint), planted.planted_deg))
    assert float(silent.weights.norm()) == 0.0


def test_the_plane_is_turned_through_by_the_angle() -> None:
    probe = train(tuned(80, 8, 0.1))
    right, up, left = (probe.towards(angle) for angle in (0.0, 90.0, 180.0))
    assert float(right.norm()) == pytest.approx(1.0)
    assert torch.allclose(right, -left)
    assert torch.allclose(right / right[1], probe.weights[0] / probe.weights[0, 1])
    assert torch.allclose(up / up[1], probe.weights[1] / probe.weights[1, 1])


def test_what_did_not_come_counts_as_chance() -> None:
    found = score([0.0, 90.0, 180.0, 270.0], [10.0, 100.0, None, None])
    assert found.median_error_deg == pytest.approx(50.0)
    assert found.circular_correlation is None
    assert found.mean_cosine == pytest.approx(math.cos(math.radians(10)) / 2)
    turned = score([0.0, 120.0, 240.0], [350.0, 230.0, 110.0])
    assert turned.circular_correlation == pytest.approx(-1.0)


@pytest.mark.parametrize(
    ("true", "dealt", "knows"),
    [(0.9, 0.2, True), (0.2, 0.1, False), (0.5, 0.6, False), (0.3, -0.9, False), (0.6, -0.9, True)],
)
def test_a_plane_is_known_by_its_errors(true: float, dealt: float, knows: bool) -> None:
    assert knows_direction(Score(20.0, true, None), [Score(90.0, dealt, None)]) is knows


def test_planted_clips_go_round_the_circle_and_are_of_two_halves() -> None:
    card = ModelCard(clip=(6, 16, 18))
    layer = layer_of(MotionShares(), "shares", "all", card, card.clip, "cpu", "fp32")
    seen: list[int] = []
    train_on = planted_clips(layer, 60, 0, "train", seen.append)
    assert seen[-1] == 60
    assert train_on.activations.shape == (60, 8)
    assert sorted({math.floor(angle / 90) for angle in train_on.planted_deg.tolist()}) == [0, 1, 2, 3]
    held_out = planted_clips(layer, 30, 0, "held-out")
    assert not torch.equal(train_on.planted_deg[:30], held_out.planted_deg)
    read = held_out_score(train(train_on), held_out)
    assert read.mean_cosine > 0.4
    assert probes.FAMILIES == ("noise", "plaid", "shapes")  # photographs need scikit-learn
