"""Step sizes over the course of an optimization."""

import math


def cosine(step: int, steps: int, floor: float = 0.05) -> float:
    """A factor that falls from 1 at step 0 to `floor` at the end, along half a cosine."""
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * step / steps))
