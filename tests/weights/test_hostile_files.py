"""Weights files made by hand, instruction by instruction and byte by byte, to break whoever reads them."""

import gzip
import io
import json
import os
import pickle
import struct
import tarfile
import time
import tracemalloc
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save
from torch import nn
from weight_files import assert_refused, zipped

from kinetoscope.errors import ModelUnusable
from kinetoscope.weights.checkpoints import load_weights, read_weights

TWO, FOUR = b"\x80\x02", b"\x80\x04"  # protocols
NUMBERS = struct.pack("<4f", 0, 1, 2, 3)
HARM = b"cos\nsystem\nX\x0e\x00\x00\x00touch executed\x85R"


def word(text: str) -> bytes:
    return b"X" + struct.pack("<I", len(text)) + text.encode()


def doubled(times: int) -> bytes:
    """A tuple of two equal tuples of two ...: a few bytes of pickle for 2**times leaves."""
    return b"(Nq\x00" + b"".join(b"h%ch%c\x86q%c" % (i, i, i + 1) for i in range(times)) + b"1h%c" % times


def doubled_list(times: int) -> bytes:
    """The same of lists, which are fetched before they are filled."""
    made = b"".join(b"]q%c" % i for i in range(times + 1))
    filled = b"".join(b"h%c(h%ch%ce" % (i + 1, i, i) for i in range(times))
    return b"(" + made + filled + b"1h%c" % times


def tensor(
    *,
    storage: bytes = b"ctorch\nFloatStorage\n",
    key: bytes = word("0"),
    count: bytes = b"K\x04",
    offset: bytes = b"K\x00",
    shape: bytes = b"K\x04\x85",
    strides: bytes = b"K\x01\x85",
    view: bytes = b"",
) -> bytes:
    """Four numbers as torch pickles a tensor, with a part of it replaced."""
    place = b"(" + word("storage") + storage + key + word("cpu") + count + view + b"tQ"
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + place + offset + shape + strides + b"\x89NtR"


def state(value: bytes) -> bytes:
    return TWO + b"}" + word("a") + value + b"s."


def torch_zip(value: bytes) -> bytes:
    return zipped({"a/data.pkl": state(value), "a/data/0": NUMBERS})


def legacy(value: bytes, keys: bytes, rest: bytes) -> bytes:
    head = (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})
    return b"".join(pickle.dumps(part, 2) for part in head) + state(value) + TWO + keys + b"." + rest


def patched(place: bytes, offset: int, new: bytes) -> bytes:
    """A sound archive with bytes replaced, counted from the last occurrence of a signature."""
    data = bytearray(torch_zip(tensor()))
    start = data.rindex(place) + offset
    data[start : start + len(new)] = new
    return bytes(data)


def safe(header: object, data: bytes = NUMBERS) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def safe_tensor(shape: list, begin: int = 0, end: int = 16, dtype: str = "F32") -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def tar_file() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name in ("sys_info", "pickle", "storages", "tensors"):  # as torch wrote before 0.1.10
            entry = tarfile.TarInfo(name)
            entry.size = len(HARM) + 3
            archive.addfile(entry, io.BytesIO(TWO + HARM + b"."))
    return file.getvalue()


def numpy_file(write: Callable[..., None], *arrays: np.ndarray, **options: bool) -> bytes:
    file = io.BytesIO()
    write(file, *arrays, **options)
    return file.getvalue()


def torchscript() -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch has something better by now
        torch.jit.save(torch.jit.trace(nn.Identity(), torch.zeros(1)), file)
    return file.getvalue()


CENTRAL, END = b"PK\x01\x02", b"PK\x05\x06"
ARRAY = b"cnumpy.core.multiarray\n_reconstruct\n)R"
FILES: dict[str, Callable[[], bytes]] = {
    # growing without bounds
    "deep tuple as a name": lambda: TWO + b"}N" + b"\x85" * 200_000 + b"Ns.",
    "deep tuple in a set": lambda: FOUR + b"\x8f(N" + b"\x85" * 200_000 + b"\x90.",
    "endless name": lambda: TWO + b"}" + doubled(60) + b"Ns.",
    "endless name by copies": lambda: TWO + b"}N" + b"2\x86" * 60 + b"Ns.",
    "endless key": lambda: torch_zip(tensor(key=doubled_list(60))),
    "endless count": lambda: torch_zip(tensor(count=doubled_list(60))),
    "endless legacy keys": lambda: legacy(tensor(), b"(" + doubled_list(60) + b"l", NUMBERS),
    "endless byte order": lambda: state(
        ARRAY + b"(K\x01K\x04\x85cnumpy\ndtype\n" + word("f4") + b"\x85R(K\x03" + doubled_list(60) + b"tb"
        b"\x89" + word("0" * 16) + b"tb"
    ),
    "one text many times": lambda: (
        TWO + word("a" * 5_000_000) + b"q\x00](" + b"c_codecs\nencode\nh\x00\x85R" * 300 + b"e."
    ),
    "many names": lambda: TWO + b"".join(b"c%x\nb\n0" % i for i in range(5000)) + b"}.",
    "many instructions": lambda: TWO + b"}" * 500_000 + b".",
    "long number": lambda: torch_zip(tensor(count=b"\x8b" + struct.pack("<I", 50_000) + b"\x7f" * 50_000)),
    "long digits": lambda: TWO + b"I" + b"9" * 100_000 + b"\n.",
    # tensors that are not in their storage
    "negative stride": lambda: torch_zip(tensor(strides=b"J\xff\xff\xff\xff\x85", offset=b"K\x03")),
    "negative size": lambda: torch_zip(tensor(shape=b"J\xff\xff\xff\xff\x85")),
    "offset beyond": lambda: torch_zip(tensor(offset=b"K\x05")),
    "stride beyond": lambda: torch_zip(tensor(strides=b"K\x09\x85")),
    "size that is no number": lambda: torch_zip(tensor(shape=word("4"))),
    "storage of another type": lambda: torch_zip(tensor(storage=b"ctorch\nHalfStorage\n")),
    "storage of no type": lambda: torch_zip(tensor(storage=word("torch.FloatStorage"))),
    "storage that is a call": lambda: torch_zip(tensor(storage=HARM)),
    "storage outside": lambda: torch_zip(tensor(key=word("../../../etc/passwd"))),
    "view of a view": lambda: torch_zip(tensor(view=b"(K\x01t")),
    "tensor on a tensor": lambda: torch_zip(tensor().replace(b"tQ", b"tQ0" + tensor())),
    "class for a tensor": lambda: state(b"ctorch._utils\n_rebuild_tensor_v2\n"),
    "array without numbers": lambda: state(ARRAY),
    "legacy keys that are a text": lambda: legacy(tensor(), word("000"), struct.pack("<q", 4) + NUMBERS),
    "negative legacy storage": lambda: legacy(
        tensor(count=b"J\xff\xff\xff\xff"), b"]" + word("0") + b"a", struct.pack("<q", -1)
    ),
    "legacy file that ends": lambda: legacy(tensor(), b"]" + word("0") + b"a", b"")[:60],
    # calls, in every way and by every name
    **{
        f"call {name}": lambda name=name: TWO + b"c" + name.encode() + b"\n" + word("x.x") + b"\x85R."
        for name in ("torch\nload", "torch.jit\nload", "torch.hub\nload", "builtins\nexec", "runpy\nrun_path")
    },
    "nested calls": lambda: (
        TWO + b"cbuiltins\ngetattr\ncbuiltins\n__import__\n" + word("os") + b"\x85R"
        + word("system") + b"\x86R" + word("touch executed") + b"\x85R."
    ),
    "call by a dotted name": lambda: (
        FOUR + word("os") + word("path.os.system") + b"\x93" + word("x") + b"\x85R."
    ),
    "call with names": lambda: (
        FOUR + b"cos\nsystem\n)}" + word("command") + word("touch executed") + b"s\x92."
    ),
    "call of a value": lambda: TWO + b"K\x01)R.",
    "call of a tensor": lambda: state(tensor() + b")R"),
    "class made of a value": lambda: TWO + b"K\x01)\x81.",
    "state for a number": lambda: TWO + b"K\x01}" + word("a") + b"K\x01sb.",
    "state for a dictionary": lambda: TWO + b"}}" + word("get") + b"Nsb.",
    "name that is no text": lambda: FOUR + b"K\x01K\x02\x93.",
    "persistent text": lambda: TWO + b"Pstorage\n.",
    "persistent list": lambda: TWO + b"]Q.",
    "registered extension": lambda: TWO + b"\x82\x01.",
    "protocol 0": lambda: b"cos\nsystem\n(S'touch executed'\ntR.",
    # pickles that are none
    "nothing in the memo": lambda: TWO + b"h\x07.",
    "nothing on the stack": lambda: TWO + b"00.",
    "nothing at all": lambda: TWO + b".",
    "no end": lambda: TWO + b"}",
    "marks only": lambda: TWO + b"(((1111.",
    "a buffer from elsewhere": lambda: b"\x80\x05\x97.",
    "protocol of the future": lambda: b"\x80\xc8}.",
    "dictionary in itself": lambda: TWO + b"}q\x00" + word("state_dict") + b"h\x00s.",
    "wrappers around each other": lambda: (
        TWO + b"}q\x00" + word("state_dict") + b"}q\x01" + word("model") + b"h\x00ss."
    ),
    # archives
    "names that lead outside": lambda: zipped({"../../evil/data.pkl": TWO + HARM + b".", "/etc/evil": b""}),
    "two pickles in an archive": lambda: zipped({"a/data.pkl": TWO + HARM + b".", "b/data.pkl": TWO + b"}."}),
    "encrypted": lambda: patched(CENTRAL, 8, b"\x01"),
    "unknown compression": lambda: patched(CENTRAL, 10, b"\x63"),
    "2 GB declared": lambda: patched(CENTRAL, 20, b"\xf0\xff\xff\x7f" * 2),
    "member beyond the end": lambda: patched(CENTRAL, 42, b"\xf0\xff\xff\x7f"),
    "directory beyond the end": lambda: patched(END, 16, b"\xf0\xff\xff\xff"),
    "directory of another length": lambda: patched(END, 12, b"\x01"),
    "another name in front of a member": lambda: patched(b"PK\x03\x04", 30, b"z"),
    "archive's head only": lambda: b"PK\x03\x04",
    "npz": lambda: numpy_file(np.savez, np.ones(3)),
    "npy": lambda: numpy_file(np.save, np.ones(3)),
    "gz": lambda: gzip.compress(torch_zip(tensor())),
    "tar": tar_file,
    "TorchScript": torchscript,
    # safetensors
    "overlapping": lambda: safe({"a": safe_tensor([4]), "b": safe_tensor([4])}),
    "partly overlapping": lambda: safe({"a": safe_tensor([4]), "b": safe_tensor([4], 8, 24)}, bytes(24)),
    "hole": lambda: safe({"a": safe_tensor([4]), "b": safe_tensor([4], 32, 48)}, bytes(48)),
    "more than said": lambda: safe({"a": safe_tensor([4])}, bytes(99)),
    "the same name twice": lambda: safe(b"{%s,%s}" % (b'"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}',
                                        b'"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}'), NUMBERS),
    "size that is not a number": lambda: safe(b'{"a":{"dtype":"F32","shape":[NaN],"data_offsets":[0,16]}}'),
    "size below zero": lambda: safe({"a": safe_tensor([-4])}),
    "sizes beyond all": lambda: safe({"a": safe_tensor([2**63, 2**63])}),
    "end before begin": lambda: safe({"a": safe_tensor([4], 16, 0)}),
    "unknown type": lambda: safe({"a": safe_tensor([4], dtype="Q7")}),
    "deep header": lambda: safe(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "header longer than the file": lambda: struct.pack("<Q", 200_000_000) + b"{}" + bytes(100),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_one_clear_line_in_little_time_and_memory_and_nothing_executed(tmp_path: Path, name: str) -> None:
    data = FILES[name]()
    began = time.process_time()
    assert_refused(tmp_path, data)
    assert time.process_time() - began < 8  # 1 or less on an idle machine


def test_the_parts_are_those_of_a_sound_file(tmp_path: Path) -> None:
    path = tmp_path / "weights.bin"
    keys = b"]" + word("0") + b"a"
    for data in (
        torch_zip(tensor()),
        legacy(tensor(), keys, struct.pack("<q", 4) + NUMBERS),
        safe({"a": safe_tensor([4])}),
    ):
        path.write_bytes(data)
        assert read_weights(path)["a"].tolist() == [0, 1, 2, 3]


def test_one_array_under_many_names_is_held_once(tmp_path: Path) -> None:
    path = tmp_path / "w"
    large = np.zeros(250_000, np.float32)
    path.write_bytes(pickle.dumps({"blobs": {f"n{i}": large for i in range(200)}}, 4))
    tracemalloc.start()
    found = read_weights(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found) == 200
    assert peak < 10 * large.nbytes


def test_a_great_many_strange_names_are_counted(tmp_path: Path) -> None:
    (tmp_path / "w").write_bytes(save({f"x{i}": torch.zeros(1) for i in range(5000)}))
    with pytest.raises(
        ModelUnusable, match=r"missing: weight, bias; extra: .*x1898 and 4000 more;"
    ) as caught:
        load_weights(nn.Conv3d(1, 2, 3), tmp_path / "w")
    assert len(str(caught.value)) < 20_000


def test_names_that_no_file_can_have_and_files_that_nobody_may_read(tmp_path: Path) -> None:
    for name in ("n" * 5000, "a\0b"):
        with pytest.raises(ModelUnusable, match=r"cannot be read as weights|no weights file"):
            read_weights(tmp_path / name)
    for name in ("/dev/null", "/dev/zero"):
        with pytest.raises(ModelUnusable, match="no weights file"):
            read_weights(Path(name))
    locked = tmp_path / "locked"
    locked.write_bytes(torch_zip(tensor()))
    locked.chmod(0)
    if os.geteuid() != 0:
        with pytest.raises(ModelUnusable, match="Permission denied"):
            read_weights(locked)
