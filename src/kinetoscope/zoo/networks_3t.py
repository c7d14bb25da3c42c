"""ResNet18 and GoogLeNet with 3D or 3T convolutions, numbered as in the official code (redsphinx/3tconv)."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ..card import ModelCard
from ..tconv.layer import Conv3T
from ..types import VideoBatch
from .labels import class_names

Logits = Float[Tensor, "batch classes"]
Maps = Float[Tensor, "batch channel time height width"]


def _card(output_layer: str, *suggested: str) -> ModelCard:
    return ModelCard(
        clip=(30, 150, 224),
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        class_names=class_names("jester"),
        frames_per_second=12.0,
        output_layer=output_layer,
        suggested_layers=(*suggested, output_layer),
        citation="Ras et al., Explainable 3D Convolutional Neural Networks by Learning Temporal "
        "Transformations, 2020, arXiv 2006.15983",
    )


RESNET18_CARD = _card("fc", "conv1", "conv5", "conv10", "conv15", "conv20")
GOOGLENET_CARD = _card("fc5", "conv1", "conv3", "conv12", "conv31", "conv43", "conv56")

# number of a block's first convolution, and of its shortcut's
_BLOCKS = ((2, None), (4, None), (7, 6), (9, None), (12, 11), (14, None), (17, 16), (19, None))

# number of an Inception block's first convolution: its channels in, and out of each of its six convolutions
_INCEPTION = {
    4: (192, (64, 96, 128, 16, 32, 32)),
    10: (256, (128, 128, 192, 32, 96, 64)),
    16: (480, (192, 96, 208, 16, 48, 64)),
    22: (512, (160, 112, 224, 24, 64, 64)),
    29: (512, (128, 128, 256, 24, 64, 64)),
    35: (512, (112, 144, 288, 32, 64, 64)),
    41: (528, (256, 160, 320, 32, 128, 128)),
    48: (832, (256, 160, 320, 32, 128, 128)),
    54: (832, (384, 192, 384, 48, 128, 128)),
}

# a batch norm's tensors
_NORM = "(weight|bias|running_mean|running_var|num_batches_tracked)"


class _Numbered(nn.Module):
    """Convolutions `conv1`, `conv2`, ... without bias, each with the batch norm of its number.

    Kernels larger than 1 are of the kind given; 1x1x1 kernels stay ordinary in every network.
    """

    def __init__(self, kind: type[nn.Conv3d]) -> None:
        super().__init__()
        self._kind = kind

    def _add(self, number: int, channels: int, out: int, kernel: int = 1, stride: int = 1) -> None:
        kind = self._kind if kernel > 1 else nn.Conv3d
        conv = kind(channels, out, kernel, stride=stride, padding=kernel // 2, bias=False)
        self.add_module(f"conv{number}", conv)
        self.add_module(f"bn{number}", nn.BatchNorm3d(out))

    def _conv(self, number: int, x: Maps) -> Float[Tensor, "batch out _ _ _"]:
        """Convolution and batch norm of a number."""
        return self.get_submodule(f"bn{number}")(self.get_submodule(f"conv{number}")(x))


class ResNet18(_Numbered):
    """ResNet18 over space and time; gives logits.

    Takes normalized clips (B, 3, T, H, W) of any size.
    """

    def __init__(self, kind: type[nn.Conv3d], num_classes: int = 27) -> None:
        """Args: kind: `Conv3T` or `nn.Conv3d`, for all kernels larger than 1."""
        super().__init__(kind)
        self._add(1, 3, 64, 7, stride=2)
        self.maxpool = nn.MaxPool3d(3, stride=2, padding=1)
        channels = 64
        for first, shortcut in _BLOCKS:
            out = channels if shortcut is None else 2 * channels
            stride = 1 if shortcut is None else 2
            if shortcut is not None:
                self._add(shortcut, channels, out, stride=stride)
            self._add(first, channels, out, 3, stride=stride)
            self._add(first + 1, out, out, 3)
            channels = out
        self.avgpool = nn.AdaptiveAvgPool3d(1)
        self.fc = nn.Linear(channels, num_classes)

    def forward(self, clips: VideoBatch) -> Logits:
        """Give the logit of each class, (B, classes)."""
        x = self.maxpool(F.relu(self._conv(1, clips)))
        for first, shortcut in _BLOCKS:
            past = x if shortcut is None else self._conv(shortcut, x)
            x = F.relu(past + self._conv(first + 1, F.relu(self._conv(first, x))))
        return self.fc(self.avgpool(x).flatten(1))

    @staticmethod
    def image_names() -> dict[str, str]:
        """Which convolution of torchvision's two-dimensional `resnet18` each of ours corresponds to."""
        names = {"conv1": "conv1"}
        for place, (first, shortcut) in enumerate(_BLOCKS):
            block = f"layer{place // 2 + 1}.{place % 2}"
            names |= {f"conv{first}": f"{block}.conv1", f"conv{first + 1}": f"{block}.conv2"}
            if shortcut is not None:
                names[f"conv{shortcut}"] = f"{block}.downsample.0"
        return names

    @staticmethod
    def image_leftovers() -> str:
        """What else torchvision's file holds, as a pattern of names: batch norm and classifier."""
        norm = r"(layer[1-4]\.[01]\.)?bn[12]|layer[2-4]\.0\.downsample\.1"
        return rf"({norm})\.{_NORM}|fc\.(weight|bias)"


class GoogLeNetOutput(NamedTuple):
    """Logits (B, classes) of the two auxiliary heads, and of the network itself."""

    aux1: Logits
    aux2: Logits
    y: Logits


class GoogLeNet(_Numbered):
    """GoogLeNet over space and time, with its two auxiliary heads; gives three sets of logits.

    Takes normalized clips (B, 3, 30, 150, 224), a size which the auxiliary heads fix. The official training
    adds 0.3 times the heads' losses to the network's own.
    """

    def __init__(self, kind: type[nn.Conv3d], num_classes: int = 27) -> None:
        """Args: kind: `Conv3T` or `nn.Conv3d`, for all kernels larger than 1."""
        super().__init__(kind)
        self._add(1, 3, 64, 7, stride=2)
        self.maxpool1 = nn.MaxPool3d((1, 3, 3), stride=(1, 2, 2))
        self._add(2, 64, 64)
        self._add(3, 64, 192, 3)
        self.maxpool2 = nn.MaxPool3d((1, 3, 3), stride=(1, 2, 2))
        self._add_blocks(4, 10, pools=(3, 4))
        self.maxpool5 = nn.MaxPool3d(3, stride=2)
        self._add_blocks(16, 22, pools=(6, 7))
        self._add_head(1, 28, 512, num_classes)
        self._add_blocks(29, 35, 41, pools=(8, 9, 10))
        self._add_head(2, 47, 528, num_classes)
        self.maxpool11 = nn.MaxPool3d(3, stride=2)
        self._add_blocks(48, 54, pools=(12, 13))
        self.avgpool3 = nn.AdaptiveAvgPool3d(1)
        self.dropout3 = nn.Dropout(0.4)
        self.fc5 = nn.Linear(1024, num_classes)

    def forward(self, clips: VideoBatch) -> GoogLeNetOutput:
        """Give the logits of both heads and of the network, each (B, classes)."""
        x = self.maxpool1(F.relu(self._conv(1, clips)))
        x = F.relu(self._conv(3, F.relu(self._conv(2, x))))
        x = self._block(10, 4, self._block(4, 3, self.maxpool2(x)))
        x = self._block(16, 6, self.maxpool5(x))
        aux1 = self._head(1, 28, x)
        x = self._block(35, 9, self._block(29, 8, self._block(22, 7, x)))
        aux2 = self._head(2, 47, x)
        x = self.maxpool11(self._block(41, 10, x))
        x = self._block(54, 13, self._block(48, 12, x))
        return GoogLeNetOutput(aux1, aux2, self.fc5(self.dropout3(self.avgpool3(x).flatten(1))))

    def _add_blocks(self, *numbers: int, pools: tuple[int, ...]) -> None:
        for n, pool in zip(numbers, pools, strict=True):
            channels, out = _INCEPTION[n]
            # the branches: 1x1x1; 1x1x1 and 3x3x3, twice (the second in place of 5x5); pool and 1x1x1
            for step, (given, kernel) in enumerate(
                ((channels, 1), (channels, 1), (out[1], 3), (channels, 1), (out[3], 3), (channels, 1))
            ):
                self._add(n + step, given, out[step], kernel)
            self.add_module(f"maxpool{pool}", nn.MaxPool3d(3, stride=1, padding=1))

    def _add_head(self, head: int, number: int, channels: int, num_classes: int) -> None:
        self.add_module(f"avgpool{head}", nn.AvgPool3d(5, stride=3))
        self._add(number, channels, 128)
        self.add_module(f"fc{2 * head - 1}", nn.Linear(768, 1024))
        self.add_module(f"dropout{head}", nn.Dropout(0.7))
        self.add_module(f"fc{2 * head}", nn.Linear(1024, num_classes))

    def _block(self, n: int, pool: int, x: Maps) -> Float[Tensor, "batch out time height width"]:
        branches = (
            self._conv(n, x),
            self._conv(n + 2, F.relu(self._conv(n + 1, x))),
            self._conv(n + 4, F.relu(self._conv(n + 3, x))),
            self._conv(n + 5, self.get_submodule(f"maxpool{pool}")(x)),
        )
        return F.relu(torch.cat(branches, dim=1))

    def _head(self, head: int, number: int, x: Maps) -> Logits:
        x = F.relu(self._conv(number, self.get_submodule(f"avgpool{head}")(x))).flatten(1)
        hidden = F.relu(self.get_submodule(f"fc{2 * head - 1}")(x))
        return self.get_submodule(f"fc{2 * head}")(self.get_submodule(f"dropout{head}")(hidden))

    @staticmethod
    def image_names() -> dict[str, str]:
        """Which convolution of torchvision's two-dimensional `googlenet` each of ours corresponds to.

        The auxiliary heads have none: what they see differs.
        """
        names = {f"conv{n}": f"conv{n}.conv" for n in (1, 2, 3)}
        branches = ("branch1", "branch2.0", "branch2.1", "branch3.0", "branch3.1", "branch4.1")
        blocks = ("3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b")
        for first, block in zip(_INCEPTION, blocks, strict=True):
            for step, branch in enumerate(branches):
                names[f"conv{first + step}"] = f"inception{block}.{branch}.conv"
        return names

    @staticmethod
    def image_leftovers() -> str:
        """What else torchvision's file holds, as a pattern of names: batch norm, heads, classifier."""
        block = r"inception(3[ab]|4[a-e]|5[ab])\.branch(1|[23]\.[01]|4\.1)"
        norm = rf"(conv[123]|{block}|aux[12]\.conv)\.bn\.{_NORM}"
        return rf"{norm}|aux[12]\.conv\.conv\.weight|(aux[12]\.fc[12]|fc)\.(weight|bias)"


def _drawn(network: nn.Module) -> None:
    """Draw all kernels so that deep layers still answer before any training (He et al. 2015, eq. 10)."""
    for conv in network.modules():
        if isinstance(conv, nn.Conv3d):
            kernel = conv.first_weight if isinstance(conv, Conv3T) else conv.weight
            nn.init.normal_(kernel, std=math.sqrt(2 / (conv.in_channels * math.prod(conv.kernel_size))))


def build_resnet18_3t(num_classes: int = 27) -> ResNet18:
    """3T-ResNet18 with random weights; 11 222 619 parameters for 27 classes (Ras2020, Table 1)."""
    network = ResNet18(Conv3T, num_classes)
    _drawn(network)
    return network


def build_resnet18_3d(num_classes: int = 27) -> ResNet18:
    """3D-ResNet18 with random weights; 33 217 755 parameters for 27 classes (Ras2020, Table 1)."""
    network = ResNet18(nn.Conv3d, num_classes)
    _drawn(network)
    return network


def build_googlenet_3t(num_classes: int = 27) -> GoogLeNet:
    """3T-GoogLeNet with random weights; 7 419 121 parameters for 27 classes (Ras2020, Table 1)."""
    network = GoogLeNet(Conv3T, num_classes)
    _drawn(network)
    return network


def build_googlenet_3d(num_classes: int = 27) -> GoogLeNet:
    """3D-GoogLeNet with random weights; 14 078 833 parameters for 27 classes (Ras2020, Table 1)."""
    network = GoogLeNet(nn.Conv3d, num_classes)
    _drawn(network)
    return network
