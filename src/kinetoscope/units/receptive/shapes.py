"""What reshaping, slicing and joining do to receptive fields."""

from collections.abc import Sequence
from itertools import accumulate

from torch import Tensor

from .call import Call, dropped, seen
from .span import WHOLE, Axis, TensorSpans, slide, unite


def view_rule(call: Call) -> TensorSpans:
    old, new = list(call.source.shape), list(call.out.shape)
    shortest = min(len(old), len(new))
    head = next((i for i in range(shortest) if old[i] != new[i]), shortest)
    tail = next((i for i in range(shortest - head) if old[-1 - i] != new[-1 - i]), shortest - head)
    place: dict[int, int] = {i: i for i in range(head)}
    place |= {len(old) - 1 - i: len(new) - 1 - i for i in range(tail)}
    split: set[int] = set()
    middle_old = [i for i in range(head, len(old) - tail) if old[i] != 1]
    middle_new = [i for i in range(head, len(new) - tail) if new[i] != 1]
    for ours, theirs in _groups([old[i] for i in middle_old], [new[i] for i in middle_new]):
        if len(ours) == len(theirs) == 1:
            place[middle_old[ours[0]]] = middle_new[theirs[0]]
        else:
            split.update(middle_old[i] for i in ours if len(theirs) > 1)
    kept = set(place) | split
    wide = call.spans.map(lambda span, d: None if d in split else span if d in kept else WHOLE)
    return wide.move(place.get)


def _groups(old: list[int], new: list[int]) -> list[tuple[list[int], list[int]]]:
    """Runs of dimensions with the same product, as indices."""
    ends_old, ends_new = (list(accumulate(s, lambda x, y: x * y)) for s in (old, new))
    groups, i, j = [], 0, 0
    for common in sorted(set(ends_old) & set(ends_new)):
        stop_i, stop_j = ends_old.index(common) + 1, ends_new.index(common) + 1
        groups.append((list(range(i, stop_i)), list(range(j, stop_j))))
        i, j = stop_i, stop_j
    return groups


def unsqueeze_rule(call: Call) -> TensorSpans:
    at = call.args["dim"] % call.out.ndim
    return call.spans.move(lambda d: d + (d >= at))


def squeeze_rule(call: Call) -> TensorSpans:
    return dropped(call.spans, {d for d in call.dims() if call.source.shape[d] == 1})


def permute_rule(call: Call) -> TensorSpans:
    order = [d % call.source.ndim for d in call.args["dims"]]
    return call.spans.move(order.index)


def transpose_rule(call: Call) -> TensorSpans:
    ndim = call.source.ndim
    a, b = call.args.get("dim0", 0) % max(ndim, 1), call.args.get("dim1", ndim - 1) % max(ndim, 1)
    return call.spans.move(lambda d: b if d == a else a if d == b else d)


def expand_rule(call: Call) -> TensorSpans:
    return call.spans.move(lambda d: d + call.out.ndim - call.source.ndim)


def slice_rule(call: Call) -> TensorSpans:
    at, size = call.args["dim"] % call.source.ndim, call.source.shape[call.args["dim"]]
    start = min(call.args["start"] or 0, size)
    start += size * (start < 0)
    return call.spans.map(lambda s, d: slide(s, 1, call.args["step"], 1, -start) if d == at else s)


def select_rule(call: Call) -> TensorSpans:
    at = call.args["dim"] % call.source.ndim
    index = call.args["index"] % call.source.shape[at]
    one = call.spans.map(lambda s, d: slide(s, 1, 1, 1, -index) if d == at else s)
    return one.move(lambda d: None if d == at else d - (d > at))


def split_rule(call: Call) -> list[TensorSpans]:
    at, single = call.args["dim"] % call.source.ndim, "unbind" in call.op
    pieces, start = [], 0
    for piece in call.result:
        moved = call.spans.map(lambda s, d, o=start: slide(s, 1, 1, 1, -o) if d == at else s)
        pieces.append(moved.move(lambda d: None if d == at else d - (d > at)) if single else moved)
        start += 1 if single else piece.shape[at]
    return pieces


def cat_rule(call: Call) -> TensorSpans:
    tensors: Sequence[Tensor] = call.args["tensors"]
    at = call.args["dim"] % call.out.ndim
    stacked = call.op.startswith("stack")
    parts: list[list[tuple[Axis, int]]] = []
    dims: tuple[int | None, ...] = ()
    offset = 0
    for t in tensors:
        x = call.look(t)
        if x is not None:
            shift = offset
            # a piece that stands later along an axis is a piece whose first field starts earlier
            x = x if stacked else x.map(lambda s, d, o=shift: slide(s, 1, 1, 1, o) if d == at else s)
            parts.append([(s, n) for s, _, n in seen(x, t)])
            dims = dims or x.dims
        offset += 0 if stacked else t.shape[at]
    spans = tuple(unite(axis) for axis in zip(*parts, strict=True))
    return TensorSpans(spans, dims).move(lambda d: d + (d >= at) if stacked else d)
