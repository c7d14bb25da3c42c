"""Files of weights made by hand, and how those that are none have to be refused."""

import contextlib
import io
import zipfile
from pathlib import Path

import pytest

from kinetoscope.errors import ModelUnusable
from kinetoscope.weights.checkpoints import read_weights


def zipped(members: dict[str, bytes]) -> bytes:
    """A zip archive of these members."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


def assert_refused(folder: Path, data: bytes) -> None:
    """Such a file is refused in one clear line; what it wants executed would leave a file in `folder`."""
    path = folder / "weights.bin"
    path.write_bytes(data)
    refused = pytest.raises(ModelUnusable, match=r"weights\.bin cannot be read as weights")
    with contextlib.chdir(folder), refused as caught:
        read_weights(path)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 600
    assert [file.name for file in folder.iterdir()] == ["weights.bin"]
