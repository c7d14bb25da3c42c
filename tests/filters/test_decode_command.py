"""What `kinetoscope decode` leaves, and when finished units are decoded again."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file

from kinetoscope.cli.decode import Unpool, decode
from kinetoscope.errors import NotDecodable, SettingInvalid
from kinetoscope.zoo.characters import LETTERS

pytestmark = pytest.mark.usefixtures("quick_motion")  # of optima

LETTER_NET = "characters"
OWN = """
import torch
from torch import nn
from kinetoscope import ModelCard

def factory():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv3d(3, 4, 3), nn.MaxPool3d(2), nn.Conv3d(4, 2, (2, 3, 3)), nn.Softmax(dim=1))
    return net, ModelCard(clip=(8, 16, 20), channel_order="BGR")
"""


@pytest.mark.painted
def test_letters_are_left_as_promised_and_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    decode(LETTER_NET, "conv4", units="C,5", out=tmp_path, quiet=True)
    assert capsys.readouterr().out == f"{tmp_path / 'decode.json'}\n"
    run = json.loads((tmp_path / "decode.json").read_text())
    assert [(row["unit"], row["unit_name"], row["shape"]) for row in run["units"]] == [
        (0, "C", [1, 14, 14]),
        (list(LETTERS).index("P"), "P", [1, 14, 14]),
    ]
    assert (run["unpool"], run["errors"]) == ("bicubic", [])
    folder = tmp_path / "conv4" / "5"
    assert sorted(path.name for path in folder.iterdir()) == [
        "arrays.safetensors",
        "decoded.json",
        "decoded.png",
    ]
    assert load_file(folder / "arrays.safetensors")["decoded"].shape == (1, 14, 14)
    with Image.open(folder / "decoded.png") as picture:
        assert picture.width > 3 * 256
    written = (folder / "decoded.json").stat().st_mtime_ns

    def again(**changes: object) -> bool:
        before = (folder / "decoded.json").stat().st_mtime_ns
        decode(LETTER_NET, "conv4", units="P", out=tmp_path, **changes)
        return (folder / "decoded.json").stat().st_mtime_ns != before

    assert not again()
    assert "1 of 1 units are finished" in capsys.readouterr().err
    assert (folder / "decoded.json").stat().st_mtime_ns == written
    assert again(force=True)
    assert again(unpool=Unpool.nearest)
    assert not again(unpool=Unpool.nearest)


def test_errors_are_measured_where_images_are_given(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (6, 14, 18), dtype=np.uint8)
    head = bytes((0, 0, 8, 3)) + np.array(images.shape, ">u4").tobytes()
    (tmp_path / "some-images-idx3-ubyte.gz").write_bytes(gzip.compress(head + images.tobytes()))
    decode(LETTER_NET, "conv2", units="0", out=tmp_path / "o", images=tmp_path, quiet=True)
    errors = json.loads((tmp_path / "o" / "decode.json").read_text())["errors"]
    assert [(row["unpool"], row["images"]) for row in errors] == [
        ("nearest", 6),
        ("bilinear", 6),
        ("bicubic", 6),
    ]
    assert max(row["mean"] for row in errors) < 1e-9  # two convolutions and nothing else: exact


def test_a_3d_network_gives_videos_and_their_decomposition(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN)
    model = f"{tmp_path / 'own.py'}:factory"
    decode(model, "2", units="1", out=tmp_path / "o", decompose=True, quiet=True)
    folder = tmp_path / "o" / "2" / "1"
    decoded = load_file(folder / "arrays.safetensors")["decoded"]
    assert decoded.shape == (3, 6, 8, 8)
    with Image.open(folder / "decoded.gif") as film:
        assert film.n_frames == 6
    parts = load_file(folder / "decomposition" / "arrays.safetensors")
    assert parts["velocity"].shape == (5, 2, 8, 8)
    peak = decoded.abs().max()
    expected = (0.5 + 0.5 * decoded / peak).flip(0).transpose(0, 1)  # RGB, as shown
    np.testing.assert_allclose(parts["video"].numpy(), expected.numpy(), atol=1e-6)
    with pytest.raises(NotDecodable, match="layer '3' cannot be decoded: _softmax"):
        decode(model, "3", units="0", out=tmp_path / "o", quiet=True)


def test_a_folder_without_images_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingInvalid, match="images-idx3-ubyte"):
        decode(LETTER_NET, "conv2", units="0", out=tmp_path / "o", images=tmp_path, quiet=True)
