"""Weights are found under whatever wrapped them, it is told, and what is no file of weights is named."""

import bz2
import contextlib
import gzip
import io
import lzma
import pickle
import struct
import tarfile
import warnings
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from weight_files import zipped

from kinetoscope.errors import InputNotice, ModelUnusable
from kinetoscope.weights.checkpoints import load_weights, read_weights


def small(seed: int = 0) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(
            OrderedDict(
                conv=nn.Conv3d(1, 2, (1, 2, 3)),
                norm=nn.BatchNorm3d(2),
                flat=nn.Flatten(),
                head=nn.Linear(6, 4),
            )
        )


TRAINED = small(1).state_dict()


def filled(path: Path, told: str = "", model: nn.Module | None = None) -> str:
    """Fill a fresh model, see that it has the weights, and give the one line that was told."""
    fresh = small() if model is None else model
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        load_weights(fresh, path)
    state = list(fresh.state_dict().values())
    assert all(a.equal(b) for a, b in zip(state, TRAINED.values(), strict=True))
    assert {one.category for one in seen} <= {InputNotice}
    (line,) = [str(one.message) for one in seen] or [""]
    assert told in line
    return line


PREFIXES = (
    "module.",
    "model.",
    "net.",
    "backbone.",
    "_orig_mod.",
    "module.model.",
    "model._orig_mod.net.",
    "a.b.c.",
)


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("kind", ["torch", "safetensors"])
def test_any_prefix_is_left_out_and_told(tmp_path: Path, prefix: str, kind: str) -> None:
    state = {prefix + name: tensor for name, tensor in TRAINED.items()}
    if kind == "torch":
        torch.save({"state_dict": state, "epoch": 3}, tmp_path / "w")
    else:
        save_file(state, tmp_path / "w")
    assert filled(tmp_path / "w", f"left {prefix!r} out of the names").startswith(f"{tmp_path / 'w'}: ")


def test_what_wrappers_write(tmp_path: Path) -> None:
    trained = small(1)
    torch.save(AveragedModel(trained).state_dict(), tmp_path / "w")
    filled(tmp_path / "w", "left 'module.' out of the names; passed over n_averaged")
    torch.save(nn.DataParallel(torch.compile(trained, backend="eager")).state_dict(), tmp_path / "w")
    filled(tmp_path / "w", "left 'module._orig_mod.' out")
    trained.conv = torch.compile(trained.conv, backend="eager")
    torch.save(trained.state_dict(), tmp_path / "w")
    filled(tmp_path / "w", "left out of the names what wrappers wrote into them")
    torch.save(small(1).state_dict(), tmp_path / "w")
    filled(tmp_path / "w", "wrappers", nn.DataParallel(small()))
    filled(tmp_path / "w", "wrappers", torch.compile(small(), backend="eager"))
    assert filled(tmp_path / "w") == ""


def test_what_lies_beside_the_network_is_passed_over_and_told(tmp_path: Path) -> None:
    state = {f"model.{name}": tensor for name, tensor in TRAINED.items()}
    torch.save({"state_dict": {**state, "criterion.weight": torch.ones(4)}}, tmp_path / "w")
    filled(tmp_path / "w", "left 'model.' out of the names; passed over criterion.weight")


@pytest.mark.parametrize("prefix", ["", "net."])
def test_numbers_among_the_tensors_are_passed_over_and_told(tmp_path: Path, prefix: str) -> None:
    state = {prefix + name: tensor for name, tensor in TRAINED.items()}
    torch.save({**state, "epoch": 3, "best": 0.5, "made": "today", "extra_state": None}, tmp_path / "w")
    filled(tmp_path / "w", "passed over epoch, best, made, extra_state")


def test_tensors_pickled_without_torch_are_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "w").write_bytes(pickle.dumps(TRAINED))
    with pytest.raises(ModelUnusable, match=r"save it with torch\.save"):
        load_weights(small(), tmp_path / "w")


def test_running_means_beside_the_weights_are_passed_over(tmp_path: Path) -> None:
    """EMA hooks store `ema_conv_weight` beside `conv.weight`."""
    means = {f"ema_{n.replace('.', '_')}": t + 1 for n, t in TRAINED.items()}
    torch.save({"state_dict": {**TRAINED, **means}, "meta": {"epoch": 3}}, tmp_path / "w")
    filled(tmp_path / "w", "passed over ema_conv_weight, ema_conv_bias")
    save_file({**TRAINED, "ema_other": torch.ones(1)}, tmp_path / "w")
    with pytest.raises(ModelUnusable, match="extra: ema_other"):
        load_weights(small(), tmp_path / "w")


WRAPPERS = ("net", "ema", "state_dict_ema", "params", "module", "model_state", "generator", "model.net")


@pytest.mark.parametrize("key", WRAPPERS)
@pytest.mark.parametrize("legacy", [False, True])
def test_dictionaries_of_any_name_are_looked_into(tmp_path: Path, key: str, legacy: bool) -> None:
    content: Any = TRAINED
    for part in reversed(key.split(".")):
        content = {"epoch": 3, part: content, "optimizer": {"state": {0: {"exp_avg": torch.ones(2)}}}}
    torch.save(content, tmp_path / "w", _use_new_zipfile_serialization=not legacy)
    line = filled(tmp_path / "w")
    assert line == "" if key == "model_state" else f"took the weights under {key!r}" in line


def test_of_several_dictionaries_the_one_that_fits_is_taken(tmp_path: Path) -> None:
    other = nn.Linear(3, 2).state_dict()
    torch.save({"discriminator": other, "model": other, "generator": TRAINED}, tmp_path / "w")
    filled(tmp_path / "w", "took the weights under 'generator'")
    narrow = {name: tensor[..., :1] if tensor.ndim else tensor for name, tensor in TRAINED.items()}
    torch.save({"model": narrow, "net": {f"module.{n}": t for n, t in TRAINED.items()}}, tmp_path / "w")
    filled(tmp_path / "w", "took the weights under 'net'; left 'module.' out of the names")
    torch.save({"model": TRAINED, "state_dict": TRAINED}, tmp_path / "w")
    assert filled(tmp_path / "w") == ""


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ({"model": TRAINED, "ema": small(2).state_dict()}, "'model' and 'ema'"),
        ({"state_dict": {f"module.{k}": t for k, t in TRAINED.items()},
          "state_dict_ema": {f"module.{k}": t for k, t in small(2).state_dict().items()}},
         r"'state_dict module\.' and 'state_dict_ema module\.'"),
        ({"a": {"b": TRAINED}, "c": small(2).state_dict()}, "'a.b' and 'c'"),
        ({f"{n}.{k}": t for n in ("student", "teacher") for k, t in small(len(n)).state_dict().items()},
         r"'student\.' and 'teacher\.'"),
        ({**TRAINED, **{f"ema.{k}": t for k, t in small(2).state_dict().items()}},
         r"'the file itself' and 'ema\.'"),
    ],
)  # fmt: skip
def test_where_several_fit_all_are_named(tmp_path: Path, content: dict, named: str) -> None:
    torch.save(content, tmp_path / "w")
    fresh = small()
    before = {name: tensor.clone() for name, tensor in fresh.state_dict().items()}
    with pytest.raises(ModelUnusable, match=f"several sets of weights that fit, {named}; save the one"):
        load_weights(fresh, tmp_path / "w")
    assert all(before[name].equal(tensor) for name, tensor in fresh.state_dict().items())


def test_faults_are_told_of_the_nearest(tmp_path: Path) -> None:
    state = {f"model.{name}": t for name, t in TRAINED.items() if name != "head.bias"}
    torch.save({"other": nn.Linear(3, 2).state_dict(), "net": state}, tmp_path / "w")
    with pytest.raises(ModelUnusable, match=r"does not fit the model; missing: head\.bias; give"):
        load_weights(small(), tmp_path / "w")


def old_tar(state: dict[str, Tensor]) -> bytes:
    """A file as torch wrote them before 0.1.10; every second tensor is a view of one storage."""
    storages, tensors, objects = io.BytesIO(), io.BytesIO(), {}
    pickle.dump(len(state), storages, 2)
    pickle.dump(len(state), tensors, 2)
    for key, (name, tensor) in enumerate(state.items(), start=100):
        flat = tensor.contiguous().flatten()
        kind = {torch.float32: torch.FloatStorage, torch.int64: torch.LongStorage}[tensor.dtype]
        pickle.dump((key, "cpu", kind), storages, 2)
        padded = torch.cat([flat[:1] * 0, flat])  # the tensor begins behind the first number
        storages.write(struct.pack("<q", len(padded)) + padded.numpy().tobytes())
        pickle.dump((1000 + key, key, torch.FloatTensor), tensors, 2)
        tensors.write(struct.pack("<ii", tensor.ndim, 0))
        tensors.write(struct.pack(f"<{tensor.ndim}q", *tensor.shape))
        tensors.write(struct.pack(f"<{tensor.ndim}q", *tensor.contiguous().stride()))
        tensors.write(struct.pack("<q", 1))
        objects[name] = 1000 + key
    pickle.dump([], storages, 2)

    class Pickler(pickle.Pickler):
        def persistent_id(self, obj: object) -> object:
            return str(obj) if isinstance(obj, int) and obj >= 1000 else None

    pickled = io.BytesIO()
    Pickler(pickled, 2).dump(OrderedDict(objects))
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, part in (("sys_info", io.BytesIO(pickle.dumps({}, 2))), ("pickle", pickled),
                           ("tensors", tensors), ("storages", storages)):  # fmt: skip
            about = tarfile.TarInfo(name)
            about.size = len(part.getvalue())
            archive.addfile(about, io.BytesIO(part.getvalue()))
    return file.getvalue()


def test_the_oldest_format_is_read(tmp_path: Path) -> None:
    (tmp_path / "w").write_bytes(old_tar(TRAINED))
    theirs = torch.load(tmp_path / "w", weights_only=False)
    found = read_weights(tmp_path / "w")
    assert list(found) == list(theirs) == list(TRAINED)
    assert all(found[name].equal(theirs[name]) and found[name].equal(TRAINED[name]) for name in found)
    filled(tmp_path / "w")


def test_damage_to_the_oldest_format_is_one_line(tmp_path: Path) -> None:
    data, generator = old_tar(TRAINED), np.random.default_rng(0)
    for _ in range(60):
        harmed = bytearray(data)
        for place in generator.integers(len(data), size=3):
            harmed[place] = generator.integers(256)
        (tmp_path / "w").write_bytes(harmed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of changed pickles
            with contextlib.suppress(ModelUnusable):  # a changed number is no fault
                read_weights(tmp_path / "w")


def tarred(name: str) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo(name))
    return file.getvalue()


def in_file(save: Callable[[io.BytesIO], object]) -> bytes:
    file = io.BytesIO()
    save(file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (b"\n<!DOCTYPE html><html><body>Quota exceeded</body></html>", "an HTML page"),
        (b"<html lang=en>", "an HTML page"),
        (b"\xef\xbb\xbf<!DOCTYPE html><html>", "an HTML page"),
        (pickle.dumps({"0.weight": np.ones(3)}, 0), "a pickle of protocol 0 or 1"),
        (pickle.dumps({"0.weight": np.ones(3)}, 1), "a pickle of protocol 0 or 1"),
        (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "an XML document"),
        (
            b"version https://git-lfs" + b".example/spec/v1\noid sha256:4d7a\nsize 12345\n",
            "a Git LFS pointer",
        ),
        (b"/annex/objects/MD5E-s1--a.pth\n", "a git-annex pointer"),
        (gzip.compress(b"x" * 100), "compressed with gzip"),
        (bz2.compress(b"x" * 100), "compressed with bzip2"),
        (lzma.compress(b"x" * 100), "compressed with xz"),
        (b"\x28\xb5\x2f\xfd" + bytes(60), "compressed with zstd"),
        (b"\x89HDF\r\n\x1a\n" + bytes(60), "an HDF5 file"),
        (b'{"message": "Not Found"}', "a JSON text"),
        (in_file(lambda f: np.save(f, np.ones(3))), "a single NumPy array"),
        (in_file(lambda f: np.savez(f, a=np.ones(3))), "an .npz archive"),
        (zipped({"net/best.pth": b"x"}), r"a zip archive that holds net/best\.pth"),
        (tarred("net/best.pth"), r"a tar archive that holds net/best\.pth"),
        (zipped({"m/data.pkl": b"", "m/constants.pkl": b""}), "a TorchScript program"),
        (in_file(lambda f: torch.save(small(), f)), r"a whole torch\.nn\.modules\.container\.Sequential"),
    ],
    ids=lambda value: value if isinstance(value, str) else "file",  # bytes may hold the time of day
)
def test_what_else_lies_there_is_named(tmp_path: Path, data: bytes, named: str) -> None:
    (tmp_path / "weights.bin").write_bytes(data)
    with pytest.raises(ModelUnusable, match=rf"cannot be read as weights \(it (is|holds) {named}") as caught:
        load_weights(small(), tmp_path / "weights.bin")
    assert str(caught.value).isprintable()
