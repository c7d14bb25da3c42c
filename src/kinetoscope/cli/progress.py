"""Progress on stderr: a bar on a terminal, sparse lines otherwise."""

import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ..errors import one_line

_SECONDS_BETWEEN_LINES = 10.0


class Reporter:
    """Tells how far a run is; use it as a context manager."""

    def __init__(self, names: list[str], *, quiet: bool = False) -> None:
        """Args: names: what is worked on, in order. quiet: say nothing."""
        self._names, self._quiet = names, quiet
        self._bar: Progress | None = None
        if sys.stderr.isatty() and not quiet:
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
            )
            self._bar = Progress(*columns, console=Console(stderr=True))
            self._task = self._bar.add_task("starting", total=None)
        self._told, self._done = time.monotonic(), 0

    def __enter__(self) -> "Reporter":
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def step(self, index: int, step: int, steps: int, doing: str = "") -> None:
        """Step number `step` of `steps` of the item `index` is done; `doing` says what comes next."""
        label = f"{self._names[index]} ({index + 1} of {len(self._names)})" + (doing and f": {doing}")
        if self._bar is not None:
            self._bar.update(self._task, description=label, completed=step, total=steps)
        elif time.monotonic() - self._told >= _SECONDS_BETWEEN_LINES:
            self._line(f"{label}{',' if doing else ':'} step {step} of {steps}")

    def overall(self, done: float, now: Sequence[int] = ()) -> None:
        """So many of all items are done, parts counted, and these are worked on at once."""
        count, words = len(self._names), ", ".join(self._names[index] for index in now)
        if self._bar is not None:
            self._bar.update(self._task, description=words or "units", completed=done, total=count)
        elif time.monotonic() - self._told >= _SECONDS_BETWEEN_LINES:
            at = f"; now {words}" if words else ""
            self._line(f"{self._done} of {count} finished, {done / count:.0%} of the work{at}")

    def paced(self, done: int, words: str) -> None:
        """So many of all items are finished; `words` say how fast it goes."""
        count = len(self._names)
        if self._bar is not None:
            self._bar.update(self._task, description=words, completed=done, total=count)
        elif time.monotonic() - self._told >= _SECONDS_BETWEEN_LINES or done == count:
            self._line(f"{done} of {count} units finished; {words}")

    def finished(self, index: int, seconds: float) -> None:
        """The item `index` lies finished on disk."""
        self._done += 1
        self._line(f"{self._names[index]} finished in {seconds:.1f} s ({self._done} of {len(self._names)})")

    def note(self, text: str) -> None:
        """Something worth a line."""
        self._line(text)

    def _line(self, text: str) -> None:
        self._told = time.monotonic()
        text = one_line(text)
        if self._bar is not None:
            self._bar.console.print(text, markup=False, highlight=False)
        elif not self._quiet:
            with suppress(OSError, ValueError):  # a stderr that cannot be written stops no run
                print(text, file=sys.stderr, flush=True)
