"""Slopes through closed rectifiers: backwards only, however the network writes its ReLU."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from kinetoscope.units.rectifiers import leaky_rectifiers

WRITTEN = {
    "F.relu": F.relu,
    "F.relu in place": lambda x: F.relu(x.clone(), inplace=True),
    "torch.relu": torch.relu,
    "method": lambda x: x.relu(),
    "method in place": lambda x: x.clone().relu_(),
    "F.relu_": lambda x: F.relu_(x.clone()),
    "module": nn.ReLU(),
    "module in place": lambda x: nn.ReLU(inplace=True)(x.clone()),
    "clamp": lambda x: x.clamp(min=0),
    "clamp_min": lambda x: torch.clamp_min(x, 0.0),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_backwards_a_slope_forwards_nothing(name):
    relu = WRITTEN[name]
    x = torch.tensor([-2.0, -0.5, 0.25, 3.0], requires_grad=True)
    (plain,) = torch.autograd.grad((relu(x) * torch.arange(1, 5)).sum(), x)
    with leaky_rectifiers(0.1):
        output = relu(x)
    (leaky,) = torch.autograd.grad((output * torch.arange(1, 5)).sum(), x)
    assert output.tolist() == [0, 0, 0.25, 3]
    assert plain.tolist() == [0, 0, 3, 4]
    torch.testing.assert_close(leaky, torch.tensor([0.1, 0.2, 3.0, 4.0]))


def test_other_clamps_and_no_slope_are_left_alone():
    x = torch.tensor([-2.0, 0.25, 3.0], requires_grad=True)
    with leaky_rectifiers(0.1):
        others = x.clamp(-1, 1).sum() + x.clamp(min=-1.0).sum() + x.clamp(max=1).sum()
    (found,) = torch.autograd.grad(others, x)
    (wanted,) = torch.autograd.grad(x.clamp(-1, 1).sum() + x.clamp(min=-1.0).sum() + x.clamp(max=1).sum(), x)
    assert torch.equal(found, wanted)
    with leaky_rectifiers(0.0):
        (none,) = torch.autograd.grad(x.relu().sum(), x)
    assert none.tolist() == [0, 1, 1]


def test_the_mode_ends_with_an_error_too():
    with pytest.raises(ValueError, match="on purpose"), leaky_rectifiers(0.1):
        raise ValueError("on purpose")
    x = torch.tensor([-1.0], requires_grad=True)
    assert torch.autograd.grad(x.relu().sum(), x)[0].tolist() == [0]
