"""The benchmark for graphics cards runs on a processor too, with tiny sizes."""

import json
from pathlib import Path

import pytest

import gpu


@pytest.mark.usefixtures("quick_motion")
def test_every_layer_gets_its_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "gpu.md"
    words = "--device cpu --precision fp32 --model motion13 --layers conv2,conv3b --size 4x16x16 --steps 2"
    gpu.main([*words.split(), "--most", "2", "--minutes", "1", "--out", str(out)])
    capsys.readouterr()
    numbers = json.loads(out.with_suffix(".json").read_text())
    assert [(row["layer"], row["units"], row["batch"]) for row in numbers["rows"]] == [
        ("conv2", 32, 2),
        ("conv3b", 64, 2),
    ]
    for row in numbers["rows"]:
        parts = row["bank"] / row["units"] + row["search"] + row["decompose"] + row["redrive"]
        assert row["seconds"] == pytest.approx(parts)
        assert row["tflops"] > 0
    assert "All 96 units of these layers" in out.read_text()
