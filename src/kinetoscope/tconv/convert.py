"""Any network's 3D convolutions as 3T ones: what of its kernels is a slice that moves?"""

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .fit import fit_kernel
from .layer import IDENTITY, Conv3T


@dataclass(frozen=True)
class LayerFit:
    """How well a slice and a trajectory stand for one layer's kernels.

    Attributes:
        layer: dotted name; of a layer with several names, the first.
        kernel_size: (D, h, w).
        explained: share of the energy (sum of squares) of all kernels that is reproduced, at most 1.
        still: the same if nothing may move; what `explained` has more is owed to motion.
        channels: `explained` of each output channel.
    """

    layer: str
    kernel_size: tuple[int, ...]
    explained: float
    still: float
    channels: tuple[float, ...]


@dataclass(frozen=True)
class Conversion:
    """A network with 3T convolutions, and how near it is to the one it was made from.

    Attributes:
        model: a copy; in place of convolutions it has `Conv3T` layers of the same names.
        layers: one account for each layer that was replaced, in the network's order.
        left: 3D convolutions that stayed as they were: those whose kernels have one slice, or slices of one
            cell, on which no motion shows.
    """

    model: nn.Module
    layers: tuple[LayerFit, ...]
    left: tuple[str, ...]


def convert(model: nn.Module) -> Conversion:
    """Replace the 3D convolutions of a copy of a network by 3T ones, fitted to each kernel by least squares.

    Nothing is trained, and no clips are needed: the trajectories are read off the kernels. How much to
    believe them says `LayerFit.explained`. The caller's model stays untouched.

    Args:
        model: any network; convolutions of a class of their own, `Conv3T` among them, are left alone.
    """
    made = copy.deepcopy(model)
    layers, left = [], []
    replaced: dict[nn.Module, nn.Module] = {}
    for name, conv in made.named_modules():
        if type(conv) is not nn.Conv3d:
            continue
        if conv.kernel_size[0] == 1 or conv.kernel_size[1:] == (1, 1):
            left.append(name)
            continue
        replaced[conv], account = _fitted(name, conv)
        layers.append(account)
    for name, conv in list(made.named_modules(remove_duplicate=False)):
        if name and conv in replaced:
            made.set_submodule(name, replaced[conv])
    return Conversion(replaced.get(made, made), tuple(layers), tuple(left))


def _fitted(name: str, conv: nn.Conv3d) -> tuple[Conv3T, LayerFit]:
    found = fit_kernel(conv.weight)
    layer = Conv3T(
        conv.in_channels,
        conv.out_channels,
        conv.kernel_size,
        conv.stride,
        conv.padding,
        conv.dilation,
        conv.groups,
        conv.bias is not None,
        conv.padding_mode,
        device=conv.weight.device,
        dtype=conv.weight.dtype,
    )
    state: dict[str, Tensor] = {
        "first_weight": found.first,
        **dict(zip(IDENTITY, found.trajectory, strict=True)),
    }
    if conv.bias is not None:
        state["bias"] = conv.bias
    layer.load_state_dict(state)
    layer.train(conv.training)
    layer.requires_grad_(conv.weight.requires_grad)
    weights = found.energy / found.energy.sum().clamp(min=torch.finfo(found.energy.dtype).tiny)
    return layer, LayerFit(
        layer=name,
        kernel_size=conv.kernel_size,
        explained=float(weights @ found.explained),
        still=float(weights @ found.still),
        channels=tuple(found.explained.tolist()),
    )
