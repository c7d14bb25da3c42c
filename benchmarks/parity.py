"""Relative error of every recorded layer of the published networks, against their authors' code.

    python benchmarks/parity.py [FOLDER] [--json FILE]

FOLDER (default: `checkpoints` in KINETOSCOPE_DATA) holds one manifest a network, `NAME.json` (the tensors of
the published checkpoint, and digests of what the official code makes of them), and `fill.py`, the rule that
fills tensors and clips with numbers, which is run.
"""

import argparse
import json
import os
from collections.abc import Callable, Iterator
from functools import partial
from importlib import util
from math import isnan, nan
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from kinetoscope.card import ModelCard
from kinetoscope.tconv.layer import Conv3T
from kinetoscope.zoo.entries import find_entry

Errors = dict[str, float]
"""Largest error by layer (or by part of one), relative to the root mean square of what is wanted."""

Manifest = dict[str, Any]
Run = Callable[[nn.Module, Tensor, Manifest], dict[str, Tensor]]
"""Runs a network on a clip; gives the tensors that are outputs of no layer, as the manifest calls them."""


def load_fill(folder: Path) -> ModuleType:
    """The folder's `fill.py`, which is run: name only folders whose programs you would run."""
    spec = util.spec_from_file_location("parity_fill", folder / "fill.py")
    assert spec is not None
    assert spec.loader is not None
    fill = util.module_from_spec(spec)
    spec.loader.exec_module(fill)
    return fill


def _forward(model: nn.Module, clip: Tensor, manifest: Manifest) -> dict[str, Tensor]:
    return {"forward": model(clip)}


def compare_network(
    manifest: Manifest,
    fill: ModuleType,
    *,
    name: str,
    run: Run = _forward,
    size: tuple[int, int, int] | None = None,
    shift: float = 0.0,
) -> Errors:
    """Fill a registered network as its manifest says, run input A, and compare every recorded layer.

    Args:
        manifest, fill: read from one folder.
        name: of the network.
        run: for networks with several outputs; where a layer is called more than once, its last call counts.
        size: (frames, height, width) of input A; None: the clip of the network's card.
        shift: added to input A, which lies in [0, 1).

    Raises:
        KeyError: the network has no layer or output of a recorded name.
        ValueError: one has another shape.
    """
    entry = find_entry(name)
    model: nn.Module = entry.get(entry.build)().eval()
    state = {key: torch.from_numpy(fill.tensor(key, *about[:2])) for key, *about in manifest["tensors"]}
    model.load_state_dict(entry.get(entry.rename)(state) if entry.rename else state)
    card: ModelCard = entry.get(entry.card)
    clip = torch.from_numpy(fill.clip("input-A", (1, card.channels, *(size or card.clip)), shift))
    wanted = {digest["layer"]: digest for digest in manifest["digests"]["A"]}
    errors: Errors = {}

    def note(layer: str, module: nn.Module, args: Any, output: Tensor) -> None:
        errors[layer] = fill.difference(wanted[layer], output.numpy())

    for layer in wanted.keys() & dict(model.named_modules()).keys():
        model.get_submodule(layer).register_forward_hook(partial(note, layer))
    with torch.inference_mode():
        outputs = run(model, clip, manifest)
    for output in wanted.keys() & outputs.keys():
        note(output, model, clip, outputs[output])
    return {layer: errors[layer] for layer in wanted}


def _logits(model: nn.Module, clip: Tensor, manifest: Manifest) -> dict[str, Tensor]:
    _, logits = model(clip)
    return {"forward:logits": logits}


def _rebuild(model: Any, clip: Tensor, manifest: Manifest) -> dict[str, Tensor]:
    """Decodes the recorded codes: one near a tie may fall either way, and each one moves the whole clip."""
    _, _, quantized = model(clip)
    codes = torch.tensor(manifest["codes"]["A"]["flat"]).view(manifest["codes"]["A"]["shape"])
    rebuilt = model.decode(codes)
    return {
        "codebook.embeddings_st": quantized["embeddings"],
        "forward:x_recon": rebuilt,
        "decode(codes)": rebuilt,
    }


def _heads(model: nn.Module, clip: Tensor, manifest: Manifest) -> dict[str, Tensor]:
    return {f"forward:{head}": logits for head, logits in model(clip)._asdict().items()}


def _single(model: nn.Module, clip: Tensor, manifest: Manifest) -> dict[str, Tensor]:
    return {"forward:y": model(clip)}


def compare_conv3t(manifest: Manifest, fill: ModuleType) -> Errors:
    """Kernel, output and gradients of 3T layers, and the gradients of layers that stand still.

    Raises:
        ValueError: a kernel or a gradient has another number of values.
    """
    errors: Errors = {}
    for case in manifest["cases"]:
        name, shapes = case["case"], {key: about["shape"] for key, about in case["gradients"].items()}
        clip = torch.from_numpy(fill.clip(f"input-A:{name}", shapes.pop("input"))).requires_grad_()
        layer = Conv3T(
            case["in_channels"], case["out_channels"], case["kernel"], case["stride"], case["padding"],
            bias=case["bias"],
        )  # fmt: skip
        state = {key: torch.from_numpy(fill.tensor(f"{name}.{key}", shape)) for key, shape in shapes.items()}
        layer.load_state_dict(state)
        output = _drive(layer, clip, fill, name)
        errors[f"{name}.kernel"] = _apart(layer.weight, case["kernel_values"])
        errors[f"{name}.output"] = fill.difference(case["output"], output.numpy())
        for key, parameter in layer.named_parameters():
            errors[f"{name}.grad.{key}"] = _apart(parameter.grad, case["gradients"][key]["values"])
        assert clip.grad is not None
        errors[f"{name}.grad.input"] = fill.difference(case["gradients"]["input"], clip.grad.numpy())
    for case in manifest["identity_gradients"]:
        name = f"ident{case['kernel']}"
        layer = Conv3T(2, 2, case["kernel"], padding=case["padding"], bias=False)
        first = fill.tensor(f"{name}.first_weight", layer.first_weight.shape)
        layer.load_state_dict({"first_weight": torch.from_numpy(first)}, strict=False)
        _drive(layer, torch.from_numpy(fill.clip(f"input-A:{name}", (1, 2, 8, 8, 8))), fill, name)
        for key, wanted in case["gradients"].items():
            errors[f"{name}.grad.{key}"] = _apart(layer.get_parameter(key).grad, wanted)
    return errors


def _drive(layer: nn.Module, clip: Tensor, fill: ModuleType, name: str) -> Tensor:
    """The layer's output, after a backward pass from the recorded gradient."""
    output: Tensor = layer(clip)
    gradient = fill.rng(f"{name}.grad").standard_normal(tuple(output.shape), dtype="float32")
    output.backward(torch.from_numpy(gradient))
    return output.detach()


def _apart(found: Tensor | None, wanted: list[float]) -> float:
    """Largest difference, relative to the root mean square of what is wanted."""
    assert found is not None
    want = torch.tensor(wanted)
    if found.numel() != want.numel():
        raise ValueError(f"{found.numel()} values for {want.numel()}")
    return float((found.detach().flatten() - want).abs().max() / want.square().mean().sqrt())


COMPARISONS: dict[str, Callable[[Manifest, ModuleType], Errors]] = {
    "c3d": partial(compare_network, name="c3d"),
    "i3d_r50_c2": partial(compare_network, name="i3d_r50"),
    "inception_i3d_piergiaj": partial(compare_network, name="i3d_inception_piergiaj"),
    "inception_i3d_hassony2": partial(compare_network, name="i3d_inception_hassony2", run=_logits),
    "videogpt_vqvae": partial(
        compare_network, name="vqvae_ucf101", run=_rebuild, size=(16, 64, 64), shift=-0.5
    ),
    "conv3t_layer": compare_conv3t,
    "resnet18_3t": partial(compare_network, name="resnet18_3t", run=_single),
    "resnet18_3d": partial(compare_network, name="resnet18_3d", run=_single),
    "googlenet_3t": partial(compare_network, name="googlenet_3t", run=_heads),
    "googlenet_3d": partial(compare_network, name="googlenet_3d", run=_heads),
}
"""How each manifest is compared, by its file's name; one more line for one more network."""


def compare_folder(folder: Path) -> Iterator[tuple[str, Errors]]:
    """Every manifest of a folder that has a comparison, with its errors, as soon as they are known."""
    fill = load_fill(folder)
    for name, compare in COMPARISONS.items():
        if (folder / f"{name}.json").is_file():
            yield name, compare(json.loads((folder / f"{name}.json").read_text()), fill)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = Path(os.environ.get("KINETOSCOPE_DATA", "data")) / "checkpoints"
    parser.add_argument("folder", type=Path, nargs="?", default=default)
    parser.add_argument("--json", type=Path, help="write the errors here")
    options = parser.parse_args()
    if not (options.folder / "fill.py").is_file():
        parser.error(f"{options.folder} holds no fill.py; name the folder with the manifests")
    found = {}
    print("| model | layer | relative error |\n|---|---|---|")
    for name, errors in compare_folder(options.folder):
        found[name] = errors
        for layer, error in errors.items():
            print(f"| {name} | {layer} | {error:.1e} |", flush=True)
    every = [error for errors in found.values() for error in errors.values()]
    worst = next((error for error in every if isnan(error)), max(every, default=nan))  # max passes NaN over
    print(f"\n{len(found)} models, largest relative error {worst:.1e}")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
