"""Rows of a unit's figure that few units have: a clip it stays near to, the change to it, what matters."""

from collections.abc import Sequence

import numpy as np

from ..results import UnitResult
from .frames import as_rgb, to_frames
from .words import number

StripRow = tuple[str, str, np.ndarray, list[str]]
"""Heading, note, pictures (N, H, W, 3) and a caption for each."""

_SEEN = 0.15
"""Root mean square about mid grey that a change is shown with."""


def given_rows(result: UnitResult, frames: Sequence[int]) -> list[StripRow]:
    """The clip that the optimum stays near to, and the change to it; nothing where there is none."""
    if result.optimal is None or result.optimal.given is None:
        return []
    chosen, captions = list(frames), [f"t = {t}" for t in frames]
    change = result.video - result.optimal.given
    size = float(change.square().mean().sqrt())
    times = max(1, round(_SEEN / max(size, 1e-6)))
    note = f"{times} times as strong as it is, about mid grey; root mean square {number(size, '{:.3f}')}"
    shown = 0.5 + times * as_rgb(change[chosen])
    return [
        ("Given clip", "", to_frames(result.optimal.given[chosen]), captions),
        ("Change to it", note, to_frames(shown), captions),
    ]


def alpha_rows(result: UnitResult, frames: Sequence[int]) -> list[StripRow]:
    """What the response rests on, where it was noted: the rest fades to white."""
    if result.optimal is None or result.optimal.alpha is None:
        return []
    chosen = list(frames)
    shown = 1 - result.optimal.alpha[chosen] * (1 - as_rgb(result.video[chosen]))
    note = "faded to white where the response gains little (alpha, gradient x clip)"
    return [("What matters", note, to_frames(shown), [f"t = {t}" for t in frames])]
