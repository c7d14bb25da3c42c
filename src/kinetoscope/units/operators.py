"""Arguments of tensor operations, as dispatch modes are given them."""

from collections.abc import Mapping, Sequence
from typing import Any


def named_arguments(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of an operation by the names of its schema, defaults filled in."""
    known = func._schema.arguments
    named = {a.name: a.default_value for a in known if a.has_default_value()}
    return named | {a.name: value for a, value in zip(known, args, strict=False)} | dict(kwargs)


def per_axis(value: int | Sequence[int], axes: int) -> list[int]:
    """A stride, padding or size for each axis; a single number holds for all."""
    values = [value] if isinstance(value, int) else list(value)
    return values * axes if len(values) == 1 else values
