"""I3D ResNet-50, every eighth of 64 frames, as PySlowFast has it, and the names of its Caffe2 checkpoint."""

import re
from collections import OrderedDict

from jaxtyping import Float
from torch import Tensor, nn

from ..card import ModelCard
from ..types import VideoBatch
from .init import he_normal
from .labels import class_names

CARD = ModelCard(
    clip=(8, 224, 224),
    mean=(0.45, 0.45, 0.45),
    std=(0.225, 0.225, 0.225),
    class_names=class_names("kinetics400"),
    frames_per_second=30 / 8,  # every eighth frame
    output_layer="head.projection",
    suggested_layers=(
        "s1.pathway0_stem",
        "s2.pathway0_res2",
        "s3.pathway0_res3",
        "s4.pathway0_res5",
        "s5.pathway0_res2",
        "head.projection",
    ),
    citation="Carreira and Zisserman, Quo Vadis, Action Recognition? A New Model and the Kinetics Dataset, "
    "CVPR 2017; weights: facebookresearch/SlowFast, I3D_8x8_R50",
)
# channels inside and behind the blocks, spatial stride, and the temporal kernel of each block
_STAGES = {
    "s2": (64, 256, 1, (3, 3, 3)),
    "s3": (128, 512, 2, (3, 1, 3, 1)),
    "s4": (256, 1024, 2, (3, 1, 3, 1, 3, 1)),
    "s5": (512, 2048, 2, (1, 3, 1)),
}


def _conv(inputs: int, outputs: int, kernel: tuple[int, int, int], stride: int = 1) -> nn.Conv3d:
    """Strided in space only, padded by half the kernel, without bias."""
    t, y, x = (k // 2 for k in kernel)
    return nn.Conv3d(inputs, outputs, kernel, (1, stride, stride), (t, y, x), bias=False)


def _stem() -> nn.Module:
    parts = {
        "conv": _conv(3, 64, (5, 7, 7), stride=2),
        "bn": nn.BatchNorm3d(64),
        "relu": nn.ReLU(),
        "pool_layer": nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)),
    }
    return nn.Sequential(OrderedDict(parts))


def _bottleneck(inputs: int, inner: int, outputs: int, frames: int, stride: int) -> nn.Module:
    """Tx1x1, 1x3x3 with the stride, 1x1x1; ReLUs out of place, so that norms can be looked at."""
    parts = {
        "a": _conv(inputs, inner, (frames, 1, 1)),
        "a_bn": nn.BatchNorm3d(inner),
        "a_relu": nn.ReLU(),
        "b": _conv(inner, inner, (1, 3, 3), stride),
        "b_bn": nn.BatchNorm3d(inner),
        "b_relu": nn.ReLU(),
        "c": _conv(inner, outputs, (1, 1, 1)),
        "c_bn": nn.BatchNorm3d(outputs),
    }
    return nn.Sequential(OrderedDict(parts))


class ResBlock(nn.Module):
    """A bottleneck beside the identity, or beside a projection where the shape changes."""

    def __init__(self, inputs: int, inner: int, outputs: int, frames: int, stride: int) -> None:
        super().__init__()
        self.projects = inputs != outputs
        if self.projects:
            self.branch1 = _conv(inputs, outputs, (1, 1, 1), stride)
            self.branch1_bn = nn.BatchNorm3d(outputs)
        self.branch2 = _bottleneck(inputs, inner, outputs, frames, stride)
        self.relu = nn.ReLU()

    def forward(self, x: VideoBatch) -> Float[Tensor, "batch features frames rows columns"]:
        """Rectified sum, (B, outputs, T, H / stride, W / stride)."""
        shortcut = self.branch1_bn(self.branch1(x)) if self.projects else x
        return self.relu(shortcut + self.branch2(x))


def _stage(inputs: int, inner: int, outputs: int, stride: int, kernels: tuple[int, ...]) -> nn.Module:
    blocks: OrderedDict[str, nn.Module] = OrderedDict()
    for i, frames in enumerate(kernels):
        block = ResBlock(outputs if i else inputs, inner, outputs, frames, 1 if i else stride)
        blocks[f"pathway0_res{i}"] = block
    return nn.Sequential(blocks)


class ResNetBasicHead(nn.Module):
    """Averages 4 x 7 x 7 places; `projection` gives the logits of each as (B, T, H, W, classes)."""

    def __init__(self, inputs: int, num_classes: int) -> None:
        super().__init__()
        self.pathway0_avgpool = nn.AvgPool3d((4, 7, 7), stride=1)
        self.dropout = nn.Dropout(0.5)
        self.projection = nn.Linear(inputs, num_classes)
        self.act = nn.Softmax(dim=4)

    def forward(self, x: VideoBatch) -> Float[Tensor, "batch scores"]:
        """Probabilities averaged over places, (B, classes); in training the logits of all places in a row."""
        logits = self.projection(self.dropout(self.pathway0_avgpool(x).permute(0, 2, 3, 4, 1)))
        return logits.flatten(1) if self.training else self.act(logits).mean((1, 2, 3))


class ResNet(nn.Module):
    """Takes normalized clips (B, 3, T, H, W) of at least 8 frames and 193 pixels a side, or a list of one."""

    def __init__(self, num_classes: int = 400) -> None:
        super().__init__()
        self.s1 = nn.Sequential(OrderedDict(pathway0_stem=_stem()))
        channels = 64
        for name, (inner, outputs, stride, kernels) in _STAGES.items():
            self.add_module(name, _stage(channels, inner, outputs, stride, kernels))
            if name == "s2":
                self.pathway0_pool = nn.MaxPool3d((2, 1, 1))
            channels = outputs
        self.head = ResNetBasicHead(channels, num_classes)

    def forward(self, clips: VideoBatch | list[VideoBatch]) -> Float[Tensor, "batch scores"]:
        """What the head gives; PySlowFast hands over one tensor a pathway, and this network has one."""
        x = clips[0] if isinstance(clips, list) else clips
        for layer in self.children():
            x = layer(x)
        return x


def build_i3d_r50(num_classes: int = 400) -> ResNet:
    """The network with random weights, from torch's global generator."""
    model = ResNet(num_classes)
    he_normal(model)
    return model


_BLOB = re.compile(
    r"(?:(?P<stem>conv1|res_conv1)|res(?P<stage>[2-5])_(?P<block>\d)_branch(?P<branch>1|2(?P<step>[abc]))|pred)"
    r"(?P<norm>_bn)?_(?P<kind>w|b|s|rm|riv)"
)
_KINDS = {"w": "weight", "s": "weight", "b": "bias", "rm": "running_mean", "riv": "running_var"}
_IGNORED = ("momentum", "lr", "model_iter")


def from_caffe2(blobs: dict[str, Tensor]) -> dict[str, Tensor]:
    """Name a Caffe2 checkpoint's blobs as this module does, as PySlowFast's own converter would.

    No value is changed (`riv` is the running variance itself). A convolution's missing trailing axes are
    appended; the optimizer's blobs are left out; a name of no meaning here stays, for the loader to report.
    """
    named = {}
    for blob, tensor in blobs.items():
        known = _BLOB.fullmatch(blob)
        if known:
            name = _layer_of(known) + "." + _KINDS[known["kind"]]
            convolution = known["kind"] == "w" and not blob.startswith("pred")
            missing = 5 - tensor.ndim if convolution else 0
            named[name] = tensor.reshape(*tensor.shape, *(1,) * missing)
        elif not any(word in blob for word in _IGNORED):
            named[blob] = tensor
    return named


def _layer_of(blob: re.Match[str]) -> str:
    if blob["stem"]:
        return "s1.pathway0_stem." + ("bn" if blob["norm"] else "conv")
    if not blob["stage"]:
        return "head.projection"
    branch = f"branch2.{blob['step']}" if blob["step"] else "branch1"
    return f"s{blob['stage']}.pathway0_res{blob['block']}.{branch}{blob['norm'] or ''}"
