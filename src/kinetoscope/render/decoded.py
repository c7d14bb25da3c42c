"""Decoded filters as pictures: the filter, and its strong positive and negative parts."""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float
from torch import Tensor

from .animation import Panel, Picture, draw_panels, signed_rgb
from .frames import enlarge, to_frame, view_factor
from .hits import in_cell

Filter = Float[Tensor, "channel height width"]
Film = Float[Tensor, "channel time height width"]


def filter_picture(values: Filter, peak: float) -> Picture:
    """A filter in colours, small ones enlarged.

    Args:
        values: three channels are shown as RGB around mid-grey; else their sum from blue over white to red.
        peak: magnitude at full colour.
    """
    if values.shape[0] == 3:
        picture = to_frame(0.5 + 0.5 * values / (peak or 1.0))
    else:
        picture = signed_rgb(_shown(values), peak)
    return enlarge(picture[None], view_factor(*picture.shape[:2]))[0]


def decoded_picture(decoded: Filter, positive: Filter, negative: Filter, title: str = "") -> Picture:
    """A decoded filter of a 2D network beside its thresholded parts, as `decoded.png` shows it.

    Args:
        decoded: the filter.
        positive, negative: its strong parts, relative to its peak, in [0, 1].
        title: printed below.
    """
    films = (part[:, None] for part in (decoded, positive, negative))
    return next(decoded_pictures(*films, title=title))


def family_picture(filters: Sequence[tuple[str, Filter]], title: str) -> Picture:
    """The decoded filters of a 2D network's units side by side, each at its own scale.

    Args:
        filters: captions and filters.
        title: printed below.
    """
    panels: list[Panel] = [
        (caption, in_cell(filter_picture(values, float(_shown(values).abs().max()))))
        for caption, values in filters
    ]
    return draw_panels(panels, min(7, len(panels)), bar=f"{title}; each at its own scale")


def _shown(values: Tensor) -> Tensor:
    """What is coloured: three channels as they are, else their sum."""
    return values if values.shape[0] == 3 else values.sum(0)


def decoded_pictures(decoded: Film, positive: Film, negative: Film, *, title: str = "") -> Iterator[Picture]:
    """A decoded filter of a 3D network, frame by frame, as `decoded.gif` shows it; arguments alike."""
    grey = decoded.shape[0] != 3
    peak = float(_shown(decoded).abs().max())
    frames = decoded.shape[1]
    words = "weight" if grey else f"mid grey is zero, full colour at \N{PLUS-MINUS SIGN}{peak:.3g}"
    bar = "; ".join(part for part in (title, words) if part)
    for t in range(frames):
        panels: list[Panel] = [
            ("decoded" + (f", frame {t}" if frames > 1 else ""), filter_picture(decoded[:, t], peak)),
            ("strongly positive", filter_picture(positive[:, t], 1.0)),
            ("strongly negative", filter_picture(-negative[:, t], 1.0)),
        ]
        yield np.ascontiguousarray(draw_panels(panels, len(panels), bar=bar, scale=grey * peak))
