"""Networks that other packages register by an entry point."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import kinetoscope as ks
from kinetoscope.cli import main
from kinetoscope.errors import ModelNotFound, ModelUnusable
from kinetoscope.zoo.elsewhere import registered_elsewhere

CODE = """
from torch import nn
import kinetoscope as ks

def small():
    return nn.Sequential(nn.Conv3d(3, 5, 3)), ks.ModelCard(clip=(4, 12, 16))

def broken():
    raise ValueError("no\\nluck")
"""
NAMES = {"small": "small", "broken": "broken", "motion13": "small"}
POINTS = "\n".join(["[kinetoscope.models]", *(f"{name} = other_nets:{made}" for name, made in NAMES.items())])


@pytest.fixture
def other_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package on the path that registers three networks, one of them by a name that is taken."""
    (tmp_path / "other_nets.py").write_text(CODE)
    told = tmp_path / "other_nets-1.0.dist-info"
    told.mkdir()
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: other-nets\nVersion: 1.0\n")
    (told / "entry_points.txt").write_text(POINTS)
    monkeypatch.syspath_prepend(tmp_path)
    registered_elsewhere.cache_clear()
    yield
    registered_elsewhere.cache_clear()
    sys.modules.pop("other_nets", None)


@pytest.mark.usefixtures("other_package")
def test_they_go_by_their_names(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    net = ks.load_model("small")
    assert ks.card_of(net).clip == (4, 12, 16)
    assert net.kinetoscope_weights["name"] == "default"
    one, other = (ks.load_model("small", weights="random", seed=seed) for seed in (1, 2))
    assert one.kinetoscope_weights["sha256"] != other.kinetoscope_weights["sha256"]
    assert ks.card_of(ks.load_model("motion13")).class_names  # names of this package come first
    with pytest.raises(ModelUnusable, match="broken failed with ValueError: no luck; mend the factory"):
        ks.load_model("broken")
    with pytest.raises(ModelNotFound, match="closest: small"):
        ks.load_model("smal")
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    assert main(["models"]) == 0
    assert "small: registered by other-nets as other_nets:small" in capsys.readouterr().out


def test_nothing_is_registered_where_no_package_does() -> None:
    registered_elsewhere.cache_clear()
    with pytest.raises(ModelNotFound, match="no model is called 'small'"):
        ks.load_model("small")
