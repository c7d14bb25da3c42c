"""A network with something of everything, and a check that whoever borrowed it gave it back as it was."""

from typing import Any

import torch
from torch import Tensor, nn

CLIP = (2, 3, 5, 9, 12)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(3, 4, 3, padding=1)
        self.norm = nn.BatchNorm3d(4)
        self.relu = nn.ReLU(inplace=True)
        self.block = nn.Sequential(nn.Conv3d(4, 6, (1, 3, 3), stride=2), nn.Dropout(0.5))
        self.pair = Pair()
        self.head = nn.Linear(6, 7)
        self.spare = nn.Linear(2, 2)
        self.ran: list[str] = []

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.norm(self.conv1(x)))
        x, _ = self.pair(self.block(x))
        self.ran.append("pair")
        return self.head(x.mean((2, 3, 4)))


class Pair(nn.Module):
    def forward(self, x: Tensor) -> Any:
        return x * 2, {"more": x}


def fresh(seed: int = 0) -> Net:
    torch.manual_seed(seed)
    net = Net()
    net.norm.running_mean = torch.linspace(-1, 1, 4)
    net.train()
    net.norm.eval()
    net.conv1.weight.requires_grad_(False)
    net.head.weight.grad = torch.ones_like(net.head.weight)
    return net


def snapshot(net: nn.Module) -> dict[str, Any]:
    tensors = dict(net.named_parameters()) | dict(net.named_buffers())
    return {
        "identity": {k: id(t) for k, t in tensors.items()},
        "value": {k: t.detach().clone() for k, t in tensors.items()},
        "flags": {k: (t.requires_grad, t.dtype, t.device, t.is_contiguous()) for k, t in tensors.items()},
        "grad": {k: None if t.grad is None else t.grad.clone() for k, t in tensors.items()},
        "modes": [m.training for m in net.modules()],
        "hooks": [(list(m._forward_hooks), list(m._forward_pre_hooks)) for m in net.modules()],
        "attributes": [sorted(vars(m)) for m in net.modules()],
    }


def assert_untouched(net: nn.Module, before: dict[str, Any]) -> None:
    after = snapshot(net)
    for part in ("identity", "flags", "modes", "hooks", "attributes"):
        assert after[part] == before[part], part
    assert all(torch.equal(before["value"][k], after["value"][k]) for k in before["value"])
    for k, grad in before["grad"].items():
        assert (grad is None) == (after["grad"][k] is None), k
        assert grad is None or torch.equal(grad, after["grad"][k])
