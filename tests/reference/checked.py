"""The tests' run-time type checker: beartype, where an int will do for a float (PEP 484).

A function inside a function is made anew, and would be given a checker anew, at every call of the outer one;
that took more time than all that is checked. It keeps the checker that one of the same signature was given.
"""

from collections.abc import Callable
from typing import Any

from beartype import BeartypeConf, beartype

Function = Callable[..., Any]

checked: Callable[[Function], Function] = beartype(conf=BeartypeConf(is_pep484_tower=True))
known: dict[object, Function] = {}


def typechecked(signature: Function) -> Function:
    """A checker; `signature` is jaxtyping's, an empty function with the annotations to check."""
    code = signature.__code__
    arguments = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    kinds = (code.co_posonlyargcount, code.co_argcount, code.co_flags, arguments)
    optional = (len(signature.__defaults__ or ()), tuple(signature.__kwdefaults__ or ()))
    annotations = tuple(signature.__annotations__.items())
    key = (signature.__module__, signature.__qualname__, kinds, optional, annotations)
    try:
        found = known.get(key)
    except TypeError:  # an annotation that cannot be hashed
        return checked(signature)
    if found is None:
        found = known[key] = checked(signature)
    return found
