"""How many processes a machine carries, and how they are stopped."""

import os
from collections.abc import Sequence
from multiprocessing.context import SpawnProcess

STOPPING_SECONDS = 10.0
"""What a process that is asked to stop has for putting away the file it is writing."""


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def stop(processes: Sequence[SpawnProcess]) -> None:
    """Ask what still runs to stop, and make sure that it does."""
    running = [process for process in processes if process.is_alive()]
    for process in running:
        process.terminate()
    for process in running:
        process.join(STOPPING_SECONDS)
        if process.is_alive():
            process.kill()
