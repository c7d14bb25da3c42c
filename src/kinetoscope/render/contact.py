"""A contact sheet: several results on one figure."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from ..errors import SettingInvalid
from ..results import UnitResult
from .animation import resized
from .colour import flow_to_rgb, scale_words
from .frames import Picture, to_frame
from .sheet import MARGIN, MUTED, WIDTH, Sheet, cut, own_defaults, panel_height
from .stored import record_of, scale_of
from .words import brief_rows, headline, title_of

_COLUMNS, _GAP, _HEAD = 4, 0.25, 0.42
_TILE = (WIDTH - 2 * MARGIN - (_COLUMNS - 1) * _GAP) / _COLUMNS
_TITLE = 1.1


@own_defaults()
def contact_figure(results: Sequence[UnitResult]) -> Figure:
    """Draw each result's optimal input (its middle frame), texture and coherent motion; the wheel comes last.

    Raises:
        SettingInvalid: there are no results.
    """
    if not results:
        raise SettingInvalid("there is nothing to draw in an empty list; visualize a unit first")
    height, width = results[0].video.shape[2:]
    panel = (_TILE / 3 - 0.06, panel_height(_TILE / 3 - 0.06, height, width, 0.5, 1.8))
    pitch = _HEAD + panel[1] + 0.75
    rows = -(-(len(results) + 1) // _COLUMNS)
    page = Sheet(_TITLE + rows * pitch)
    layers = dict.fromkeys(title_of({**r.record, "unit_name": ""}).rpartition(" / ")[0] for r in results)
    page.text(MARGIN, 0.45, cut(", ".join(filter(None, layers)) or "Results", 90), 15.0, weight="bold")
    words = "of each: optimal input or video (middle frame), texture, coherent motion (mean over time)"
    page.text(MARGIN, 0.72, words, 9.5, MUTED)
    page.rule(0.85)
    scale = scale_of(results[0])
    for index, result in enumerate(results):
        x = MARGIN + index % _COLUMNS * (_TILE + _GAP)
        y = _TITLE + index // _COLUMNS * pitch
        _draw_tile(page, result, x, y, panel, scale)
    x = MARGIN + len(results) % _COLUMNS * (_TILE + _GAP)
    y = _TITLE + len(results) // _COLUMNS * pitch
    _draw_wheel(page, x, y + _HEAD, min(panel[1], 1.3), scale)
    return page.figure


def _draw_tile(
    page: Sheet, result: UnitResult, x: float, y: float, panel: tuple[float, float], scale: float
) -> None:
    record, parts = record_of(result), result.decomposition
    unit, name = record.get("unit"), record.get("unit_name")
    title = title_of(record) if unit is None else f"{name} (unit {unit})" if name else f"unit {unit}"
    page.text(x, y + 0.1, cut(title, 40), 10.0, weight="bold")
    page.text(x, y + 0.3, cut(headline(record["motion"]), 52), 8.5, "#1b4fb3")
    mean = parts.coherent_velocity.detach().cpu().float().mean(dim=0, keepdim=True)
    pictures = [
        to_frame(result.video[len(result.video) // 2]),
        to_frame(parts.static_image),
        to_frame(flow_to_rgb(mean, scale)[0]),
    ]
    page.strip(x, y + _HEAD, panel, 0.06, _alike(pictures))
    numbers = [f"{words} {value}" for words, value in brief_rows(result)]
    for line, some in enumerate((numbers[:3], numbers[3:])):
        page.text(x, y + _HEAD + panel[1] + 0.18 + 0.17 * line, cut("   ".join(some), 70), 8.0, MUTED)


def _alike(pictures: list[Picture]) -> np.ndarray:
    height, width = pictures[0].shape[:2]
    return np.stack([resized(picture, height, width, smooth=False) for picture in pictures])


def _draw_wheel(page: Sheet, x: float, y: float, side: float, scale: float) -> None:
    page.wheel(x + 0.5, y, side, 230, size=8.0)
    page.text(x + side + 1.15, y + side / 2, scale_words(scale).replace(" =", "\n="), 8.0, MUTED, va="center")
