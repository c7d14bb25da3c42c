"""Steps between bounds: as far as they allow, each clip for itself, whatever the gradient's size."""

import torch

from kinetoscope.optimal.steps import BoundedAdam


def clips(count=2):
    return torch.rand(count, 3, 4, 5, 7, generator=torch.Generator().manual_seed(0)).requires_grad_()


def stepped(values, gradients, rate=0.1):
    rule = BoundedAdam(values)
    for gradient in gradients:
        rule.step(gradient, rate)
    return values.detach()


def gradients(steps, count=2):
    draw = torch.Generator().manual_seed(1)
    return [torch.randn(count, 3, 4, 5, 7, generator=draw) for _ in range(steps)]


def test_a_steady_gradient_ends_at_the_bounds_and_a_turned_one_leaves_them():
    values, (direction,) = clips(), gradients(1)
    stepped(values, [direction] * 12)
    assert torch.equal(values.detach(), (direction > 0).float())
    stepped(values, [-direction] * 4)
    assert bool(((values - (direction > 0).float()).abs() > 0.2).all())


def test_only_proportions_within_a_clip_count():
    plain = stepped(clips(), gradients(6))
    scaled = stepped(clips(), [g * torch.tensor([1e-12, 1e9]).view(2, 1, 1, 1, 1) for g in gradients(6)])
    torch.testing.assert_close(plain, scaled)


def test_a_clip_does_not_know_its_neighbours():
    together = stepped(clips(), gradients(6))
    alone = stepped(clips()[1:].detach().requires_grad_(), [g[1:] for g in gradients(6)])
    torch.testing.assert_close(together[1:], alone)


def test_no_gradient_is_no_step():
    before = clips().detach()
    assert torch.equal(stepped(clips(), [torch.zeros_like(before)] * 3), before)
