"""Layer and networks beside what the official code (redsphinx/3tconv) computes from the same numbers."""

import json
from functools import cache
from types import ModuleType
from typing import Any

import pytest
import torch
from outside import needs, outside
from torch import Tensor

import parity
from kinetoscope.tconv.layer import Conv3T
from kinetoscope.zoo import networks_3t

FOLDER = outside("checkpoints")
pytestmark = needs("checkpoints")
NETWORKS = [f"{name}_{kind}" for name in ("resnet18", "googlenet") for kind in ("3t", "3d")]


@cache
def filler() -> ModuleType:
    return parity.load_fill(FOLDER)


@cache
def manifest(name: str) -> dict[str, Any]:
    return json.loads((FOLDER / f"{name}.json").read_text())


def test_kernel_output_and_gradients_of_layers() -> None:
    errors = parity.compare_conv3t(manifest("conv3t_layer"), filler())
    assert {name.rpartition(".")[0] for name in errors} >= {"k3", "k7s2", "k533", "k533.grad", "ident3.grad"}
    assert len(errors) == 3 * (2 + 6) + 1 + 5 * len(manifest("conv3t_layer")["identity_gradients"])
    assert {name: error for name, error in errors.items() if not error < 1e-4} == {}
    assert max(error for name, error in errors.items() if name.endswith("kernel")) < 1e-5


def test_the_layers_comparison_sees_a_wrong_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Conv3T._kernel

    def backwards(self: Conv3T, *unmet: int) -> Tensor:
        return kernel(self, *unmet).flip(2)

    monkeypatch.setattr(Conv3T, "_kernel", backwards)
    errors = parity.compare_conv3t(manifest("conv3t_layer"), filler())
    assert errors["k533.kernel"] > 0.1
    assert errors["k533.output"] > 0.1
    assert errors["k533.grad.scale"] > 0.1


@pytest.mark.parametrize("name", NETWORKS)
def test_every_recorded_layer_of_a_network(name: str) -> None:
    errors = parity.COMPARISONS[name](manifest(name), filler())
    assert "forward:y" in errors
    assert {layer: error for layer, error in errors.items() if not error <= 1e-4} == {}


@pytest.mark.parametrize("name", NETWORKS)
def test_names_of_the_official_state_dict(name: str) -> None:
    recorded = manifest(name)
    derived = recorded["derived_tensors_whose_value_never_matters"]
    with torch.device("meta"):
        network = getattr(networks_3t, f"build_{name}")()
    wanted = {row[0]: tuple(row[1]) for row in recorded["tensors"] if row[0] not in derived}
    assert {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()} == wanted
