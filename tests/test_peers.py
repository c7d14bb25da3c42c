"""Every row of the table of questions that other tools answer is run."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

import kinetoscope as ks
from kinetoscope.cli import main
from kinetoscope.render.frames import encode_mp4

PAGE = Path(__file__).parents[1] / "docs" / "peers.md"
ROWS = re.findall(r"^\| ([^|]+\?) \| [^|]+ \| `(.+)` \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Films, vectors and weights that the rows name, and a run that one of them goes on with."""
    place = tmp_path_factory.mktemp("peers")
    model = ks.load_model("motion13")
    save_file({"plane": torch.eye(64)[:2]}, place / "probe.safetensors")
    save_file(
        {name: part.contiguous() for name, part in model.state_dict().items()}, place / "other.safetensors"
    )
    draw = np.random.default_rng(0)
    (place / "films").mkdir()
    for index, name in enumerate(("clip.mp4", *(f"films/{letter}.gif" for letter in "abcdefgh"))):
        coarse = draw.random((6, 8, 3)).repeat(6, axis=0).repeat(6, axis=1)
        film = np.stack([np.roll(coarse, frame * (index + 1), axis=1) for frame in range(16)])
        levels = (film * 255).astype(np.uint8)
        if name.endswith(".gif"):  # what the package itself has drawn is no natural film to it
            first, *rest = (Image.fromarray(frame) for frame in levels)
            first.save(place / name, save_all=True, append_images=rest, duration=100, loop=0)
        else:
            (place / name).write_bytes(encode_mp4(levels, fps=8))
    return place


def test_the_table_is_read_whole() -> None:
    first = PAGE.read_text(encoding="utf-8").partition("What none of them answers")[0].splitlines()
    assert len(ROWS) == sum(line.startswith("| ") and "?" in line for line in first) >= 25


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("question", "line"), ROWS, ids=[question for question, _ in ROWS])
def test_a_row_is_run(question: str, line: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    if line.startswith("ks."):
        model = ks.load_model("motion13")
        eval(
            line.replace('"conv3b", 5', '"conv3b", 5, size=(8, 32, 32), seeds=1'), {"ks": ks, "model": model}
        )
        return
    words = [word.strip('"') for word in re.findall(r'"[^"]*"|\S+', line)][1:]
    if "--size" not in words:
        words += ["--size", "8x32x32"]
    if words[0] in ("diversity", "sweep"):  # what answers nothing has nothing to be repelled from
        words += ["--steps", "12"]
    if words[0] == "visualize":
        words += ["--seeds", "1"]
    assert main(words) == 0, question
