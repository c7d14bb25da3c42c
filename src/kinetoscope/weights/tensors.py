"""Tensors out of what a file stores: their types, their storages, and words for what is none."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .pickle_bounds import NotWeights
from .unpickle import ArrayType, Storage, StoredArray, StoredTensor

_STORAGES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
_PLAIN_NUMBERS = re.compile("[<>=|]([fiu][248]|[iub]1)")  # as NumPy codes them
# tensors that are no plain numbers, by what makes them
_SPECIAL = (
    ("_rebuild_sparse_tensor", "a sparse tensor (save it with to_dense())"),
    ("_rebuild_sparse_csr_tensor", "a sparse tensor (save it with to_dense())"),
    ("_rebuild_meta_tensor_no_storage", "a tensor on the device meta, which has no numbers"),
    ("_rebuild_qtensor", "a quantized tensor (save it with dequantize())"),
    ("_rebuild_tensor_v3", "a tensor of a rare type, such as float8 (save it as float32)"),
    ("_rebuild_nested_tensor", "a nested tensor"),
    ("_load_from_bytes", "a file in the file, as pickle.dump makes it of tensors (save it with torch.save)"),
    ("_rebuild_wrapper_subclass", "a tensor of somebody's own kind"),
)
Read = Callable[[Storage, int], bytes]


class Tensors:
    """Makes tensors of what a file stores; storages that several share are read once."""

    def __init__(self, read: Read) -> None:
        """Args: read: gives a storage's bytes."""
        self._read = read
        self._storages: dict[str, Tensor] = {}
        self._arrays: dict[int, Tensor] = {}

    def made(self, value: Any, name: str) -> Tensor:
        """The tensor of that name.

        Raises:
            NotWeights: it is none.
        """
        if isinstance(value, Tensor):
            return value
        if isinstance(value, StoredTensor):
            return _tensor(value, self._read, self._storages)
        if isinstance(value, StoredArray):
            if id(value) not in self._arrays:  # one array under many names is one tensor
                self._arrays[id(value)] = _array(value)
            return self._arrays[id(value)]
        raise NotWeights(f"{shown_name(name)} is {kind_of(value)}, no plain tensor")


def _tensor(stored: StoredTensor, read: Read, storages: dict[str, Tensor]) -> Tensor:
    storage = stored.storage
    if not isinstance(storage, Storage):
        raise NotWeights(f"a tensor in it rests on {kind_of(storage)}")
    if storage.key not in storages:
        dtype = dtype_of(storage)
        data = read(storage, storage.count * dtype.itemsize)
        if len(data) != storage.count * dtype.itemsize:
            raise NotWeights(f"storage {storage.key} does not have its size")
        # frombuffer takes no empty buffer
        storages[storage.key] = (
            torch.frombuffer(bytearray(data), dtype=dtype) if data else torch.empty(0, dtype=dtype)
        )
    return storages[storage.key].as_strided(stored.shape, stored.strides, stored.offset)


def dtype_of(storage: Storage) -> torch.dtype:
    """The type of a storage's numbers.

    Raises:
        NotWeights: they are of no plain type.
    """
    dtype = _STORAGES.get(storage.kind.removeprefix("torch."))
    if dtype is None or storage.count < 0:
        raise NotWeights(f"storage {storage.key} is {storage.count} of {storage.kind}")
    return dtype


def _array(stored: StoredArray) -> Tensor:
    raw, dtype = stored.raw, stored.dtype
    data = raw.encode("latin1") if isinstance(raw, str) else raw  # text where Python 2 wrote it
    words: tuple[Any, ...] = (dtype.order, dtype.code) if isinstance(dtype, ArrayType) else ()
    code = "".join(words) if all(isinstance(word, str) for word in words) else ""
    if not _PLAIN_NUMBERS.fullmatch(code) or not isinstance(data, (bytes, bytearray)):
        raise NotWeights(f"an array in it holds no plain numbers (type {shown_name(code) or 'unknown'})")
    order = "F" if stored.fortran else "C"
    array = np.ndarray(stored.shape, np.dtype(code), buffer=data, order=order)
    if array.nbytes != len(data):
        raise NotWeights("an array in it does not have the size of its bytes")
    return torch.from_numpy(array.astype(array.dtype.newbyteorder("=")))


def kind_of(value: Any) -> str:
    """A value from a file in a few words."""
    if isinstance(value, (list, tuple)):
        return f"a {type(value).__name__} of {len(value)}"
    if isinstance(value, (Tensor, StoredTensor, StoredArray)):
        return "a single tensor without a name"
    if isinstance(value, dict):
        return "a dictionary" if value else "an empty dictionary"
    named = getattr(value, "named", "")
    special = next((words for sign, words in _SPECIAL if named.endswith(sign)), "")
    return special or shown_name(named or type(value).__name__)


def shown_name(name: str, limit: int = 100) -> str:
    """A name from a file, fit for one line."""
    plain = name if name.isprintable() else ascii(name)
    return plain if len(plain) <= limit else f"{plain[:limit]}..."
