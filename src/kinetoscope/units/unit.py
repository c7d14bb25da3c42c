"""Which unit: reading what a person wrote, and the address it means."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import PositionInvalid, SettingInvalid, UnitOutOfRange, closest

MOST_PIXELS = 10**10
"""Of a clip, frames times height times width: a channel of it takes 40 GB."""


@dataclass(frozen=True)
class Unit:
    """The address of one unit.

    Attributes:
        layer: the module's dotted name.
        channel: channel, or index of the output.
        position: (t, y, x) in the layer's map, or as many numbers as it has axes; None: the whole channel.
        name: the class name, where there is one.
    """

    layer: str
    channel: int
    position: tuple[int, ...] | None = None
    name: str = ""

    def __str__(self) -> str:
        place = "" if self.position is None else "@" + ",".join(map(str, self.position))
        return f"{self.layer}:{self.channel}{place}" + (f" ({self.name})" if self.name else "")


def split_units(text: str) -> list[range | str]:
    """Split `0,3,8-15`, `all` or class names into ranges of indices and names, without looking at a model.

    Raises:
        SettingInvalid: an empty item, or a range that runs backwards.
    """
    items: list[range | str] = []
    for item in (piece.strip() for piece in text.split(",")):
        low, dash, high = (part.strip() for part in item.partition("-"))
        if not item:
            raise SettingInvalid(f"units {text!r} have an empty item; write them like 0,3,8-15 or all")
        if item.isdecimal():
            items.append(range(int(item), int(item) + 1))
        elif dash and low.isdecimal() and high.isdecimal():
            if int(high) < int(low):
                raise SettingInvalid(f"units {item!r} run backwards; write {high}-{low}")
            items.append(range(int(low), int(high) + 1))
        elif (item[0].isdigit() and dash) or item[0] == "-":
            raise SettingInvalid(
                f"units {item!r} are neither a number nor a range; write them like 0,3,8-15 or all"
            )
        else:
            items.append(item)
    return items


def parse_units(text: str, count: int, class_names: Sequence[str] = ()) -> list[int]:
    """Unit indices in the order written, each once.

    Args:
        text: `0,3,8-15`, `all`, or names out of `class_names`, mixed at will. A name with commas is
            understood when it is the whole of `text`.
        count: how many units the layer has.
        class_names: the names of its units, in index order; empty when they have none.

    Raises:
        SettingInvalid: the text is malformed.
        UnitOutOfRange: an index is not below `count`, or a name is unknown.
    """
    if text.strip() in class_names:
        return [class_names.index(text.strip())]
    chosen: dict[int, None] = {}
    for item in split_units(text):
        if isinstance(item, str):
            found = range(count) if item == "all" else (find_unit(item, class_names),)
        elif item[-1] >= count:
            raise UnitOutOfRange(
                f"unit {item[-1]} does not exist: the layer has {count} units, 0 to {count - 1}"
            )
        else:
            found = item
        chosen.update(dict.fromkeys(found))
    return list(chosen)


def find_unit(name: str, class_names: Sequence[str]) -> int:
    """Index of a class name; letter case is forgiven where that leaves one choice.

    Raises:
        UnitOutOfRange: no unit has that name.
    """
    if name in class_names:
        return class_names.index(name)
    alike = [i for i, known in enumerate(class_names) if known.lower() == name.lower()]
    if len(alike) == 1:
        return alike[0]
    if not class_names:
        raise UnitOutOfRange(
            f"{name!r} is no unit: this layer's units have no names; give indices such as 0,3,8-15"
        )
    raise UnitOutOfRange(f"no unit is called {name!r}; closest: {closest(name, class_names)}")


def parse_position(text: str) -> tuple[int, ...]:
    """Read `T,Y,X`, or as many numbers as a layer's map has axes: `T` of a row of frames or tokens.

    Raises:
        SettingInvalid: not one to three whole numbers of at least 0.
    """
    pieces = [piece.strip() for piece in text.split(",")]
    if len(pieces) > 3 or not all(piece.isdecimal() for piece in pieces):
        raise SettingInvalid(
            f"position {text!r} is not T,Y,X: three whole numbers from 0, such as 1,3,3, or one or two for a "
            "map with fewer axes"
        )
    return tuple(map(int, pieces))


def check_position(position: tuple[int, ...], map_shape: Sequence[int]) -> tuple[int, ...]:
    """Give `position` (t, y, x) back if it lies inside a map of (frames, height, width), or of fewer axes.

    Raises:
        PositionInvalid: it has other axes.
        UnitOutOfRange: the layer has no map, or the position lies outside of it.
    """
    given, size = ",".join(map(str, position)), "x".join(map(str, map_shape))
    if not map_shape:
        raise UnitOutOfRange(f"position {given} has no place: the layer has no map; leave it out")
    if len(position) != len(map_shape):
        axes = f"{len(map_shape)} axes" if len(map_shape) > 1 else "1 axis"
        raise PositionInvalid(
            f"position {given} does not fit the layer's map of {axes}, {size}; give as many"
        )
    if any(not 0 <= p < n for p, n in zip(position, map_shape, strict=True)):
        axes = " (TxYxX, counted from 0)" if len(map_shape) == 3 else " (counted from 0)"
        raise UnitOutOfRange(f"position {given} lies outside the layer's map of {size}{axes}")
    return position


def parse_size(text: str) -> tuple[int, int, int]:
    """Read `TxHxW`, as in 16x112x112.

    Raises:
        SettingInvalid: not three whole numbers of at least 1, or absurdly many pixels.
    """
    pieces = text.lower().replace("\N{MULTIPLICATION SIGN}", "x").split("x")
    if len(pieces) != 3 or not all(piece.strip().isdecimal() and int(piece) > 0 for piece in pieces):
        raise SettingInvalid(f"size {text!r} is not TxHxW: frames, height and width, such as 16x112x112")
    t, h, w = map(int, pieces)
    if t * h * w > MOST_PIXELS:
        raise SettingInvalid(
            f"size {text!r} is {t * h * w:.3g} pixels; give less: no machine takes {MOST_PIXELS:.3g}"
        )
    return t, h, w


def unit_indices(units: int | str | Sequence[int | str], count: int, names: tuple[str, ...]) -> list[int]:
    """Channels from an index, class name or text such as `0,3,8-15`, or from a sequence of these.

    Raises:
        UnitOutOfRange: beyond the layer's units, or no class of that name.
    """
    if isinstance(units, (int, str)):
        units = [units]
    if not units:
        raise UnitOutOfRange(f"no units given; name some of the {count} the layer has")
    chosen: list[int] = []
    for unit in units:
        if isinstance(unit, str):
            chosen += parse_units(unit, count, names)
        elif 0 <= unit < count:
            chosen.append(int(unit))
        else:
            raise UnitOutOfRange(f"unit {unit} is out of range; the layer has units 0 to {count - 1}")
    return list(dict.fromkeys(chosen))
