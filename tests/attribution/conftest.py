"""zennit without torchvision."""

import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

import pytest


def empty(_: object, name: str) -> type:
    """An empty class of that name; within it every name is another one."""
    if name.startswith("__"):
        raise AttributeError(name)
    return Name(name, (), {})


class Name(type):
    """Of classes in which every name is there."""

    __getattr__ = empty


class Names(ModuleType):
    """A module in which every name is there."""

    __getattr__ = empty


@pytest.fixture(scope="module", autouse=True)
def torchvision() -> Iterator[None]:
    """zennit names torchvision's networks at import, and needs them for nothing here."""
    if find_spec("zennit") is None or find_spec("torchvision") is not None:
        yield
        return
    kept = dict(sys.modules)
    for name in ("torchvision", "torchvision.models", "torchvision.models.resnet", "torchvision.models.vgg"):
        sys.modules[name] = Names(name)
    try:
        import_module("zennit.composites")
    finally:
        for name in set(sys.modules) - set(kept):
            if name.startswith("torchvision"):
                del sys.modules[name]
    yield
