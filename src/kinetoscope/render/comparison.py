"""One figure and table: variants of a unit's pictures under each other, the same numbers beside each."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch

from ..types import Image, Velocity, Video
from .colour import DEFAULT_SCALE, flow_to_rgb, scale_words
from .frames import pick, to_frame, to_frames
from .sheet import MARGIN, MUTED, NO_MOTION, WIDTH, Sheet, cut, draw_arrows, own_defaults, panel_height, say

FRAMES = 4

_PICTURE, _GAP, _NAME = 1.15, 0.07, 2.1


@dataclass(frozen=True)
class Row:
    """One variant.

    Attributes:
        group: rows of one group stand under one heading.
        name, note: what it is, and a few words about it.
        video: (T, C, H, W) in [0, 1], of which four frames are shown.
        texture: (C, H, W) in [0, 1].
        velocity: (T-1, 2, H, W), pixels per frame, shown as its mean over time.
        cells: the numbers, one per column.
    """

    group: str
    name: str
    note: str
    video: Video
    texture: Image
    velocity: Velocity
    cells: tuple[str, ...]


@own_defaults()
def draw_comparison(
    title: str,
    facts: str,
    columns: Sequence[str],
    rows: Sequence[Row],
    notes: Sequence[str] = (),
    scale: float = DEFAULT_SCALE,
) -> bytes:
    """The figure as a PNG, 1600 pixels wide.

    Args:
        title: of the figure.
        facts: a line under it.
        columns: heads of the numbers; a line break is kept.
        rows: of pictures, all of one size.
        notes: lines below the table.
        scale: speed shown at full brightness, pixels per frame.
    """
    height = panel_height(_PICTURE, *rows[0].video.shape[2:], least=0.7)
    groups = len({row.group for row in rows})
    top = 1.95
    page = Sheet(top + len(rows) * (height + 0.22) + groups * 0.42 + 0.3 * len(notes) + 0.35)
    page.title(title, cut(facts, 150))
    texture_x = MARGIN + _NAME + FRAMES * (_PICTURE + _GAP)
    motion_x = texture_x + _PICTURE + _GAP
    table_x = motion_x + _PICTURE + 0.25
    edges = _right_edges(columns, rows, table_x)
    heads = [(MARGIN + _NAME, "frames"), (texture_x, "texture"), (motion_x, "mean motion")]
    for x, words in heads:
        page.text(x, top - 0.12, words, 9.5, MUTED)
    for edge, words in zip(edges, columns, strict=True):
        page.text(edge, top - 0.05, words, 9.0, MUTED, ha="right", va="bottom")
    _draw_key(page, scale)
    y, group = top, None
    for row in rows:
        if row.group != group:
            y += 0.42
            page.text(MARGIN, y - 0.12, row.group, 11.5, weight="bold")
            group = row.group
        _draw_row(page, row, y, height, (texture_x, motion_x), edges, scale)
        y += height + 0.22
    for index, note in enumerate(notes):
        page.text(MARGIN, y + 0.15 + 0.3 * index, note, 9.5, MUTED)
    return page.png()


def _right_edges(columns: Sequence[str], rows: Sequence[Row], left: float) -> list[float]:
    """Where each column ends, inches: as wide as its longest line needs."""
    cells = [[head, *(row.cells[index] for row in rows)] for index, head in enumerate(columns)]
    longest = [3 + max(len(line) for cell in column for line in cell.split("\n")) for column in cells]
    share = (WIDTH - MARGIN - left) / sum(longest)
    return [left + share * total for total in accumulate(longest)]


def _draw_row(
    page: Sheet,
    row: Row,
    y: float,
    height: float,
    places: tuple[float, float],
    edges: Sequence[float],
    scale: float,
) -> None:
    texture_x, motion_x = places
    page.text(MARGIN, y + 0.22, row.name, 10.5, weight="bold")
    for index, line in enumerate(textwrap.wrap(row.note, 28)):
        page.text(MARGIN, y + 0.44 + 0.17 * index, line, 8.5, MUTED)
    frames = to_frames(row.video[list(pick(len(row.video), FRAMES))])
    page.strip(MARGIN + _NAME, y, (_PICTURE, height), _GAP, frames)
    page.picture(texture_x, y, _PICTURE, height, to_frame(row.texture))
    mean = row.velocity.detach().cpu().float().mean(dim=0)
    axes = page.picture(motion_x, y, _PICTURE, height, to_frame(flow_to_rgb(mean[None], scale)[0]))
    if float(torch.linalg.vector_norm(mean, dim=0).max()) > NO_MOTION:
        draw_arrows(axes, mean.numpy(), across=6.0)
    else:
        say(axes, "no motion")
    for edge, cell in zip(edges, row.cells, strict=True):
        page.text(edge, y + height / 2, cell, 9.5, ha="right", va="center")


def _draw_key(page: Sheet, scale: float) -> None:
    """The wheel, with the speed that it shows at full brightness."""
    x = MARGIN
    page.wheel(x, 1.14, 0.58, 120)
    page.text(x + 0.66, 1.36, "mean motion: hue is direction,", 8.5, MUTED)
    page.text(x + 0.66, 1.54, scale_words(scale, clipped=True), 8.5, MUTED)
