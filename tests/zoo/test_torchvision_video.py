"""Weights, cards and errors, with a torchvision that holds no more than is asked of it."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kinetoscope.card import card_of
from kinetoscope.errors import ModelNotFound, ModelUnusable, SettingInvalid
from kinetoscope.zoo.registry import load_model
from kinetoscope.zoo.torchvision_video import load_torchvision

MODELS = """
from enum import Enum
from types import SimpleNamespace
from urllib.error import URLError
from torch import nn
from . import video

class Weights(Enum):
    NEW = ("http://far.away/net-new.pth", (6, 8))
    KINETICS400_V1 = ("http://far.away/net-old.pth", (4, 5))
    DEFAULT = NEW

    @property
    def url(self):
        return self.value[0]

    @property
    def meta(self):
        return {"categories": ["running", "eating"]}

    def transforms(self):
        return SimpleNamespace(crop_size=list(self.value[1]), mean=[0.1, 0.2, 0.3], std=[0.4, 0.5, 0.6])

def list_models(module):
    assert module is video
    return ["mvit_v2_s", "r3d_18", "s3d"]

def get_model_weights(name):
    Weights.__name__ = name.upper() + "_Weights"
    return Weights

def get_model_builder(name):
    def build(*, weights=None, progress=False, num_classes=2):
        if weights is Weights.KINETICS400_V1 and name == "r3d_18":
            raise URLError("no network")
        net = nn.Sequential(nn.Conv3d(3, num_classes, 1))
        net.asked = (name, weights and weights.name, progress)
        return net
    return build
"""


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder whose torchvision hides any real one; what it says at import can be replaced."""
    for part, text in (("", ""), ("models", MODELS), ("models/video", "")):
        (tmp_path / "torchvision" / part).mkdir(parents=True)
        (tmp_path / "torchvision" / part / "__init__.py").write_text(text)
    hide(monkeypatch)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in imported():
        del sys.modules[name]


def imported() -> list[str]:
    return [name for name in sys.modules if name.partition(".")[0] == "torchvision"]


def hide(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in imported():
        monkeypatch.delitem(sys.modules, name)


def test_the_card_is_what_the_weights_were_trained_with(fake: Path) -> None:
    net = load_model("torchvision:r3d_18")
    card = card_of(net)
    assert net.asked == ("r3d_18", "NEW", True)
    assert (card.clip, card.mean, card.std) == ((16, 6, 8), (0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    assert (card.class_names, card.output_layer) == (("running", "eating"), "fc")
    card = card_of(load_model("torchvision:mvit_v2_s"))
    assert (card.frames_per_second, card.output_layer) == (7.5, "head.1")


def test_weights_go_by_the_names_of_the_enumeration(fake: Path) -> None:
    for name in ("KINETICS400_V1", "S3D_Weights.KINETICS400_V1"):
        net, card = load_torchvision("s3d", name)
        assert net.asked == ("s3d", "KINETICS400_V1", True)
        assert card.clip == (16, 4, 5)
    for name in ("KINETICS_V7", "R3D_18_Weights.KINETICS400_V1"):
        with pytest.raises(ModelUnusable, match=f"no '{name}'; give one of NEW, KINETICS400_V1, DEFAULT"):
            load_torchvision("s3d", name)


def test_random_weights_may_have_other_classes(fake: Path) -> None:
    net = load_model("torchvision:s3d", weights="random", num_classes=7)
    assert net.asked == ("s3d", None, False)
    assert net[0].out_channels == 7
    assert card_of(net).class_names == ()
    assert card_of(load_model("torchvision:s3d", weights="random")).class_names == ("running", "eating")
    with pytest.raises(SettingInvalid, match="num_classes"):
        load_model("torchvision:s3d", num_classes=7)


def test_weights_that_cannot_be_had_are_told_with_the_file_to_put(fake: Path) -> None:
    with pytest.raises(ModelUnusable, match=r"no network.*net-old\.pth into .*checkpoints, or give random"):
        load_torchvision("r3d_18", "KINETICS400_V1")


def test_wrong_builders_are_told_with_the_closest(fake: Path) -> None:
    with pytest.raises(ModelNotFound, match="'r3d_81'; closest: r3d_18"):
        load_model("torchvision:r3d_81")


def test_a_compiled_part_of_another_torch_is_told(fake: Path) -> None:
    said = 'raise RuntimeError("operator torchvision::nms\\ndoes not exist")'
    (fake / "torchvision" / "__init__.py").write_text(said)
    with pytest.raises(ModelUnusable, match=r"compiled part.*next to torch.*nms does not exist.*reinstall"):
        load_model("torchvision:r3d_18")


def test_a_missing_torchvision_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    hide(monkeypatch)
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(ModelNotFound, match=r"pip install 'kinetoscope\[torchvision\]'"):
        load_model("torchvision:r3d_18")
