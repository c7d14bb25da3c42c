"""Arrays too long for memory: collected on disk frame by frame, then written as one safetensors file."""

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ..files import unwritable, whole_file
from ..records import ARRAYS_FILE

TimeFirst = Float[Tensor, "time ..."]


class Spool:
    """A float32 array that grows along time in a nameless file, read back frame by frame; use `with`."""

    def __init__(self, folder: Path) -> None:
        """Make it.

        Args:
            folder: where the file lies; its disk needs the room, memory does not.

        Raises:
            OutputUnwritable: the disk is full or the folder shut; so does `append`.
        """
        self._place = folder / ARRAYS_FILE
        with self._writing():
            self._file: IO[bytes] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by __exit__
        self._inner: tuple[int, ...] = ()
        self._length = 0

    def __enter__(self) -> "Spool":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):  # of a disk that is full, which has been told
            self._file.close()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise unwritable(self._place, error) from error

    def __len__(self) -> int:
        return self._length

    @property
    def shape(self) -> tuple[int, ...]:
        """Time first."""
        return (self._length, *self._inner)

    def append(self, block: TimeFirst) -> None:
        """Add frames, (T, ...)."""
        self._inner = tuple(block.shape[1:])
        with self._writing():
            self._file.seek(0, os.SEEK_END)
            self._file.write(block.detach().cpu().float().contiguous().numpy().data)
        self._length += len(block)

    def __getitem__(self, t: int) -> Tensor:
        """Frame `t`, without the time axis."""
        if not 0 <= t < self._length:
            raise IndexError(t)
        size = int(np.prod(self._inner))
        with self._writing():  # what waits in the buffer is written first
            self._file.seek(4 * size * t)
            data = bytearray(self._file.read(4 * size))
        return torch.frombuffer(data, dtype=torch.float32).view(self._inner)


def write_spools(
    path: Path, spools: Mapping[str, tuple[Spool, int]], arrays: Mapping[str, Tensor] | None = None
) -> Path:
    """Write spools as a safetensors file, whole or not at all, one frame in memory at a time.

    Args:
        path: of the file.
        spools: by name, each with the place of its time axis in the file: 0, or 1 behind the next.
        arrays: small ones, written as float32 as well.

    Raises:
        OutputUnwritable: no permission or no space.
    """
    tensors = {name: tensor.detach().cpu().float().contiguous() for name, tensor in (arrays or {}).items()}
    shapes = {name: _placed(spool.shape, axis) for name, (spool, axis) in spools.items()}
    shapes |= {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    header, offset = {}, 0
    for name, shape in shapes.items():
        size = 4 * int(np.prod(shape))
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with whole_file(path) as beside, beside.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for spool, axis in spools.values():
            _copy(spool, axis, file)
        for tensor in tensors.values():
            file.write(tensor.numpy().data)
    return path


def _placed(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return shape if axis == 0 else (shape[1], shape[0], *shape[2:])


def _copy(spool: Spool, axis: int, file: IO[bytes]) -> None:
    time = spool.shape[0]
    if axis == 0:
        for t in range(time):
            file.write(spool[t].numpy().data)
        return
    count = spool.shape[1]
    start, size = file.tell(), 4 * int(np.prod(spool.shape[2:]))
    for t in range(time):
        for index, part in enumerate(spool[t]):
            file.seek(start + (index * time + t) * size)
            file.write(part.contiguous().numpy().data)
    file.seek(start + count * time * size)
