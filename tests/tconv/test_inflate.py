"""Kernels of image networks in video networks: which go where, and how they are scaled."""

import pytest
import torch
from torch import Tensor, nn

from kinetoscope.errors import ModelUnusable
from kinetoscope.tconv import Conv3T, inflate
from kinetoscope.tconv.networks import GoogLeNet, ResNet18

# torchvision's published names, with the shapes of its files
RESNET18 = {"conv1": (64, 3, 7), "layer1.1.conv2": (64, 64, 3), "layer2.0.conv1": (128, 64, 3)} | {
    "layer2.0.downsample.0": (128, 64, 1),
    "layer3.0.downsample.0": (256, 128, 1),
    "layer4.1.conv2": (512, 512, 3),
}
GOOGLENET = {
    "conv1.conv": (64, 3, 7),
    "conv3.conv": (192, 64, 3),
    "inception3a.branch1.conv": (64, 192, 1),
    "inception3b.branch3.1.conv": (96, 32, 3),
    "inception4d.branch2.1.conv": (288, 144, 3),
    "inception5b.branch4.1.conv": (128, 832, 1),
}


def image_weights(network: nn.Module) -> dict[str, Tensor]:
    """As in the image network's file: kernels without the time axis, and more that is of no use."""
    generator = torch.Generator().manual_seed(1)
    weights = {"fc.weight": torch.zeros(1000, 512), "bn1.weight": torch.ones(64)}
    for name, source in network.image_names().items():
        layer = network.get_submodule(name)
        shape = (layer.out_channels, layer.in_channels, *layer.kernel_size[1:])
        weights[f"{source}.weight"] = torch.randn(shape, generator=generator)
    return weights


@pytest.mark.parametrize(
    ("build", "published", "count"), [(ResNet18, RESNET18, 20), (GoogLeNet, GOOGLENET, 57)]
)
def test_counterparts_have_the_published_names_and_shapes(build, published, count) -> None:
    with torch.device("meta"):
        network = build(nn.Conv3d)
    sources = {source: network.get_submodule(name) for name, source in network.image_names().items()}
    assert len(sources) == len(network.image_names()) == count
    for source, (out, channels, size) in published.items():
        layer = sources[source]
        assert (layer.out_channels, layer.in_channels, layer.kernel_size[2]) == (out, channels, size)


def test_a_3t_network_takes_kernels_as_first_slices() -> None:
    network = ResNet18(Conv3T, num_classes=4)
    network.conv2.rotate.data.fill_(0.5)
    batch_norm = network.bn1.weight.clone()
    weights = image_weights(network)
    done = inflate(network, weights)
    wanted = weights["layer1.0.conv1.weight"]
    assert torch.equal(network.conv2.weight, wanted[:, :, None].expand(-1, -1, 3, -1, -1))
    assert torch.equal(network.conv6.weight[:, :, 0], weights["layer2.0.downsample.0.weight"])
    assert torch.equal(network.bn1.weight, batch_norm)
    assert done.copied["conv2.first_weight"] == "layer1.0.conv1.weight"
    assert done.copied["conv6.weight"] == "layer2.0.downsample.0.weight"
    assert len(done.copied) == 20
    assert set(done.kept) == set(network.state_dict()) - set(done.copied)
    assert done.unused == ("fc.weight", "bn1.weight")


def test_a_3d_network_takes_them_repeated_and_divided() -> None:
    network = ResNet18(nn.Conv3d, num_classes=4)
    weights = image_weights(network)
    inflate(network, weights)
    for time in range(7):
        torch.testing.assert_close(network.conv1.weight[:, :, time], weights["conv1.weight"] / 7)
    assert torch.equal(network.conv11.weight[:, :, 0], weights["layer3.0.downsample.0.weight"])
    assert network.conv1.weight.requires_grad


def test_nothing_changes_unless_everything_fits() -> None:
    network = ResNet18(Conv3T, num_classes=4)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    weights = image_weights(network)
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
