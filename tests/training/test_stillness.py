import pytest
import torch

from kinetoscope.training.clips import ClipSettings
from kinetoscope.training.stillness import (
    STILL,
    Dreams,
    calm_loss,
    contrast,
    flicker,
    make_restless,
    time_mean,
    unsteady_share,
)

CLIP = (6, 16, 24)


def random_clips(count=3, seed=0):
    return torch.rand(count, 3, *CLIP, generator=torch.Generator().manual_seed(seed))


def only_still(logit):
    return torch.nn.functional.one_hot(torch.full((len(logit),), STILL), 13) * logit[:, None]


def honest(video):
    """A logit as it should be: growing with contrast, falling with change, the same for all frames."""
    return only_still(2000 * contrast(video) - 5000 * flicker(video))


def test_contrast_and_flicker_by_hand():
    video = torch.full((1, 3, 4, 5, 6), 0.5)
    video[:, :, ::2] += 0.1
    video[:, :, 1::2] -= 0.1
    assert flicker(video).item() == pytest.approx(0.1)
    assert contrast(video).item() == pytest.approx(0.0, abs=1e-6)
    video[..., :3] += 0.2
    assert flicker(video).item() == pytest.approx(0.1)
    assert contrast(video).item() == pytest.approx(0.1 * (30 / 29) ** 0.5)
    assert flicker(time_mean(video)).item() == pytest.approx(0, abs=1e-6)


def test_restless_clips_change_over_time_and_stay_in_range():
    made = make_restless(24, torch.Generator().manual_seed(3), ClipSettings(clip=CLIP, texture_size=64))
    assert made.shape == (24, 3, *CLIP)
    assert made.min() >= 0
    assert made.max() <= 1
    assert (flicker(made) / contrast(made)).min() > 0.02
    again = make_restless(24, torch.Generator().manual_seed(3), ClipSettings(clip=CLIP, texture_size=64))
    assert torch.equal(made, again)


def test_an_honest_logit_costs_nothing_and_a_fickle_one_does():
    video, fade = random_clips(), torch.tensor([0.3, 0.5, 0.8])
    assert calm_loss(honest, video, fade) == 0
    assert (
        calm_loss(lambda clips: only_still(2000 * contrast(clips) + 50 * flicker(clips)), video, fade) > 0.5
    )
    assert (
        calm_loss(lambda clips: only_still(-3000 * flicker(clips)), video, fade) > 0.1
    )  # no contrast wanted
    assert calm_loss(lambda clips: honest(clips).roll(1, 1), video, fade) > 0  # the other logits do not count


def test_unsteady_share_is_that_of_the_gradient():
    weights = torch.rand(3, *CLIP, generator=torch.Generator().manual_seed(2))
    varying = weights - weights.mean(1, keepdim=True)
    wanted = (varying.square().sum() / weights.square().sum()).item()
    share = unsteady_share(lambda clips: only_still((clips * weights).sum((1, 2, 3, 4))), random_clips())
    assert share.item() == pytest.approx(wanted, rel=1e-4)
    assert unsteady_share(lambda clips: only_still(contrast(clips)), random_clips()) < 1e-6


def test_unsteady_share_teaches_the_weights():
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Conv3d(3, 13, 3), torch.nn.Tanh(), torch.nn.AdaptiveAvgPool3d(1))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
    shares = []
    for _ in range(20):
        share = unsteady_share(lambda clips: net(clips).flatten(1), random_clips())
        optimizer.zero_grad()
        share.backward()
        optimizer.step()
        shares.append(share.item())
    assert shares[-1] < 0.7 * shares[0]


def test_dreams_climb_start_apart_and_start_again():
    dreams = Dreams(2, torch.Generator().manual_seed(0), CLIP, steps=8)
    assert dreams.ages == [0, 4]
    weight = torch.ones((), requires_grad=True)

    def logits(clips):
        return only_still(weight * clips[:, 0].mean((1, 2, 3)))

    first = dreams.step(logits)
    for _ in range(3):
        last = dreams.step(logits)
    assert not last.requires_grad
    assert weight.grad is None
    assert (last[:, 0].mean((1, 2, 3)) > first[:, 0].mean((1, 2, 3)) + 0.01).all()
    restarted = dreams.step(logits)  # the second has had its eight steps
    assert dreams.ages == [5, 1]
    assert restarted[0, 0].mean() > last[0, 0].mean()
    assert restarted[1, 0].mean() < last[1, 0].mean()
