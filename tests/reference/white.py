"""A white page, where a picture is made that nobody looks at."""

from functools import cache

import numpy as np

from kinetoscope.render.frames import encode_png


@cache
def white_page(width: int = 1600, height: int = 900) -> bytes:
    return encode_png(np.full((height, width, 3), 255, np.uint8))
