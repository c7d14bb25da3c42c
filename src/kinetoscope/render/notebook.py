"""Results as self-contained HTML: for a notebook's cell, and as a page of their own where there is none."""

import base64
import sys
import tempfile
import webbrowser
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from ..files import write_bytes_atomically
from ..results import UnitResult
from .animation import resized, size_within
from .card import unit_card
from .colour import flow_to_rgb, legend, scale_number
from .frames import DEFAULT_FPS, Frames, encode_png, encode_webp, to_frames
from .stored import record_of, scale_of
from .templates import template
from .words import brief_rows, title_of

LIMIT = 300_000
"""Bytes that the HTML of one result, or of a sheet of them, may have."""

MOST_TILES = 48
"""Results on a sheet; a notebook with hundreds of pictures is slow, and each of them too small."""

_REST = 60_000
"""Of those, bytes left for words, numbers and the wheel; a sheet needs more with every tile."""

_LADDER = (  # longest side, frames, quality (None: no loss), and bytes a pixel takes at the very least
    (256, 48, None, 0.2),
    (256, 48, 90, 0.06),
    (256, 32, 75, 0.03),
    (160, 32, 75, 0.03),
    (128, 24, 60, 0.02),
    (96, 16, 60, 0.02),
    (64, 12, 50, 0.0),
    (48, 8, 40, 0.0),
    (32, 4, 30, 0.0),
    (24, 1, 30, 0.0),
)
"""How films are made smaller, step by step, until they fit; steps that cannot are not tried."""


def unit_html(result: UnitResult) -> str:
    """One result: texture, motion with the wheel, optimal input and reconstruction as films, and its numbers.

    At most `LIMIT` bytes, without scripts and without anything from elsewhere; films that are too large are
    shown smaller, with fewer frames.
    """
    record, scale = record_of(result), scale_of(result)
    parts = result.decomposition
    films = {
        "optimal input" if result.optimal is not None else "video": to_frames(result.video),
        "texture": to_frames(parts.static_image[None]),
        "motion": to_frames(flow_to_rgb(parts.velocity.detach().cpu(), scale)),
        "reconstruction": to_frames(parts.reconstruction),
    }
    time, _, height, width = result.video.shape
    facts = [
        str(record.get("model") or record.get("network") or ""),
        f"objective {record['objective']}" if record.get("objective") else "",
        f"seed {record['seed']}" if record.get("seed") is not None else "",
        f"{record['steps']} steps" if record.get("steps") is not None else "",
        f"{time} frames of {width} \N{MULTIPLICATION SIGN} {height} px",
        record["colours"] or "",
    ]
    return template("unit.html.j2").render(
        card=_shortened(unit_card(record)),
        facts=[_cut(fact) for fact in facts if fact],
        aspect=f"{width} / {height}",
        films=_fitting(films, LIMIT - _REST),
        wheel=_wheel(scale, bool((parts.velocity.norm(dim=1) > scale).any())),
        scale=scale_number(scale),
    )


def sheet_html(results: Sequence[UnitResult]) -> str:
    """A contact sheet of at most `LIMIT` bytes: of each result its clip as a film, texture, mean motion."""
    shown = list(results[:MOST_TILES])
    scale = scale_of(shown[0]) if shown else 1.0
    room = (LIMIT - _REST) // max(len(shown), 1) - 1800
    tiles = []
    for result in shown:
        height, width = result.video.shape[2:]
        tiles.append(
            {
                "card": _shortened(unit_card(record_of(result))),
                "films": _fitting(_three(result, scale), room, start=3),
                "aspect": f"{width} / {height}",
                "rows": brief_rows(result),
            }
        )
    layers = dict.fromkeys(
        title_of({**result.record, "unit_name": ""}).rpartition(" / ")[0] for result in shown
    )
    return template("sheet.html.j2").render(
        title=_cut(", ".join(layer for layer in layers if layer) or "Results"),
        count=len(results),
        left=len(results) - len(shown),
        tiles=tiles,
        pictures=[*_three(shown[0], scale)] if shown else [],
        wheel=_wheel(scale, False) if shown else "",
        scale=scale_number(scale),
    )


def show_html(html: str) -> Path | None:
    """Show a piece of HTML in the notebook's cell, or as a page in the browser.

    Returns:
        The page; None in a notebook.

    Raises:
        OutputUnwritable: there is no place for the page.
    """
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if hasattr(shell, "kernel"):  # a terminal has none, and no cells
        display = import_module("IPython.display")
        display.display(display.HTML(html))
        return None
    page = template("alone.html.j2").render(body=html)
    path = Path(tempfile.mkdtemp(prefix="kinetoscope-")) / "result.html"
    write_bytes_atomically(path, page.encode("utf-8", "backslashreplace"))
    webbrowser.open(path.as_uri())
    return path


def _three(result: UnitResult, scale: float) -> dict[str, Frames]:
    parts = result.decomposition
    mean = parts.coherent_velocity.detach().cpu().mean(dim=0, keepdim=True)
    return {
        "optimal input" if result.optimal is not None else "video": to_frames(result.video),
        "texture": to_frames(parts.static_image[None]),
        "coherent motion (mean over time)": to_frames(flow_to_rgb(mean, scale)),
    }


def _fitting(films: dict[str, Frames], room: int, start: int = 0) -> list[dict[str, str]]:
    """Films and pictures as data that takes no more than `room` bytes, as large as that allows."""
    found: list[dict[str, str]] = []
    for side, count, quality, least in _LADDER[start:]:
        small = {words: _smaller(frames, side, count) for words, frames in films.items()}
        if least * sum(film.size / 3 for film, _ in small.values()) > room:
            continue
        found, left = [], room
        for words, (frames, fps) in small.items():
            data = _data("webp", encode_webp(frames, fps=fps, quality=quality))
            found.append({"words": words, "data": data})
            left -= len(data)
            if left < 0 and least:  # the next step will do better, and the last ones are made whole
                break
        if left >= 0:
            break
    return found


def _smaller(frames: Frames, side: int, count: int) -> tuple[np.ndarray, float]:
    """At most `count` frames whose longer side is at most `side` pixels, and how many are shown a second."""
    every = -(-len(frames) // count)
    frames = frames[::every]
    if side < max(frames.shape[1:3]):
        size = size_within(frames[0], side)
        frames = np.stack([resized(frame, *size) for frame in frames])
    return frames, DEFAULT_FPS / every


def _wheel(scale: float, clipped: bool) -> str:
    return _data("png", encode_png(legend(scale, clipped=clipped)))


def _data(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _cut(words: str, length: int = 120) -> str:
    return words if len(words) <= length else words[: length - 1] + "…"


def _shortened(card: dict[str, Any]) -> dict[str, Any]:
    return {**card, "name": _cut(card["name"], 60), "layer": _cut(card["layer"], 60)}
