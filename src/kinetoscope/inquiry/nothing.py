"""Telling a unit that shows nothing from one that shows something: noise is no finding."""

import math
from collections.abc import Mapping

from ..results import DEAD, FLAT
from .redrive import RESOLUTION, largest

LEAST_GAIN = 1e-3
"""Gain of the optimum over the random input, as a share of the larger response, that is none."""

COLOUR_SHARE = 0.9
"""Share of the optimum's gain from which on a flat colour does as well."""


def nothing_found(activation: Mapping[str, float]) -> str | None:
    """The label of a unit whose optimum shows nothing; None when it shows something.

    Args:
        activation: from `redrive`.

    Returns:
        "dead": no clip changes the response (weights of zero, a ReLU that never opens, no path from the
        input), or a response is no finite number. "flat": the optimum gains next to nothing over the random
        input, or its mean colour alone, without texture and motion, does about as well.
    """
    responses = list(activation.values())
    if not all(map(math.isfinite, responses)):
        return DEAD
    if max(responses) - min(responses) <= RESOLUTION * largest(activation):
        return DEAD
    optimal, rest = activation["optimal"], activation["random_input"]
    gain = optimal - rest
    if gain <= LEAST_GAIN * max(abs(optimal), abs(rest)):
        return FLAT
    return FLAT if activation["flat_colour"] - rest >= COLOUR_SHARE * gain else None
