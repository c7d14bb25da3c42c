"""Files of the site: each whole or not at all."""

import os
import shutil
from pathlib import Path

from ..files import whole_file

_MEND = "the gallery lies beside the atlas, so free the place or copy the atlas elsewhere"


def write(path: Path, content: bytes) -> None:
    """Write a file; missing folders are made.

    Raises:
        OutputUnwritable: no permission, or no space.
    """
    with whole_file(path, _MEND) as beside:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(content)


def bring(source: Path, path: Path) -> None:
    """Have a file here too: the same one where the file system allows it, else a copy.

    Raises:
        OutputUnwritable: no permission, or no space.
    """
    with whole_file(path, _MEND) as beside:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(source, beside)
        except OSError:
            shutil.copyfile(source, beside)
