"""What verbs do is there by name in Python, and the command as a module."""

import doctest
import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import kinetoscope as ks
from kinetoscope.errors import LayerNotFound, UnitOutOfRange, VideoUnreadable
from kinetoscope.render.frames import encode_mp4

VERBS = (
    "attribute",
    "search",
    "feature_maps",
    "ablate",
    "check_sanity",
    "load_result",
    "decompose",
)
CARD = ks.ModelCard(clip=(6, 12, 16), class_names=("up", "down"), output_layer="head")


class Small(nn.Module):
    """A convolution, and two class outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv3d(3, 2, (2, 3, 3))
        self.head = nn.Linear(2, 2)
        with torch.no_grad():
            for weight in self.parameters():
                weight.copy_(torch.randn(weight.shape, generator=torch.Generator().manual_seed(3)))

    def forward(self, clips):
        return self.head(self.conv(clips).relu().amax(dim=(2, 3, 4)))


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_is_public_and_told(name: str) -> None:
    assert name in ks.__all__
    function = getattr(ks, name)
    assert inspect.isfunction(function)
    signature = inspect.signature(function)
    assert signature.return_annotation is not inspect.Signature.empty
    untyped = [p for p in signature.parameters.values() if p.annotation is inspect.Parameter.empty]
    assert untyped == []
    for part in ("Args:", "Raises:", "Examples:"):
        assert part in (function.__doc__ or ""), part


def told_by_example() -> list[str]:
    """Public functions, and what else shows how it is used."""
    shown = (name for name in ks.__all__ if "Examples:" in (inspect.getdoc(getattr(ks, name)) or ""))
    functions = (name for name in ks.__all__ if inspect.isfunction(getattr(ks, name)))
    return sorted({*shown, *functions})


@pytest.mark.usefixtures("quick_motion", "blank_summaries")
@pytest.mark.parametrize("name", told_by_example())
def test_every_public_function_has_an_example_that_runs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    film = np.random.default_rng(0).random((16, 16, 24, 3)) * 255
    (tmp_path / "clips").mkdir()
    Path("clip.mp4").write_bytes(encode_mp4(film.astype(np.uint8), fps=8))
    for seed in range(8):  # as arrays: films that the package has drawn are no natural ones to it
        np.save(f"clips/{seed}.npy", np.random.default_rng(seed).random((16, 3, 24, 24), dtype=np.float32))
    names = {"ks": ks, "torch": torch, "nn": nn}
    finder, runner = doctest.DocTestFinder(recurse=False), doctest.DocTestRunner(verbose=False)
    (example,) = finder.find(getattr(ks, name), name, module=False, globs=names)
    assert example.examples, "give it an example"
    told: list[str] = []
    runner.run(example, out=told.append)
    assert told == []


def test_no_module_takes_the_place_of_a_public_name() -> None:
    modules = {module.name for module in pkgutil.iter_modules(ks.__path__)}
    assert not modules & set(ks.__all__)


def test_the_module_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "kinetoscope", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"kinetoscope {ks.__version__}\n"
    wrong = subprocess.run([sys.executable, "-m", "kinetoscope", "no-verb"], capture_output=True, text=True)
    assert wrong.returncode == 2
    assert "no-verb" in wrong.stderr


def test_feature_maps_are_the_layers_own() -> None:
    model, video = Small(), torch.rand(9, 3, 14, 17)
    found = ks.feature_maps(model, "conv", [1, 0], video, card=CARD)
    with torch.no_grad():
        wanted = model.conv(video.transpose(0, 1)[None])[0, [1, 0]]
    torch.testing.assert_close(found.maps, wanted)
    assert torch.equal(found.clip, video)
    bare = ks.feature_maps(nn.Sequential(model.conv), "0", [0], video)
    torch.testing.assert_close(bare.maps, wanted[1:])
    with pytest.raises(UnitOutOfRange, match="unit 2 is out of range"):
        ks.feature_maps(model, "conv", [2], video, card=CARD)
    with pytest.raises(LayerNotFound, match="no map that slides"):
        ks.feature_maps(model, "head", ["up"], video, card=CARD)


def test_search_takes_a_folder_or_files_and_class_names(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("one", "two"):
        np.save(tmp_path / f"{name}.npy", rng.random((9, 3, 12, 16), dtype=np.float32))
    (tmp_path / "notes.txt").write_text("no clip")
    found = ks.search(Small(), "head", ["down", 0], tmp_path, CARD, count=2)
    assert set(found.hits) == {0, 1}
    assert list(found.skipped) == [tmp_path / "notes.txt"]
    again = ks.search(
        Small(), "head", [1], [str(tmp_path / f"{n}.npy") for n in ("one", "two")], CARD, count=2
    )
    assert again.hits[1] == found.hits[1]
    assert found.windows == again.windows
    with pytest.raises(UnitOutOfRange):
        ks.search(Small(), "conv", [7], tmp_path, CARD)
    (tmp_path / "empty").mkdir()
    with pytest.raises(VideoUnreadable, match="no videos below"):
        ks.search(Small(), "conv", [0], tmp_path / "empty", CARD)
