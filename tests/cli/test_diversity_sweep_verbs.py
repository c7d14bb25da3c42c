"""`diversity` and `sweep`: one figure, one JSON file and the clips, done once; wrong words are told."""

import json
from pathlib import Path

import pytest
from PIL import Image
from safetensors.torch import load_file

NETWORK = """
import kinetoscope as ks
from kinetoscope.synthetic.networks import EitherDirection


def factory():
    network = EitherDirection((0.0, 180.0), (0, 1), 1.0, wavelength=5.0, size=(3, 5))
    return network, ks.ModelCard(clip=(5, 12, 16))
"""
UNIT = ("net.py:factory", "either", "--unit", "0", "--steps", "2", "--quiet")


@pytest.fixture(autouse=True)
def network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(NETWORK)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("diversity", ("--count", "2", "--features", "first.energy")),
        ("sweep", ("--over", "power", "--values", "0.5,2")),
    ],
)
def test_a_figure_its_numbers_and_the_clips_are_left_once(run, name: str, words: tuple[str, ...]) -> None:
    status, out, err = run(name, *UNIT, *words, "--out", "o")
    assert (status, out, err) == (0, f"{Path('o') / name}.png\n", "")
    with Image.open(f"o/{name}.png") as picture:
        assert picture.width == 1600
    file = Path(f"o/{name}.json")
    record = json.loads(file.read_text())
    assert (record["unit"], len(record["rows"]), record["request"][name]) == (0, 2, record["request"][name])
    assert {"share", "response", "label", "speed_px_per_frame"} <= set(record["rows"][0])
    arrays = load_file("o/arrays.safetensors")
    assert tuple(arrays["optimal_videos"].shape) == (2, 5, 3, 12, 16)
    if name == "diversity":
        assert (record["features"], tuple(arrays["similarity"].shape)) == ("first.energy", (2, 2))
    else:
        assert [row["power"] for row in record["rows"]] == [0.5, 2.0]
    before = file.stat().st_mtime_ns
    assert run(name, *UNIT, *words, "--out", "o").status == 0
    assert file.stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (("diversity", *UNIT, "--count", "1"), 2, "--count"),
        (("diversity", *UNIT, "--features", "first.energi"), 1, "first.energy"),
        (("sweep", *UNIT, "--values", "a,2"), 2, "no numbers"),
        (("sweep", *UNIT, "--values", "-1"), 2, "at least 0"),
        (("sweep", *UNIT, "--over", "colour"), 2, "--over"),
        (("visualize", "net.py:factory", "either", "--units", "0", "--stay", "0.1"), 2, "--start"),
        (("visualize", "net.py:factory", "either", "--units", "0", "--mask", "middle:1"), 2, "centre:SHARE"),
        (("visualize", "net.py:factory", "either", "--units", "0", "--spectrum", "net.py"), 2, "maco"),
    ],
)
def test_wrong_words(run, words: tuple[str, ...], status: int, told: str) -> None:
    outcome = run(*words, "--out", "o")
    assert (outcome.status, told in outcome.err) == (status, True), outcome.err
    assert not Path("o").exists()
