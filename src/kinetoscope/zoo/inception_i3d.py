"""What both PyTorch ports of Inception-I3D share: the order of the layers, their widths, and TF's padding.

Carreira and Zisserman 2017, Quo Vadis, Action Recognition? A New Model and the Kinetics Dataset, Fig. 3.
"""

from collections.abc import Callable

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ..types import VideoBatch

Axes = tuple[int, int, int]
Widths = tuple[int, int, int, int, int, int]
"""Channels of an Inception block: 1x1; 1x1 then 3x3; 1x1 then 3x3; 1x1 behind the pooling."""

Maps = Float[Tensor, "batch features t y x"]
"""What a layer makes of clips, (B, features, T', H', W')."""

STEM = 192
MIXED: dict[str, Widths] = {
    "3b": (64, 96, 128, 16, 32, 32),
    "3c": (128, 128, 192, 32, 96, 64),
    "4b": (192, 96, 208, 16, 48, 64),
    "4c": (160, 112, 224, 24, 64, 64),
    "4d": (128, 128, 256, 24, 64, 64),
    "4e": (112, 144, 288, 32, 64, 64),
    "4f": (256, 160, 320, 32, 128, 128),
    "5b": (256, 160, 320, 32, 128, 128),
    "5c": (384, 192, 384, 48, 128, 128),
}
FEATURES = 1024


def pad_same(clips: VideoBatch, window: nn.Conv3d | nn.MaxPool3d, adapts: tuple[bool, bool, bool]) -> Maps:
    """Pad with zeros as TensorFlow's SAME does: ceil(size / stride) windows fit, the odd cell is at the end.

    Args:
        clips: (B, C, T, H, W).
        window: what follows; its kernel and stride count.
        adapts: along which of t, y, x the actual size counts; along the others it is taken for a multiple of
            the stride, whatever it is.
    """
    kernel, stride = (n if isinstance(n, tuple) else (n,) * 3 for n in (window.kernel_size, window.stride))
    pads: list[int] = []
    for size, k, s, known in zip(clips.shape[2:], kernel, stride, adapts, strict=True):
        last = size % s if known else 0
        total = max(k - (last or s), 0)
        pads = [total // 2, total - total // 2, *pads]  # F.pad starts with x
    return F.pad(clips, pads) if any(pads) else clips


class SameConv3d(nn.Module):
    """A convolution, `conv3d`, behind TF SAME padding; each port builds its units on it."""

    adapts = (True, True, True)

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, bias: bool = False
    ) -> None:
        super().__init__()
        self.conv3d = nn.Conv3d(inputs, outputs, kernel, stride, bias=bias)

    def forward(self, clips: VideoBatch) -> Maps:
        """Convolve, (B, outputs, T', H', W')."""
        return self.conv3d(pad_same(clips, self.conv3d, self.adapts))


def endpoints(
    unit: Callable[[int, int, int, int], nn.Module],
    pool: Callable[[Axes, Axes], nn.Module],
    mixed: Callable[[int, Widths], nn.Module],
) -> dict[str, nn.Module]:
    """The layers up to the last Inception block, in order, by their names in TensorFlow.

    Args:
        unit: makes a convolution with norm and ReLU from input and output channels, kernel and stride.
        pool: makes a max pooling from kernel and stride.
        mixed: makes an Inception block from input channels and widths.
    """
    layers = {
        "Conv3d_1a_7x7": unit(3, 64, 7, 2),
        "MaxPool3d_2a_3x3": pool((1, 3, 3), (1, 2, 2)),
        "Conv3d_2b_1x1": unit(64, 64, 1, 1),
        "Conv3d_2c_3x3": unit(64, STEM, 3, 1),
        "MaxPool3d_3a_3x3": pool((1, 3, 3), (1, 2, 2)),
    }
    before = {"4b": ("MaxPool3d_4a_3x3", (3, 3, 3)), "5b": ("MaxPool3d_5a_2x2", (2, 2, 2))}
    channels = STEM
    for block, widths in MIXED.items():
        if block in before:
            name, kernel = before[block]
            layers[name] = pool(kernel, (2, 2, 2))
        layers[f"Mixed_{block}"] = mixed(channels, widths)
        channels = widths[0] + widths[2] + widths[4] + widths[5]
    return layers
