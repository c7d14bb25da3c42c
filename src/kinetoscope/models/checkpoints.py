"""Reading weights from files that nobody vouches for, and filling a model with them.

A file is told by its content, never by its name: safetensors; torch's zip archives and its format before 1.6,
with whatever else was pickled beside the tensors (Lightning's arguments); a pickle of NumPy arrays (Caffe2's
`blobs`). Nothing in a file is ever executed, and no file makes us fill much more memory than its own size.
"""

import io
import pickle
import re
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from ..errors import ModelUnusable, listed
from .pickle_bounds import NotWeights
from .unpickle import ArrayType, Storage, StoredArray, StoredTensor, read_pickle

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C  # torch.serialization, format before 1.6
_LEGACY_PROTOCOL = 1001
_WRAPPERS = ("state_dict", "model_state_dict", "model_state", "model", "blobs")
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
_TENSORS = 1000  # more than any network has; of more names in a message, the number is told
_PLAIN_NUMBERS = re.compile("[<>=|]([fiu][248]|[iub]1)")  # as NumPy codes them
# what a damaged file makes its readers raise
_FAULTS = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    pickle.UnpicklingError,
    RuntimeError,
    SafetensorError,
    struct.error,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
)
Read = Callable[[Storage, int], bytes]
Rename = Callable[[dict[str, Tensor]], dict[str, Tensor]]


def load_weights(model: nn.Module, path: Path, rename: Rename | None = None) -> None:
    """Fill a model from a file; nothing is changed unless everything fits.

    Args:
        model: to be filled.
        path: as for `read_weights`.
        rename: gives the published file's tensors the model's names; not asked when the file has those.

    Raises:
        ModelUnusable: the file is missing or no weights file, or its tensors are not the model's; all
            missing, extra and misshapen ones are named. A missing `num_batches_tracked`, which files older
            than torch 0.4.1 lack, is no fault.
    """
    given, wanted = read_weights(path), model.state_dict()
    if given.keys().isdisjoint(wanted) and all(name.startswith("module.") for name in given):
        given = {
            name.removeprefix("module."): tensor for name, tensor in given.items()
        }  # DataParallel's prefix
    if rename is not None and given.keys().isdisjoint(wanted):
        given = rename(given)
    both = [(name, given[name], tensor) for name, tensor in wanted.items() if name in given]
    modules = dict(model.named_modules())
    faults = {
        "missing": [n for n in wanted if n not in given and not n.endswith("num_batches_tracked")],
        "extra": [_shown(n) for n in given if n not in wanted and not _is_computed(modules, n)],
        "of another shape": [
            f"{name} {tuple(got.shape)} for {tuple(t.shape)}" for name, got, t in both if got.shape != t.shape
        ],
        "not floating": [
            f"{name} {got.dtype}"
            for name, got, t in both
            if t.is_floating_point() and not got.is_floating_point()
        ],
    }
    told = "; ".join(f"{kind}: {listed(names, _TENSORS)}" for kind, names in faults.items() if names)
    if told:
        raise ModelUnusable(f"{path} does not fit the model; {told}; give weights of this architecture")
    model.load_state_dict(given, strict=False)


def _is_computed(modules: dict[str, nn.Module], name: str) -> bool:
    """Whether the model makes this tensor itself, as `Conv3T` makes its kernel."""
    path, _, leaf = name.rpartition(".")
    return isinstance(getattr(type(modules.get(path)), leaf, None), property)


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a weights file, by name, on the CPU; nothing in the file is ever executed.

    Raises:
        ModelUnusable: the file is missing, broken, or holds something else than named tensors.
    """
    try:
        if not path.is_file():
            raise ModelUnusable(f"no weights file {path}; --weights takes default, random, a file or a URL")
        return _read(path)
    except _FAULTS as error:
        raise ModelUnusable(
            f"{path} cannot be read as weights ({_reason(error)}); give a state dict (names and tensors) as "
            "safetensors, a torch file or a pickle of NumPy arrays"
        ) from error


def _read(path: Path) -> dict[str, Tensor]:
    with path.open("rb") as file:
        start = file.read(9)
        file.seek(0)
        if start[:4] == b"PK\x03\x04":
            return _from_zip(file)
        if start[:1] == b"\x80":  # a pickle of protocol 2 or later
            return _from_pickles(file)
    if start[8:] != b"{":
        raise NotWeights("it is none of these" if start else "it is empty")
    return load_file(path)


def _from_zip(file: io.BufferedReader) -> dict[str, Tensor]:
    """torch.save since 1.6: ROOT/data.pkl, and a member ROOT/data/KEY for each storage."""
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        if any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise NotWeights("its members are compressed, which torch never does")
        if sum(member.file_size for member in members) > file.seek(0, 2):
            raise NotWeights("its members claim to be larger than their file")
        names = archive.namelist()
        root = next((name.removesuffix("data.pkl") for name in names if name.endswith("/data.pkl")), "")
        if not root:
            raise NotWeights("a zip archive without data.pkl")
        if f"{root}byteorder" in names and archive.read(f"{root}byteorder") != b"little":
            raise NotWeights("its numbers are not little-endian")
        content = read_pickle(io.BytesIO(archive.read(f"{root}data.pkl")), {})
        return _state(content, lambda storage, size: archive.read(f"{root}data/{storage.key}"))


def _from_pickles(file: io.BufferedReader) -> dict[str, Tensor]:
    """One pickle of arrays; or torch.save before 1.6: five pickles, and the storages behind them."""
    content, storages = read_pickle(file, {}), dict[str, Storage]()
    if content != _LEGACY_MAGIC:
        return _state(content, _nowhere)
    protocol, system = read_pickle(file, {}), read_pickle(file, {})
    if protocol != _LEGACY_PROTOCOL or system["little_endian"] is not True:
        raise NotWeights("a torch file of an unknown kind")
    content, keys = read_pickle(file, storages), read_pickle(file, {})
    places, here = {}, file.tell()
    end = file.seek(0, 2)
    file.seek(here)
    for key in keys:
        if not isinstance(key, str):
            raise NotWeights("its storages have no proper keys")
        (count,) = struct.unpack("<q", file.read(8))
        if count != storages[key].count:
            raise NotWeights(f"storage {key} is not as long as its tensors say")
        places[key] = file.tell()
        if file.seek(count * _dtype(storages[key]).itemsize, 1) > end:
            raise NotWeights(f"storage {key} is cut off")

    def read(storage: Storage, size: int) -> bytes:
        file.seek(places[storage.key])
        return file.read(size)

    return _state(content, read)


def _nowhere(storage: Storage, size: int) -> bytes:
    raise NotWeights("its tensors are kept elsewhere")


def _state(content: Any, read: Read) -> dict[str, Tensor]:
    """The tensors of a state dict, which may be wrapped; `read` gives a storage's bytes."""
    for key in _WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict) or not content:
        raise NotWeights(f"it holds {_kind(content)}, no state dict")
    storages: dict[str, Tensor] = {}
    arrays: dict[int, Tensor] = {}
    state = {}
    for name, value in content.items():
        if not isinstance(name, str):
            raise NotWeights(f"a name in it is {_kind(name)}, no text")
        if isinstance(value, StoredTensor):
            state[name] = _tensor(value, read, storages)
        elif isinstance(value, StoredArray):
            if id(value) not in arrays:  # one array under many names is one tensor
                arrays[id(value)] = _array(value)
            state[name] = arrays[id(value)]
        else:
            raise NotWeights(f"{_shown(name)} is {_kind(value)}, no tensor")
    return state


def _tensor(stored: StoredTensor, read: Read, storages: dict[str, Tensor]) -> Tensor:
    storage = stored.storage
    if not isinstance(storage, Storage):
        raise NotWeights(f"a tensor in it rests on {_kind(storage)}, no storage")
    if storage.key not in storages:
        dtype = _dtype(storage)
        data = read(storage, storage.count * dtype.itemsize)
        if len(data) != storage.count * dtype.itemsize:
            raise NotWeights(f"storage {storage.key} does not have its size")
        # frombuffer takes no empty buffer
        storages[storage.key] = (
            torch.frombuffer(bytearray(data), dtype=dtype) if data else torch.empty(0, dtype=dtype)
        )
    return storages[storage.key].as_strided(stored.shape, stored.strides, stored.offset)


def _dtype(storage: Storage) -> torch.dtype:
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
        raise NotWeights(f"an array in it holds no plain numbers (type {_shown(code) or 'unknown'})")
    order = "F" if stored.fortran else "C"
    array = np.ndarray(stored.shape, np.dtype(code), buffer=data, order=order)
    if array.nbytes != len(data):
        raise NotWeights("an array in it does not have the size of its bytes")
    return torch.from_numpy(array.astype(array.dtype.newbyteorder("=")))


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        return "a dictionary" if value else "an empty dictionary"
    return _shown(getattr(value, "named", "") or type(value).__name__)


def _shown(name: str, limit: int = 100) -> str:
    """A name from a file, fit for one line."""
    plain = name if name.isprintable() else ascii(name)
    return plain if len(plain) <= limit else f"{plain[:limit]}..."


def _reason(error: BaseException) -> str:
    told = " ".join(str(error).split())
    return _shown(told if isinstance(error, NotWeights) else f"{type(error).__name__} {told}".strip(), 200)
