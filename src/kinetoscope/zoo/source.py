"""What a network computes beside its weights: a digest of its parts and of the code they are written in."""

import inspect
import sys
from hashlib import sha256
from types import CodeType

from torch import nn

_STATED = (bool, int, float, str, type(None))
_PUBLISHED = ("torch", "torchvision", "kinetoscope")


def source_sha256(model: nn.Module) -> str:
    """SHA-256 of a model's parts by name: class, settings (stride, slope, ...) and source of each.

    Classes of torch, torchvision and this package count by name and version. Of any other class counts the
    whole file that it is written in, so that a function used there counts too, and the files of the classes
    it is derived from. A class without a file, as in a notebook's cell, counts by what its methods were
    compiled to.
    """
    lines, files = [], {}
    for name, module in model.named_modules():
        kind = type(module)
        lines.append(f"{name} {kind.__module__}.{kind.__qualname__} {_settings(module)}")
        for base in kind.__mro__:
            if base is not object and base not in files:
                files[base] = _written(base)
    lines += sorted(set(files.values()))
    return sha256("\n".join(lines).encode("utf-8", "surrogatepass")).hexdigest()


def _settings(module: nn.Module) -> str:
    """Numbers and words that a module was built with; whether it is being trained is none of them."""
    found = []
    for name, value in sorted(vars(module).items()):
        plain = isinstance(value, tuple) and all(isinstance(item, _STATED) for item in value)
        if name != "training" and not name.startswith("_") and (plain or isinstance(value, _STATED)):
            found.append(f"{name}={value!r}")
    return " ".join(found)


def _written(kind: type) -> str:
    """What stands for a class: its package's version, its file's digest, or that of its methods."""
    package = kind.__module__.partition(".")[0]
    if package in sys.stdlib_module_names and package != "__main__":
        return package
    if package in _PUBLISHED:
        return f"{package} {getattr(sys.modules[package], '__version__', '')}"
    try:
        module = inspect.getmodule(kind)
        text = inspect.getsource(module if module is not None else kind)
    except (OSError, TypeError):
        methods = (value for _, value in sorted(vars(kind).items()) if inspect.isfunction(value))
        text = "\n".join(_compiled(method.__code__) for method in methods)
    return f"{kind.__qualname__} {sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"


def _compiled(code: CodeType) -> str:
    """Instructions, names and constants; a nested function's own in turn."""
    return f"{code.co_code.hex()} {code.co_names} {[_constant(item) for item in code.co_consts]}"


def _constant(value: object) -> str:
    if isinstance(value, CodeType):
        return _compiled(value)
    # the order of a set differs from process to process
    return str(sorted(map(repr, value))) if isinstance(value, frozenset) else repr(value)
