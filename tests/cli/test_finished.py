"""When a run is finished already: the same content by the same settings, for every verb and every option."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import typer.main
from safetensors.torch import save_file

from kinetoscope.cli.app import app
from kinetoscope.cli.record import is_finished
from kinetoscope.errors import KinetoscopeError
from kinetoscope.files import plain
from kinetoscope.zoo.registry import load_model

NETWORK = """
import torch
from torch import nn
from kinetoscope import ModelCard


class Twice(nn.Module):
    def forward(self, x):
        return {act}(x) * 2


def factory():
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv3d(3, 4, 3, padding=1), Twice(), nn.Conv3d(4, 5, 3), nn.{layer}, nn.AdaptiveAvgPool3d(1),
        nn.Flatten(), nn.Linear(5, 2),
    )
    return network, ModelCard((6, 10, 12), mean=({mean},), class_names=("a", "b"), output_layer="6")
"""
PARTS = {"act": "torch.relu", "layer": "ReLU()", "mean": "0.0"}

VERBS: dict[str, tuple[str, ...]] = {
    "visualize": ("visualize", "net.py:factory", "0", "--units", "0"),
    "ablate": ("ablate", "net.py:factory", "0", "--unit", "0"),
    "sanity": ("sanity", "net.py:factory", "0", "--unit", "0"),
    "diversity": ("diversity", "net.py:factory", "0", "--unit", "0"),
    "sweep": ("sweep", "net.py:factory", "0", "--unit", "0"),
    "decompose": ("decompose", "clips/a.npy"),
    "attribute": ("attribute", "clips/a.npy", "--model", "net.py:factory", "--target", "0:1"),
    "feature-maps": ("feature-maps", "clips/a.npy", "--model", "net.py:factory", "--layer", "0"),
    "random kernels": ("feature-maps", "clips/a.npy", "--random-kernel", "2x3x3"),
    "given kernels": ("feature-maps", "clips/a.npy", "--kernels", "kernels.safetensors"),
    "search": ("search", "net.py:factory", "0", "--units", "0", "--clips", "clips"),
    "decode": ("decode", "net.py:factory", "0", "--units", "0"),
}
OF_A_NETWORK = [verb for verb in VERBS if any("net.py" in word for word in VERBS[verb])]
OF_CLIPS = [verb for verb in VERBS if any(word.startswith("clips") for word in VERBS[verb])]

STUDY = {
    "--seed 1": True,
    "--steps 7": True,
    "--steps 80": True,  # the usual ones of the search, but not of the paper's formulation
    "--size 6x16x12": True,
    "--weights random": True,
    "--motion-scale 5": True,
    "--device cpu:0": False,
    "--quiet": False,
}
OPTIONS = {
    "visualize": {
        "--seed 1": True,
        "--seeds 2": True,
        "--steps 7": True,
        "--steps 80": False,  # the usual ones
        "--size 6x16x12": True,
        "--size 6x10x12": False,
        "--preset strong": True,
        "--preset paper": True,
        "--objective channel": True,
        "--objective channel-relu": False,
        "--objective unit": True,
        "--objective 0:0-0:1": True,
        "--objective 0:0": True,  # as one sum
        "--vector rows.safetensors:rows": True,
        "--vector rows.safetensors:rows --cosine 2": True,
        "--mean-with w.pt": True,
        "--position 0,1,1": True,
        "--contrast 0.1": True,
        "--start noise": True,
        "--start clips/a.npy": True,
        "--stay 0.1 --start clips/a.npy": True,
        "--mask centre:0.5": True,
        "--alpha": True,
        "--preset maco": True,
        "--spectrum clips/a.npy --preset maco": True,
        "--precision bf16": True,
        "--weights random": True,
        "--weights w.pt": False,  # the same tensors
        "--motion-scale 5": True,
        "--device cpu:0": False,
        "--units 0,1": False,  # unit 0 lies there
        "--quiet": False,
    },
    "ablate": {"--unit 1": True, **STUDY},
    "sanity": {"--unit 1": True, **STUDY},
    "sweep": {
        "--unit 1": True,
        **STUDY,
        "--over power": True,
        "--over slowness": False,
        "--values 1,2": True,
        "--values 0,0.5,1,2,4": False,
        "--objective channel": True,
    },
    "diversity": {
        "--unit 1": True,
        **STUDY,
        "--steps 80": True,
        "--count 3": True,
        "--count 6": False,
        "--features 2": True,
        "--price 0.6": True,
        "--objective channel": True,
        "--contrast 0.1": True,
    },
    "decompose": {
        "--seed 1": True,
        "--preset paper": True,
        "--formulation fetch": True,
        "--motion-scale 5": True,
        "--partial": False,  # the same frames
        "--device cpu:0": False,
    },
    "attribute": {
        "--target 0:2": True,
        "--method smoothgrad": True,
        "--cam-layer 0": True,
        "--steps 7": True,
        "--samples 7": True,
        "--occlude 1x2x2": True,
        "--volume 0.2": True,
        "--mask-steps 7": True,
        "--batch 2": True,
        "--size 5x10x12": True,
        "--weights random": True,
        "--weights w.pt": False,
        "--seed 1": True,
        "--partial": True,
        "--device cpu:0": False,
    },
    "feature-maps": {
        "--units 0": True,
        "--top 1": True,
        "--scale per-map": True,
        "--size 6x16x12": True,
        "--weights random": True,
        "--weights w.pt": False,
        "--seed 1": True,
        "--partial": True,
        "--device cpu:0": False,
    },
    "random kernels": {"--random-kernel 3x3x3": True, "--filters 2": True, "--seed 1": True, "--top 1": True},
    "given kernels": {"--top 1": True, "--scale per-map": True},
    "search": {
        "--units 1": True,
        "--count 2": True,
        "--step 1": True,
        "--beside beside": True,
        "--size 6x16x12": True,
        "--weights random": True,
        "--weights w.pt": False,
        "--seed 1": False,  # draws nothing here
        "--partial": True,
        "--device cpu:0": False,
    },
    "decode": {
        "--unpool nearest": True,
        "--decompose": True,
        "--size 6x16x12": True,
        "--weights random": True,
        "--weights w.pt": False,
        "--seed 1": False,
        "--quiet": False,
    },
}


class Asked(KinetoscopeError):
    """Raised where a verb asks whether its run is finished, so that nothing is computed."""


Key = dict[str, Any]
KeyOf = Callable[..., Key]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A network, its weights in a file, a clip in a folder, and kernels."""
    monkeypatch.chdir(tmp_path)
    write_network()
    torch.save(load_model("net.py:factory").state_dict(), "w.pt")
    Path("clips").mkdir()
    write_clip(0)
    write_kernels(0)
    save_file({"rows": torch.ones(2, 4)}, "rows.safetensors")
    return tmp_path


def write_network(**parts: str) -> None:
    Path("net.py").write_text(NETWORK.format(**{**PARTS, **parts}))


def write_clip(seed: int, name: str = "clips/a.npy") -> None:
    np.save(name, np.random.default_rng(seed).random((7, 3, 16, 20), dtype=np.float32))


def write_kernels(seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    save_file({"kernels": torch.rand(2, 3, 2, 3, 3, generator=draw)}, "kernels.safetensors")


@pytest.fixture
def key_of(run, place: Path, monkeypatch: pytest.MonkeyPatch) -> KeyOf:
    """What a command compares with what lies in its folder, for unit 0 where it has units."""
    keys: list[Key] = []

    def spy(path: Path, key: Mapping[str, Any]) -> bool:
        keys.append(dict(key))
        raise Asked("asked")

    monkeypatch.setattr("kinetoscope.cli.record.is_finished", spy)
    monkeypatch.setattr("kinetoscope.cli.run.is_finished", spy)

    def key(*words: str) -> Key:
        keys.clear()
        outcome = run(*words, "--out", "o")
        assert (outcome.status, len(keys)) == (1, 1), outcome.err
        return keys[0]

    return key


def fits(first: Key, second: Key) -> bool:
    """Whether what a run with the first key leaves is finished for one with the second."""
    request: dict[str, Any] = {}
    for name, value in first.items():
        *groups, last = name.split(".")
        inside = request
        for group in groups:
            inside = inside.setdefault(group, {})
        inside[last] = plain(value)
    record = Path("record.json")
    record.write_text(json.dumps({"request": request}))
    return is_finished(record, second)


@pytest.mark.parametrize("verb", VERBS)
def test_an_option_that_changes_a_result_changes_the_key(key_of: KeyOf, verb: str) -> None:
    words = VERBS[verb]
    usual = key_of(*words)
    assert fits(usual, key_of(*words))
    found = {option: not fits(usual, key_of(*words, *option.split())) for option in OPTIONS[verb]}
    assert found == OPTIONS[verb]


@pytest.mark.parametrize("verb", VERBS)
def test_no_option_is_left_out_of_the_table(verb: str) -> None:
    """Beside those that say where, how and what is told; errors over --images are measured every time."""
    command = typer.main.get_command(app).commands[VERBS[verb][0]]  # type: ignore[attr-defined]
    options = {option for param in command.params for option in param.opts if option.startswith("--")}
    tried = {
        word
        for name in VERBS
        if VERBS[name][0] == VERBS[verb][0]
        for words in OPTIONS[name]
        for word in words.split()
    }
    given = {word for words in VERBS.values() if words[0] == VERBS[verb][0] for word in words}
    assert options - tried - given <= {"--out", "--force", "--quiet", "--debug", "--images", "--config"}


@pytest.mark.parametrize("verb", OF_A_NETWORK)
def test_the_content_of_the_network_is_in_the_key(key_of: KeyOf, verb: str) -> None:
    words = (*VERBS[verb], "--weights", "w.pt")
    usual = key_of(*words)
    for change in ({"act": "torch.tanh"}, {"layer": "Tanh()"}, {"layer": "LeakyReLU(0.3)"}, {"mean": "0.5"}):
        write_network(**change)
        assert not fits(usual, key_of(*words)), change
    write_network()
    assert fits(usual, key_of(*words))
    shutil.copy("w.pt", "renamed.pt")
    assert fits(usual, key_of(*VERBS[verb], "--weights", "renamed.pt"))
    state = torch.load("w.pt")
    torch.save({name: tensor + 0.1 for name, tensor in state.items()}, "w.pt")
    assert not fits(usual, key_of(*words))


@pytest.mark.parametrize("verb", OF_CLIPS)
def test_the_content_of_clips_is_in_the_key(key_of: KeyOf, verb: str) -> None:
    usual = key_of(*VERBS[verb])
    write_clip(1)
    assert not fits(usual, key_of(*VERBS[verb]))
    write_clip(0)
    assert fits(usual, key_of(*VERBS[verb]))
    Path("clips/a.npy").rename("clips/b.npy")
    renamed = [word.replace("a.npy", "b.npy") for word in VERBS[verb]]
    assert fits(usual, key_of(*renamed))
    if verb == "search":
        write_clip(2, "clips/c.npy")
        assert not fits(usual, key_of(*renamed))


def test_the_content_of_kernels_of_a_clip_to_start_from_and_of_optima_is_in_the_key(key_of: KeyOf) -> None:
    start = (*VERBS["visualize"], "--start", "clips/a.npy")
    beside = (*VERBS["search"], "--beside", "beside")
    Path("beside/0/0").mkdir(parents=True)
    optimum = Path("beside/0/0/arrays.safetensors")
    optimum.write_bytes(b"one")
    given = VERBS["given kernels"]
    kernels, clip, optima = key_of(*given), key_of(*start), key_of(*beside)
    write_kernels(1)
    assert not fits(kernels, key_of(*given))
    optimum.write_bytes(b"other")
    assert not fits(optima, key_of(*beside))
    write_clip(1)
    assert not fits(clip, key_of(*start))


def test_what_few_runs_have_is_missed_in_those_that_lack_it(key_of: KeyOf) -> None:
    words = VERBS["visualize"]
    usual = key_of(*words)
    for more in ("--vector rows.safetensors:rows", "--mean-with w.pt"):
        assert not fits(key_of(*words, *more.split()), usual)


def redone(run, *words: str) -> bool:
    outcome = run(*words, "--out", "o")
    assert outcome.status == 0, outcome.err
    return "finished in" in outcome.err or "searched" in outcome.err


NEW_WEIGHTS = {
    "attribute": (*VERBS["attribute"], "--weights", "w.pt", "--method", "gradient"),
    "feature-maps": (*VERBS["feature-maps"], "--weights", "w.pt"),
    "search": (*VERBS["search"], "--weights", "w.pt"),
    "visualize": (*VERBS["visualize"], "--weights", "w.pt"),
    "decode": (*VERBS["decode"], "--weights", "w.pt"),
}


@pytest.mark.parametrize("verb", NEW_WEIGHTS)
def test_what_was_replaced_is_done_again(run, place: Path, verb: str) -> None:
    """From one run of the command to the next: first nothing changes, then weights, clip and network do."""
    words = NEW_WEIGHTS[verb]
    assert [redone(run, *words) for _ in range(2)] == [True, False]
    torch.save({name: 2 * tensor for name, tensor in torch.load("w.pt").items()}, "w.pt")
    assert [redone(run, *words) for _ in range(2)] == [True, False]
    write_network(act="torch.tanh")
    assert [redone(run, *words) for _ in range(2)] == [True, False]
    write_network(act="torch.tanh", mean="0.5")
    assert [redone(run, *words) for _ in range(2)] == [True, False]
    if verb in OF_CLIPS:
        write_clip(1)
        assert [redone(run, *words) for _ in range(2)] == [True, False]


def test_a_record_that_is_damaged_or_of_before_is_not_finished(tmp_path: Path) -> None:
    record = tmp_path / "x.json"
    assert not is_finished(record, {"seed": 0})
    record.write_text('{"request": {"seed": 0}}')
    assert is_finished(record, {"seed": 0, "clip": "elsewhere.mp4"})
    assert not is_finished(record, {"seed": 0, "clip_sha256": "5"})
    record.write_text('{"request": {"seed": 0')
    assert not is_finished(record, {"seed": 0})
    unit = tmp_path / "unit.json"
    unit.write_text('{"seed": 0}')  # what every unit has is missing
    assert not is_finished(unit, {"seed": 0})
