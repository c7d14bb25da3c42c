"""Errors a user can mend. Each message is one line: what was given, what was wanted, how to mend it."""

import difflib
from collections.abc import Iterable, Sequence


class KinetoscopeError(Exception):
    """Base of every error that is the input's fault rather than the library's."""


class ModelNotFound(KinetoscopeError):
    """No model has the given name, or its factory could not be found."""


class ModelUnusable(KinetoscopeError):
    """The model was found, but cannot be visualized as it is (no module, non-finite weights, odd input)."""


class LayerNotFound(KinetoscopeError):
    """The model has no layer of the given name, or the layer gives no units."""


class UnitOutOfRange(KinetoscopeError):
    """A unit, class name or position lies outside what the layer has."""


class ClipTooSmall(KinetoscopeError):
    """The clip is too small for the layer, or has too few frames."""


class DeviceFull(KinetoscopeError):
    """The device has too little memory for even one clip."""


class WorkerLost(KinetoscopeError):
    """A process that computed some of the units ended before them."""


class NotDecodable(KinetoscopeError):
    """Something between the input and the layer cannot be reversed by substitution."""


class VideoUnreadable(KinetoscopeError):
    """The video file is missing, empty, corrupt or not RGB."""


class InputNotice(UserWarning):
    """What was given was read, but not just as it is: only a part, or under other names."""


class OutputUnwritable(KinetoscopeError):
    """A result cannot be written where it was asked for."""


class SettingInvalid(KinetoscopeError, ValueError):
    """A setting is outside its range or does not fit another one."""


class PositionInvalid(SettingInvalid):
    """A position has other axes than the layer's map."""


def one_line(text: object) -> str:
    """What somebody else's code or file says, on one line and without what would steer a terminal."""
    said = " ".join(str(text).split())
    return said if said.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in said)


def closest(given: str, known: Iterable[str], count: int = 3) -> str:
    """Name the known words nearest to `given`, for the end of an error message."""
    names = list(known)
    near = difflib.get_close_matches(given, names, n=count, cutoff=0.4) or names[:count]
    return ", ".join(near) if near else "none"


def listed(names: Sequence[str], limit: int = 5) -> str:
    """The first `limit` names, and how many more there are, for an error message."""
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more
