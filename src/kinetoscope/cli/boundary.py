"""The outermost boundary: exit status, one line for every failure, and stopping by Ctrl-C or SIGTERM."""

import errno
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType, TracebackType
from typing import NoReturn

import typer

from ..errors import SettingInvalid, one_line


class Interrupted(BaseException):
    """A person or the system asked to stop; `advice` says what was kept and how to go on."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.status = 128 + number
        self.advice = "run the same command again"


class _Debug:
    on = False


def tell_failure(error: BaseException, words: str) -> None:
    """One line on stderr, or where it came from with `--debug`."""
    if _Debug.on:
        sys.__excepthook__(type(error), error, error.__traceback__)
    else:
        tell(words)


def of_the_machine(error: BaseException) -> str:
    """What to say of a full disk, a file that cannot be had, or too little memory; "" of anything else."""
    said = str(error)
    if isinstance(error, MemoryError) or any(sign in said for sign in _NO_MEMORY):
        return "this takes more memory than there is; give a smaller --size, fewer units, or a shorter clip"
    if isinstance(error, OSError) and _in_echo(error):
        close_stdout()
        return f"cannot write standard output: {error.strerror}; free the place or write elsewhere"
    if isinstance(error, OSError) and error.errno in _MACHINE:
        place = f" {error.filename!r}" if error.filename else ""
        return f"cannot read or write{place}: {error.strerror}; free the place or choose another"
    return ""


_NO_MEMORY = (
    "out of memory",
    "can't allocate memory",
    "Storage size calculation overflowed",
    "Unable to allocate",
)
_MACHINE = {
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.ENAMETOOLONG, errno.EMFILE,
    errno.ENFILE, errno.EACCES, errno.EPERM,
}  # fmt: skip


def _in_echo(error: OSError) -> bool:
    trace, inside = error.__traceback__, False
    while trace is not None:
        inside = inside or trace.tb_frame.f_code.co_name == "echo"
        trace = trace.tb_next
    return inside


def close_stdout() -> None:
    """What is left in the buffer goes nowhere, so that the interpreter does not complain of it at its end."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def tell(message: str) -> None:
    """One line on stderr."""
    with suppress(OSError, ValueError):  # nobody can be told that nobody can be told
        print("kinetoscope:", one_line(message), file=sys.stderr, flush=True)


def tell_unexpected(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What the interpreter shows of an exception that nobody caught: a line, or all of it with `--debug`."""
    if _Debug.on:
        sys.__excepthook__(kind, error, trace)
    else:
        tell(of_the_machine(error) or f"{kind.__name__}: {error}; --debug shows where")


def show_tracebacks(on: bool) -> None:
    """Whether an error shows where it came from, from here on."""
    _Debug.on = on


def set_debug(on: bool) -> bool:
    """Show tracebacks from here on; the callback of `--debug`."""
    _Debug.on = _Debug.on or on
    return on


@contextmanager
def wrong_usage(option: str, kind: type[SettingInvalid] = SettingInvalid) -> Iterator[None]:
    """Inside, an error of that kind is about how `option` is written, and ends the command with status 2."""
    try:
        yield
    except kind as error:
        raise typer.BadParameter(str(error), param_hint=f"'{option}'") from error


@contextmanager
def stopping_by_signals(*numbers: int) -> Iterator[None]:
    """Inside, these signals raise `Interrupted` in the main thread; elsewhere nothing changes."""

    def stop(number: int, frame: FrameType | None) -> NoReturn:
        raise Interrupted(number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
