"""Does a network compute what its authors' code computes? Compared layer by layer with recorded digests.

A folder holds one manifest a network, `NAME.json` (the tensors of the published checkpoint, and digests of
what the official code makes of them), and `fill.py`, the rule that fills tensors and clips with numbers.
"""

import json
from collections.abc import Callable, Iterator
from functools import partial
from importlib import util
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from ..models.card import ModelCard
from ..models.entries import find_entry

Errors = dict[str, float]
"""Largest error by layer, relative to the layer's root mean square."""

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


COMPARISONS: dict[str, Callable[[Manifest, ModuleType], Errors]] = {
    "c3d": partial(compare_network, name="c3d"),
    "i3d_r50_c2": partial(compare_network, name="i3d_r50"),
    "inception_i3d_piergiaj": partial(compare_network, name="i3d_inception_piergiaj"),
    "inception_i3d_hassony2": partial(compare_network, name="i3d_inception_hassony2", run=_logits),
    "videogpt_vqvae": partial(
        compare_network, name="vqvae_ucf101", run=_rebuild, size=(16, 64, 64), shift=-0.5
    ),
}
"""How each manifest is compared, by its file's name; one more line for one more network."""


def compare_folder(folder: Path) -> Iterator[tuple[str, Errors]]:
    """Every manifest of a folder that has a comparison, with its errors, as soon as they are known."""
    fill = load_fill(folder)
    for name, compare in COMPARISONS.items():
        if (folder / f"{name}.json").is_file():
            yield name, compare(json.loads((folder / f"{name}.json").read_text()), fill)
