"""How many processes a machine carries, how they begin and keep memory, and how they are stopped."""

import ctypes
import os
import sys
from collections.abc import Sequence
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from typing import Any

STOPPING_SECONDS = 10.0
"""What a process that is asked to stop has for putting away the file it is writing."""


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_LATE = ("torch._dynamo", "torch.fx.experimental.symbolic_shapes")
"""What torch imports when it is first wanted, for a second or two."""


def context(module: str) -> Any:  # the contexts share no type that has `Process`
    """What makes processes that begin quickly, without anything of this one but what they are given.

    On Linux they are copies of one process that has imported what they need, so that several of them import
    it once; elsewhere each begins anew, for there a process that has imported much is not safely copied.

    Args:
        module: the one with what the processes will run.
    """
    if not sys.platform.startswith("linux"):
        return get_context("spawn")
    made = get_context("forkserver")
    made.set_forkserver_preload([module, *(name for name in _LATE if name in sys.modules)])
    return made


_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt, as glibc's malloc.h has them


def keep_freed_memory() -> None:
    """Let this process use memory again that it has freed, not give it back; for glibc, else nothing.

    The maps of a network are large enough that glibc maps them anew for every pass, and the system clears
    each page that is touched: of passes without a gradient a third of the time. Results are the same.
    """
    try:
        adjust = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library
        return
    for most in (2**30, 2**25):  # the second is what older versions take at most
        if adjust(_MMAP_THRESHOLD, most):
            adjust(_TRIM_THRESHOLD, 2**31 - 1)
            return


def stop(processes: Sequence[BaseProcess]) -> None:
    """Ask what still runs to stop, and make sure that it does."""
    running = [process for process in processes if process.is_alive()]
    for process in running:
        process.terminate()
    for process in running:
        process.join(STOPPING_SECONDS)
        if process.is_alive():
            process.kill()
            process.join()
