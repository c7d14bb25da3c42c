"""Which class a clip belongs to once it is mirrored left and right."""

import re

from ..errors import SettingInvalid

_OPPOSITES = {
    "left": "right",
    "leftward": "rightward",
    "leftwards": "rightwards",
    "clockwise": "counterclockwise",
}
_PAIRS = _OPPOSITES | {other: one for one, other in _OPPOSITES.items()}
# words of 'Swiping Left', 'up-right', 'turn_left' and 'TurnLeft' alike
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")


def mirrored_classes(names: tuple[str, ...]) -> tuple[int, ...]:
    """For each class the one that its clips belong to when left and right change places.

    Left and right, clockwise and counter-clockwise (also anticlockwise, in any spelling) are exchanged as
    words of a name; other classes stay. Jester's 'Swiping Left' becomes 'Swiping Right'.

    Raises:
        SettingInvalid: a class has no counterpart, so that its mirrored clips would belong nowhere.
    """
    spelled = {_plain(name): index for index, name in enumerate(names)}
    found = []
    for name in names:
        words = [_PAIRS.get(word, word) for word in _plain(name).split()]
        other = " ".join(words)
        if other not in spelled:
            raise SettingInvalid(
                f"mirrored clips of class {name!r} would show {other!r}, which is no class; "
                "set data.flip = false"
            )
        found.append(spelled[other])
    return tuple(found)


def _plain(name: str) -> str:
    """A name as small words, parted by spaces; every spelling of counter-clockwise as one word."""
    spaced = _CAMEL.sub(" ", name)
    spaced = re.sub(r"(?:counter|anti)[-_ ]?clockwise", "counterclockwise", spaced, flags=re.IGNORECASE)
    return " ".join(re.findall(r"[^\W_]+", spaced)).lower()
