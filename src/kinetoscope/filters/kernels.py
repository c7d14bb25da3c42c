"""The weights of a convolution as small clips, and how far they fall apart into time times space."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..brief import Brief
from ..errors import LayerNotFound, ModelUnusable
from ..units.tap import find_layer
from ..weights.checkpoints import read_weights

KernelWeights = Float[Tensor, "filter channel depth rows columns"]


@dataclass(frozen=True, eq=False, repr=False)
class LayerKernels(Brief):
    """Kernels of one layer.

    Attributes:
        layer: dotted name.
        units: which of the layer's channels.
        weights: (N, C, D, h, w), signed; D is 1 for kernels without time.
        scale: largest absolute weight in the whole layer, whichever units were chosen.
        separability: per unit, see `separability`.
        energy: share of each unit's squared weights that lies at each step, (N, D), rows sum to 1.
    """

    layer: str
    units: tuple[int, ...]
    weights: KernelWeights
    scale: float
    separability: Float[Tensor, " filter"]
    energy: Float[Tensor, "filter depth"]


def layer_kernels(model: nn.Module, layer: str, units: Sequence[int]) -> LayerKernels:
    """The weights of a convolution's units, read only.

    Raises:
        LayerNotFound: there is no such layer, or it is no convolution.
    """
    weights = layer_weights(model, layer)
    chosen = weights[list(units)]
    squares = chosen.square().sum(dim=(1, 3, 4))
    return LayerKernels(
        layer=layer,
        units=tuple(units),
        weights=chosen,
        scale=float(weights.abs().max()),
        separability=separability(chosen),
        energy=squares / squares.sum(dim=1, keepdim=True).clamp(min=torch.finfo(squares.dtype).tiny),
    )


def layer_weights(model: nn.Module, layer: str) -> KernelWeights:
    """All weights of a convolution, (units, C, D, h, w), a copy; of 2D convolutions D is 1.

    Raises:
        LayerNotFound: there is no such layer, or it is no convolution.
    """
    module = find_layer(model, layer)
    weight = None if isinstance(module, _TRANSPOSED) else getattr(module, "weight", None)
    if not isinstance(weight, Tensor) or weight.ndim not in (4, 5):
        known = [name for name, part in model.named_modules() if isinstance(part, (nn.Conv2d, nn.Conv3d))]
        raise LayerNotFound(
            f"layer {layer!r} is a {type(module).__name__}, no 2D or 3D convolution; "
            f"convolutions are {', '.join(known[:8]) or 'missing'}{' ...' if len(known) > 8 else ''}"
        )
    whole = weight.detach().cpu().float().clone()
    return whole if whole.ndim == 5 else whole[:, :, None]


_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


def separability(kernels: KernelWeights) -> Float[Tensor, " filter"]:
    """How nearly each kernel is one course over time times one picture, in (0, 1]; 1 for zero kernels.

    The singular values s of the matrix of steps by (channels, rows, columns): s_1^2 / sum s^2. A separable
    kernel, with D = 1 or still pictures scaled over time, has 1 and prefers no direction of motion (Adelson &
    Bergen 1985, section 3); D equally strong, orthogonal steps have 1 / D.
    """
    energies = torch.linalg.svdvals(kernels.movedim(2, 1).flatten(2).double()).square()
    total = energies.sum(dim=1)
    return torch.where(total > 0, energies[:, 0] / total.clamp(min=1e-300), 1.0).float()


def read_kernels(path: Path) -> KernelWeights:
    """Kernels (N, C, D, h, w) from the `kernels` of a safetensors file.

    Raises:
        ModelUnusable: the file is missing, broken, or holds no such kernels.
    """
    kernels = read_weights(path).get("kernels")
    if kernels is None or kernels.ndim != 5 or 0 in kernels.shape:
        found = "none" if kernels is None else "x".join(map(str, kernels.shape))
        raise ModelUnusable(
            f"{path} should hold `kernels` of shape (N, C, D, h, w), not {found}; give another file"
        )
    return kernels.float()
