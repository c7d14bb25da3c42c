import gzip
from pathlib import Path

import numpy as np
import pytest
import torch

from kinetoscope.errors import SettingInvalid
from kinetoscope.training.digits import load_digits, read_images


def idx(values: np.ndarray) -> bytes:
    return bytes((0, 0, 8, values.ndim)) + np.array(values.shape, ">u4").tobytes() + values.tobytes()


def planted(folder: Path, count: int = 5) -> np.ndarray:
    images = np.random.default_rng(count).integers(0, 256, (count, 28, 28), dtype=np.uint8)
    (folder / "t-images-idx3-ubyte").write_bytes(idx(images))
    (folder / "t-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(np.arange(count, dtype=np.uint8) % 10)))
    return images


def test_idx_files_are_read_plain_and_compressed(tmp_path):
    images = planted(tmp_path)
    digits = load_digits(tmp_path)
    np.testing.assert_allclose(digits.images[:, 0].numpy() * 255, images, atol=1e-4)
    assert digits.labels.tolist() == [0, 1, 2, 3, 4]


def test_the_split_is_the_same_every_time_and_overlaps_nowhere(tmp_path):
    planted(tmp_path, 50)
    torch.manual_seed(1)
    (seen, unseen), (again, _) = load_digits(tmp_path).split(), load_digits(tmp_path).split()
    assert (len(seen.labels), len(unseen.labels)) == (40, 10)
    assert torch.equal(seen.images, again.images)
    everything = torch.cat([seen.images, unseen.images]).flatten(1)
    assert len(everything.unique(dim=0)) == 50


def test_the_stand_in_has_digits_where_mnist_has_them():
    pytest.importorskip("sklearn")
    digits = load_digits(None)
    assert digits.images.shape == (1797, 1, 28, 28)
    assert digits.images.min() >= 0
    assert digits.images.max() <= 1
    assert digits.images[:, :, :4].max() == 0 < digits.images[:, :, 4:24].mean()
    assert digits.labels.unique().tolist() == list(range(10))


def test_what_is_wrong_with_the_files_is_named(tmp_path):
    with pytest.raises(SettingInvalid, match=r"no files .*images-idx3-ubyte"):
        read_images(tmp_path)
    planted(tmp_path)
    whole = (tmp_path / "t-images-idx3-ubyte").read_bytes()
    (tmp_path / "t-images-idx3-ubyte").write_bytes(whole[:-1])
    with pytest.raises(SettingInvalid, match="was cut"):
        read_images(tmp_path)
    (tmp_path / "t-images-idx3-ubyte").write_bytes(whole)
    (tmp_path / "t-labels-idx1-ubyte.gz").write_bytes(b"no gzip")
    with pytest.raises(SettingInvalid, match="cannot be read"):
        load_digits(tmp_path)
    (tmp_path / "t-labels-idx1-ubyte.gz").unlink()
    (tmp_path / "t-labels-idx1-ubyte").write_bytes(idx(np.zeros(4, np.uint8)))
    with pytest.raises(SettingInvalid, match=r"5 images of .28, 28. and 4 labels"):
        load_digits(tmp_path)
