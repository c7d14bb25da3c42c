"""What `feature-maps`, `kernels`, `attribute` and `search` leave, say, and refuse."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from clip_files import film, noise
from safetensors.torch import load_file, save_file

FACTORY = """
import torch
from torch import nn
from kinetoscope import ModelCard


def factory():
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv3d(CHANNELS, 4, 3, padding=1), nn.ReLU(), nn.Conv3d(4, 5, (2, 3, 3)), nn.ReLU(),
        nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(5, 2),
    )
    network[6].weight.data.abs_()
    return network, ModelCard((6, 10, 12), CHANNELS, class_names=("a", "b"), output_layer="6")
"""


@pytest.fixture
def place(tmp_path: Path) -> tuple[str, Path]:
    """A network of one's own, and a clip of 15 frames."""
    (tmp_path / "net.py").write_text(FACTORY.replace("CHANNELS", "3"))
    (tmp_path / "clips").mkdir()
    clip = tmp_path / "clips" / "clip.npy"
    np.save(clip, np.random.default_rng(0).random((15, 3, 20, 25), dtype=np.float32))
    return f"{tmp_path / 'net.py'}:factory", clip


def test_feature_maps_of_kernels_random_and_given(run, place: tuple[str, Path], tmp_path: Path) -> None:
    _, clip = place
    words = ("feature-maps", clip, "--random-kernel", "3x4x5", "--filters", 2, "--seed", 7, "--quiet")
    assert run(*words, "--out", tmp_path / "a") == (0, f"{tmp_path / 'a' / 'feature_maps.mp4'}\n", "")
    arrays = load_file(tmp_path / "a" / "arrays.safetensors")
    assert {name: tuple(array.shape) for name, array in arrays.items()} == {
        "clip": (15, 3, 20, 25),
        "maps": (2, 13, 17, 21),
        "kernels": (2, 3, 3, 4, 5),
    }
    assert torch.equal(arrays["clip"], torch.from_numpy(np.load(clip)))
    wanted = torch.nn.functional.conv3d(arrays["clip"].transpose(0, 1)[None], arrays["kernels"])[0]
    torch.testing.assert_close(arrays["maps"], wanted)
    record = json.loads((tmp_path / "a" / "feature_maps.json").read_text())
    assert record["maps_shape"] == [2, 13, 17, 21]
    assert record["peak"] == pytest.approx(wanted.abs().amax(dim=(1, 2, 3)).tolist(), rel=1e-5)
    assert record["mean_positive"] == pytest.approx(
        wanted.clamp(min=0).mean(dim=(1, 2, 3)).tolist(), rel=1e-4
    )
    assert sorted(file.name for file in (tmp_path / "a").iterdir()) == [
        "arrays.safetensors",
        "feature_maps.gif",
        "feature_maps.json",
        "feature_maps.mp4",
    ]
    given = ("--kernels", tmp_path / "a" / "arrays.safetensors", "--quiet")
    assert run("feature-maps", clip, *given, "--out", tmp_path / "b").status == 0
    assert torch.equal(load_file(tmp_path / "b" / "arrays.safetensors")["maps"], arrays["maps"])


def test_feature_maps_of_a_layer_keep_the_strongest(run, place: tuple[str, Path], tmp_path: Path) -> None:
    model, clip = place
    words = ("feature-maps", clip, "--model", model, "--layer", "3", "--size", "2x10x12")
    assert run(*words, "--out", tmp_path / "all").status == 0
    assert run(*words, "--top", 2, "--scale", "per-map", "--out", tmp_path / "top").status == 0
    every, top = (load_file(tmp_path / name / "arrays.safetensors") for name in ("all", "top"))
    assert every["clip"].shape == (15, 3, 10, 12)
    assert every["maps"].shape == (5, 14, 8, 10)
    order = every["maps"].mean(dim=(1, 2, 3)).argsort(descending=True)[:2]
    torch.testing.assert_close(top["maps"], every["maps"][order])
    names = json.loads((tmp_path / "top" / "feature_maps.json").read_text())["names"]
    assert names == [f"3:{unit}" for unit in order.tolist()]
    again = run(*words, "--out", tmp_path / "all")
    assert "is finished" in again.err
    assert "is finished" not in run(*words, "--out", tmp_path / "all", "--force").err


def test_kernels_are_written_as_they_are(run, place: tuple[str, Path], tmp_path: Path) -> None:
    model, _ = place
    assert run("kernels", model, "2", "--units", "4,0", "--out", tmp_path / "k").status == 0
    assert load_file(tmp_path / "k" / "arrays.safetensors")["kernels"].shape == (2, 4, 2, 3, 3)
    record = json.loads((tmp_path / "k" / "kernels.json").read_text())
    assert record["separability"].keys() == {"2:4", "2:0"}
    assert all(0.5 <= share <= 1 for share in record["separability"].values())
    assert sum(record["energy"]["2:0"]) == pytest.approx(1)
    assert (tmp_path / "k" / "kernels.png").exists()
    assert (tmp_path / "k" / "kernels.gif").exists()
    assert "no 2D or 3D convolution" in run("kernels", model, "1", "--out", tmp_path / "x").err


@pytest.mark.parametrize("method", ["integrated-gradients", "grad-cam-t"])
def test_attribute_covers_a_long_clip(run, place: tuple[str, Path], tmp_path: Path, method: str) -> None:
    model, clip = place
    words = ("attribute", clip, "--model", model, "--target", "b", "--method", method, "--quiet")
    done = run(*words, "--steps", 4, "--samples", 2, "--occlude", "2x5x6", "--out", tmp_path)
    assert (done.status, done.err) == (0, "")
    arrays = load_file(tmp_path / "arrays.safetensors")
    assert arrays["attribution"].shape == (15, 10, 12)
    assert arrays["clip"].shape == (15, 3, 10, 12)
    assert float(arrays["attribution"].std(dim=0).max()) > 0
    record = json.loads((tmp_path / "attribution.json").read_text())
    assert [(w["start"], w["frames"]) for w in record["windows"]] == [(0, 6), (6, 6), (9, 6)]
    assert sum(record["frame_importance"]) == pytest.approx(1)
    assert (record["target"]["layer"], record["target"]["channel"]) == ("6", 1)
    changes = [abs(window["response"] - window["baseline_response"]) for window in record["windows"]]
    areas = [window["insertion"]["area"] for window in record["windows"]]
    mean = sum(change * area for change, area in zip(changes, areas, strict=True)) / sum(changes)
    assert record["insertion_area"] == pytest.approx(mean, rel=1e-4)
    assert (record["completeness_gap"] is not None) == (method == "integrated-gradients")
    assert ("completeness gap" in done.out) == (method == "integrated-gradients")
    for name in ("overlay.mp4", "overlay.gif", "focus.mp4", "focus.gif", "attribution.png"):
        assert (tmp_path / name).stat().st_size > 0


def test_search_writes_clips_and_where_they_are(run, place: tuple[str, Path], tmp_path: Path) -> None:
    model, clip = place
    words = ("search", model, "0", "--units", "2", "--clips", clip.parent, "--count", 2)
    assert run(*words, "--out", tmp_path / "s").status == 0
    record = json.loads((tmp_path / "s" / "search.json").read_text())
    (row,) = record["units"]
    assert row["unit"] == 2
    first, second = row["hits"]
    assert first["response"] >= second["response"]
    assert first["source"] == str(clip)
    low, high = first["box"]["frames"]
    assert 0 <= low < high <= 15
    assert high - low <= 3
    files = {file.name for file in (tmp_path / "s" / "0" / "2").iterdir()}
    assert files == {"1.mp4", "2.mp4", "top.mp4", "top.gif", "top.png"}
    assert "is finished" in run(*words, "--out", tmp_path / "s").err
    beside = run(*words, "--out", tmp_path / "t", "--beside", tmp_path / "nothing")
    assert beside.status == 1
    assert "unit.json" in beside.err


@pytest.fixture
def other(tmp_path: Path) -> Callable[[int], str]:
    """Networks of one's own for any number of channels."""

    def made(channels: int) -> str:
        file = tmp_path / f"net{channels}.py"
        file.write_text(FACTORY.replace("CHANNELS", str(channels)))
        return f"{file}:factory"

    return made


def through_all(run, clip: Path, model: str, out: Path) -> tuple[int, ...]:
    """What `feature-maps`, `attribute` and `search` answer."""
    layer = ("--model", model, "--layer", "0", "--units", "0", "--quiet")
    target = ("--model", model, "--target", "b", "--method", "gradient", "--quiet")
    clips = ("--units", "0", "--clips", clip.parent, "--count", 1, "--quiet")
    return (
        run("feature-maps", clip, *layer, "--out", out / "f").status,
        run("attribute", clip, *target, "--out", out / "a").status,
        run("search", model, "0", *clips, "--out", out / "s").status,
    )


@pytest.mark.parametrize(("channels", "last"), [(1, False), (2, False), (2, True), (5, False)])
def test_clips_have_the_channels_of_the_network(
    run, other: Callable[[int], str], tmp_path: Path, channels: int, last: bool
) -> None:
    (tmp_path / "clips").mkdir()
    clip, video = tmp_path / "clips" / "clip.npy", torch.rand(7, channels, 10, 12)
    np.save(clip, (video.movedim(1, 3) if last else video).numpy())
    assert through_all(run, clip, other(channels), tmp_path) == (0, 0, 0)
    for folder in ("f", "a"):
        assert torch.equal(load_file(tmp_path / folder / "arrays.safetensors")["clip"], video)
    (row,) = json.loads((tmp_path / "s" / "search.json").read_text())["units"]
    assert row["hits"][0]["source"] == str(clip)
    maps = load_file(tmp_path / "f" / "arrays.safetensors")["maps"]
    assert row["hits"][0]["response"] == pytest.approx(float(maps.max()), abs=0.5)
    random = ("--random-kernel", "2x3x3", "--filters", 1, "--quiet")
    assert run("feature-maps", clip, *random, "--out", tmp_path / "r").status == 0
    assert load_file(tmp_path / "r" / "arrays.safetensors")["kernels"].shape == (1, channels, 2, 3, 3)


def test_rgb_is_turned_grey_and_nothing_else_is_converted(
    run, other: Callable[[int], str], place: tuple[str, Path], tmp_path: Path
) -> None:
    _, clip = place
    assert through_all(run, clip, other(1), tmp_path) == (0, 0, 0)
    seen = load_file(tmp_path / "f" / "arrays.safetensors")["clip"]
    assert seen.shape == (15, 1, 10, 12)
    assert float(seen.mean()) == pytest.approx(float(np.load(clip).mean()), abs=0.01)
    kernels = ("--kernels", tmp_path / "one.safetensors", "--quiet")
    save_file({"kernels": torch.ones(1, 1, 1, 1, 1)}, tmp_path / "one.safetensors")
    assert run("feature-maps", clip, *kernels, "--out", tmp_path / "k").status == 0
    grey = load_file(tmp_path / "k" / "arrays.safetensors")["maps"]
    torch.testing.assert_close(grey[0], torch.from_numpy(np.load(clip)).mean(dim=1))
    for model, channels in ((other(2), 2), (other(5), 5)):
        attribute = ("attribute", clip, "--model", model, "--target", "b", "--out", tmp_path / "x", "--quiet")
        layer = ("--model", model, "--layer", "0", "--out", tmp_path / "x", "--quiet")
        for words in (attribute, ("feature-maps", clip, *layer)):
            done = run(*words)
            assert done.status == 1
            assert done.err.count("\n") == 1
            assert f"a clip of {channels} channels is (T, {channels}, H, W)" in done.err
    search = ("search", other(2), "0", "--units", "0", "--clips", clip.parent, "--out", tmp_path / "s2")
    assert "was skipped" in run(*search).err


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (("feature-maps", "c.npy", "--out", "o"), 2, "--random-kernel"),
        (("feature-maps", "c.npy", "--out", "o", "--random-kernel", "3x3"), 2, "DxHxW|TxHxW"),
        (("feature-maps", "c.npy", "--out", "o", "--model", "motion13"), 2, "go together"),
        (("feature-maps", "none.npy", "--out", "o", "--random-kernel", "3x3x3"), 1, "no video"),
        (("attribute", "c.npy", "--out", "o", "--model", "motion13", "--target", "upp"), 1, "up"),
        (("search", "motion13", "conv1", "--units", "0", "--clips", "none", "--out", "o"), 1, "no videos"),
    ],
)
def test_wrong_wishes(
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], status: int, told: str
) -> None:
    import re

    monkeypatch.chdir(tmp_path)
    done = run(*words)
    assert done.status == status
    assert re.search(told, done.err)
    assert not (tmp_path / "o").exists()


def test_a_search_does_not_find_its_own_pictures(run, place: tuple[str, Path], tmp_path: Path) -> None:
    """Results inside the folder that is searched change nothing, wherever earlier ones lie."""
    model, clip = place
    words = ("search", model, "0", "--units", "2", "--clips", clip.parent, "--count", 2, "--quiet")
    (clip.parent / "notes.txt").touch()
    found = []
    for out in ("a", "b", "."):
        assert run(*words, "--out", clip.parent / out).status == 0
        record = json.loads((clip.parent / out / "search.json").read_text())
        assert record["skipped"][str(clip.parent / "notes.txt")] == "no clip by its name"
        found.append(record["units"])
    assert found[0] == found[1] == found[2]


def test_a_cut_film_is_refused_by_every_verb_unless_a_part_will_do(
    run, place: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kinetoscope.cli.decompose._run", lambda *args, **options: None)
    model, _ = place
    (tmp_path / "films").mkdir()
    cut = film(tmp_path / "films" / "cut.mkv", noise(40), "mpeg4", "matroska")
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    verbs = {
        "d": ("decompose", cut),
        "f": ("feature-maps", cut, "--random-kernel", "3x3x3", "--filters", 1),
        "a": ("attribute", cut, "--model", model, "--target", "b", "--method", "gradient"),
    }
    for name, words in verbs.items():
        refused = run(*words, "--out", tmp_path / name, "--quiet")
        assert (refused.status, refused.out, refused.err.count("\n")) == (1, "", 1)
        assert "cut off: its" in refused.err
        assert not (tmp_path / name).exists()
        told = run(*words, "--out", tmp_path / name, "--quiet", "--partial")
        assert told.status == 0
        assert told.err.count("\n") == 1
        assert "going on with what comes before" in told.err
    search = ("search", model, "0", "--units", "2", "--clips", cut.parent, "--quiet")
    for partial in ((), ("--partial",)):
        assert run(*search, "--out", tmp_path / "s", *partial).status == 0
        skipped = json.loads((tmp_path / "s" / "search.json").read_text())["skipped"]
        assert bool(skipped) != bool(partial)
