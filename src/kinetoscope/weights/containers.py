"""Files of named tensors, told by their content, never by their name; nothing in them is executed.

safetensors; torch's zip archives, its format before 1.6 and its tar archives before 0.1.10, with whatever
else was pickled beside the tensors (Lightning's arguments); a pickle of NumPy arrays (Caffe2's `blobs`). No
file makes us fill much more memory than its own size.
"""

import io
import json
import pickle
import re
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError
from safetensors.torch import load_file

from ..errors import one_line
from .pickle_bounds import NotWeights
from .tensors import Read, dtype_of, shown_name
from .unpickle import Storage, StoredTensor, read_pickle

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C  # torch.serialization, format before 1.6
_LEGACY_PROTOCOL = 1001
# what a damaged file makes its readers raise
FAULTS = (
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
    tarfile.TarError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
)
_TEXT = bytes([9, 10, 12, 13, *range(32, 127), *range(128, 256)])
# how files begin that are often saved or fetched in place of weights
_FOREIGN = (
    (
        rb"(\xef\xbb\xbf)?\s*(<!--.*?-->\s*)*<(!doctype|html|head|body)",
        "an HTML page, such as a login or an error instead of the file",
    ),
    (rb"\s*<\?xml|\s*<Error", "an XML document, such as an error instead of the file"),
    (rb"version https?://git-lfs", "a Git LFS pointer and not the file itself; fetch that with git lfs pull"),
    (
        rb"/annex/|\.\./.*annex/objects",
        "a git-annex pointer and not the file itself; fetch that with git annex get",
    ),
    (rb"\x1f\x8b", "compressed with gzip; unpack it first (gunzip, or tar -xf)"),
    (rb"BZh[1-9]", "compressed with bzip2; unpack it first (bunzip2)"),
    (rb"\xfd7zXZ\0", "compressed with xz; unpack it first (unxz)"),
    (rb"\x28\xb5\x2f\xfd", "compressed with zstd; unpack it first (unzstd)"),
    (rb"7z\xbc\xaf\x27\x1c|Rar!", "a 7z or rar archive; unpack it first"),
    (rb"\x89HDF\r\n", "an HDF5 file, as Keras and MATLAB write them; convert it to a state dict first"),
    (rb"\x93NUMPY", "a single NumPy array without names"),
    (rb"GGUF|\x67\x67\x6d\x6c", "a file of llama.cpp"),
    (rb"\s*[\[{]", "a JSON text"),
    (
        rb"\(dp?\d|c[a-z_.]+\n\w+\n|[}\]][q(]",
        "a pickle of protocol 0 or 1; write it with protocol 2 or later",
    ),
    (rb"%PDF", "a PDF document"),
    (rb"\x08[\x01-\x1f]\x12[\x00-\x40]", "an ONNX model; save the state_dict() of the PyTorch model"),
    (rb"\xff\xfe|\xfe\xff", "a text in UTF-16"),
    (rb"\0{64}", "nothing but zeros: its content was never written; fetch it again"),
    (rb".{4}TFL3", "a TensorFlow Lite model; convert it to a state dict first"),
    (rb"\x7fELF", "a program"),
    (rb"\x89PNG|\xff\xd8\xff|GIF8|RIFF|\x1a\x45\xdf\xa3|.{4}ftyp", "a picture or a film"),
)


class Content(NamedTuple):
    """What a file holds.

    Attributes:
        value: plain values, and tensors as they are stored.
        read: gives a storage's bytes while the file is open.
    """

    value: Any
    read: Read


def read_content(path: Path, use: Callable[[Content], Any]) -> Any:
    """What `use` makes of a file's content, while the file is open.

    Raises:
        NotWeights: it holds something else. A damaged one raises one of `FAULTS`.
    """
    with path.open("rb") as file:
        start = file.read(512)
        file.seek(0)
        # first of all: the length of its header may begin like a pickle
        if start[6:9] == b"\0\0{":
            _check_end(path)
            return use(Content(load_file(path), _nowhere))
        if start[:4] == b"PK\x03\x04":
            return _with_zip(file, use)
        if start[:1] == b"\x80":  # a pickle of protocol 2 or later
            return use(_from_pickles(file))
        if start[257:262] == b"ustar" or _is_old_tar(start):
            return use(_from_tar(file))
    raise NotWeights(_foreign(start))


def _check_end(path: Path) -> None:
    """Raise NotWeights where a safetensors file ends before its tensors do."""
    size = path.stat().st_size
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        head = file.read(min(length, size))
    try:
        ends = [
            entry["data_offsets"][1] for name, entry in json.loads(head).items() if name != "__metadata__"
        ]
        whole = 8 + length + max(ends, default=0)
    except (ValueError, LookupError, TypeError, AttributeError):
        whole = 8 + length
    if isinstance(whole, int) and size < whole:
        raise NotWeights(f"it is cut off: {size} of {whole} bytes are there")


def _foreign(start: bytes) -> str:
    for pattern, name in _FOREIGN:
        if re.match(pattern, start, re.IGNORECASE | re.DOTALL):
            return f"it is {name}"
    if start and not start.translate(None, _TEXT):
        return f"it is a text that begins with {shown_name(one_line(start.decode('latin1'))[:40])!r}"
    return "it is none of these" if start else "it is empty"


def _foreign_zip(names: list[str]) -> str:
    """What a zip archive is that torch did not write; "" where it may be torch's."""
    if names and all(name.endswith(".npy") for name in names):
        return "it is an .npz archive of NumPy arrays; save a state dict"
    if any(name.endswith("/constants.pkl") for name in names):
        return "it is a TorchScript program; save the state_dict() of the Python module"
    if inner := [name for name in names if name.endswith((".pt", ".pth", ".ckpt", ".safetensors", ".bin"))]:
        return f"it is a zip archive that holds {shown_name(inner[0])}; unpack it first"
    return ""


def _with_zip(file: io.BufferedReader, use: Callable[[Content], Any]) -> Any:
    """torch.save since 1.6: ROOT/data.pkl, and a member ROOT/data/KEY for each storage."""
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        names = archive.namelist()
        if foreign := _foreign_zip(names):
            raise NotWeights(foreign)
        if any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise NotWeights(
                "its members are compressed, which torch never does; unpack it, and zip -0 it again"
            )
        if sum(member.file_size for member in members) > file.seek(0, 2):
            raise NotWeights("its members claim to be larger than their file")
        root = next((name.removesuffix("data.pkl") for name in names if name.endswith("/data.pkl")), "")
        if not root:
            raise NotWeights("a zip archive without data.pkl")
        if f"{root}byteorder" in names and archive.read(f"{root}byteorder") != b"little":
            raise NotWeights("its numbers are not little-endian")
        content = read_pickle(io.BytesIO(archive.read(f"{root}data.pkl")), {})
        return use(Content(content, lambda storage, size: archive.read(f"{root}data/{storage.key}")))


def _from_pickles(file: io.BufferedReader) -> Content:
    """One pickle of arrays; or torch.save before 1.6: five pickles, and the storages behind them."""
    content, storages = read_pickle(file, {}), dict[str, Storage]()
    if content != _LEGACY_MAGIC:
        return Content(content, _nowhere)
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
        if file.seek(count * dtype_of(storages[key]).itemsize, 1) > end:
            raise NotWeights(f"storage {key} is cut off")

    def read(storage: Storage, size: int) -> bytes:
        file.seek(places[storage.key])
        return file.read(size)

    return Content(content, read)


def _is_old_tar(start: bytes) -> bool:
    """Whether a tar archive without a mark begins here; its first member is one of torch's."""
    return start.partition(b"\0")[0] in (b"storages", b"tensors", b"pickle", b"sys_info")


def _from_tar(file: io.BufferedReader) -> Content:
    """torch.save before 0.1.10: members `storages`, `tensors` and `pickle`; nothing is unpacked on disk."""
    with tarfile.open(fileobj=file, mode="r:") as archive:
        members = {member.name: member for member in archive.getmembers() if member.isreg()}
        if not {"storages", "tensors", "pickle"} <= members.keys():
            inner = next(iter(members), "nothing")
            raise NotWeights(f"it is a tar archive that holds {shown_name(inner)}; unpack it first")
        parts = {}
        for name in ("storages", "tensors", "pickle"):
            if (part := archive.extractfile(members[name])) is None:
                raise NotWeights(f"its {name} are no plain file")
            parts[name] = io.BytesIO(part.read())
    data: dict[str, bytes] = {}
    storages: dict[Any, Storage] = {}
    for _ in range(_number(parts["storages"])):
        key, _, kind = read_pickle(parts["storages"], {})
        (count,) = struct.unpack("<q", parts["storages"].read(8))
        storages[key] = Storage(kind, key, count)
        data[str(key)] = parts["storages"].read(count * dtype_of(storages[key]).itemsize)
    views = {
        key: (storages[root], offset)
        for key, root, offset, _ in [
            *read_pickle(parts["storages"], {}),
            *((key, key, 0, 0) for key in storages),
        ]
    }
    tensors: dict[str, StoredTensor] = {}
    for _ in range(_number(parts["tensors"])):
        key, storage, _ = read_pickle(parts["tensors"], {})
        axes, _ = struct.unpack("<ii", parts["tensors"].read(8))
        shape, strides = (struct.unpack(f"<{axes}q", parts["tensors"].read(8 * axes)) for _ in range(2))
        (offset,) = struct.unpack("<q", parts["tensors"].read(8))
        tensors[str(key)] = StoredTensor(views[storage][0], views[storage][1] + offset, shape, strides)
    return Content(read_pickle(parts["pickle"], {}, tensors), lambda storage, size: data[storage.key])


def _number(file: io.BytesIO) -> int:
    number = read_pickle(file, {})
    if not isinstance(number, int) or not 0 <= number <= len(file.getvalue()):
        raise NotWeights("it has no proper number of tensors")
    return number


def _nowhere(storage: Storage, size: int) -> bytes:
    raise NotWeights("its tensors are kept elsewhere")
