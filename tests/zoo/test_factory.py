import os
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from kinetoscope.card import card_of
from kinetoscope.errors import ModelNotFound, ModelUnusable, SettingInvalid
from kinetoscope.zoo.factory import load_factory
from kinetoscope.zoo.registry import load_model, weights_sha256

MODELS = """
import torch
from torch import nn
import neighbour
from kinetoscope import ModelCard

def plain():
    return nn.Sequential(nn.Conv3d(1, 2, (1, 2, 3)))

def carded():
    return neighbour.make(), ModelCard(clip=(4, 6, 8), mean=(0.5,), std=(0.2,))

def failing():
    raise ValueError("no weights\\nhere")

def leaving():
    raise SystemExit(0)

def wrong():
    return {"net": 3}

def lazy():
    return nn.Sequential(nn.LazyConv3d(2, 3), nn.LazyBatchNorm3d())

def fixed():
    net = plain()
    torch.nn.init.ones_(net[0].weight)
    return net

def stop():
    raise KeyboardInterrupt
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "my-models.py").write_text(MODELS)
    (tmp_path / "neighbour.py").write_text(
        "from torch import nn\ndef make():\n    return nn.Conv3d(3, 4, 2)\n"
    )
    package = tmp_path / "mypack"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "nets.py").write_text("from torch import nn\ndef net():\n    return nn.Conv3d(3, 2, 1)\n")
    (package / "broken.py").write_text("import not_there_at_all\n")
    (package / "typo.py").write_text("def net(:\n")
    return tmp_path


@pytest.fixture(autouse=True)
def forget_modules() -> object:
    """What a test imports is forgotten after it, and the search path must be as it was."""
    modules, path = set(sys.modules), list(sys.path)
    yield
    assert sys.path == path
    for name in set(sys.modules) - modules:
        if name.startswith(("mypack", "neighbour", "kinetoscope_user_")):
            del sys.modules[name]


def test_a_factory_in_a_file_gives_a_model(folder: Path) -> None:
    net = load_model(f"{folder}/my-models.py:plain", seed=4)
    assert card_of(net).channels == 1
    assert not net.training
    assert weights_sha256(net) == weights_sha256(load_model(f"{folder}/my-models.py:plain", seed=4))


def test_a_factory_may_state_its_card(folder: Path) -> None:
    card = card_of(load_model(f"{folder}/my-models.py:carded"))
    assert (card.clip, card.mean, card.channels) == ((4, 6, 8), (0.5,), 3)


def test_a_factory_in_a_package_of_the_working_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert isinstance(load_model("mypack.nets:net"), nn.Conv3d)
    assert load_model("my-models.py:plain")[0].in_channels == 1


def test_weights_of_factories(folder: Path, tmp_path: Path) -> None:
    name = f"{folder}/my-models.py:fixed"
    assert load_model(name)[0].weight.min() == 1
    drawn = [load_model(name, weights="random", seed=s) for s in (1, 1, 2)]
    assert drawn[0][0].weight.min() < 1
    assert weights_sha256(drawn[0]) == weights_sha256(drawn[1]) != weights_sha256(drawn[2])
    torch.save(drawn[0].state_dict(), tmp_path / "w.pt")
    assert weights_sha256(load_model(name, weights=str(tmp_path / "w.pt"))) == weights_sha256(drawn[0])


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("my-models.py:plane", ModelNotFound, "no factory 'plane'; closest: plain"),
        ("nowhere.py:net", ModelNotFound, "no file nowhere.py"),
        ("no_such_package.nets:net", ModelNotFound, "no module 'no_such_package'.*install"),
        ("mypack.absent:net", ModelNotFound, "no module 'mypack.absent'"),
        ("mypack.broken:net", ModelUnusable, "ModuleNotFoundError: No module named 'not_there_at_all'"),
        ("mypack.typo:net", ModelUnusable, "SyntaxError"),
        (":net", ModelNotFound, "path/to/file.py:factory"),
        ("my-models.py:failing", ModelUnusable, "ValueError: no weights here"),
        ("my-models.py:leaving", ModelUnusable, "SystemExit: 0"),
        ("my-models.py:wrong", ModelUnusable, "gave dict; return an nn.Module"),
        (
            "my-models.py:lazy",
            ModelUnusable,
            r"not initialized yet: 0\.weight, 0\.bias.*; let the factory run",
        ),
    ],
)
def test_what_is_wrong_is_told_in_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, error: type[Exception], said: str
) -> None:
    monkeypatch.chdir(folder)
    with pytest.raises(error, match=said) as caught:
        load_model(name)
    assert "\n" not in str(caught.value)


def test_interrupting_a_factory_is_no_fault_of_the_model(folder: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        load_model(f"{folder}/my-models.py:stop")
    with pytest.raises(SettingInvalid, match="num_classes"):
        load_model(f"{folder}/my-models.py:plain", num_classes=3)


@pytest.mark.parametrize("late", ["from neighbour_net import net", "import neighbour_net"])
def test_a_factory_may_import_its_neighbours_when_it_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, late: str
) -> None:
    folder = tmp_path / late[:4]
    folder.mkdir()
    (folder / "neighbour_net.py").write_text("from torch import nn\nnet = nn.Conv3d(3, 2, 1)\n")
    name = "net" if late.startswith("from") else "neighbour_net.net"
    (folder / "mine.py").write_text(f"def factory():\n    {late}\n    return {name}\n")
    before = list(sys.path)
    for place in (str(folder / "mine.py"), "mine"):
        monkeypatch.chdir(folder if place == "mine" else tmp_path)
        monkeypatch.delitem(sys.modules, "neighbour_net", raising=False)
        monkeypatch.delitem(sys.modules, "mine", raising=False)
        assert isinstance(load_factory(f"{place}:factory")[0], nn.Conv3d)
        assert sys.path == before


def test_an_edit_counts_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though of the same size and second as what Python may have kept of the file."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    file = tmp_path / "mine.py"
    for channels in (2, 3):
        file.write_text(f"from torch import nn\ndef factory():\n    return nn.Conv3d(3, {channels}, 1)\n")
        os.utime(file, (1e9, 1e9))
        assert load_factory(f"{file}:factory")[0].out_channels == channels
    assert not (tmp_path / "__pycache__").exists()
