"""Layer and networks beside what the official code (redsphinx/3tconv) computes from the same numbers."""

import json
import os
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from kinetoscope.evaluation.parity import load_fill
from kinetoscope.tconv import networks
from kinetoscope.tconv.layer import Conv3T

FOLDER = Path(os.environ.get("KINETOSCOPE_DATA", "data")) / "checkpoints"
pytestmark = pytest.mark.skipif(
    not (FOLDER / "conv3t_layer.json").is_file(), reason="KINETOSCOPE_DATA names no folder with checkpoints"
)
PARAMETERS = ("scale", "rotate", "translate_x", "translate_y")
OUTPUTS = {
    "resnet18": {"forward:y"},
    "googlenet": {"forward:aux1", "forward:aux2", "forward:y"},
}


@cache
def filler() -> ModuleType:
    return load_fill(FOLDER)


@cache
def manifest(name: str) -> dict[str, Any]:
    return json.loads((FOLDER / f"{name}.json").read_text())


def apart(got: Tensor, wanted: list[float]) -> float:
    """Largest difference, relative to the root mean square of what is wanted."""
    want = torch.tensor(wanted)
    return float((got.detach().flatten() - want).abs().max() / want.square().mean().sqrt())


def answer(layer: Conv3T, clip: Tensor, name: str) -> Tensor:
    """The layer's output, after a backward pass from the recorded gradient."""
    output = layer(clip)
    grad = filler().rng(f"{name}.grad").standard_normal(tuple(output.shape), dtype=np.float32)
    output.backward(torch.from_numpy(grad))
    return output


@pytest.mark.parametrize("index", range(3))
def test_kernel_output_and_gradients_of_a_layer(index: int) -> None:
    case, fill = manifest("conv3t_layer")["cases"][index], filler()
    name, channels, out = case["case"], case["in_channels"], case["out_channels"]
    kernel = case["kernel"]
    layer = Conv3T(channels, out, kernel, case["stride"], case["padding"], bias=case["bias"])
    shapes = dict.fromkeys(PARAMETERS, (kernel[0] - 1, out))
    shapes |= {"first_weight": (out, channels, 1, *kernel[1:])} | ({"bias": (out,)} if case["bias"] else {})
    state = {part: torch.from_numpy(fill.tensor(f"{name}.{part}", shape)) for part, shape in shapes.items()}
    layer.load_state_dict({**state, "weight": torch.zeros(case["kernel_shape"])})
    clip = torch.from_numpy(fill.clip(f"input-A:{name}", case["gradients"]["input"]["shape"]))
    output = answer(layer, clip.requires_grad_(), name)
    assert apart(layer.weight, case["kernel_values"]) < 1e-5
    assert fill.difference(case["output"], output.detach().numpy()) < 1e-4
    for part, tensor in layer.named_parameters():
        assert apart(tensor.grad, case["gradients"][part]["values"]) < 1e-4, part
    assert fill.difference(case["gradients"]["input"], clip.grad.numpy()) < 1e-4


def test_first_gradients_of_a_new_layer() -> None:
    recorded = [c for c in manifest("conv3t_layer")["identity_gradients"] if c["kernel"] in (3, 5)]
    for case in recorded:
        size = case["kernel"]
        layer = Conv3T(2, 2, size, padding=case["padding"], bias=False)
        first = filler().tensor(f"ident{size}.first_weight", (2, 2, 1, size, size))
        layer.first_weight.data.copy_(torch.from_numpy(first))
        clip = filler().clip(f"input-A:ident{size}", (1, 2, 8, 8, 8))
        answer(layer, torch.from_numpy(clip), f"ident{size}")
        for part, wanted in case["gradients"].items():
            assert apart(getattr(layer, part).grad, wanted) < 1e-4, part


@pytest.mark.parametrize("kind", ["3t", "3d"])
@pytest.mark.parametrize("name", OUTPUTS)
def test_every_recorded_layer_of_a_network(name: str, kind: str) -> None:
    recorded, fill = manifest(f"{name}_{kind}"), filler()
    network = getattr(networks, f"build_{name}_{kind}")().eval()
    network.load_state_dict({row[0]: torch.from_numpy(fill.tensor(*row[:2])) for row in recorded["tensors"]})
    wanted = {digest["layer"]: digest for digest in recorded["digests"]["A"]}
    errors: dict[str, float] = {}

    def note(layer: str, output: Tensor) -> None:
        errors[layer] = fill.difference(wanted[layer], output.numpy())

    for layer in wanted.keys() & dict(network.named_modules()).keys():
        module = network.get_submodule(layer)
        module.register_forward_hook(lambda _, __, output, layer=layer: note(layer, output))
    with torch.inference_mode():
        given = network(torch.from_numpy(fill.clip("input-A", (1, 3, 30, 150, 224))))
    for output in wanted.keys() & OUTPUTS[name]:
        note(output, given if isinstance(given, Tensor) else getattr(given, output.partition(":")[2]))
    assert errors.keys() == wanted.keys()
    assert {layer: error for layer, error in errors.items() if not error <= 1e-4} == {}


@pytest.mark.parametrize("kind", ["3t", "3d"])
@pytest.mark.parametrize("name", OUTPUTS)
def test_names_of_the_official_state_dict(name: str, kind: str) -> None:
    recorded = manifest(f"{name}_{kind}")
    derived = recorded["derived_tensors_whose_value_never_matters"]
    with torch.device("meta"):
        network = getattr(networks, f"build_{name}_{kind}")()
    wanted = {row[0]: tuple(row[1]) for row in recorded["tensors"] if row[0] not in derived}
    assert {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()} == wanted
