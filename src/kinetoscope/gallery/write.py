"""Files of the site: each whole or not at all."""

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import OutputUnwritable


def write(path: Path, content: bytes) -> None:
    """Write a file; missing folders are made.

    Raises:
        OutputUnwritable: no permission, or no space.
    """
    with _whole(path) as beside:
        beside.write_bytes(content)


def bring(source: Path, path: Path) -> None:
    """Have a file here too: the same one where the file system allows it, else a copy.

    Raises:
        OutputUnwritable: no permission, or no space.
    """
    with _whole(path) as beside:
        try:
            os.link(source, beside)
        except OSError:
            shutil.copyfile(source, beside)


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """Inside, a file beside `path` to be made; at the end it takes that name, after a failure it is gone."""
    beside = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield beside
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> OutputUnwritable:
    return OutputUnwritable(
        f"cannot write {str(path)!r}: {error.strerror or error}; the gallery lies beside the atlas, "
        "so free the place or copy the atlas elsewhere"
    )
