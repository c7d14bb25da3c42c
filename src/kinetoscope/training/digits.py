"""Handwritten digits: MNIST's idx files, or scikit-learn's small digits where there are none."""

import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from ..errors import SettingInvalid

UNSEEN = 0.2
"""Share of the digits that training never sees."""

_IMAGES, _LABELS = "-images-idx3-ubyte", "-labels-idx1-ubyte"


@dataclass(frozen=True)
class Digits:
    """Pictures of digits and what they show.

    Attributes:
        images: (N, 1, 28, 28) in [0, 1], white on black.
        labels: (N,), 0 to 9.
        source: where they are from, in words.
    """

    images: Float[Tensor, "digit 1 28 28"]
    labels: Int[Tensor, " digit"]
    source: str = ""

    def split(self) -> tuple["Digits", "Digits"]:
        """Those to train with and those to keep unseen; the same parts every time."""
        order = torch.randperm(len(self.labels), generator=torch.Generator().manual_seed(0))
        unseen, seen = order.split([round(UNSEEN * len(order)), len(order) - round(UNSEEN * len(order))])
        first, second = (Digits(self.images[part], self.labels[part], self.source) for part in (seen, unseen))
        return first, second


def load_digits(folder: Path | None) -> Digits:
    """All digits in the idx files of a folder; without a folder, scikit-learn's, enlarged from 8x8 to 28x28.

    Raises:
        SettingInvalid: no such files, or broken ones; or no folder and no scikit-learn.
    """
    if folder is None:
        return _offline_digits()
    names = [path.name.partition(_IMAGES)[0] for path in _files(folder, _IMAGES)]
    images = read_images(folder)
    labels = np.concatenate([_read_idx(_files(folder, _LABELS, name)[0], 1) for name in names])
    if images.shape[2:] != (28, 28) or len(labels) != len(images):
        given = f"{len(images)} images of {tuple(images.shape[2:])} and {len(labels)} labels"
        raise SettingInvalid(f"{folder} has {given}; wanted are 28x28 with a label each, as MNIST is")
    return Digits(images, torch.from_numpy(labels).long(), "idx files")


def read_images(folder: Path) -> Float[Tensor, "image 1 rows columns"]:
    """All images in the idx files of a folder (`*-images-idx3-ubyte`, also `.gz`), in [0, 1], by file name.

    Raises:
        SettingInvalid: there are none, they are broken, or their sizes differ.
    """
    parts = [_read_idx(path, 3) for path in _files(folder, _IMAGES)]
    if len({part.shape[1:] for part in parts}) > 1:
        raise SettingInvalid(f"the idx files in {folder} hold images of several sizes; give one set")
    return torch.from_numpy(np.concatenate(parts)).float()[:, None] / 255


def _files(folder: Path, kind: str, name: str = "") -> list[Path]:
    """idx files of a kind, one for each name: plain or compressed, whichever is there."""
    found = {path.name.removesuffix(".gz"): path for path in sorted(folder.glob(f"{name}*{kind}*"))}
    if not found:
        raise SettingInvalid(
            f"no files {name}*{kind} in {str(folder)!r}; give a folder with MNIST's idx files (.gz or plain)"
        )
    return list(found.values())


def _read_idx(path: Path, axes: int) -> np.ndarray:
    """Bytes in the shape that an idx header states (http://yann.lecun.com/exdb/mnist)."""
    try:
        data = path.read_bytes()
        data = gzip.decompress(data) if path.suffix == ".gz" else data
    except (OSError, EOFError, zlib.error) as error:  # gzip's own error is an OSError
        raise SettingInvalid(f"{path} cannot be read ({error}); fetch it again") from error
    head = 4 + 4 * axes
    shape = np.frombuffer(data[4:head], ">u4").astype(int) if len(data) >= head else np.zeros(axes, int)
    if data[:4] != bytes((0, 0, 8, axes)) or len(data) != head + shape.prod():
        raise SettingInvalid(f"{path} is no idx file of {axes} axes of bytes, or was cut; fetch it again")
    return np.frombuffer(data, np.uint8, offset=head).reshape(shape)


def _offline_digits() -> Digits:
    try:
        from sklearn.datasets import load_digits as load
    except ModuleNotFoundError as missing:
        raise SettingInvalid(
            "scikit-learn is missing; give a folder with idx files, or pip install 'kinetoscope[train]'"
        ) from missing
    small = load()
    images = torch.from_numpy(small.images).float()[:, None] / 16
    # MNIST's digits fill 20 of 28 pixels
    large = F.interpolate(images, size=(20, 20), mode="bicubic", align_corners=False).clamp(0, 1)
    labels = torch.from_numpy(small.target).long()
    return Digits(F.pad(large, (4, 4, 4, 4)), labels, "scikit-learn's digits (8x8, enlarged)")
