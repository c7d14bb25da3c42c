"""Attribution of a clip that is longer than what the network takes at once."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch

from ..types import Video
from .attribute import Attribution
from .faithful import Curve
from .methods import AttributionMap


@dataclass(frozen=True)
class Part:
    """One window of a clip.

    Attributes:
        start: number of its first frame in the clip.
        result: what counted in it.
    """

    start: int
    result: Attribution


def joined(parts: Iterable[Part]) -> tuple[Video, AttributionMap]:
    """The clip as the network saw it, (T, C, H, W), and its attribution, (T, H, W).

    Where windows overlap, as the last one may, the earlier one counts.
    """
    clips, maps, end = [], [], 0
    for part in parts:
        clips.append(part.result.clip[end - part.start :])
        maps.append(part.result.map[end - part.start :])
        end = part.start + len(part.result.clip)
    return torch.cat(clips), torch.cat(maps)


def mean_levels(curves: Iterable[Curve]) -> tuple[tuple[float, ...], float] | None:
    """Mean scaled responses and mean area over windows; None when none of the curves has an area.

    A window counts by how far its clip is from its baseline: where they hardly differ, scaled responses are
    large numbers that say little.
    """
    usable = [(curve, curve.area) for curve in curves if curve.area is not None]
    if not usable:
        return None
    spans = torch.tensor([abs(c.responses[-1] - c.responses[0]) for c, _ in usable], dtype=torch.float64)
    shares = spans / spans.sum()
    levels = torch.tensor([c.levels for c, _ in usable], dtype=torch.float64)
    areas = torch.tensor([area for _, area in usable], dtype=torch.float64)
    return tuple((shares @ levels).tolist()), float(shares @ areas)
