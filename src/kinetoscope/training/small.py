"""A small network of four convolutions in three kinds, 2D, 3D and 3T, for experiments on small clips."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ..card import ModelCard
from ..tconv.layer import Conv3T
from ..types import VideoBatch

CARD = ModelCard(
    clip=(8, 32, 32),
    mean=(0.5,) * 3,
    std=(0.25,) * 3,
    output_layer="fc",
    suggested_layers=("conv1", "conv2", "conv3", "conv4", "fc"),
)
CLASSES = 8
"""Outputs: the eight directions, or eight kinds of texture."""

_WIDTHS = (8, 16, 32, 48)
_KERNELS = (5, 3, 3, 3)
_POOLS = {2: (2, 2, 2), 3: (1, 2, 2)}


class SmallNet(nn.Module):
    """Four convolutions with batch norm, two max poolings, the mean over space and time, logits.

    Takes normalized clips (B, 3, T, H, W); with two-dimensional convolutions stills, T = 1. The three kinds
    have the same layers and widths; first-layer kernels are `depth` x 5 x 5, the others `depth` x 3 x 3.
    """

    def __init__(self, kind: type[nn.Conv2d] | type[nn.Conv3d], depth: int = 3) -> None:
        """Args: kind: `nn.Conv2d`, `nn.Conv3d` or `Conv3T`. depth: frames of a kernel."""
        super().__init__()
        self.flat = issubclass(kind, nn.Conv2d)
        norm = nn.BatchNorm2d if self.flat else nn.BatchNorm3d
        channels = 3
        for number, (width, size) in enumerate(zip(_WIDTHS, _KERNELS, strict=True), 1):
            kernel = (size, size) if self.flat else (depth, size, size)
            padding = tuple(side // 2 for side in kernel)
            stride = (1, 2, 2)[-len(kernel) :] if number == 1 else 1
            conv = kind(channels, width, kernel, stride, padding, bias=False)  # type: ignore[arg-type]
            self.add_module(f"conv{number}", conv)
            self.add_module(f"bn{number}", norm(width))
            channels = width
        self.fc = nn.Linear(channels, CLASSES)

    def forward(self, clips: VideoBatch) -> Float[Tensor, "batch classes"]:
        """Give the logit of each class."""
        x = clips[:, :, 0] if self.flat else clips
        for number in range(1, len(_WIDTHS) + 1):
            x = F.relu(self.get_submodule(f"bn{number}")(self.get_submodule(f"conv{number}")(x)))
            if pool := _POOLS.get(number):
                x = F.max_pool2d(x, pool[1:]) if self.flat else F.max_pool3d(x, pool)
        return self.fc(x.flatten(2).mean(2))

    @staticmethod
    def image_names() -> dict[str, str]:
        """Which convolution of the two-dimensional kind each one corresponds to."""
        return {name: name for name in ("conv1", "conv2", "conv3", "conv4")}


def build_small_3t() -> tuple[SmallNet, ModelCard]:
    """The network of 3T convolutions."""
    return SmallNet(Conv3T), CARD


def build_small_3d() -> tuple[SmallNet, ModelCard]:
    """The network of 3D convolutions."""
    return SmallNet(nn.Conv3d), CARD


def build_small_2d() -> tuple[SmallNet, ModelCard]:
    """The network of 2D convolutions, for stills."""
    return SmallNet(nn.Conv2d), CARD
