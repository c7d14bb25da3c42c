"""The outermost boundary: exit status, one line for every failure, and stopping by Ctrl-C or SIGTERM."""

import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, NoReturn

import typer

from ..errors import InputNotice, KinetoscopeError, SettingInvalid


class Interrupted(BaseException):
    """A person or the system asked to stop; `advice` says what was kept and how to go on."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.status = 128 + number
        self.advice = "run the same command again"


class _Debug:
    on = False


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit status: 0 done, 1 failed, 2 wrong usage, 128 + n on signal n.

    Args:
        arguments: without the program's name; None: those of the process.
    """
    from .app import app

    _Debug.on = False
    sys.excepthook = tell_unexpected
    try:
        with _signals(), _notices():
            app_main = typer.main.get_command(app).main
            app_main(args=arguments, prog_name="kinetoscope")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except Interrupted as stop:
        tell(f"stopped by {stop}; {stop.advice}")
        return stop.status
    except KinetoscopeError as error:
        if _Debug.on:
            sys.__excepthook__(type(error), error, error.__traceback__)
        else:
            tell(str(error))
        return 1
    return 0


def tell(message: str) -> None:
    """One line on stderr."""
    print("kinetoscope:", " ".join(message.split()), file=sys.stderr, flush=True)


def tell_unexpected(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What the interpreter shows of an exception that nobody caught: a line, or all of it with `--debug`."""
    if _Debug.on:
        sys.__excepthook__(kind, error, trace)
    else:
        tell(f"{kind.__name__}: {error}; --debug shows where")


def set_debug(on: bool) -> bool:
    """Show tracebacks from here on; the callback of `--debug`."""
    _Debug.on = _Debug.on or on
    return on


@contextmanager
def wrong_usage(option: str) -> Iterator[None]:
    """Inside, a malformed value of `option` ends the command with status 2."""
    try:
        yield
    except SettingInvalid as error:
        raise typer.BadParameter(str(error), param_hint=f"'{option}'") from error


@contextmanager
def _notices() -> Iterator[None]:
    """Inside, each `InputNotice` is one line on stderr, once."""
    with warnings.catch_warnings():
        warnings.simplefilter("default", InputNotice)
        others = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
            if issubclass(category, InputNotice):
                tell(str(message))
            else:
                others(message, category, *where, **more)

        warnings.showwarning = show
        yield


@contextmanager
def _signals() -> Iterator[None]:
    def stop(number: int, frame: FrameType | None) -> NoReturn:
        raise Interrupted(number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
