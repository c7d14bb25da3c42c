"""Kernels of image networks in video networks: which go where, and how they are scaled."""

import pytest
import torch
from torch import Tensor, nn

from kinetoscope.errors import ModelUnusable
from kinetoscope.tconv import Conv3T, inflate
from kinetoscope.zoo.networks_3t import GoogLeNet, ResNet18

NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
Shapes = dict[str, tuple[int, ...]]

# Inception blocks as torchvision builds them: channels in; of branch 1; of 2, twice; of 3, twice; of 4
INCEPTION = {
    "3a": (192, 64, 96, 128, 16, 32, 32),
    "3b": (256, 128, 128, 192, 32, 96, 64),
    "4a": (480, 192, 96, 208, 16, 48, 64),
    "4b": (512, 160, 112, 224, 24, 64, 64),
    "4c": (512, 128, 128, 256, 24, 64, 64),
    "4d": (512, 112, 144, 288, 32, 64, 64),
    "4e": (528, 256, 160, 320, 32, 128, 128),
    "5a": (832, 256, 160, 320, 32, 128, 128),
    "5b": (832, 384, 192, 384, 48, 128, 128),
}


def convolution(name: str, norm: str, channels: int, out: int, size: int) -> Shapes:
    """A convolution and its batch norm."""
    sizes = {part: () if part == "num_batches_tracked" else (out,) for part in NORM}
    return {f"{name}.weight": (out, channels, size, size), **{f"{norm}.{k}": v for k, v in sizes.items()}}


def basic(name: str, channels: int, out: int, size: int = 1) -> Shapes:
    """torchvision's BasicConv2d."""
    return convolution(f"{name}.conv", f"{name}.bn", channels, out, size)


def linear(name: str, given: int, out: int) -> Shapes:
    return {f"{name}.weight": (out, given), f"{name}.bias": (out,)}


def resnet18(classes: int = 1000) -> Shapes:
    """Names and shapes of torchvision's `resnet18`, in its order."""
    shapes = convolution("conv1", "bn1", 3, 64, 7)
    channels = 64
    for stage in range(1, 5):
        out = 32 * 2**stage
        for block in range(2):
            name = f"layer{stage}.{block}"
            shapes |= convolution(f"{name}.conv1", f"{name}.bn1", channels, out, 3)
            shapes |= convolution(f"{name}.conv2", f"{name}.bn2", out, out, 3)
            if channels != out:
                shapes |= convolution(f"{name}.downsample.0", f"{name}.downsample.1", channels, out, 1)
            channels = out
    return shapes | linear("fc", 512, classes)


def googlenet(classes: int = 1000, heads: bool = True) -> Shapes:
    """Names and shapes of torchvision's `googlenet`; its published file has the auxiliary heads."""
    shapes = basic("conv1", 3, 64, 7) | basic("conv2", 64, 64) | basic("conv3", 64, 192, 3)
    for block, (given, one, two, twice, three, thrice, four) in INCEPTION.items():
        name = f"inception{block}"
        shapes |= basic(f"{name}.branch1", given, one)
        shapes |= basic(f"{name}.branch2.0", given, two) | basic(f"{name}.branch2.1", two, twice, 3)
        shapes |= basic(f"{name}.branch3.0", given, three) | basic(f"{name}.branch3.1", three, thrice, 3)
        shapes |= basic(f"{name}.branch4.1", given, four)
    for head, given in (("aux1", 512), ("aux2", 528)) if heads else ():
        shapes |= basic(f"{head}.conv", given, 128)
        shapes |= linear(f"{head}.fc1", 2048, 1024) | linear(f"{head}.fc2", 1024, classes)
    return shapes | linear("fc", 1024, classes)


PUBLISHED = [
    (ResNet18, resnet18(), 20),
    (ResNet18, resnet18(classes=7), 20),
    (GoogLeNet, googlenet(), 57),
    (GoogLeNet, googlenet(heads=False), 57),
]


def image_weights() -> dict[str, Tensor]:
    """As in the file of `resnet18`."""
    generator = torch.Generator().manual_seed(1)
    return {name: torch.randn(shape, generator=generator) for name, shape in resnet18().items()}


@pytest.mark.parametrize(("build", "published", "count"), PUBLISHED)
@pytest.mark.parametrize("kind", [Conv3T, nn.Conv3d])
def test_every_published_tensor_is_copied_or_left_knowingly(build, published, count, kind) -> None:
    with torch.device("meta"):
        network = build(kind)
        done = inflate(network, {name: torch.empty(shape) for name, shape in published.items()})
    assert len(done.copied) == count
    assert {*done.copied.values(), *done.unused} == set(published)
    assert set(done.copied.values()) == {
        name for name, shape in published.items() if len(shape) == 4 and not name.startswith("aux")
    }
    convolutions = [name for name, part in network.named_modules() if isinstance(part, nn.Conv3d)]
    aside = {"conv28", "conv47"} if build is GoogLeNet else set()  # the auxiliary heads' own
    assert {name.rpartition(".")[0] for name in done.copied} == set(convolutions) - aside


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"layer5.0.conv1.weight": (64,)}, "ResNet18: layer5.0.conv1.weight is none of its tensors; give"),
        ({"layer1.0.downsample.1.bias": (64,)}, "downsample.1.bias is none"),
        ({"conv1.bias": (64,)}, "conv1.bias is none of its tensors"),
        (
            dict.fromkeys([f"module.{n}" for n in range(9)], (1,)),
            r"module.2 is none of its tensors; and 6 more",
        ),
    ],
)
def test_other_tensors_are_refused(changes: Shapes, told: str) -> None:
    with torch.device("meta"):
        network = ResNet18(Conv3T)
        weights = {name: torch.empty(shape) for name, shape in (resnet18() | changes).items()}
        with pytest.raises(ModelUnusable, match=told) as caught:
            inflate(network, weights)
        with pytest.raises(ModelUnusable, match=r"GoogLeNet: conv1.conv.weight is missing; .* more; give"):
            inflate(GoogLeNet(Conv3T), weights)
    assert "\n" not in str(caught.value)


def test_a_3t_network_takes_kernels_as_first_slices() -> None:
    network = ResNet18(Conv3T, num_classes=4)
    network.conv2.rotate.data.fill_(0.5)
    batch_norm = network.bn1.weight.clone()
    weights = image_weights()
    done = inflate(network, weights)
    wanted = weights["layer1.0.conv1.weight"]
    assert torch.equal(network.conv2.weight, wanted[:, :, None].expand(-1, -1, 3, -1, -1))
    assert torch.equal(network.conv6.weight[:, :, 0], weights["layer2.0.downsample.0.weight"])
    assert torch.equal(network.bn1.weight, batch_norm)
    assert done.copied["conv2.first_weight"] == "layer1.0.conv1.weight"
    assert done.copied["conv6.weight"] == "layer2.0.downsample.0.weight"
    assert len(done.copied) == 20
    assert set(done.kept) == set(network.state_dict()) - set(done.copied)
    assert set(done.unused) == set(weights) - set(done.copied.values())


def test_a_3d_network_takes_them_repeated_and_divided() -> None:
    network = ResNet18(nn.Conv3d, num_classes=4)
    weights = image_weights()
    inflate(network, weights)
    for time in range(7):
        torch.testing.assert_close(network.conv1.weight[:, :, time], weights["conv1.weight"] / 7)
    assert torch.equal(network.conv11.weight[:, :, 0], weights["layer3.0.downsample.0.weight"])
    assert network.conv1.weight.requires_grad


def test_nothing_changes_unless_everything_fits() -> None:
    network = ResNet18(Conv3T, num_classes=4)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    weights = image_weights()
    del weights["layer4.0.conv1.weight"]
    weights["layer1.0.conv2.weight"] = torch.zeros(3, 3)
    with pytest.raises(
        ModelUnusable, match=r"layer1.0.conv2.weight is \(3, 3\).*layer4.0.conv1.weight is missing"
    ):
        inflate(network, weights)
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


def test_any_network_with_names_of_its_own() -> None:
    network = nn.Sequential(nn.BatchNorm3d(2), nn.Conv3d(2, 6, (3, 2, 5), groups=2))
    kernel = torch.randn(6, 1, 2, 5)
    done = inflate(network, {"stem.weight": kernel}, names={"1": "stem"})
    torch.testing.assert_close(network[1].weight.sum(dim=2), kernel)
    assert done.copied == {"1.weight": "stem.weight"}
    with pytest.raises(ModelUnusable, match="0 is a BatchNorm3d"):
        inflate(network, {"stem.weight": kernel}, names={"0": "stem"})
    with pytest.raises(ModelUnusable, match="give names"):
        inflate(network, {"stem.weight": kernel})
