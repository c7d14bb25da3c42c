"""The checker of the tests itself: wrong types and shapes are refused wherever they are annotated."""

import inspect
import sys
from collections.abc import Iterator
from types import ModuleType

import pytest
import torch
from jaxtyping import TypeCheckError, install_import_hook

import kinetoscope
from kinetoscope.warp import sample

SOURCE = """
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NoReturn

from jaxtyping import Float
from torch import Tensor

Row = Float[Tensor, "width"]


def first(a: Row) -> Row:
    return a


def both(a: Row, b: Row, scale: float = 1.0) -> Row:
    return scale * (a + b)


def halved(a: Row) -> Row:
    return a[: len(a) // 2]


def flat(a: Float[Tensor, "height width"]) -> Row:
    return a.flatten()


def nothing(a: Row) -> None:
    return a


def stopping(stops: bool) -> NoReturn:
    if stops:
        raise KeyboardInterrupt


def rows(a: Row) -> Iterator[Row]:
    yield a


@dataclass(frozen=True)
class Pair:
    left: Row
    right: Row

    @property
    def shorter(self) -> Row:
        return self.left[:0].sum()

    @classmethod
    def twice(cls, a: Row, *more: Row, **named: int) -> "Pair":
        return cls(a, a)


class Longer(Pair):
    pass


def adder(b: Row) -> Callable[[Row], Row]:
    def added(a: Row, c: Row) -> Row:
        return a + b + c if len(a) == len(b) else a[:1]

    return added
"""


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    folder = tmp_path_factory.mktemp("planted")
    (folder / "planted_shapes.py").write_text(SOURCE)
    sys.path.insert(0, str(folder))
    try:
        with install_import_hook("planted_shapes", "checked.typechecked"):
            import planted_shapes
        yield planted_shapes
    finally:
        sys.path.remove(str(folder))
        sys.modules.pop("planted_shapes", None)


SHORT, LONG, SQUARE = torch.zeros(3), torch.zeros(5), torch.zeros(3, 3)


def test_the_package_is_checked() -> None:
    with pytest.raises(TypeCheckError, match=r"an argument of kinetoscope\.warp\.sample .*images"):
        sample(torch.zeros(3), torch.zeros(1, 2, 4, 4))
    own = [one for one in vars(kinetoscope.warp).values() if inspect.isfunction(one)]
    functions = [one for one in own if one.__module__ == sample.__module__]
    assert len(functions) >= 10
    assert all(function.is_enforced for function in functions)


def test_what_is_right_passes(planted: ModuleType) -> None:
    assert torch.equal(planted.first(SHORT), SHORT)
    assert torch.equal(planted.both(SHORT, b=SHORT, scale=2), SHORT)  # an int for a float
    assert planted.both.__name__ == "both"
    with pytest.raises(KeyboardInterrupt):
        planted.stopping(True)
    assert len(list(planted.rows(SHORT))) == 1
    assert planted.Longer.twice(SHORT, LONG[:3], deep=1).left is SHORT
    assert torch.equal(planted.adder(SHORT)(SHORT, SHORT), SHORT)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda m: m.first(SQUARE), "an argument of planted_shapes.first"),
        (lambda m: m.first(SHORT.long()), "an argument of planted_shapes.first"),
        (lambda m: m.first([0.0]), "an argument of planted_shapes.first"),
        (lambda m: m.both(SHORT, LONG), "an argument of planted_shapes.both"),
        (lambda m: m.both(SHORT, b=LONG), "an argument of planted_shapes.both"),
        (lambda m: m.both(SHORT, SHORT, "1"), "an argument of planted_shapes.both"),
        (lambda m: m.halved(SHORT), "what is returned of planted_shapes.halved"),
        (lambda m: m.flat(SQUARE), "what is returned of planted_shapes.flat"),
        (lambda m: m.nothing(SHORT), "what is returned of planted_shapes.nothing"),
        (lambda m: m.stopping(False), "what is returned of planted_shapes.stopping"),
        (lambda m: m.rows(SQUARE), "an argument of planted_shapes.rows"),
        (lambda m: m.Pair(SHORT, LONG), "an argument of .*Pair"),
        (lambda m: m.Longer(SHORT, right=LONG), "an argument of .*Pair"),
        (lambda m: m.Pair(SHORT, SHORT).shorter, "what is returned of planted_shapes.Pair.shorter"),
        (lambda m: m.Pair.twice(SHORT, LONG), "an argument of planted_shapes.Pair.twice"),
        (lambda m: m.Pair.twice(SHORT, deep="1"), "an argument of planted_shapes.Pair.twice"),
        (lambda m: m.adder(SQUARE), "an argument of planted_shapes.adder"),
        (lambda m: m.adder(SHORT)(SHORT, LONG), "an argument of planted_shapes.adder.<locals>.added"),
        (lambda m: m.adder(SHORT)(LONG, LONG), "what is returned of planted_shapes.adder.<locals>.added"),
    ],
)
def test_what_is_wrong_is_told(planted: ModuleType, call, told: str) -> None:
    planted.adder(SHORT)(SHORT, SHORT)  # a function made before must not stand for the next
    with pytest.raises(TypeCheckError, match=told):
        call(planted)
    assert torch.equal(planted.first(LONG), LONG), "sizes of a call that failed are forgotten"


def test_a_call_that_python_refuses_is_pythons_error(planted: ModuleType) -> None:
    with pytest.raises(TypeError, match="missing a required argument: 'b'") as error:
        planted.both(SHORT)
    assert not isinstance(error.value, TypeCheckError)
