"""The outermost boundary: exit status, one line for every failure, and stopping by Ctrl-C or SIGTERM."""

import errno
import io
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType, TracebackType
from typing import Any, NoReturn

import typer

from ..errors import InputNotice, KinetoscopeError, SettingInvalid, one_line


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
    _open_streams()
    try:
        with stopping_by_signals(signal.SIGINT, signal.SIGTERM), _notices():
            app_main = typer.main.get_command(app).main
            app_main(args=arguments, prog_name="kinetoscope")
    except KinetoscopeError as error:
        _tell_failure(error, str(error))
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
        _tell_failure(error, words)
        return 1
    return _flushed()


def _tell_failure(error: BaseException, words: str) -> None:
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
        _close_stdout()
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
        _close_stdout()  # whoever read has seen enough
        return 1
    except OSError as error:
        _close_stdout()
        tell(f"cannot write standard output: {error.strerror}; free the place or write elsewhere")
        return 1
    return 0


def _in_echo(error: OSError) -> bool:
    trace, inside = error.__traceback__, False
    while trace is not None:
        inside = inside or trace.tb_frame.f_code.co_name == "echo"
        trace = trace.tb_next
    return inside


def _close_stdout() -> None:
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
