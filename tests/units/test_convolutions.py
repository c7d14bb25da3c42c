"""Convolutions in two groups give what torch gives, and only those are touched that torch is slow at."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from kinetoscope.units import convolutions
from kinetoscope.units.convolutions import quick_convolutions


def both(clip, weight, bias=None, **how):
    """Output and gradient as torch gives them, and inside; in float64 the truth."""
    found = []
    for quick, dtype in ((False, torch.float64), (True, torch.float32)):
        leaf = clip.to(dtype).requires_grad_()
        parts = (weight.to(dtype), None if bias is None else bias.to(dtype))
        if quick:
            with quick_convolutions():
                out = F.conv3d(leaf, *parts, **how)
        else:
            out = F.conv3d(leaf, *parts, **how)
        draw = torch.Generator().manual_seed(2)
        pull = torch.randn(out.shape, generator=draw, dtype=torch.float64).to(dtype)
        found.append((out.detach(), torch.autograd.grad((out * pull).sum(), leaf)[0]))
    return found


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"padding": 1},
        {"padding": "same"},
        {"stride": (1, 2, 3), "padding": (0, 1, 2)},
        {"dilation": 2, "padding": (2, 1, 0)},
    ],
)
@pytest.mark.filterwarnings("ignore:Using padding=.same.")
@pytest.mark.parametrize("kernel", [(3, 3, 3), (1, 3, 2), (3, 1, 1), (2, 5, 3)])
def test_values_and_gradients_are_torchs(kernel, how, monkeypatch):
    calls = []
    inner = convolutions._in_two_groups
    monkeypatch.setattr(convolutions, "_in_two_groups", lambda **given: calls.append(1) or inner(**given))
    draw = torch.Generator().manual_seed(1)
    clip = torch.randn(1, 6, 7, 9, 11, generator=draw)
    weight, bias = torch.randn(5, 6, *kernel, generator=draw), torch.randn(5, generator=draw)
    for parts in ((weight, bias), (weight, None)):
        calls.clear()
        truth, found = both(clip, *parts, **how)
        assert calls
        for true, ours in zip(truth, found, strict=True):
            assert torch.allclose(ours.double(), true, atol=1e-5 * float(true.abs().max()))


@pytest.mark.parametrize(
    ("clip", "weight", "groups"),
    [
        (torch.rand(2, 4, 5, 6, 7), torch.rand(3, 4, 3, 3, 3), 1),
        (torch.rand(1, 3, 5, 6, 7), torch.rand(3, 3, 3, 3, 3), 1),
        (torch.rand(1, 4, 5, 6, 7), torch.rand(4, 2, 3, 3, 3), 2),
        (torch.rand(1, 4, 5, 6, 7).double(), torch.rand(3, 4, 3, 3, 3).double(), 1),
        (torch.rand(1, 4, 5, 6, 7), torch.rand(3, 4, 1, 1, 1), 1),
        (torch.rand(1, 4, 5, 9, 9), torch.rand(3, 4, 3, 5, 5), 1),
        (torch.rand(1, 64, 20, 20, 3), torch.rand(2, 64, 1, 3, 3), 1),
        (torch.rand(4, 5, 6, 7), torch.rand(3, 4, 3, 3, 3), 1),
        (torch.rand(1, 4, 5, 6, 7, device="meta"), torch.rand(3, 4, 3, 3, 3, device="meta"), 1),
    ],
)
def test_all_else_is_left_to_torch(clip, weight, groups, monkeypatch):
    monkeypatch.setattr(convolutions, "_in_two_groups", lambda **given: pytest.fail("taken"))
    with quick_convolutions():
        found = F.conv3d(clip, weight, groups=groups)
    assert found.shape == F.conv3d(clip, weight, groups=groups).shape


def test_modules_with_positional_and_reflecting_padding_are_taken():
    net = nn.Conv3d(4, 3, 3, padding=1, padding_mode="replicate").double()
    clip = torch.rand(1, 4, 5, 6, 7)
    true = net(clip.double())
    with quick_convolutions():
        found = net.float()(clip)
    assert torch.allclose(found.double(), true, atol=1e-5)
