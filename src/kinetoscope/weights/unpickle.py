"""Reading a pickle as plain data: nothing that it names is imported, and nothing of it is called.

Whatever a pickle names is replaced by a class of this file. A few of them note down how a tensor or an array
is stored, for `checkpoints` to check and build; all others stand for something unknown and do nothing.
(torch's own `weights_only` loading refuses a file for naming anything unknown, and cannot read NumPy's
pickles.)
"""

import pickle
from typing import Any

from .pickle_bounds import File, NotWeights, check_bounds


class _StandIn:
    """What a pickle gets for a name. Without `__setstate__` a pickle could set attributes of the class."""

    __slots__ = ()

    def __setstate__(self, state: Any) -> None:
        pass


class Foreign(_StandIn):
    """Stands for something that a pickle names and we do not know: takes everything, does nothing."""

    __slots__ = ()
    named = ""

    def __new__(cls, *args: Any, **kwargs: Any) -> "Foreign":
        return object.__new__(cls)

    def _ignore(self, *args: Any, **kwargs: Any) -> None:
        pass

    # every way in which a pickle fills an object
    __init__ = __setitem__ = append = extend = add = _ignore


class PlainDict(_StandIn, dict):
    """For `collections.OrderedDict`, without the attributes that a state dict carries."""

    __slots__ = ()


class Storage(_StandIn):
    """A stretch of numbers kept elsewhere in a torch file, by its key there."""

    __slots__ = ("count", "key", "kind")

    def __init__(self, kind: Any, key: str | int, count: int) -> None:
        """Args: kind: what the file names, such as torch.FloatStorage. count: how many numbers."""
        self.kind, self.key, self.count = getattr(kind, "named", ""), str(key), count


class StoredTensor(_StandIn):
    """A tensor in a torch file: a view of a storage, unchecked."""

    __slots__ = ("offset", "shape", "storage", "strides")

    def __init__(self, storage: Any, offset: Any, shape: Any, strides: Any, *ignored: Any) -> None:
        self.storage, self.offset, self.shape, self.strides = storage, offset, shape, strides


class Parameter(_StandIn):
    """For `torch._utils._rebuild_parameter`: the tensor in it."""

    def __new__(cls, data: Any, *ignored: Any) -> Any:
        return data


class StoredArray(_StandIn):
    """A NumPy array: its bytes, type and shape, unchecked."""

    __slots__ = ("dtype", "fortran", "raw", "shape")

    def __init__(self, *ignored: Any) -> None:
        self.raw = self.dtype = self.shape = self.fortran = None

    def __setstate__(self, state: Any) -> None:
        _, self.shape, self.dtype, self.fortran, self.raw = state


class BufferArray(StoredArray):
    """The same as protocol 5 writes it."""

    __slots__ = ()

    def __init__(self, raw: Any, dtype: Any, shape: Any, order: Any) -> None:
        self.raw, self.dtype, self.shape, self.fortran = raw, dtype, shape, order == "F"


class ArrayType(_StandIn):
    """A NumPy type: its code, such as f4, and byte order."""

    __slots__ = ("code", "order")

    def __init__(self, code: Any, *ignored: Any) -> None:
        self.code, self.order = code, "="

    def __setstate__(self, state: Any) -> None:
        self.order = state[1]


class Encoded(_StandIn):
    """For `_codecs.encode` and, where there are none, `bytes`: how protocol 2 writes bytes."""

    def __new__(cls, text: Any = "", encoding: Any = "latin1") -> Any:
        return str.encode(text, "latin1")


_KNOWN: dict[str, type] = {
    "collections.OrderedDict": PlainDict,
    "torch._utils._rebuild_tensor": StoredTensor,
    "torch._utils._rebuild_tensor_v2": StoredTensor,
    "torch._utils._rebuild_parameter": Parameter,
    "numpy.core.multiarray._reconstruct": StoredArray,
    "numpy._core.multiarray._reconstruct": StoredArray,
    "numpy.core.numeric._frombuffer": BufferArray,
    "numpy._core.numeric._frombuffer": BufferArray,
    "numpy.dtype": ArrayType,
    "_codecs.encode": Encoded,
    "__builtin__.bytes": Encoded,
}
_MOST_NAMES = 1000  # each costs a class; what is named beyond them goes without its name in messages


class _Unpickler(pickle.Unpickler):
    def __init__(
        self, file: File, storages: dict[str, Storage], tensors: dict[str, StoredTensor] | None
    ) -> None:
        super().__init__(file, encoding="latin1")  # Python 2 wrote bytes as text
        self._storages, self._tensors = storages, tensors
        self._named = dict(_KNOWN)

    def find_class(self, module: str, name: str) -> type:
        """A stand-in for whatever the file names: nothing is ever imported, so nothing can run."""
        named = f"{module}.{name}"
        if named not in self._named and len(self._named) < _MOST_NAMES:
            self._named[named] = type("Foreign", (Foreign,), {"__slots__": (), "named": named})
        return self._named.get(named, Foreign)

    def persistent_load(self, pid: Any) -> Any:
        """The storage that a tensor names, whose bytes torch writes elsewhere; or a whole tensor."""
        if self._tensors is not None:
            if isinstance(pid, tuple):  # what kind of container there was
                return pid[0] if pid else None
            return self._tensors[str(pid)]
        if not isinstance(pid, tuple) or pid[:1] != ("storage",) or len(pid) not in (5, 6) or any(pid[5:]):
            raise NotWeights("it refers to something outside that is no tensor storage")
        _, kind, key, _, count = pid[:5]
        if not isinstance(key, (str, int)) or not isinstance(count, int):
            raise NotWeights("a storage in it has no proper key or size")
        storage = Storage(kind, key, count)
        known = self._storages.setdefault(storage.key, storage)
        if (known.kind, known.count) != (storage.kind, storage.count):
            raise NotWeights(f"it describes storage {storage.key} in two ways")
        return known


def read_pickle(
    file: File, storages: dict[str, Storage], tensors: dict[str, StoredTensor] | None = None
) -> Any:
    """Read one pickle, as plain values and the classes above.

    Args:
        file: seekable; it stands behind the pickle afterwards.
        storages: every storage that the pickle refers to is added.
        tensors: what the pickle refers to instead, in torch's oldest files.

    Raises:
        NotWeights: it would grow beyond bounds. A damaged one makes the unpickler raise a great many things.
    """
    check_bounds(file)
    return _Unpickler(file, storages, tensors).load()
