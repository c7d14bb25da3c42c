"""What is no file of weights is called by its name, and a file that was cut off is called cut."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save
from torch import nn

from kinetoscope.errors import ModelUnusable
from kinetoscope.weights.checkpoints import load_weights, read_weights

NET = nn.Conv3d(3, 4, 3)
STATE = NET.state_dict()


def told(path: Path) -> str:
    """The one line that both ways of reading refuse a file with."""
    lines = []
    for read in (lambda: load_weights(nn.Conv3d(3, 4, 3), path), lambda: read_weights(path)):
        with pytest.raises(ModelUnusable) as caught:
            read()
        lines.append(str(caught.value))
        assert lines[-1].isprintable()
        assert "has no attribute" not in lines[-1]
    return " ".join(lines)


ONNX = b"\x08\x08\x12\x07pytorch\x1a\x032.4:" + bytes(range(256)) * 3
FILES = {
    "text": (b"# how to fetch the weights\nsee the page\n", "a text that begins with '# how to fetch"),
    "onnx": (ONNX, "an ONNX model"),
    "pdf": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj", "a PDF document"),
    "utf-16": ("weights elsewhere".encode("utf-16"), "a text in UTF-16"),
    "zeros": (bytes(4096), "nothing but zeros"),
    "png": (b"\x89PNG\r\n\x1a\n" + bytes(50), "a picture or a film"),
    "mp4": (b"\0\0\0\x20ftypisom" + bytes(50), "a picture or a film"),
    "tflite": (b"\x1c\0\0\0TFL3" + bytes(50), "TensorFlow Lite"),
}


@pytest.mark.parametrize("kind", FILES)
def test_what_is_no_file_of_weights_is_named(tmp_path: Path, kind: str) -> None:
    data, said = FILES[kind]
    path = tmp_path / "weights.pt"
    path.write_bytes(data)
    assert told(path).count(said) == 2


@pytest.mark.parametrize("name", ["zip", "legacy", "safetensors"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9, 0.99])
def test_a_cut_file_is_called_cut(tmp_path: Path, name: str, share: float) -> None:
    path = tmp_path / "weights.pt"
    if name == "safetensors":
        path.write_bytes(save(STATE))
    else:
        torch.save(STATE, path, _use_new_zipfile_serialization=name == "zip")
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    assert told(path).count("cut off") == 2


VALUES = {
    "list": ([torch.ones(2), torch.ones(3)], "a list of 2"),
    "tuple": ((STATE, 3), "a tuple of 2"),
    "tensor": (torch.ones(3), "a single tensor"),
    "int keys": ({0: torch.ones(2), 1: torch.ones(3)}, "a name in it is 0, a int and no text"),
    "meta": ({**STATE, "bias": torch.ones(4, device="meta")}, "device meta"),
    "sparse": ({**STATE, "bias": torch.ones(4).to_sparse()}, "a sparse tensor (save it with to_dense())"),
    "float8": ({**STATE, "bias": torch.ones(4).to(torch.float8_e4m3fn)}, "float8"),
    "number": ({**STATE, "bias": 3.0}, "float"),
}


@pytest.mark.parametrize("kind", VALUES)
def test_what_is_no_plain_tensor_is_named(tmp_path: Path, kind: str) -> None:
    value, said = VALUES[kind]
    torch.save(value, tmp_path / "weights.pt")
    assert told(tmp_path / "weights.pt").count(said) == 2


def test_a_folder_is_told_as_one(tmp_path: Path) -> None:
    torch.save(STATE, tmp_path / "best.pt")
    assert told(tmp_path).count("it is a folder; give a file in it, such as best.pt") == 2


def test_whole_files_are_read_as_ever(tmp_path: Path) -> None:
    for new in (False, True):
        torch.save(STATE, tmp_path / "a.pt", _use_new_zipfile_serialization=new)
        assert read_weights(tmp_path / "a.pt").keys() == STATE.keys()
    for more in range(40):  # the header's length may begin like a pickle
        (tmp_path / "b.safetensors").write_bytes(save({**STATE, "n" * (8 * more + 1): torch.zeros(1)}))
        assert len(read_weights(tmp_path / "b.safetensors")) == 3
    (tmp_path / "a.safetensors").write_bytes(save({**STATE, "empty": torch.zeros(0)}))
    assert np.array_equal(read_weights(tmp_path / "a.safetensors")["bias"], STATE["bias"])
