"""Pictures drawn by several processes at once."""

import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager

from ..processes import context, processors
from ..tuning.files import Draw

MANY = 8
"""Pictures from which on starting processes is worth its second or two."""


@contextmanager
def drawing(count: int) -> Iterator[Draw]:
    """Gives what maps a drawing function over so many pictures, in order; by all processors if they are many.

    Args:
        count: how many pictures there will be.
    """
    if count < MANY or processors() == 1:
        yield map
        return
    begin = _leave_stopping_to_the_parent
    with ProcessPoolExecutor(processors(), context(__name__), initializer=begin) as pool:
        try:
            yield pool.map
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _leave_stopping_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
