"""Objectives as a person writes them: `conv3b:5 - 0.5*conv3b:7`, `fc:left - fc:right`, `conv2:3@0-1,*,4`."""

import re
from dataclasses import dataclass

from ..errors import SettingInvalid

WANTED = "a sum such as 'conv3b:5 - 0.5*conv3b:7', 'fc:left - fc:right', 'conv3b:5@1,3,3' or 'conv3b:*'"
VECTORS = "vector"
"""In place of a layer's name: the request's vectors in its channels."""

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<sign>[+-])
      | (?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)\s*\*
      | (?P<kind>channel|channel-relu|mean|relu)\s*\(
      | (?P<close>\))
      | (?P<layer>[^\s:()+*'"]+)\s*:\s*(?P<unit>\*|\d+|"[^"]+"|'[^']+'|[^\s()+*@:'"\d-][^\s()+*@:'"]*)
        (?:@(?P<place>[\d,*-]+))?
    )""",
    re.VERBOSE,
)
_KIND = {"channel": "channel", "mean": "channel", "channel-relu": "channel-relu", "relu": "channel-relu"}


@dataclass(frozen=True)
class Said:
    """A term as it was written.

    Attributes:
        weight: with its sign.
        layer: dotted name, or `VECTORS`.
        unit: an index or a class name; None: all channels.
        kind: where it was written round the term; None: the usual one.
        place: per axis first and last index, None for a whole axis; empty: all of the map.
    """

    weight: float
    layer: str
    unit: int | str | None
    kind: str | None = None
    place: tuple[tuple[int, int] | None, ...] = ()


def is_expression(text: str) -> bool:
    """Whether it can be no kind of objective: those have no colon."""
    return ":" in text


def read_expression(text: str) -> list[Said]:
    """The terms of an expression, as written.

    A term is `LAYER:UNIT`, UNIT an index, a class name (in quotes where it has blanks or signs) or `*`, all
    channels; with `@t,y,x` one place of the map, each axis also a range `a-b` or `*`. `mean(...)` and
    `relu(...)` round a term say how its map becomes a number. `vector:ROW` is a row of the request's
    vectors (`VECTORS`).

    Raises:
        SettingInvalid: it is no such sum; naming the place.
    """
    said: list[Said] = []
    at, sign, factor, kind, open_ = 0, None, None, None, False
    text = text.strip()
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise _odd(text, at)
        part, value = found.lastgroup, found.group().strip()
        part = "term" if found["unit"] is not None else part
        if part == "sign" and sign is None and factor is None and not open_:
            sign = -1.0 if value == "-" else 1.0
        elif part == "number" and factor is None and not open_ and (said == [] or sign is not None):
            factor = float(found["number"])
        elif part == "kind" and not open_ and (said == [] or sign is not None):
            kind, open_ = _KIND[found["kind"]], True
        elif part == "term" and (kind is None) == (not open_) and (said == [] or sign is not None):
            weight = (sign or 1.0) * (1.0 if factor is None else factor)
            said.append(Said(weight, found["layer"], _unit(found["unit"]), kind, _place(found["place"])))
            sign, factor, kind = None, None, None
        elif part == "close" and open_ and kind is None:
            open_ = False
        else:
            raise _odd(text, at)
        at = found.end()
    if open_ or sign is not None or factor is not None or not said:
        raise _odd(text, len(text))
    return said


def _odd(text: str, at: int) -> SettingInvalid:
    where = f"at {text[at:].strip()[:20]!r}" if text[at:].strip() else "at its end"
    return SettingInvalid(f"objective {text!r} cannot be read {where}; write {WANTED}")


def _unit(text: str) -> int | str | None:
    if text == "*":
        return None
    return int(text) if text.isdecimal() else text.strip("'\"")


def _place(text: str | None) -> tuple[tuple[int, int] | None, ...]:
    """Ranges per axis.

    Raises:
        SettingInvalid: not as `1`, `0-2` or `*` with commas between them.
    """
    if text is None:
        return ()
    ranges: list[tuple[int, int] | None] = []
    for piece in text.split(","):
        low, dash, high = piece.partition("-")
        if piece == "*":
            ranges.append(None)
        elif low.isdecimal() and (high.isdecimal() if dash else True) and int(high or low) >= int(low):
            ranges.append((int(low), int(high or low)))
        else:
            raise SettingInvalid(
                f"place {text!r} of an objective is neither t,y,x nor ranges such as 0-1,*,3, one per axis"
            )
    return tuple(ranges)
