"""From kernels learned on still images to a video network that starts from them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..errors import ModelUnusable
from .layer import Conv3T

_TOLD = 3
"""So many faults are named; of more, the number is."""


@dataclass(frozen=True)
class Inflation:
    """What a transfer from a two-dimensional network did.

    Attributes:
        copied: a video network's tensor, and the image network's tensor it was made from, in order.
        kept: tensors of the video network that were left as they were.
        unused: tensors of the image network that were not asked for: batch norm, classifier, whatever its
            number of classes, and auxiliary heads, if it has any.
    """

    copied: dict[str, str]
    kept: tuple[str, ...]
    unused: tuple[str, ...]


@torch.no_grad()
def inflate(
    network: nn.Module, weights: Mapping[str, Tensor], names: Mapping[str, str] | None = None
) -> Inflation:
    """Fill a video network's convolutions, in place, from those of an image network (Ras2020, section 4).

    As in the official transfer, a 3T layer takes the kernel as its first slice and stands still, so that at
    first it answers D times as strongly as an averaged kernel; an ordinary layer takes the kernel D times,
    divided by D. Nothing else is copied: batch norm, classifier and auxiliary heads start afresh.

    Args:
        network: `ResNet18` or `GoogLeNet` of `networks`, or any other together with `names`.
        weights: state dict of the image network: torchvision's `resnet18` or `googlenet`.
        names: dotted names of the network's convolutions, and of their counterparts; None: the network's own.

    Raises:
        ModelUnusable: a kernel is missing or has another shape, or, without `names`, a tensor is none of the
            published ones; then nothing is changed.
    """
    leftovers = None
    if names is None:
        names = getattr(network, "image_names", dict)()
        leftovers = getattr(network, "image_leftovers", lambda: None)()
    if not names:
        raise ModelUnusable(f"{type(network).__name__} names no counterparts of its convolutions; give names")
    pairs = []
    faults = []
    for name, source in names.items():
        layer, kernel = network.get_submodule(name), weights.get(f"{source}.weight")
        if not isinstance(layer, nn.Conv3d):
            faults.append(f"{name} is a {type(layer).__name__}")
            continue
        wanted = (layer.out_channels, layer.in_channels // layer.groups, *layer.kernel_size[1:])
        if kernel is None:
            faults.append(f"{source}.weight is missing")
        elif kernel.shape != wanted:
            faults.append(f"{source}.weight is {tuple(kernel.shape)} for {wanted}")
        else:
            pairs.append((name, source, layer, kernel[:, :, None]))
    if leftovers is not None:
        asked = {f"{source}.weight" for source in names.values()}
        others = (key for key in weights if key not in asked)
        faults += [f"{key} is none of its tensors" for key in others if not re.fullmatch(leftovers, key)]
    if faults:
        more = f"; and {len(faults) - _TOLD} more" if len(faults) > _TOLD else ""
        raise ModelUnusable(
            f"these weights do not fit {type(network).__name__}: {'; '.join(faults[:_TOLD])}{more}; "
            "give the state dict of the two-dimensional network"
        )
    copied = {}
    for name, source, layer, kernel in pairs:
        own = "first_weight" if isinstance(layer, Conv3T) else "weight"
        if isinstance(layer, Conv3T):
            layer.reset_trajectory()
        else:
            kernel = kernel / layer.kernel_size[0]
        getattr(layer, own).copy_(kernel)
        copied[f"{name}.{own}"] = f"{source}.weight"
    return Inflation(
        copied=copied,
        kept=tuple(key for key in network.state_dict() if key not in copied),
        unused=tuple(key for key in weights if key not in copied.values()),
    )
