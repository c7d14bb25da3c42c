"""Types and shapes in annotations, enforced while tests run: jaxtyping's promise at a fraction of its price.

`jaxtyping.jaxtyped` binds every call's arguments to names, checks them, and checks all of them again with
what is returned; and it makes the checkers anew for a function inside a function, at every call of the outer
one. That took as long as all that is checked. Here the arguments are checked once and what is returned once,
under the same sizes by name, and each `def` is given its checkers once, when it is first called. What a loop
calls a thousand times is checked for its first `CALLS` calls in each test. An int will do for a float
(PEP 484).
"""

import dataclasses
import inspect
from collections.abc import Callable
from functools import wraps
from types import CodeType
from typing import Any

import jaxtyping
from beartype import BeartypeConf, beartype

Function = Callable[..., Any]

typechecked: Callable[[Function], Function] = beartype(conf=BeartypeConf(is_pep484_tower=True))
usual = jaxtyping.jaxtyped
sizes = usual("context")
"""Within it an axis of one name has one size."""


CALLS = 8
"""Of one `def` in one test; what comes after them is taken on trust."""


@dataclasses.dataclass
class Checkers:
    """Of one `def`.

    Attributes:
        annotations: what they enforce.
        arguments: takes what the function takes.
        returned: takes what it gives; None: it says nothing of that.
        code: kept, for its `id` is what it is known by.
        left: calls that are still checked in this test.
    """

    annotations: dict[str, object]
    arguments: Function
    returned: Function | None
    code: CodeType
    left: int = CALLS


known: dict[int, Checkers] = {}
called: list[Checkers] = []
"""In this test."""


def begin() -> None:
    """A test begins."""
    for found in called:
        found.left = CALLS
    called.clear()


def checkers(function: Function) -> Checkers:
    """The checkers of the `def` that has made a function."""
    found = known.get(id(function.__code__))
    if found is None or found.annotations != function.__annotations__:
        empty: list[Function] = []  # jaxtyping's: one takes also what is returned, one the arguments alone
        usual(function, typechecker=lambda made: empty.append(made) or made)
        whole, arguments = empty
        returned = None
        if "return" in function.__annotations__:

            def returned(given):
                return given

            returned.__annotations__ = {"return": whole.__annotations__["return"]}
            returned.__module__ = function.__module__
            returned = typechecked(returned)
        found = Checkers(dict(function.__annotations__), typechecked(arguments), returned, function.__code__)
        known[id(function.__code__)] = found
    return found


def fault(function: Function, what: str, error: Exception, args: tuple, kwargs: dict) -> TypeError:
    """The error that names the function."""
    inspect.signature(function).bind(*args, **kwargs)  # a call of other arguments is Python's own TypeError
    return jaxtyping.TypeCheckError(
        f"{what} of {function.__module__}.{function.__qualname__} is not as annotated: {error}"
    )


def enforced(function: Function) -> Function:
    """The function with its annotations enforced."""
    checks: Checkers | None = None

    @wraps(function)
    def wrapped(*args, **kwargs):
        nonlocal checks
        __tracebackhide__ = True
        if checks is None:
            checks = checkers(function)
        if checks.left <= 0:
            return function(*args, **kwargs)
        if checks.left == CALLS:
            called.append(checks)
        checks.left -= 1
        with sizes:
            try:
                checks.arguments(*args, **kwargs)
            except jaxtyping.AnnotationError:
                raise
            except Exception as error:
                raise fault(function, "an argument", error, args, kwargs) from error
            out = function(*args, **kwargs)
            if checks.returned is not None:
                try:
                    checks.returned(out)
                except jaxtyping.AnnotationError:
                    raise
                except Exception as error:
                    raise fault(function, "what is returned", error, args, kwargs) from error
            return out

    wrapped.is_enforced = True
    return wrapped


def jaxtyped(made: Any = None, *, typechecker: object = None) -> Any:
    """What takes the place of `jaxtyping.jaxtyped`, for functions and for classes of data."""
    if made is None:
        return jaxtyped
    if inspect.isclass(made):
        if dataclasses.is_dataclass(made) and not hasattr(made.__init__, "is_enforced"):
            made.__init__ = enforced(made.__init__)
        return made
    return enforced(made) if inspect.isfunction(made) else usual(made, typechecker=typechecker)


# The hook has loaded this file for the package's first function, and asks jaxtyping anew for the next.
jaxtyping.jaxtyped = jaxtyped
