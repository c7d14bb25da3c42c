"""Sanity checks: the controls are what they say, and the caller's model is left alone."""

import pytest
import torch
from torch import nn

import kinetoscope as ks
from kinetoscope.evaluation.sanity import CHECKS, check_sanity, reinitialized, silenced
from kinetoscope.results import DEAD

pytestmark = pytest.mark.usefixtures("quick_motion")  # of optima

T, H, W = 5, 12, 17
CARD = ks.ModelCard(clip=(T, H, W))


class Pair(nn.Module):
    """A convolution, and a layer that gives a tuple."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv3d(3, 3, 3)
        self.split = Split()
        with torch.no_grad():
            weight = torch.randn(self.conv.weight.shape, generator=torch.Generator().manual_seed(5))
            self.conv.weight.copy_(weight - weight.mean(dim=(1, 2, 3, 4), keepdim=True))
            self.conv.bias.copy_(torch.tensor([0.1, 0.2, 0.3]))

    def forward(self, clips):
        return self.split(self.conv(clips))


class Split(nn.Module):
    def forward(self, x):
        return x * 2, x


def clip():
    return torch.rand(1, 3, T, H, W, generator=torch.Generator().manual_seed(0))


def test_every_check_is_there_and_the_model_is_left_alone():
    model = Pair()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    found = check_sanity(model, "conv", 2, card=CARD, steps=6, seed=3)
    assert tuple((c.group, c.name, c.note) for c in found.checks) == CHECKS
    checks = {check.name: check for check in found.checks}
    own, dead = checks["the unit"], checks["planted dead unit"]
    assert own.numbers["drives_unit"] == pytest.approx(1, abs=1e-5)
    assert own.numbers["field_circular_variance"] in (None, pytest.approx(0, abs=1e-6))
    assert (dead.numbers["label"], dead.result.motion.label) == (DEAD, DEAD)
    assert dead.numbers["drives_unit"] == pytest.approx(0, abs=0.05)
    assert checks["neighbour"].result.record["unit"] == 1  # the last unit's neighbour is the one before
    assert checks["second seed"].result.record["seed"] == 4
    assert checks["second seed"].numbers["drives_unit"] > checks["re-initialized"].numbers["drives_unit"]
    digests = {name: check.result.record["weights_sha256"] for name, check in checks.items()}
    assert digests["re-initialized"] != digests["the unit"] == digests["planted dead unit"]
    assert (found.confidence.seeds, found.confidence.repeat_steps) == ((3, 4, 5), 6)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert not model.conv._forward_hooks


def test_new_weights_have_the_old_ones_size_and_nothing_else():
    model = nn.Sequential(nn.Conv3d(3, 64, 3), nn.BatchNorm3d(64))
    with torch.no_grad():
        model[0].weight.mul_(7).add_(2)
    fresh, again = (reinitialized(model, 0) for _ in range(2))
    old, new = model[0].weight.detach(), fresh[0].weight.detach()
    assert torch.equal(new, again[0].weight)
    assert float(new.mean()) == pytest.approx(float(old.mean()), rel=0.05)
    assert float(new.std()) == pytest.approx(float(old.std()), rel=0.05)
    together = torch.corrcoef(torch.stack([old.flatten(), new.flatten()]))[0, 1]
    assert abs(float(together)) < 0.1
    assert torch.equal(fresh[0].bias, model[0].bias)


@pytest.mark.parametrize("layer", ["conv", "split"])
def test_a_silenced_unit_gives_zero_and_the_others_what_they_gave(layer):
    model = Pair()
    dead = silenced(model, layer, 1, 3)
    with ks.tap(model, layer) as usual, ks.tap(dead, layer) as quiet, torch.no_grad():
        was, now = usual(clip()), quiet(clip())
    assert not bool(now[:, 1].any())
    torch.testing.assert_close(now[:, [0, 2]], was[:, [0, 2]])
    assert bool(was[:, 1].any())
