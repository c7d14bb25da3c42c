"""Published containers as they are, and files that are damaged or mean harm."""

import argparse
import contextlib
import io
import os
import pickle
import random
import struct
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from weight_files import assert_refused, zipped

from kinetoscope.errors import ModelUnusable
from kinetoscope.weights.checkpoints import load_weights, read_weights

STATE = OrderedDict(
    weight=torch.arange(24.0).reshape(2, 3, 4).transpose(0, 2),
    part=torch.arange(10, dtype=torch.float64)[3:9:2],
    half=torch.tensor([1.5, -2.0]).half(),
    wide=torch.tensor([0.1]).bfloat16(),
    count=torch.tensor(7),
    none=torch.zeros(0, 3),
    flags=torch.tensor([True, False]),
)


class Harm:
    """Unpickling this leaves a file `executed` in the current folder."""

    def __reduce__(self) -> tuple:
        return os.system, ("touch executed",)


class Callback:
    """Only ever named in a file."""


def contents(state: dict[str, Tensor]) -> list[tuple[str, torch.dtype, torch.Size, list]]:
    """Everything about tensors, in order, as plain values that compare."""
    return [(name, tensor.dtype, tensor.shape, tensor.tolist()) for name, tensor in state.items()]


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("key", ["", "state_dict", "model_state_dict", "model_state", "model"])
def test_torch_files_of_both_kinds_hold_tensors_of_every_type(tmp_path: Path, legacy: bool, key: str) -> None:
    content = {"epoch": 3, key: STATE} if key else STATE
    torch.save(content, tmp_path / "w.pickle", _use_new_zipfile_serialization=not legacy)
    assert contents(read_weights(tmp_path / "w.pickle")) == contents(STATE)


def test_storages_that_tensors_share_are_read_once(tmp_path: Path) -> None:
    base = torch.arange(12.0)
    torch.save({"all": base, "rows": base.reshape(3, 4)[1:], "again": nn.Parameter(base)}, tmp_path / "w")
    found = read_weights(tmp_path / "w")
    assert found["rows"].equal(base.reshape(3, 4)[1:])
    assert found["all"].data_ptr() == found["again"].data_ptr() == found["rows"].data_ptr() - 16


def test_files_from_before_torch_0_4(tmp_path: Path) -> None:
    file = io.BytesIO()
    torch.save(STATE, file, _use_new_zipfile_serialization=False)
    old = file.getvalue().replace(b"_rebuild_tensor_v2\n", b"_rebuild_tensor\n")
    (tmp_path / "old.pt").write_bytes(old)
    assert old != file.getvalue()
    assert contents(read_weights(tmp_path / "old.pt")) == contents(STATE)


def test_a_lightning_checkpoint_with_pickled_arguments(tmp_path: Path) -> None:
    arguments = argparse.Namespace(n_codes=7, gpus=Harm(), path=Path("x"), defaults=contents)
    content = {
        "epoch": 1,
        "state_dict": STATE,
        "hyper_parameters": {"args": arguments},
        "callbacks": {Callback: {"best": torch.tensor(0.5), "path": Path("y")}},
        "optimizer_states": [{"state": {0: {"step": 3, "mean": torch.ones(3)}}}],
    }
    for legacy in (False, True):
        torch.save(content, tmp_path / "w", _use_new_zipfile_serialization=not legacy)
        assert contents(read_weights(tmp_path / "w")) == contents(STATE)


ARRAYS = {
    "plain": np.arange(6, dtype=np.float32).reshape(2, 3),
    "columns": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "swapped": np.arange(3, dtype=">i4"),
    "scalar": np.array(4, np.float32),
    "none": np.zeros((0, 2), np.float32),
}


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_pickles_of_arrays(tmp_path: Path, protocol: int) -> None:
    (tmp_path / "w.pkl").write_bytes(pickle.dumps({"blobs": ARRAYS}, protocol))
    found = read_weights(tmp_path / "w.pkl")
    assert list(found) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert found[name].dtype == torch.from_numpy(array.astype(array.dtype.newbyteorder("="))).dtype
        np.testing.assert_array_equal(found[name].numpy(), array)


def python2_pickle(numbers: np.ndarray) -> bytes:
    """{'blobs': {'a': numbers}} (float32, at most 63 numbers) as Python 2 wrote it: bytes are text."""
    shape = b"".join(b"K" + bytes([n]) for n in numbers.shape)
    raw = numbers.tobytes()
    return (
        b"\x80\x02}U\x05blobs}U\x01acnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        b"(K\x01(" + shape + b"tcnumpy\ndtype\nU\x02f4K\x00K\x01\x87R"
        b"(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U" + bytes([len(raw)]) + raw + b"tbss."
    )


def test_a_caffe2_pickle_of_python_2(tmp_path: Path) -> None:
    numbers = np.linspace(-9, 9, 12, dtype=np.float32).reshape(3, 4)
    (tmp_path / "w.pkl").write_bytes(python2_pickle(numbers))
    np.testing.assert_array_equal(
        pickle.loads(python2_pickle(numbers), encoding="latin1")["blobs"]["a"], numbers
    )
    np.testing.assert_array_equal(read_weights(tmp_path / "w.pkl")["a"].numpy(), numbers)


def small() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Conv3d(1, 2, (1, 2, 3)), nn.BatchNorm3d(2), nn.Flatten(), nn.Linear(6, 4))


def test_names_are_changed_only_where_the_file_has_others(tmp_path: Path) -> None:
    wanted = small().state_dict()
    fresh = nn.Sequential(*small())
    nn.init.zeros_(fresh[0].weight)
    save_file({f"blob_{name}": tensor for name, tensor in wanted.items()}, tmp_path / "theirs")
    save_file(wanted, tmp_path / "ours")
    for name in ("theirs", "ours"):
        load_weights(fresh, tmp_path / name, lambda t: {k.removeprefix("blob_"): v for k, v in t.items()})
        assert fresh[0].weight.equal(wanted["0.weight"])
    with pytest.raises(ModelUnusable, match=r"missing: 0\.weight"):
        load_weights(fresh, tmp_path / "theirs")


def test_counters_of_batch_norm_may_be_missing(tmp_path: Path) -> None:
    state = {k: t for k, t in small().state_dict().items() if not k.endswith("num_batches_tracked")}
    save_file(state, tmp_path / "w")
    load_weights(small(), tmp_path / "w")
    del state["1.running_var"]
    save_file(state, tmp_path / "w")
    with pytest.raises(ModelUnusable, match=r"missing: 1\.running_var; give"):
        load_weights(small(), tmp_path / "w")


def test_names_from_a_file_cannot_break_the_line(tmp_path: Path) -> None:
    state = {**small().state_dict(), "a\nb\x1b[31m": torch.zeros(1), "c" * 5000: torch.zeros(1)}
    torch.save(state, tmp_path / "w")
    with pytest.raises(ModelUnusable) as caught:
        load_weights(small(), tmp_path / "w")
    told = str(caught.value)
    assert r"extra: 'a\nb\x1b[31m', ccc" in told
    assert told.isprintable()
    assert len(told) < 400


def saved(content: object, *, legacy: bool = False) -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns about quantized tensors
        torch.save(content, file, _use_new_zipfile_serialization=not legacy)
    return file.getvalue()


def rezipped(change: Callable[[str, bytes], bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    """A torch file of four numbers whose members were changed."""
    file = io.BytesIO()
    source = zipfile.ZipFile(io.BytesIO(saved({"a": torch.arange(4.0)})))
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name in source.namelist():
            archive.writestr(name, change(name, source.read(name)))
    return file.getvalue()


def edited(before: bytes, after: bytes, *, legacy: bool = False) -> bytes:
    """A torch file of four numbers in whose pickle something was replaced."""

    def change(data: bytes) -> bytes:
        assert before in data
        return data.replace(before, after)

    if legacy:
        return change(saved({"a": torch.arange(4.0)}, legacy=True))
    return rezipped(lambda name, data: change(data) if name.endswith("data.pkl") else data)


def flipped(data: bytes, word: bytes) -> bytes:
    place = data.index(word)
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def quantized() -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8)


def array_pickle(before: bytes, after: bytes) -> bytes:
    data = pickle.dumps({"blobs": {"a": np.arange(4, dtype=np.float32)}}, 2)
    assert before in data
    return data.replace(before, after)


HUGE = b"J\x00\x00\x00\x70"  # an integer of 1.9e9
COUNT = b"K\x04"  # the number of numbers, as torch pickles it
ZIP_COUNT, ZIP_SHAPE = COUNT + b"tq", COUNT + b"\x85"
SAFE_HEADER = b'{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}'

BAD: dict[str, Callable[[], bytes]] = {
    # no weights at all
    "empty": lambda: b"",
    "text": lambda: b"no weights at all, but a longer text",
    "page": lambda: b"<!DOCTYPE html><html><body>Quota exceeded</body></html>",
    "noise": lambda: random.Random(0).randbytes(4096),
    "zip without a pickle": lambda: zipped({"a.txt": b"hello"}),
    "a list": lambda: saved([1, 2]),
    "a number": lambda: pickle.dumps(7),
    "no tensors": lambda: saved({}),
    "a whole module": lambda: saved(nn.Conv3d(1, 2, 3)),
    "nested": lambda: saved({"a": {"b": torch.ones(1)}}),
    "mixed": lambda: saved({"a": torch.ones(1), "b": 3}),
    "numbers for names": lambda: saved({0: torch.ones(1)}),
    "sparse": lambda: saved({"a": torch.eye(3).to_sparse()}),
    "quantized": lambda: saved({"a": quantized()}),
    "complex": lambda: saved({"a": torch.ones(2, dtype=torch.complex64)}),
    "objects in an array": lambda: pickle.dumps({"blobs": {"a": np.array([{}, None], dtype=object)}}, 2),
    "texts in an array": lambda: pickle.dumps({"a": np.array(["x", "yy"])}, 2),
    "records in an array": lambda: pickle.dumps({"a": np.zeros(2, dtype="f4,i4")}, 2),
    # cut or changed
    "cut zip": lambda: saved(STATE)[:-200],
    "cut legacy file": lambda: saved(STATE, legacy=True)[:-4],
    "cut legacy pickle": lambda: saved(STATE, legacy=True)[:200],
    "cut pickle": lambda: pickle.dumps(ARRAYS, 2)[:-40],
    "cut safetensors": lambda: struct.pack("<Q", len(SAFE_HEADER)) + SAFE_HEADER + bytes(15),
    "changed numbers": lambda: flipped(saved({"a": torch.arange(4.0)}), struct.pack("<4f", 0, 1, 2, 3)),
    "missing storage": lambda: edited(b"X\x01\x00\x00\x000", b"X\x01\x00\x00\x001"),
    "big-endian": lambda: rezipped(lambda n, d: b"big" if n.endswith("byteorder") else d),
    # larger than they are
    "huge storage": lambda: edited(ZIP_COUNT, HUGE + b"tq"),
    "huge legacy storage": lambda: edited(COUNT + b"N", HUGE + b"N", legacy=True),
    "huge view": lambda: edited(ZIP_SHAPE, HUGE + b"\x85"),
    "endless view": lambda: edited(ZIP_SHAPE, b"\x8a\x08" + b"\xff" * 7 + b"\x3f\x85"),
    "view from below": lambda: edited(b"QK\x00" + COUNT, b"QJ\xff\xff\xff\xff" + COUNT),
    "negative storage": lambda: edited(ZIP_COUNT, b"J\xff\xff\xff\xfftq"),
    "huge array": lambda: array_pickle(b"K\x04\x85", HUGE + b"\x85"),
    "number for bytes": lambda: array_pickle(b"_codecs\nencode", b"builtins\nint"),
    "zip bomb": lambda: rezipped(lambda n, d: d + bytes(10**6), zipfile.ZIP_DEFLATED),
    "overlapping members": lambda: overlapping(),
    "huge header": lambda: struct.pack("<Q", 2**62) + b"{}" + bytes(64),
    "huge text": lambda: b"\x80\x04\x8d" + struct.pack("<Q", 2**61) + b"abc.",
    "huge bytes": lambda: b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b"abc.",
    "huge frame": lambda: b"\x80\x04\x95" + struct.pack("<Q", 2**40) + b"K\x01.",
    "huge memo": lambda: b"\x80\x02K\x01r" + struct.pack("<I", 2**32 - 1) + b".",
    "deep": lambda: b"\x80\x02" + b"(" * 3_000 + b"t" * 3_000 + b".",
    # meaning harm
    "harm": lambda: pickle.dumps(Harm()),
    "harm in a zip": lambda: saved(Harm()),
    "harm in a legacy file": lambda: saved({"a": Harm()}, legacy=True),
    "harm among tensors": lambda: saved({"a": torch.ones(1), "b": Harm()}),
    "harm among arrays": lambda: pickle.dumps({"blobs": {"a": np.ones(1), "b": Harm()}}, 2),
    "harm in an array": lambda: pickle.dumps({"a": np.array([Harm()], dtype=object)}, 2),
    "harm as a name": lambda: pickle.dumps({Harm(): np.ones(1)}, 2),
    "harm by INST": lambda: b"\x80\x02(S'touch executed'\nios\nsystem\n.",
    "harm by OBJ": lambda: b"\x80\x02(cos\nsystem\nX\x0e\x00\x00\x00touch executedo.",
    "harm by STACK_GLOBAL": lambda: b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x0etouch executed\x85R.",
    "harm by NEWOBJ": lambda: b"\x80\x02csubprocess\nPopen\n(U\x05touchU\x08executedt\x85\x81.",
    "harm by BUILD": lambda: b"\x80\x02cbuiltins\neval\nX\x16\x00\x00\x00open('executed','w').xb.",
    "harm by eval": lambda: b"\x80\x02cbuiltins\neval\nX\x14\x00\x00\x00open('executed','w')\x85R.",
    **{
        f"harm to {name}": lambda name=name: spoiling(name)
        for name in ("torch._utils _rebuild_tensor_v2", "numpy dtype", "_codecs encode", "os system")
    },
    "harm by a persistent id": lambda: edited(b"X\x07\x00\x00\x00storage", b"X\x06\x00\x00\x00module"),
}  # fmt: skip


def spoiling(name: str) -> bytes:
    """A pickle that sets an attribute of what stands for a name, which would outlive the reading."""
    module, attribute = name.encode().split()
    return b"\x80\x02c" + module + b"\n" + attribute + b"\nN}U\x08__init__Ns\x86b."


def overlapping() -> bytes:
    """A zip archive whose directory lists one member a hundred times."""
    data = zipped({"a/data.pkl": pickle.dumps({}, 2), "a/data/0": bytes(5000)})
    directory = data.index(b"PK\x01\x02")
    entry = data.rindex(b"PK\x01\x02")
    end = data.index(b"PK\x05\x06")
    listed = data[directory:end] + data[entry:end] * 100
    tail = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 102, 102, len(listed), directory, 0)
    return data[:directory] + listed + tail


@pytest.mark.parametrize("name", BAD)
def test_a_damaged_or_malicious_file_is_one_clear_line_and_never_executed(tmp_path: Path, name: str) -> None:
    assert_refused(tmp_path, BAD[name]())


def test_the_harm_would_have_been_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pickle.loads(BAD["harm"]())
    assert (tmp_path / "executed").exists()


@pytest.mark.parametrize("kind", ["nothing", "folder", "dangling link", "link in a circle", "pipe"])
def test_what_is_no_file_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "w"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind != "nothing":
        path.symlink_to(path if "circle" in kind else tmp_path / "nowhere")
    with pytest.raises(ModelUnusable, match="no weights file"):
        read_weights(path)


def test_a_link_to_a_file_is_followed(tmp_path: Path) -> None:
    torch.save(STATE, tmp_path / "blob")
    (tmp_path / "w.pt").symlink_to(tmp_path / "blob")
    assert contents(read_weights(tmp_path / "w.pt")) == contents(STATE)


@pytest.mark.filterwarnings("ignore:invalid escape sequence:DeprecationWarning")  # of changed pickles
def test_cuts_and_changes_of_good_files_raise_nothing_else(tmp_path: Path) -> None:
    rows = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.ones(2)}
    file = tmp_path / "w"
    save_file(rows, file)
    whole = {"zip": saved(rows), "legacy": saved(rows, legacy=True), "safetensors": file.read_bytes()}
    whole["arrays"] = pickle.dumps({"blobs": ARRAYS}, 2)
    for kind, data in whole.items():
        for end in range(0, len(data), max(1, len(data) // 25)):
            file.write_bytes(data[:end])
            with pytest.raises(ModelUnusable, match="cannot be read"):
                read_weights(file)
        generator = random.Random(kind)
        for _ in range(40):
            place = generator.randrange(len(data))
            file.write_bytes(data[:place] + generator.randbytes(1) + data[place + 1 :])
            with contextlib.suppress(ModelUnusable):  # a changed number is no fault of a legacy file
                read_weights(file)
