"""Filter decoding as the paper words it, pixel by pixel, in float64 (Rafegas & Vanrell 2015, eq. 1-2)."""

from itertools import product
from math import floor

import numpy as np


def subst(picture, filters, stride, dilation, groups=1):
    """Replace every pixel of (J, ...) by filter j of (J, C / groups, ...), scaled by it; add overlaps."""
    kernel = filters.shape[2:]
    sizes = [
        (n - 1) * s + d * (k - 1) + 1
        for n, s, d, k in zip(picture.shape[1:], stride, dilation, kernel, strict=True)
    ]
    below = np.zeros((filters.shape[1] * groups, *sizes))
    per_group = picture.shape[0] // groups
    for j in range(picture.shape[0]):
        for place in product(*map(range, picture.shape[1:])):
            for c in range(filters.shape[1]):
                channel = j // per_group * filters.shape[1] + c
                for tap in product(*map(range, kernel)):
                    at = tuple(p * s + t * d for p, s, t, d in zip(place, stride, tap, dilation, strict=True))
                    below[(channel, *at)] += picture[(j, *place)] * filters[(j, c, *tap)]
    return below


def unpool(picture, factors, mode):
    """Enlarge every axis by its factor; pixel areas line up, border pixels repeat."""
    for axis, factor in enumerate(factors, start=1):
        n = picture.shape[axis]
        lines = []
        for i in range(n * factor):
            at = (i + 0.5) / factor - 0.5
            first = floor(at)
            taps = {"nearest": [i // factor], "bilinear": [first, first + 1]}.get(
                mode, [first - 1, first, first + 1, first + 2]
            )
            line = 0.0
            for tap in taps:
                line = line + WEIGHTS[mode](abs(at - tap)) * picture.take(min(max(tap, 0), n - 1), axis)
            lines.append(line)
        picture = np.stack(lines, axis)
    return picture


def cubic(distance, a=-0.75):
    """Keys 1981, eq. 4, with the constant that torch uses."""
    if distance <= 1:
        return (a + 2) * distance**3 - (a + 3) * distance**2 + 1
    return a * distance**3 - 5 * a * distance**2 + 8 * a * distance - 4 * a if distance < 2 else 0.0


WEIGHTS = {"nearest": lambda _: 1.0, "bilinear": lambda d: max(0.0, 1 - d), "bicubic": cubic}
