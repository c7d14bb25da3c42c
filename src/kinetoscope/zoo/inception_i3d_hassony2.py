"""Inception-I3D as hassony2/kinetics_i3d_pytorch has it; the state dict of its `model_rgb.pth` fits as it is.

Follows the code's last state (batch norm's epsilon 1e-3, padding in time by the clip's length); the published
weights are older than these two changes.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ..card import ModelCard
from ..types import VideoBatch
from .inception_i3d import FEATURES, Axes, Maps, SameConv3d, Widths, endpoints, pad_same
from .init import he_normal
from .labels import class_names

CARD = ModelCard(
    clip=(16, 224, 224),
    value_range=(-1.0, 1.0),
    class_names=class_names("kinetics400"),
    frames_per_second=25.0,
    output_layer="conv3d_0c_1x1",
    suggested_layers=(
        "conv3d_1a_7x7",
        "conv3d_2c_3x3",
        "mixed_3c",
        "mixed_4c",
        "mixed_4f",
        "mixed_5c",
        "conv3d_0c_1x1",
    ),
    citation="Carreira and Zisserman, Quo Vadis, Action Recognition? A New Model and the Kinetics Dataset, "
    "CVPR 2017; weights: hassony2/kinetics_i3d_pytorch",
)
# only the clip's length is looked at: an odd height or width is padded as an even one is
_ADAPTS = (True, False, False)


class Unit3Dpy(SameConv3d):
    """Convolution, batch norm, ReLU; SAME padding from the actual size along t only."""

    adapts = _ADAPTS

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, stride)
        self.batch3d = nn.BatchNorm3d(outputs, eps=1e-3)

    def forward(self, clips: VideoBatch) -> Maps:
        """Rectified features, (B, outputs, T', H', W')."""
        return F.relu(self.batch3d(super().forward(clips)))


class MaxPool3dTFPadding(nn.Module):
    """Max pooling behind padding with zeros; a window that sticks out at the end counts (ceil mode)."""

    def __init__(self, kernel: Axes, stride: Axes) -> None:
        super().__init__()
        self.pool = nn.MaxPool3d(kernel, stride, ceil_mode=True)

    def forward(self, clips: VideoBatch) -> Maps:
        """Largest values, (B, C, ceil(T / stride), ...)."""
        return self.pool(pad_same(clips, self.pool, _ADAPTS))


class Mixed(nn.Module):
    """Four branches side by side."""

    def __init__(self, inputs: int, widths: Widths) -> None:
        super().__init__()
        self.branch_0 = Unit3Dpy(inputs, widths[0])
        self.branch_1 = nn.Sequential(Unit3Dpy(inputs, widths[1]), Unit3Dpy(widths[1], widths[2], 3))
        self.branch_2 = nn.Sequential(Unit3Dpy(inputs, widths[3]), Unit3Dpy(widths[3], widths[4], 3))
        pool = MaxPool3dTFPadding((3, 3, 3), (1, 1, 1))
        self.branch_3 = nn.Sequential(pool, Unit3Dpy(inputs, widths[5]))

    def forward(self, x: VideoBatch) -> Maps:
        """The branches' channels one after the other, size unchanged."""
        return torch.cat((self.branch_0(x), self.branch_1(x), self.branch_2(x), self.branch_3(x)), 1)


class I3D(nn.Module):
    """Gives probabilities and logits; the logits are averaged over time before the softmax.

    Takes clips (B, 3, T, H, W) in [-1, 1] of at least 9 frames and 194 pixels a side.
    """

    def __init__(self, num_classes: int = 400) -> None:
        super().__init__()
        layers = endpoints(Unit3Dpy, MaxPool3dTFPadding, Mixed)
        # this port writes TensorFlow's names with a small first letter
        self._endpoints = tuple(name[0].lower() + name[1:] for name in layers)
        for name, layer in zip(self._endpoints, layers.values(), strict=True):
            self.add_module(name, layer)
        self.avg_pool = nn.AvgPool3d((2, 7, 7), stride=1)
        self.dropout = nn.Dropout(0.0)
        self.conv3d_0c_1x1 = SameConv3d(FEATURES, num_classes, bias=True)
        self.softmax = nn.Softmax(dim=1)

    def forward(
        self, clips: VideoBatch
    ) -> tuple[Float[Tensor, "batch classes *places"], Float[Tensor, "batch classes *places"]]:
        """Probabilities and logits, (B, classes) each where one place of y and x is left."""
        x = clips
        for name in self._endpoints:
            x = self.get_submodule(name)(x)
        logits = self.conv3d_0c_1x1(self.dropout(self.avg_pool(x))).squeeze(3).squeeze(3).mean(2)
        return self.softmax(logits), logits


def build_inception_i3d_hassony2(num_classes: int = 400) -> I3D:
    """The network with random weights, from torch's global generator."""
    model = I3D(num_classes)
    he_normal(model)
    return model
