"""Results that hold tensors, on one line."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass

from torch import Tensor

_LONGEST = 40


class Brief:
    """A dataclass whose `repr` tells tensors by type and shape, and long values by how many they hold.

    For dataclasses made with `eq=False, repr=False`: comparing tensors gives no truth value, so that such
    results are equal to themselves only, and can be kept in sets and as keys.
    """

    def __repr__(self) -> str:
        assert is_dataclass(self)
        shown = (f"{part.name}={brief(getattr(self, part.name))}" for part in fields(self) if part.repr)
        return f"{type(self).__name__}({', '.join(shown)})"


def brief(value: object) -> str:
    """A value in a few letters."""
    if isinstance(value, Tensor):
        return f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, str):
        return repr(value if len(value) <= _LONGEST else value[: _LONGEST - 1] + "…")
    if isinstance(value, Mapping):
        return f"<{len(value)} entries>"
    if isinstance(value, Sequence):
        items = [brief(item) for item in value] if len(value) <= 4 else []
        whole = ", ".join(items)
        return f"({whole})" if items and len(whole) <= _LONGEST else f"<{len(value)} values>"
    if is_dataclass(value):
        return f"{type(value).__name__}(…)"
    if callable(value):
        return f"<{type(value).__name__}>"
    return repr(value)
