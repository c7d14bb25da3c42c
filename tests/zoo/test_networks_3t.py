"""The published networks: their sizes, and what may be fed to them."""

import pytest
import torch
from torch import nn

from kinetoscope.tconv.layer import Conv3T
from kinetoscope.zoo import networks_3t
from kinetoscope.zoo.networks_3t import ResNet18, build_googlenet_3t, build_resnet18_3t

# Ras et al. 2020, Table 1: for 27 and 101 classes
PARAMETERS = {
    "googlenet_3t": (7_419_121, 7_646_671),
    "googlenet_3d": (14_078_833, 14_306_383),
    "resnet18_3t": (11_222_619, 11_260_581),
    "resnet18_3d": (33_217_755, 33_255_717),
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_are_those_of_the_paper(name: str) -> None:
    build = getattr(networks_3t, f"build_{name}")
    with torch.device("meta"):
        counted = [sum(p.numel() for p in build(classes).parameters()) for classes in (27, 101)]
        default = build()
    assert counted == list(PARAMETERS[name])
    kinds = {m.kernel_size[0]: type(m) for m in default.modules() if isinstance(m, nn.Conv3d)}
    assert kinds == {1: nn.Conv3d, 3: kinds[3], 7: kinds[3]}
    assert kinds[3] is (Conv3T if name.endswith("3t") else nn.Conv3d)


def test_cards_name_layers_and_classes() -> None:
    for card, build in (
        (networks_3t.RESNET18_CARD, build_resnet18_3t),
        (networks_3t.GOOGLENET_CARD, build_googlenet_3t),
    ):
        with torch.device("meta"):
            network = build()
        assert card.clip == (30, 150, 224)
        assert len(card.class_names) == 27
        assert network.get_submodule(card.output_layer).out_features == 27
        assert set(card.suggested_layers) <= {name for name, _ in network.named_modules()}


def test_resnet_takes_any_clip_and_trains() -> None:
    torch.manual_seed(0)
    network = ResNet18(Conv3T, num_classes=5)
    logits = network(torch.randn(2, 3, 9, 33, 40))
    assert logits.shape == (2, 5)
    logits.logsumexp(dim=1).sum().backward()
    assert all(p.grad is not None for p in network.parameters())


def test_deep_layers_answer_before_training() -> None:
    torch.manual_seed(0)
    network = build_googlenet_3t().eval()
    with torch.inference_mode():
        given = network(torch.randn(1, 3, 30, 150, 224))
    assert given._fields == ("aux1", "aux2", "y")
    assert [tuple(part.shape) for part in given] == [(1, 27)] * 3
    assert float((given.y - network.fc5.bias.detach()).abs().max()) > 0.01
