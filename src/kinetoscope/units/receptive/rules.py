"""What each tensor operation does to receptive fields: one small rule per family of aten operations."""

from collections.abc import Callable, Sequence
from math import ceil
from typing import Any

from torch import Tag, Tensor
from torch.utils._pytree import tree_leaves

from ..operators import named_arguments, per_axis
from .call import Call, dropped, pointwise, seen
from .shapes import (
    cat_rule,
    expand_rule,
    permute_rule,
    select_rule,
    slice_rule,
    split_rule,
    squeeze_rule,
    transpose_rule,
    unsqueeze_rule,
    view_rule,
)
from .span import WHOLE, Axis, Span, TensorSpans, slide, unite

Rule = Callable[[Call], TensorSpans | list[TensorSpans]]


# --- windows ---------------------------------------------------------------------------------------------


def _convolution(call: Call) -> TensorSpans:
    if call.look(call.args["input"]) is None:  # a kernel computed from the clip
        return _mix_all(call)
    count, weight = call.source.ndim - 2, call.args["weight"]
    stride, padding, dilation = (per_axis(call.args[k], count) for k in ("stride", "padding", "dilation"))

    def change(span: Axis, dim: int) -> Axis:
        if dim < 2:
            return span if dim == 0 or call.source.shape[1] == 1 else WHOLE
        kernel, s, p, d = weight.shape[dim], stride[dim - 2], padding[dim - 2], dilation[dim - 2]
        if not call.args["transposed"]:
            return slide(span, kernel, s, d, p)
        extent = (kernel - 1) * d
        return slide(span, ceil((extent + 1) / s), 1 / s, 1, -ceil((p - extent) / s))

    return call.spans.map(change)


def _pool(call: Call) -> TensorSpans:
    count = next(int(c) for c in call.op if c.isdigit())
    kernel = per_axis(call.args["kernel_size"], count)
    stride = per_axis(call.args["stride"], count) if call.args.get("stride") else kernel
    padding = per_axis(call.args.get("padding", 0), count)
    dilation = per_axis(call.args.get("dilation", 1), count)
    first = call.source.ndim - count

    def change(span: Axis, dim: int) -> Axis:
        i = dim - first
        return span if i < 0 else slide(span, kernel[i], stride[i], dilation[i], padding[i])

    return call.spans.map(change)


def _adaptive_pool(call: Call) -> TensorSpans:
    def change(span: Axis, dim: int) -> Axis:
        n, m = call.source.shape[dim], call.out.shape[dim]
        if n == m:
            return span
        taps = max(ceil((i + 1) * n / m) - i * n // m for i in range(m))
        return WHOLE if m == 1 else slide(span, taps, n / m, 1, 0)

    return call.spans.map(change)


def _upsample(call: Call) -> TensorSpans:
    taps = 1 if "nearest" in call.op else 4 if "bicubic" in call.op else 2

    def change(span: Axis, dim: int) -> Axis:
        ratio = call.source.shape[dim] / call.out.shape[dim]
        return span if ratio == 1 else slide(span, taps, ratio, 1, (taps - 1) / 2)

    return call.spans.map(change)


def _constant_pad(call: Call) -> TensorSpans:
    ndim = call.source.ndim
    pad: Sequence[int] = call.args["pad"] if "pad" in call.args else call.args["padding"]

    def change(span: Axis, dim: int) -> Axis:
        i = 2 * (ndim - 1 - dim)
        return slide(span, 1, 1, 1, pad[i]) if i < len(pad) else span

    return call.spans.map(change)


# --- everything along a dimension ------------------------------------------------------------------------


def _reduce(call: Call) -> TensorSpans:
    gone = call.dims()
    return call.mixed(gone) if call.out.ndim == call.source.ndim else dropped(call.spans, gone)


def _mix_along(call: Call) -> TensorSpans:
    return call.mixed(call.dims())


def _batch_norm(call: Call) -> TensorSpans:
    training = call.args.get("training", False)
    return call.mixed(set(range(call.source.ndim)) - {1} if training else set())


def _group_norm(call: Call) -> TensorSpans:
    return call.mixed(set(range(1, call.source.ndim)))


def _layer_norm(call: Call) -> TensorSpans:
    ndim = call.source.ndim
    return call.mixed(set(range(ndim - len(call.args["normalized_shape"]), ndim)))


def _linear(call: Call) -> TensorSpans:
    """Places stay apart; only what lies on the last axis is mixed."""
    return _mix_all(call) if call.look(call.args["input"]) is None else call.mixed({call.source.ndim - 1})


def _mix_all(call: Call) -> TensorSpans:
    """Matrix products: whatever still has extent is mixed."""
    spans = []
    for axis in zip(*(seen(x, t) for x, t in call.parts()), strict=True):
        spans.append(unite([(WHOLE if n > 1 else span, 1) for span, _, n in axis]))
    return TensorSpans(tuple(spans), (None,) * len(spans))


# --- position by position --------------------------------------------------------------------------------


def _unlisted(call: Call) -> TensorSpans:
    """Not in the table: as if pointwise when the shape is kept, unknown otherwise."""
    if all(t.shape == call.out.shape for t in call.inputs):
        return pointwise(call)
    axes = len(call.parts()[0][0].spans)
    return TensorSpans((None,) * axes, (None,) * axes)


def _copy(call: Call) -> TensorSpans:
    source = call.args["src"]
    if call.look(source) is None:  # overwritten by a constant; what was seen before is kept as a bound
        return call.spans
    return pointwise(
        Call(call.op, call.args, [t for t in call.inputs if t is not call.source], call.look, call.result)
    )


_FAMILIES: dict[Rule, str] = {
    _convolution: "convolution _convolution",
    _pool: "max_pool1d_with_indices max_pool2d_with_indices max_pool3d_with_indices max_pool1d max_pool2d "
    "max_pool3d avg_pool1d avg_pool2d avg_pool3d",
    _adaptive_pool: "_adaptive_avg_pool2d _adaptive_avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d "
    "adaptive_avg_pool3d adaptive_max_pool2d adaptive_max_pool3d",
    _constant_pad: "constant_pad_nd reflection_pad1d reflection_pad2d reflection_pad3d replication_pad1d "
    "replication_pad2d replication_pad3d",
    _reduce: "mean sum amax amin max min var std prod logsumexp norm linalg_vector_norm argmax argmin any "
    "all",
    _mix_along: "_softmax _log_softmax _safe_softmax cumsum sort topk flip roll",
    _batch_norm: "native_batch_norm _native_batch_norm_legit _native_batch_norm_legit_no_training "
    "_batch_norm_no_update _batch_norm_with_update cudnn_batch_norm",
    _group_norm: "native_group_norm",
    _layer_norm: "native_layer_norm _fused_rms_norm",
    _linear: "linear",
    _mix_all: "mm bmm addmm baddbmm matmul _scaled_dot_product_flash_attention_for_cpu "
    "_scaled_dot_product_attention_math",
    _copy: "copy copy_",
    view_rule: "view _unsafe_view reshape _reshape_alias",
    unsqueeze_rule: "unsqueeze",
    squeeze_rule: "squeeze",
    permute_rule: "permute",
    transpose_rule: "t transpose",
    expand_rule: "expand",
    slice_rule: "slice",
    select_rule: "select",
    split_rule: "split split_with_sizes unbind",
    cat_rule: "cat stack",
}
_CONSTANT = (
    "zeros_like ones_like full_like empty_like rand_like randn_like new_zeros new_ones new_full new_empty"
)
CONSTANT = frozenset(_CONSTANT.split())
"""Operations that take a tensor for its shape only."""

_RULES: dict[str, Rule] = {name: rule for rule, names in _FAMILIES.items() for name in names.split()}


def propagate(
    func: Any,
    args: Any,
    kwargs: Any,
    look: Callable[[Any], TensorSpans | None],
    inputs: list[Tensor],
    result: Any,
) -> list[TensorSpans]:
    """The spans of every tensor in `result` of `func(*args, **kwargs)`, from those of its inputs."""
    op = func.name().removeprefix("aten::")
    name = op.partition(".")[0]
    call = Call(op, named_arguments(func, args, kwargs), inputs, look, result)
    rule = _RULES.get(name)
    if name.startswith("upsample"):
        rule = _upsample
    elif Tag.pointwise in func.tags or op in ("max.other", "min.other"):
        rule = pointwise
    given = (rule or _unlisted)(call)
    tensors = [t for t in tree_leaves(result) if isinstance(t, Tensor)]
    reaches = given if isinstance(given, list) else [given] * len(tensors)
    return [_checked(x, t) for x, t in zip(reaches, tensors, strict=True)]


def _checked(reach: TensorSpans, tensor: Tensor) -> TensorSpans:
    """No axis outside the tensor: what a rule for odd overloads might leave is unknown instead."""
    pairs = [(s, d) if d is None or d < tensor.ndim else (None, None) for s, d in _zip(reach)]
    return TensorSpans(tuple(s for s, _ in pairs), tuple(d for _, d in pairs))


def _zip(reach: TensorSpans) -> list[tuple[Span | None, int | None]]:
    return list(zip(reach.spans, reach.dims, strict=True))
