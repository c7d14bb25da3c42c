"""Loading any model by name, with its weights and its card; and the list of those that have a name."""

import hashlib
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from ..card import ModelCard
from ..errors import ModelUnusable, SettingInvalid, listed
from ..weights.checkpoints import load_weights
from ..weights.download import fetch, published_at
from .entries import ENTRIES, Entry, find_entry
from .factory import load_factory


@dataclass(frozen=True)
class Weights:
    """What a model's weights are.

    Attributes:
        name: `default`, `random`, or the name of their file; "" for a model that `load_model` did not load.
        sha256: as `weights_sha256` has it.
    """

    name: str
    sha256: str


_LOADED: "WeakKeyDictionary[nn.Module, Weights]" = WeakKeyDictionary()


def weights_of(model: nn.Module) -> Weights:
    """What `load_model` filled a model with; of any other model what it holds now."""
    return _LOADED.get(model) or Weights("", weights_sha256(model))


def load_model(
    name: str, *, weights: str = "default", seed: int = 0, num_classes: int | None = None
) -> nn.Module:
    """Load a network in evaluation mode, with its card as `kinetoscope_card`.

    What the weights were stands in `kinetoscope_weights`, a dictionary of `name` and `sha256` (see
    `weights_sha256`).

    Args:
        name: a registered name, of this package or of another one's entry point in `kinetoscope.models`,
            `torchvision:NAME`, `hf:NAME`, `package.module:factory` or `path/to/file.py:factory`.
        weights: `default` (shipped; published, from the cache or else downloaded into it; or as the factory
            made them), `random`, a file as `checkpoints.read_weights` takes it, or its https address; for
            torchvision also a name such as `KINETICS400_V1`.
        seed: of random weights; torch's global generators stay as they are.
        num_classes: outputs, for models that leave it open.

    Raises:
        ModelNotFound: no such model, factory or file.
        ModelUnusable: the weights cannot be had or do not fit, or the model cannot be visualised.
        OutputUnwritable: the cache cannot be written.
        SettingInvalid: `num_classes` for a model whose outputs are fixed.

    Examples:
        >>> model = ks.load_model("motion13")
        >>> ks.load_model("c3d", weights="random", seed=3, num_classes=7).kinetoscope_weights["name"]
        'random'
    """
    entry = None if ":" in name else find_entry(name)
    fixed = entry.classes if entry else None
    if num_classes is not None and fixed is not None and num_classes != fixed:
        raise SettingInvalid(f"{name} has {fixed} classes; leave num_classes={num_classes} out")
    path = _weights_file(name, entry, weights)
    model, card = _build(name, entry, "random" if path else weights, seed, num_classes)
    if path is not None:
        load_weights(model, path, entry.get(entry.rename) if entry and entry.rename else None)
    known_as = weights if path is None or weights == "default" else path.name
    _LOADED[model] = Weights(known_as, weights_sha256(model))
    # for the caller's eyes: the package itself asks `card_of` and `weights_of`
    vars(model).update(kinetoscope_card=card, kinetoscope_weights=asdict(_LOADED[model]))
    return model.eval()


def _weights_file(name: str, entry: Entry | None, weights: str) -> Path | None:
    """The file that holds the weights, downloaded if need be; None where the model makes its own."""
    if "://" in weights:
        return fetch(published_at(weights))
    if weights == "default" and entry is not None and entry.published is not None:
        return fetch(entry.published)
    if name.startswith("torchvision:") and weights.rpartition(".")[2].isupper():
        return None  # a name out of torchvision's enumeration
    return None if weights in ("default", "random") else Path(weights)


def _build(
    name: str, entry: Entry | None, weights: str, seed: int, num_classes: int | None
) -> tuple[nn.Module, ModelCard]:
    with torch.random.fork_rng(devices=[]):
        # the CPU generator only: torch.manual_seed would reseed every accelerator as well
        torch.default_generator.manual_seed(seed)
        if entry is None:
            return load_factory(name, weights=weights, num_classes=num_classes)
        if weights == "default" and not entry.bundled:
            raise ModelUnusable(
                f"{name} comes without weights; give a file with --weights, or --weights random"
            )
        options = {} if num_classes is None or entry.classes is not None else {"num_classes": num_classes}
        builder = entry.bundled if weights == "default" else entry.build
        card = entry.get(entry.card)
        if num_classes not in (None, len(card.class_names)):
            card = replace(card, class_names=())
        return entry.get(builder)(**options), card


def registered() -> list[dict[str, Any]]:
    """The registered models, as plain values; keys as `kinetoscope models --json` prints them."""
    rows = []
    for entry in ENTRIES:
        card: ModelCard = entry.get(entry.card)
        with torch.device("meta"), torch.random.fork_rng(devices=[]):
            parameters = sum(p.numel() for p in entry.get(entry.build)().parameters())
        frames, height, width = card.clip
        clip = {"frames": frames, "height": height, "width": width, "channels": card.channels}
        rows.append(
            {
                "name": entry.name,
                "architecture": entry.architecture,
                "parameters": parameters,
                "clip": clip,
                "bundled": bool(entry.bundled),
                "citation": card.citation,
                "weights": _weights_of(entry),
            }
        )
    return rows


def _weights_of(entry: Entry) -> list[dict[str, Any]]:
    """SHA-256 of shipped weights as `weights_sha256` has it; of published ones, the file's, where known."""
    if entry.published is not None:
        source, sha256 = entry.published.url, entry.published.sha256
        available = entry.published.path.is_file()
    elif entry.bundled:
        source, sha256 = "bundled", _bundled_sha256(entry)
        available = bool(sha256)
    else:
        return []
    return [{"name": "default", "source": source, "sha256": sha256, "available": available}]


def _bundled_sha256(entry: Entry) -> str:
    try:
        with torch.random.fork_rng(devices=[]):
            return weights_sha256(entry.get(entry.bundled)())
    except ModelUnusable:  # missing from this installation; the list says so
        return ""


def weights_sha256(model: nn.Module) -> str:
    """SHA-256 of a model's state: names, types, shapes and bytes of all its tensors, in order of name.

    Raises:
        ModelUnusable: tensors of lazy modules that have not run yet.
    """
    digest = hashlib.sha256()
    state = model.state_dict()
    if lazy := [name for name, tensor in state.items() if is_lazy(tensor)]:
        raise ModelUnusable(
            f"weights not initialized yet: {listed(lazy)}; let the factory run the model once on a clip"
        )
    for name, tensor in sorted(state.items()):
        if isinstance(tensor, Tensor):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
            flat = tensor.detach().cpu().contiguous().reshape(-1)
            digest.update(flat.view(torch.uint8).numpy().data)
    return digest.hexdigest()
