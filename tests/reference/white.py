"""A white page, where a picture is made that nobody looks at."""

from functools import cache
from pathlib import Path
from typing import BinaryIO

import numpy as np
from matplotlib.figure import Figure

from kinetoscope.render.frames import encode_png


@cache
def white_page(width: int = 1600, height: int = 900) -> bytes:
    return encode_png(np.full((height, width, 3), 255, np.uint8))


def leave_white(figure: Figure, file: BinaryIO | str | Path, *, dpi: float = 100, **_: object) -> None:
    """What `Figure.savefig` does where figures stay white."""
    page = white_page(*(int(inches * dpi) for inches in figure.get_size_inches()))
    if isinstance(file, str | Path):
        Path(file).write_bytes(page)
    else:
        file.write(page)
