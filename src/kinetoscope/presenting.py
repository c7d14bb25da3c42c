"""Who words, draws and saves results: named by the package, so that results do not know their pictures."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class Presenter(Protocol):
    """What results ask of `inquiry.present`, which knows both them and their pictures."""

    def words(self, result: Any) -> str:
        """A result, or its decomposition, on one line."""
        ...

    def whole(self, decomposition: Any) -> Any:
        """The result of a given video that was decomposed."""
        ...

    def save(self, result: Any, directory: str | Path) -> Path:
        """Write one result, or a list of them with its page."""
        ...

    def plot(self, result: Any) -> Any:
        """A matplotlib figure of a result, or of a list of them."""
        ...

    def html(self, result: Any) -> str:
        """The same for a notebook's cell."""
        ...

    def show(self, result: Any) -> Path | None:
        """The same in the notebook's cell, elsewhere as a page in the browser."""
        ...


_sources: list[Callable[[], Any]] = []


def presented_by(source: Callable[[], Any]) -> None:
    """Name who presents results; `source` is called when a result is first to be seen."""
    _sources[:] = [source]


def presenter() -> Presenter:
    """Who presents results."""
    return _sources[0]()
