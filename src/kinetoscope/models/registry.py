"""The models that go by a name of their own, and loading any model together with its card.

A new model needs one `Entry` in `ENTRIES` and a family file beside this one that builds it.
"""

import hashlib
import zipfile
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import ModelNotFound, ModelUnusable, SettingInvalid, closest
from .card import ModelCard


@dataclass(frozen=True)
class Entry:
    """One registered model; everything but this line is loaded when it is asked for.

    Attributes:
        name: as a user writes it.
        architecture: in a word or two.
        module: family file in this package.
        build: function there that makes the network with random weights.
        card: its ModelCard there.
        bundled: function there that gives the network with the weights shipped in the package; "" for none.
        source: where those or the published weights come from.
        classes: outputs, where they are fixed; None when `build` takes `num_classes`.
    """

    name: str
    architecture: str
    module: str
    build: str
    card: str
    bundled: str = ""
    source: str = ""
    classes: int | None = None

    def get(self, attribute: str) -> Any:
        """An attribute of the family file."""
        return getattr(import_module(f".{self.module}", __package__), attribute)


ENTRIES = (
    Entry(
        name="motion13",
        architecture="C3D-style, 6 convolutions",
        module="motion13",
        build="build_motion13",
        card="CARD",
        bundled="load_bundled",
        source="bundled",
        classes=13,
    ),
)


def load_model(
    name: str, *, weights: str = "default", seed: int = 0, num_classes: int | None = None
) -> nn.Module:
    """Load a network in evaluation mode, with its card as `kinetoscope_card`.

    What the weights were stands in `kinetoscope_weights`: `name` and `sha256` (see `weights_sha256`).

    Args:
        name: a registered name, `torchvision:NAME`, `package.module:factory` or `path/to/file.py:factory`.
        weights: `default` (shipped, published, or as the factory made them), `random`, or a file:
            safetensors, or a torch zip archive of plain tensors.
        seed: of random weights; torch's global generators stay as they are.
        num_classes: outputs, for models that leave it open.

    Raises:
        ModelNotFound: no such model, factory or file.
        ModelUnusable: the weights do not fit, or the model cannot be visualised.
        SettingInvalid: `num_classes` for a model whose outputs are fixed.
    """
    if "://" in weights:
        raise ModelUnusable(
            f"weights from a URL are not offered ({weights}); download the file and give its path"
        )
    model, card = _build(name, "default" if weights == "default" else "random", seed, num_classes)
    if weights not in ("default", "random"):
        load_weights(model, Path(weights))
    model.kinetoscope_card = card  # type: ignore[assignment]
    known_as = weights if weights in ("default", "random") else Path(weights).name
    model.kinetoscope_weights = {"name": known_as, "sha256": weights_sha256(model)}  # type: ignore[assignment]
    return model.eval()


def _build(name: str, weights: str, seed: int, num_classes: int | None) -> tuple[nn.Module, ModelCard]:
    from .factory import load_factory

    with torch.random.fork_rng(devices=[]):
        # the CPU generator only: torch.manual_seed would reseed every accelerator as well
        torch.default_generator.manual_seed(seed)
        if ":" in name:
            return load_factory(name, weights=weights, num_classes=num_classes)
        entry = find_entry(name)
        options = {} if num_classes is None or entry.classes else {"num_classes": num_classes}
        if num_classes is not None and entry.classes and num_classes != entry.classes:
            raise SettingInvalid(f"{name} has {entry.classes} classes; leave num_classes={num_classes} out")
        if weights == "default" and not entry.bundled:
            raise ModelUnusable(
                f"{name} comes without weights; give a file with --weights, or --weights random"
            )
        builder = entry.bundled if weights == "default" else entry.build
        return entry.get(builder)(**options), entry.get(entry.card)


def find_entry(name: str) -> Entry:
    """The registered model of that name.

    Raises:
        ModelNotFound: there is none.
    """
    entries = {entry.name: entry for entry in ENTRIES}
    if name not in entries:
        raise ModelNotFound(
            f"no model is called {name!r}; closest: {closest(name, entries)}; others are written "
            "torchvision:NAME, package.module:factory or path/to/file.py:factory"
        )
    return entries[name]


def card_of(model: nn.Module) -> ModelCard:
    """The model's own card, or a guess: channels of its first convolution, and the default clip.

    Raises:
        ModelUnusable: the model takes neither RGB nor grey clips.
    """
    card = getattr(model, "kinetoscope_card", None)
    if card is None:
        convolutions = (m for m in model.modules() if isinstance(m, (nn.Conv3d, nn.Conv2d)))
        card = ModelCard(channels=next((m.in_channels for m in convolutions), 3))
    if card.channels not in (1, 3):
        raise ModelUnusable(
            f"non-RGB input of {card.channels} channels cannot be shown as a video; models of 3 channels "
            "(RGB) or 1 (grey) can"
        )
    return card


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
                "weights": _default_weights(entry) if entry.bundled else [],
            }
        )
    return rows


def _default_weights(entry: Entry) -> list[dict[str, Any]]:
    try:
        with torch.random.fork_rng(devices=[]):
            sha256 = weights_sha256(entry.get(entry.bundled)())
    except ModelUnusable:  # missing from this installation; the list says so
        sha256 = ""
    return [{"name": "default", "source": entry.source, "sha256": sha256, "available": bool(sha256)}]


def weights_sha256(model: nn.Module) -> str:
    """SHA-256 of a model's state: names, types, shapes and bytes of all its tensors, in order of name."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        if isinstance(tensor, Tensor):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
            flat = tensor.detach().cpu().contiguous().reshape(-1)
            digest.update(flat.view(torch.uint8).numpy().data)
    return digest.hexdigest()


def load_weights(model: nn.Module, path: Path) -> None:
    """Fill a model from a file; nothing is changed unless everything fits.

    Raises:
        ModelUnusable: the file is missing or no weights file, or its tensors are not the model's; all
            missing, extra and misshapen ones are named.
    """
    given, wanted = read_weights(path), model.state_dict()
    if given.keys().isdisjoint(wanted) and all(name.startswith("module.") for name in given):
        given = {
            name.removeprefix("module."): tensor for name, tensor in given.items()
        }  # DataParallel's prefix
    misshapen = [
        f"{name} {tuple(given[name].shape)} for {tuple(tensor.shape)}"
        for name, tensor in wanted.items()
        if name in given and given[name].shape != tensor.shape
    ]
    faults = {
        "missing": [name for name in wanted if name not in given],
        "extra": [name for name in given if name not in wanted],
        "of another shape": misshapen,
    }
    told = "; ".join(f"{kind}: {', '.join(names)}" for kind, names in faults.items() if names)
    if told:
        raise ModelUnusable(f"{path} does not fit the model; {told}; give weights of this architecture")
    model.load_state_dict(given)


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file or of a torch zip archive; nothing in the file is ever executed.

    Raises:
        ModelUnusable: the file is missing, broken, or holds something else.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        raise ModelUnusable(f"no weights file {path}; --weights takes default, random or a file")
    try:
        if not zipfile.is_zipfile(path):
            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, UnpicklingError, RuntimeError, OSError) as error:
        raise ModelUnusable(
            f"{path} cannot be read as weights; give safetensors, or a torch zip archive of plain tensors"
        ) from error
    for key in ("state_dict", "model_state_dict", "model"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict) or not all(isinstance(t, Tensor) for t in content.values()):
        raise ModelUnusable(
            f"{path} holds no plain state dict (names and tensors); save model.state_dict() to it"
        )
    return content
