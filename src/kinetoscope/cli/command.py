"""The whole command: its streams, its notices, and what becomes of every way it can end."""

import io
import os
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import typer

from ..errors import InputNotice, KinetoscopeError
from ..processes import keep_freed_memory
from .app import app
from .boundary import (
    Interrupted,
    close_stdout,
    of_the_machine,
    show_tracebacks,
    stopping_by_signals,
    tell,
    tell_failure,
    tell_unexpected,
)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit status: 0 done, 1 failed, 2 wrong usage, 128 + n on signal n.

    Args:
        arguments: without the program's name; None: those of the process.
    """
    keep_freed_memory()
    show_tracebacks(False)
    sys.excepthook = tell_unexpected
    _open_streams()
    try:
        with stopping_by_signals(signal.SIGINT, signal.SIGTERM), _notices():
            _verbs().main(args=arguments, prog_name="kinetoscope")
    except KinetoscopeError as error:
        tell_failure(error, str(error))
        return 1
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        return _flushed() or status
    except Interrupted as stop:
        tell(f"stopped by {stop}; {stop.advice}")
        return stop.status
    except (OSError, MemoryError, RuntimeError) as error:
        if not (words := of_the_machine(error)):
            raise
        tell_failure(error, words)
        return 1
    return _flushed()


@cache
def _verbs() -> Any:
    """The verbs as typer reads them off their functions: once, for who calls `main` more than once."""
    return typer.main.get_command(app)


def _open_streams() -> None:
    """Give a process that was started without stdout or stderr somewhere to write to.

    Otherwise the next file that is opened gets their number, and what is told lands in it.
    """
    for number, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
            setattr(sys, name, os.fdopen(number, "w", closefd=False))
    # a name that the terminal's encoding lacks is escaped: what was computed must not end in an error
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")


def _flushed() -> int:
    """Let what was printed out; 1, with a line, where it cannot be written, and else 0."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        close_stdout()  # whoever read has seen enough
        return 1
    except OSError as error:
        close_stdout()
        tell(f"cannot write standard output: {error.strerror}; free the place or write elsewhere")
        return 1
    return 0


@contextmanager
def _notices() -> Iterator[None]:
    """Inside, each warning is one line on stderr, an `InputNotice` once."""
    with warnings.catch_warnings():
        warnings.simplefilter("default", InputNotice)

        def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
            if issubclass(category, InputNotice):
                tell(str(message))
            else:
                tell(f"{category.__name__}: {message}")

        warnings.showwarning = show
        yield
