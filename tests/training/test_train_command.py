"""Whole runs on tiny data in the official layouts: what they leave, and going on after a kill."""

import contextlib
import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import typer
from PIL import Image
from safetensors.torch import load_file
from typer.testing import CliRunner, Result

from kinetoscope.cli.train import train as command
from kinetoscope.errors import KinetoscopeError, ModelUnusable, SettingInvalid
from kinetoscope.processes import context
from kinetoscope.render.frames import encode_mp4
from kinetoscope.training.recipes import parse_recipe
from kinetoscope.training.samples import open_data
from kinetoscope.training.table import COLUMNS
from kinetoscope.training.train import build_network, train
from kinetoscope.zoo.registry import load_model

NETS = """
import torch
from torch import nn

def tiny():
    return nn.Sequential(
        nn.Conv3d(3, 4, (2, 3, 3), bias=False), nn.BatchNorm3d(4), nn.ReLU(), nn.Dropout(0.3),
        nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(4, 3),
    )

class Same(nn.Module):
    def __init__(self, value):
        super().__init__()
        self.weight, self.value = nn.Parameter(torch.zeros(3)), value

    def forward(self, x):
        return torch.zeros(len(x), 3) + self.value * self.weight.sum()

def constant():
    return Same(0.0)

def broken():
    return Same(float("nan"))

def plain():
    return nn.Sequential(
        nn.Conv3d(3, 4, (2, 3, 3)), nn.ReLU(), nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(4, 3)
    )

def two():
    return nn.Sequential(nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(3, 2))
"""
MOTION = """
[model]
name = "{net}"
weights = "default"
[data]
name = "motion"
classes = ["left", "right", "still"]
frames = 3
height = 12
width = 14
clips = 12
validation_clips = 6
[training]
epochs = 3
batch = 4
"""
JESTER_CLASSES = ("Swiping Left", "Swiping Right", "Stop Sign")


def recipe_for(folder: Path, net: str = "tiny", *changes: str):
    (folder / "nets.py").write_text(NETS)
    return parse_recipe(MOTION.format(net=f"{folder / 'nets.py'}:{net}"), changes)


def call(*words: object) -> Result:
    app = typer.Typer()
    app.command()(command)
    return CliRunner().invoke(app, [str(word) for word in words])


def rows_of(folder: Path) -> list[dict[str, float]]:
    with (folder / "metrics.csv").open(newline="") as file:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]


def without_seconds(folder: Path) -> list[dict[str, float]]:
    return [{key: row[key] for key in row if key != "seconds"} for row in rows_of(folder)]


def jester(folder: Path) -> Path:
    """Twelve folders of frames, of which one is absent and one damaged."""
    draw = np.random.default_rng(0)
    ids = range(101, 113)
    for number in ids:
        place = folder / "20bn-jester-v1" / str(number)
        place.mkdir(parents=True)
        for frame in range(1, 6):
            pixels = draw.integers(0, 255, (20, 28, 3), np.uint8)
            Image.fromarray(pixels).save(place / f"{frame:05}.jpg")
    for path in (folder / "20bn-jester-v1" / "104").iterdir():
        path.write_bytes(b"no picture")
    lines = [f"{number};{JESTER_CLASSES[number % 3]}" for number in (*ids, 999)]
    (folder / "jester-v1-labels.csv").write_text("\n".join(JESTER_CLASSES))
    (folder / "jester-v1-train.csv").write_text("\n".join(lines[:9]))
    (folder / "jester-v1-validation.csv").write_text("\n".join(lines[9:]))
    return folder


def test_jester_trains_although_videos_are_missing_or_damaged(tmp_path):
    data, out = jester(tmp_path / "data"), tmp_path / "out"
    (tmp_path / "nets.py").write_text(NETS)
    config = tmp_path / "mine.toml"
    config.write_text(
        f'[model]\nname = "{tmp_path}/nets.py:tiny"\nweights = "default"\n'
        '[data]\nname = "jester"\nframes = 4\nheight = 12\nwidth = 18\nflip = true\ncrop = 0.7\n'
        "[training]\nepochs = 2\nbatch = 4\n"
    )
    done = call(config, "--set", f"data.folder={data}", "--out", out)
    assert done.exit_code == 0, (done.output, done.exception)
    assert done.stdout == f"{out / 'best.safetensors'}\n"
    rows = rows_of(out)
    assert tuple(rows[0]) == COLUMNS
    assert [(row["epoch"], row["step"], row["unreadable"]) for row in rows] == [(1, 2, 2), (2, 4, 2)]
    assert all(np.isfinite(list(row.values())).all() for row in rows)
    assert "left out: " in done.stderr
    assert "2 videos could not be read" in done.stderr
    record = json.loads((out / "train.json").read_text())
    assert len(record["unreadable"]) == 2
    assert all(any(name in fault for fault in record["unreadable"]) for name in ("104", "999"))
    assert record["class_names"] == list(JESTER_CLASSES)
    assert record["recipe"]["data"]["folder"] == str(data)
    network = load_model(f"{tmp_path}/nets.py:tiny", weights=str(out / "best.safetensors"))
    assert network(torch.rand(1, 3, 4, 12, 18)).shape == (1, 3)
    assert {path.name for path in out.iterdir()} == {
        *("metrics.csv", "best.safetensors", "last.ckpt", "recipe.toml", "train.json")
    }


def test_ucf101_trains_from_films(tmp_path):
    lists, films = tmp_path / "ucfTrainTestlist", tmp_path / "UCF-101" / "Archery"
    lists.mkdir()
    films.mkdir(parents=True)
    (lists / "classInd.txt").write_text("1 Archery\n2 Biking\n3 Bowling\n")
    frames = np.random.default_rng(0).integers(0, 255, (7, 32, 48, 3), np.uint8)
    names = [f"Archery/v_Archery_g0{group}_c01.avi" for group in range(3)]
    for name in names:
        (tmp_path / "UCF-101" / name).write_bytes(encode_mp4(frames))
    (lists / "trainlist01.txt").write_text("".join(f"{name} 1\n" for name in names[:2]))
    (lists / "testlist01.txt").write_text(f"{names[2]}\n")
    recipe = recipe_for(
        tmp_path,
        "tiny",
        *("data.name=ucf101", f"data.folder={tmp_path}", "data.classes=[]", "data.validation_clips=0"),
        *("data.clips=6", "data.stride=2", "training.epochs=1"),
    )
    done = train(recipe, tmp_path / "out")
    assert (done.rows[0]["step"], done.faults, done.class_names[1]) == (1, (), "Biking")


def run_until_killed(config: Path, out: Path, threads: int) -> None:
    """Train, as a process that is killed in the third epoch."""
    torch.set_num_threads(threads)

    def progress(step: int, steps: int) -> None:
        if step == 8:
            os.kill(os.getpid(), signal.SIGKILL)

    train(parse_recipe(config.read_text()), out, progress=progress)


@pytest.mark.usefixtures("copies")
def test_a_run_killed_in_an_epoch_goes_on_as_if_it_had_not_been(tmp_path):
    recipe_for(tmp_path)
    config = tmp_path / "c.toml"
    config.write_text(MOTION.format(net=f"{tmp_path / 'nets.py'}:tiny"))
    given = config, tmp_path / "killed", torch.get_num_threads()
    killed = context("kinetoscope.training.train").Process(target=run_until_killed, args=given)
    killed.start()
    killed.join(300)
    assert killed.exitcode == -signal.SIGKILL
    assert [row["step"] for row in rows_of(tmp_path / "killed")] == [3, 6]
    expected = torch.get_rng_state()
    done = call(config, "--out", tmp_path / "killed", "--resume")
    assert done.exit_code == 0, (done.output, done.exception)
    whole = call(config, "--out", tmp_path / "whole", "--quiet")
    assert whole.exit_code == 0, (whole.output, whole.exception)
    assert whole.stderr == ""
    assert torch.equal(torch.get_rng_state(), expected)
    assert [row["step"] for row in rows_of(tmp_path / "whole")] == [3, 6, 9]
    assert without_seconds(tmp_path / "killed") == without_seconds(tmp_path / "whole")
    ours, theirs = (load_file(tmp_path / name / "best.safetensors") for name in ("killed", "whole"))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    again = call(config, "--out", tmp_path / "whole", "--resume")
    assert "is finished" in again.stderr


def test_two_devices_share_each_batch_of_one_twice_as_large(tmp_path):
    recipe_for(tmp_path)
    config = tmp_path / "c.toml"
    config.write_text(MOTION.format(net=f"{tmp_path / 'nets.py'}:plain"))
    words = [
        "train",
        config,
        "--out",
        tmp_path / "both",
        "--devices",
        "2",
        "--set",
        "data.validation_clips=7",
    ]
    started = [Path(sys.executable).with_name("kinetoscope"), *words, "--set", "training.batch=2"]
    with subprocess.Popen(
        started, env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, start_new_session=True,
    ) as process:  # fmt: skip
        try:
            out, err = process.communicate(timeout=600)
        finally:  # a second process would wait for the first for half an hour
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, err
    assert out == f"{tmp_path / 'both' / 'best.safetensors'}\n"
    assert err.count("best of 3 epochs") == 1
    train(recipe_for(tmp_path, "plain", "data.validation_clips=7"), tmp_path / "one")
    both, one = (without_seconds(tmp_path / name) for name in ("both", "one"))
    for got, want in zip(both, one, strict=True):
        assert got == pytest.approx(want, rel=1e-4)
    ours, theirs = (load_file(tmp_path / name / "best.safetensors") for name in ("both", "one"))
    for name in theirs:
        torch.testing.assert_close(ours[name], theirs[name], rtol=1e-3, atol=1e-5)


def test_a_folder_is_never_overwritten_and_keeps_to_its_recipe(tmp_path):
    recipe, out = recipe_for(tmp_path, "tiny", "training.epochs=1"), tmp_path / "out"
    lines = []
    train(recipe, out, resume=True, note=lines.append)
    assert "starting from the beginning" in lines[0]
    with pytest.raises(SettingInvalid, match="--resume, or choose another --out"):
        train(recipe, out)
    other = recipe_for(tmp_path, "tiny", "training.epochs=2", "seed=1")
    with pytest.raises(SettingInvalid, match=r"\(seed, training.epochs differ\)"):
        train(other, out, resume=True)


def test_a_run_without_progress_stops_early(tmp_path):
    recipe = recipe_for(tmp_path, "constant", "training.epochs=9", "training.patience=2")
    done = train(recipe, tmp_path / "out")
    assert [row["epoch"] for row in done.rows] == [1, 2, 3]
    assert done.best["epoch"] == 1
    assert done.rows[0]["validation_loss"] == pytest.approx(np.log(3))


@pytest.mark.parametrize(
    ("net", "change", "error", "told"),
    [
        ("broken", (), ModelUnusable, "loss is nan at step 0; lower training.learning_rate"),
        ("two", (), ModelUnusable, r"gives \(1, 2\) where \(1, 3\) is wanted"),
        ("tiny", ("data.width=2",), ModelUnusable, r"fails on clips of 3x12x2 \(.*\); change data.frames"),
        ("tiny", ("model.pretrained=absent.pth",), KinetoscopeError, "absent.pth"),
        ("tiny", ("data.classes=['lef']",), SettingInvalid, "motion has no class 'lef'"),
    ],
)
def test_what_cannot_be_trained_is_said_in_one_line(tmp_path, net, change, error, told):
    with pytest.raises(error, match=told) as caught:
        train(recipe_for(tmp_path, net, *change), tmp_path / "out")
    assert "\n" not in str(caught.value)


def test_pretrained_stills_become_the_first_slices(tmp_path):
    name = "kinetoscope.training.small:build_small_2d"
    stills = recipe_for(
        tmp_path,
        "",
        *(f"model.name={name}", "data.name=appearance", "data.frames=1", "data.height=32", "data.width=32"),
        *("data.clips=8", "data.validation_clips=8", "training.epochs=1", "training.batch=8"),
        "data.classes=['discs', 'rings', 'bars', 'squares', 'crosses', 'clouds', 'speckle', 'triangles']",
    )
    train(stills, tmp_path / "stills")
    weights = tmp_path / "stills" / "best.safetensors"
    changes = [f"model.name={name[:-2]}3t", f"model.pretrained={weights}", "data.classes=[]"]
    recipe = recipe_for(tmp_path, "", *changes)
    network = build_network(recipe, open_data(recipe.data, 0))
    for number in range(1, 5):
        slices = network.get_submodule(f"conv{number}").first_weight[:, :, 0]
        assert torch.equal(slices, load_file(weights)[f"conv{number}.weight"])


def test_heads_and_grey_networks_are_served():
    from kinetoscope.card import ModelCard
    from kinetoscope.training.loop import as_input, outputs_of

    network = torch.nn.Identity()
    network.kinetoscope_card = ModelCard(channels=1, mean=(0.5,), std=(0.5,))
    clips = torch.rand(2, 3, 4, 5, 6)
    torch.testing.assert_close(as_input(clips, network), 2 * clips.mean(1, keepdim=True) - 1)

    class Heads(torch.nn.Module):
        def forward(self, x):
            return x[..., 0, 0, 0], x[..., 0, 0, 0] + 1

    low, high = outputs_of(Heads(), clips, 3)
    torch.testing.assert_close(high - low, torch.ones(2, 3))


def test_usage_and_missing_extra(tmp_path, monkeypatch):
    assert call("--out", tmp_path / "o").exit_code == 2
    assert call("a.toml", "--recipe", "jester", "--out", tmp_path / "o").exit_code == 2
    assert "data.folder" in str(call("--recipe", "jester", "--out", tmp_path / "o").exception)
    monkeypatch.delitem(sys.modules, "kinetoscope.training.loop", raising=False)
    monkeypatch.setitem(sys.modules, "lightning", None)
    with pytest.raises(
        SettingInvalid, match=r"lightning, which is missing; pip install 'kinetoscope\[train\]'"
    ):
        train(recipe_for(tmp_path), tmp_path / "o")
    assert not (tmp_path / "o").exists()
