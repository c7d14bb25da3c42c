"""Networks that favour no direction: weights that turn and mirror into themselves.

A network trained on clips alone leans a little, its class "up-right" to 55 rather than 45 degrees. Here every
weight is averaged over the eight turns and mirrorings of the square (Cohen & Welling 2016, Group Equivariant
Convolutional Networks), so that a turned clip gives the turned answer. Hidden channels stand in orbits of
eight, one for each; only training knows of it, the weights are plain ones.
"""

import torch
from jaxtyping import Int
from torch import Tensor, nn
from torch.nn.utils import parametrize

from ..types import MOTION_LABELS

ORDER = 8
"""Elements of the group: number 2 k + m mirrors left and right m times, then turns k times by 90 degrees."""

Moves = Int[Tensor, "8 _"]


def turned(x: Tensor, element: int) -> Tensor:
    """The pictures (..., H, W), H = W, mirrored and turned counter-clockwise as seen on screen."""
    turns, mirrored = divmod(element, 2)
    return torch.rot90(x.flip(-1) if mirrored else x, turns, (-2, -1))


def moved_class(label: int, element: int) -> int:
    """The motion of class `label` (an index into `MOTION_LABELS`) seen in the turned clip."""
    turns, mirrored = divmod(element, 2)
    if label < 8:
        return ((4 - label if mirrored else label) + 2 * turns) % 8
    rotations = [MOTION_LABELS.index("counter-clockwise"), MOTION_LABELS.index("clockwise")]
    return rotations[1 - rotations.index(label)] if mirrored and label in rotations else label


def orbits(channels: int) -> Moves:
    """Where each of `channels` hidden channels goes under each element; channels is a multiple of 8."""
    mark = torch.arange(9).reshape(3, 3)
    seen = [turned(mark, element).tolist() for element in range(ORDER)]
    all_of_them = range(ORDER)
    product = torch.tensor(
        [[seen.index(turned(turned(mark, h), g).tolist()) for h in all_of_them] for g in all_of_them]
    )
    base = torch.arange(0, channels, ORDER)
    return (base[None, :, None] + product[:, None, :]).flatten(1)


def classes() -> Moves:
    """Where each of the thirteen logits goes under each element."""
    return torch.tensor([[moved_class(i, g) for i in range(len(MOTION_LABELS))] for g in range(ORDER)])


class Symmetric(nn.Module):
    """Averages a weight (out, in, ..., k, k), or a bias (out,), over the group."""

    def __init__(self, outs: Moves, ins: Moves | None = None) -> None:
        super().__init__()
        self.outs = outs.argsort(1)
        self.ins = None if ins is None else ins.argsort(1)

    def forward(self, weight: Tensor) -> Tensor:
        """The nearest weight that turns into itself; same shape."""
        if self.ins is None:
            return torch.stack([weight[outs] for outs in self.outs]).mean(0)
        # a linear layer reads a square of places
        side = 1 if weight.ndim > 2 else round((weight.shape[1] / self.ins.shape[1]) ** 0.5)
        pictures = weight if weight.ndim > 2 else weight.unflatten(1, (-1, side, side))
        moved = [turned(pictures, g)[self.outs[g]][:, self.ins[g]] for g in range(ORDER)]
        return torch.stack(moved).mean(0).reshape(weight.shape)


def symmetrize(net: nn.Module) -> None:
    """Keep all convolutions and the linear layer of a bundled network symmetric from now on."""
    ins = torch.arange(3).expand(ORDER, 3)
    for layer in net.modules():
        if isinstance(layer, (nn.Conv3d, nn.Linear)):
            outs = classes() if isinstance(layer, nn.Linear) else orbits(layer.out_channels)
            parametrize.register_parametrization(layer, "weight", Symmetric(outs, ins))
            parametrize.register_parametrization(layer, "bias", Symmetric(outs))
            ins = outs


def settle(net: nn.Module) -> None:
    """Undo `symmetrize`: plain weights, as symmetric as they are now."""
    for layer in list(net.modules()):
        if parametrize.is_parametrized(layer):
            for name in ("weight", "bias"):
                parametrize.remove_parametrizations(layer, name)
