"""One tensor operation as the rules see it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.utils._pytree import tree_leaves

from .span import WHOLE, Axis, TensorSpans, unite


@dataclass(frozen=True)
class Call:
    """One operation with its arguments by name, the inputs that depend on the clip, and what came out."""

    op: str
    args: dict[str, Any]
    inputs: list[Tensor]
    look: Callable[[Any], TensorSpans | None]
    result: Any

    @property
    def source(self) -> Tensor:
        """The tensor worked on."""
        return self.args["self"] if "self" in self.args else self.args["input"]

    @property
    def spans(self) -> TensorSpans:
        """The spans of the tensor worked on."""
        known = self.look(self.source)
        return known if known is not None else pointwise(self)

    @property
    def out(self) -> Tensor:
        """The first tensor that came out."""
        return next(t for t in tree_leaves(self.result) if isinstance(t, Tensor))

    def parts(self) -> list[tuple[TensorSpans, Tensor]]:
        """The inputs with their spans."""
        return [(x, t) for t in self.inputs if (x := self.look(t)) is not None]

    def dims(self) -> set[int]:
        """The `dim` or `dims` argument; everything when it was left out."""
        value, ndim = self.args.get("dim", self.args.get("dims")), self.source.ndim
        if value is None or value == []:
            return set(range(ndim))
        return {d % ndim for d in ([value] if isinstance(value, int) else value)}

    def mixed(self, dims: set[int]) -> TensorSpans:
        """Every unit sees all positions along `dims`."""
        shape = self.source.shape
        return self.spans.map(lambda span, dim: WHOLE if dim in dims and shape[dim] > 1 else span)


def seen(reach: TensorSpans, tensor: Tensor) -> list[tuple[Axis, int | None, int]]:
    """Per axis: span, dimension counted from the end, number of positions."""
    return [
        (span, None, 1) if d is None else (span, d - tensor.ndim, tensor.shape[d])
        for span, d in zip(reach.spans, reach.dims, strict=True)
    ]


def pointwise(call: Call) -> TensorSpans:
    spans: list[Axis] = []
    dims: list[int | None] = []
    for axis in zip(*(seen(x, t) for x, t in call.parts()), strict=True):
        places = {d for _, d, _ in axis if d is not None}
        # the same axis in two places: an outer product, as attention builds it by hand
        spans.append(unite([(s, n) for s, _, n in axis]) if len(places) <= 1 else WHOLE)
        dims.append(places.pop() + call.out.ndim if len(places) == 1 else None)
    return TensorSpans(tuple(spans), tuple(dims))


def dropped(reach: TensorSpans, gone: set[int]) -> TensorSpans:
    """Axes that end here: a unit without a place along them sees all that the network reads."""
    wide = reach.map(lambda span, dim: WHOLE if dim in gone else span)
    return wide.move(lambda d: None if d in gone else d - sum(g < d for g in gone))
