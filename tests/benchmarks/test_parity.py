import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from torch import Tensor, nn

import parity
from kinetoscope.card import ModelCard

# the rule of a folder: all weights 0.5, a rising clip, and a layer's difference in its sum
FILL = """
import numpy as np

def tensor(name, shape, dtype):
    return np.full(shape, 0.5, np.float32)

def clip(name, shape, shift):
    return shift + np.arange(np.prod(shape), dtype=np.float32).reshape(shape)

def difference(want, array):
    if list(array.shape) != want["shape"]:
        raise ValueError(want["layer"])
    return abs(float(array.sum()) - want["sum"])
"""
CARD = ModelCard(channels=1, clip=(2, 3, 4))


class Net(nn.Module):
    def __init__(self, scale: float) -> None:
        super().__init__()
        self.conv, self.scale = nn.Conv3d(1, 2, 1, bias=False), scale

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = self.conv(x)
        return y, self.scale * y.mean((2, 3, 4))


def rename(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.replace("c_w", "conv.weight"): tensor for name, tensor in state.items()}


@pytest.fixture
def manifest(tmp_path: Path) -> dict:
    (tmp_path / "fill.py").write_text(FILL)
    digests = [
        {"layer": "out:mean", "shape": [1, 2], "sum": 2 * 0.5 * 11.5},
        {"layer": "conv", "shape": [1, 2, 2, 3, 4], "sum": 2 * 0.5 * 23 * 12},
    ]
    return {"tensors": [["c_w", [2, 1, 1, 1, 1], "float32", "more"]], "digests": {"A": digests}}


@dataclass(frozen=True)
class Family:
    """Stands for a registered network and its family file."""

    scale: float
    build, card, rename = "build", "card", "rename"

    def get(self, attribute: str) -> object:
        return {"build": lambda: Net(self.scale), "card": CARD, "rename": rename}[attribute]


def run(model: nn.Module, clip: Tensor, manifest: dict) -> dict[str, Tensor]:
    return {"out:mean": model(clip)[1]}


@pytest.fixture
def compare(manifest: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable:
    def with_scale(scale: float = 1.0, **options: object) -> dict[str, float]:
        monkeypatch.setattr(parity, "find_entry", {"net": Family(scale)}.get)
        return parity.compare_network(manifest, parity.load_fill(tmp_path), name="net", run=run, **options)

    return with_scale


def test_layers_and_outputs_are_compared_in_the_order_recorded(compare: Callable) -> None:
    assert list(compare().items()) == [("out:mean", 0.0), ("conv", 0.0)]
    assert compare(scale=3.0) == {"out:mean": 23.0, "conv": 0.0}
    assert compare(shift=2.0) == {"out:mean": 2.0, "conv": 48.0}


def test_what_is_missing_or_misshapen_is_no_match(compare: Callable, manifest: dict) -> None:
    with pytest.raises(ValueError, match="conv"):
        compare(size=(2, 4, 3))
    manifest["digests"]["A"][1]["layer"] = "convolution"
    with pytest.raises(KeyError, match="convolution"):
        compare()


def test_a_folder_is_compared_as_far_as_it_is_known(
    manifest: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "net.json").write_text(json.dumps(manifest))
    (tmp_path / "other.json").write_text("{}")
    known = {"net": lambda manifest, fill: {"conv": float(len(manifest["tensors"]))}, "absent": None}
    monkeypatch.setattr(parity, "COMPARISONS", known)
    assert list(parity.compare_folder(tmp_path)) == [("net", {"conv": 1.0})]
