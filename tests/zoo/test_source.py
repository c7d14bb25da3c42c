"""A digest of what a network computes: its parts, their settings, and the code they are written in."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import nn

from kinetoscope import ModelCard
from kinetoscope.metric import NaturalMetric
from kinetoscope.zoo.registry import load_model, weights_of, weights_sha256
from kinetoscope.zoo.source import source_sha256

FILE = """
import torch
from torch import nn


def passed(x):
    return {act}(x)


class Base(nn.Module):
    def forward(self, x):
        return passed(x)


class Part(Base):
    def __init__(self, slope=0.5):
        super().__init__()
        self.slope = slope
"""


def module(path: Path, act: str) -> ModuleType:
    path.write_text(FILE.format(act=act))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = made
    spec.loader.exec_module(made)
    return made


def test_parts_of_torch_count_by_class_settings_and_place() -> None:
    one = nn.Sequential(nn.Conv3d(3, 4, 3), nn.ReLU())
    assert source_sha256(one) == source_sha256(nn.Sequential(nn.Conv3d(3, 4, 3), nn.ReLU()).train(False))
    for other in (
        nn.Sequential(nn.Conv3d(3, 4, 3), nn.Tanh()),
        nn.Sequential(nn.Conv3d(3, 4, 3, padding=1), nn.ReLU()),
        nn.Sequential(nn.Conv3d(3, 4, 3), nn.LeakyReLU(0.3)),
        nn.Sequential(nn.ReLU(), nn.Conv3d(3, 4, 3)),
    ):
        assert source_sha256(one) != source_sha256(other)


def test_code_of_ones_own_counts_with_the_functions_it_uses(tmp_path: Path) -> None:
    file = tmp_path / "parts_of_my_own.py"
    first = source_sha256(module(file, "torch.relu").Part())
    assert source_sha256(module(file, "torch.relu").Part()) == first
    assert source_sha256(module(file, "torch.relu").Part(slope=0.25)) != first
    assert source_sha256(module(file, "torch.tanh").Part()) != first
    other = tmp_path / "elsewhere" / file.name
    other.parent.mkdir()
    assert source_sha256(module(other, "torch.relu").Part()) == first  # content, not path


CELLS = """
from torch import nn
import torch
from kinetoscope.zoo.source import source_sha256
for act in ("relu", "tanh"):
    exec(f'''
class Cell(nn.Module):
    def forward(self, x):
        return torch.{act}(x) if 3 in {{"a", "b", "c", 3}} else (lambda y: y + 1)(x)
''')
    print(source_sha256(Cell()))
"""


def test_a_class_without_a_file_counts_by_its_code_in_every_process(
    capsys: pytest.CaptureFixture[str],
) -> None:
    elsewhere = f"exec({CELLS!r}, {{'__name__': 'cells'}})"
    own = {**os.environ, "PYTHONHASHSEED": "1" if hash("a") % 2 else "2"}
    done = subprocess.run([sys.executable, "-c", elsewhere], capture_output=True, text=True, env=own)
    assert done.stderr == ""
    exec(CELLS, {"__name__": "cells"})
    told = capsys.readouterr().out
    assert told == done.stdout  # though sets are in another order
    assert len(set(told.split())) == 2


def test_weights_are_known_of_loaded_models_and_counted_of_others() -> None:
    loaded = load_model("motion13", weights="random", seed=2)
    assert (weights_of(loaded).name, weights_of(loaded).sha256) == ("random", weights_sha256(loaded))
    mine = nn.Conv3d(3, 4, 3)
    assert (weights_of(mine).name, weights_of(mine).sha256) == ("", weights_sha256(mine))


@pytest.mark.parametrize(
    "change",
    [
        {"mean": (0.5,)},
        {"std": (0.5,)},
        {"channel_order": "BGR"},
        {"class_names": ("b", "a")},
        {"metric": NaturalMetric(power=0.5)},
    ],
)
def test_a_card_is_another_where_anything_on_it_is(change: dict) -> None:
    usual = {"class_names": ("a", "b")}
    assert ModelCard(**usual).sha256 == ModelCard(**usual).sha256
    assert ModelCard(**{**usual, **change}).sha256 != ModelCard(**usual).sha256


def test_a_card_normalizes_and_names_units() -> None:
    card = ModelCard(
        value_range=(0.0, 255.0), channel_order="BGR", mean=(1.0, 2.0, 3.0), std=(2.0,), class_names=("a",),
        output_layer="fc",
    )  # fmt: skip
    clips = torch.rand(2, 3, 4, 5, 6)
    found = card.normalize(clips)
    torch.testing.assert_close(found[:, 0], (255 * clips[:, 2] - 1) / 2)
    torch.testing.assert_close(found[:, 2], (255 * clips[:, 0] - 3) / 2)
    assert card.names_of("fc") == ("a",)
    assert card.names_of("conv1") == ()
    assert ModelCard(class_names=("a",)).names_of("fc") == ()
