"""Models from elsewhere: torchvision, transformers, other packages, and factories of the user's own."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module, util
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, TracebackType
from typing import Any

from torch import nn

from ..card import ModelCard, card_of
from ..errors import KinetoscopeError, ModelNotFound, ModelUnusable, SettingInvalid, closest, one_line
from .elsewhere import registered_elsewhere
from .hugging_face import load_hugging_face
from .torchvision_video import load_torchvision


def load_factory(
    name: str, *, weights: str = "default", num_classes: int | None = None
) -> tuple[nn.Module, ModelCard]:
    """Make the model that `torchvision:NAME`, `hf:NAME`, `package.module:factory` or a like name means.

    Args:
        name: as above, `path/to/file.py:factory`, or one that another package has registered; `factory()`
            returns a module, or (module, ModelCard).
        weights: `default` keeps what the factory gives, `random` draws anew all layers that know how to; for
            torchvision see `load_torchvision`, for hf `load_hugging_face`.
        num_classes: for torchvision and hf only.

    Raises:
        ModelNotFound: the package, file, factory or builder does not exist.
        ModelUnusable: the factory failed or gave something else, or torchvision does not work here.
        SettingInvalid: `num_classes` for a factory.
    """
    if name.startswith("hf:"):
        return load_hugging_face(name.removeprefix("hf:"), weights, num_classes)
    place, _, attribute = name.rpartition(":")
    if place == "torchvision":
        return load_torchvision(attribute, weights, num_classes)
    if num_classes is not None:
        raise SettingInvalid("num_classes is for registered models; let the factory itself set its outputs")
    if (point := registered_elsewhere().get(name)) is not None:
        with _guarded(name):
            made = point.load()()
        return _with_weights(*_unpacked(name, made), weights)
    if not place or not attribute:
        raise ModelNotFound(f"{name!r} is not package.module:factory or path/to/file.py:factory")
    is_file = place.endswith(".py")
    # an installed command does not see the folder it is started in, nor a file its neighbours; they may be
    # imported as late as in the factory's own lines
    with _importable(Path(place).resolve().parent if is_file else Path.cwd()):
        with _guarded(name):
            module = _from_file(Path(place)) if is_file else _from_package(place)
        factory = getattr(module, attribute, None)
        if not callable(factory):
            known = [
                key for key, found in vars(module).items() if callable(found) and not key.startswith("_")
            ]
            raise ModelNotFound(f"{place} has no factory {attribute!r}; closest: {closest(attribute, known)}")
        with _guarded(name):
            made = factory()
        return _with_weights(*_unpacked(name, made), weights)


def _with_weights(model: nn.Module, card: ModelCard, weights: str) -> tuple[nn.Module, ModelCard]:
    """Draw anew all layers that know how to, where random weights are asked for."""
    if weights == "random":
        for part in model.modules():
            if callable(reset := getattr(part, "reset_parameters", None)):
                reset()
    return model, card


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """Inside, modules in `folder` can be imported; what else the code there puts on the path goes again."""
    before = list(sys.path)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path[:] = before


class _guarded:  # noqa: N801 - used as a function is
    """Inside runs code that is not ours; whatever it raises becomes one line, its end of the program too."""

    def __init__(self, name: str) -> None:
        """Args: name: of the factory."""
        self._name = name

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        said_already = isinstance(error, (KinetoscopeError, MemoryError, Warning))
        if not isinstance(error, (Exception, SystemExit)) or said_already:
            return
        raise ModelUnusable(
            f"{self._name} failed with {type(error).__name__}: {one_line(error)}; mend the factory"
        ) from error


class _AsItIs(SourceFileLoader):
    """Loads a file as it is now: kept bytecode stands for its size and the second of its last change."""

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_data(self.path), self.path)


def _from_file(path: Path) -> Any:
    if not path.is_file():
        raise ModelNotFound(f"no file {path} to take a factory from; check the path")
    # a name of its own, so that a user's model.py hides no other module
    unique = "kinetoscope_user_" + "".join(c if c.isalnum() else f"_{ord(c):x}_" for c in str(path.resolve()))
    spec = util.spec_from_file_location(unique, path, loader=_AsItIs(unique, str(path)))
    assert spec is not None
    assert spec.loader is not None
    module = util.module_from_spec(spec)
    sys.modules[unique] = module  # dataclasses and pickling look the module up while it is being made
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[unique]
        raise
    return module


def _from_package(place: str) -> Any:
    top = place.partition(".")[0]
    try:
        return import_module(place)
    except ModuleNotFoundError as error:
        if error.name and (place == error.name or place.startswith(error.name + ".")):
            mend = (
                "install it, or write path/to/file.py:factory"
                if error.name == top
                else "check the dotted name"
            )
            raise ModelNotFound(f"no module {error.name!r} to take a factory from; {mend}") from error
        raise


def _unpacked(name: str, made: Any) -> tuple[nn.Module, ModelCard]:
    pair = made if isinstance(made, tuple) and len(made) == 2 else (made, None)
    model, card = pair
    if not isinstance(model, nn.Module) or not isinstance(card, (ModelCard, type(None))):
        kinds = ", ".join(type(part).__name__ for part in pair if part is not None) or "None"
        raise ModelUnusable(
            f"{name} gave {kinds}; return an nn.Module, or (nn.Module, kinetoscope.ModelCard)"
        )
    if card is not None:
        vars(model)["kinetoscope_card"] = card
    return model, card_of(model)
