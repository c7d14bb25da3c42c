"""A tap for some units gives what a tap for all gives, at less cost where the last layer is plain."""

import pytest
import torch
from torch import nn

from kinetoscope.units.tap import tap

CLIP = torch.rand(2, 3, 4, 7, 9, generator=torch.Generator().manual_seed(0))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv3d(3, 6, 3, padding=1)
        self.relu = nn.ReLU()
        self.grouped = nn.Conv3d(6, 6, (1, 3, 3), groups=2, bias=False)
        self.tied = nn.Conv3d(6, 6, 1)
        self.again = nn.Conv3d(6, 6, 1)
        self.again.weight = self.tied.weight
        self.norm = nn.utils.parametrizations.weight_norm(nn.Conv3d(6, 6, 1))
        self.head = nn.Linear(6, 8)

    def forward(self, x):
        x = self.grouped(self.relu(self.conv(x)))
        x = self.norm(self.again(self.tied(x)))
        return self.head(x.mean((2, 3, 4)))


def weights_seen(model, layer):
    """Rows of the layer's weight while it runs."""
    module, seen = model.get_submodule(layer), []
    original = type(module).forward

    def forward(x):
        seen.append(len(module.weight))
        return original(module, x)

    module.forward = forward
    return seen


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("layer", ["conv", "relu", "grouped", "tied", "again", "norm", "head"])
def test_chosen_units_come_in_the_order_asked_for(layer, precision):
    torch.manual_seed(0)
    model = Net()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with torch.no_grad():
        with tap(model, layer, precision=precision) as forward:
            full = forward(CLIP)
        with tap(model, layer, units=[4, 1], precision=precision) as forward:
            chosen = forward(CLIP)
    tolerance = 1e-2 if precision == "bf16" else 1e-5
    torch.testing.assert_close(chosen, full[:, [4, 1]], rtol=tolerance, atol=tolerance)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert model.head.weight.shape == (8, 6)


@pytest.mark.parametrize(("layer", "rows"), [("conv", 2), ("head", 2), ("grouped", 6), ("tied", 6)])
def test_a_plain_last_layer_computes_no_more(layer, rows):
    model = Net()
    seen = weights_seen(model, layer)
    with tap(model, layer, units=[4, 1]) as forward, torch.no_grad():
        forward(CLIP)
    assert seen == [rows]


def test_a_hook_of_the_callers_sees_all_outputs():
    model, shapes = Net(), []
    model.conv.register_forward_hook(lambda module, args, output: shapes.append(output.shape[1]))
    with tap(model, "conv", units=[3]) as forward, torch.no_grad():
        assert forward(CLIP).shape[1] == 1
    assert shapes == [6]
