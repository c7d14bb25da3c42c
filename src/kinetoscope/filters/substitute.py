"""Filter decoding by substitution (Rafegas & Vanrell 2015, eq. 1-2), through any graph that is additive.

A unit's picture starts as a single pixel in the map of its layer and walks down to the input. A convolution
replaces every pixel by the filter it stands for, scaled by the pixel, overlaps added; a pooling enlarges it;
a rectifier leaves it alone; where branches meet, the pictures of the branches are added. Everything else that
is linear (linear layers, batch norm, concatenation, reshaping) is reversed by its adjoint.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from math import prod
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from ..errors import SettingInvalid
from ..units.operators import per_axis
from .chain import Chain, Node, Step
from .picture import Picture

UNPOOLINGS = ("nearest", "bilinear", "bicubic")
"""Interpolations along each axis in turn: constant, linear, cubic, over time as over space."""

Parts = Iterable[tuple[Node, Picture]]
Rule = Callable[[Step, Picture, int, str], Parts]


def substitute(chain: Chain, unit: int, unpool: str, *, framed: bool) -> Picture:
    """Walk a unit in the middle of its layer's map down to the input.

    Args:
        chain: from `record_chain`.
        unit: channel, or index of the output.
        unpool: one of `UNPOOLINGS`.
        framed: cut off what lies outside the input.

    Raises:
        SettingInvalid: no such interpolation.
        NotDecodable: naming the layer on the way that cannot be reversed, and why.
    """
    if unpool not in UNPOOLINGS:
        raise SettingInvalid(f"unpool is {', '.join(UNPOOLINGS)}, not {unpool!r}")
    pictures = {chain.target.index: _start(chain.target, unit, framed)}
    for step in reversed(chain.steps):
        for position, node in enumerate(step.outputs):
            if (picture := pictures.pop(node.index, None)) is None:
                continue
            if step.op not in RULES:
                raise step.refuse("is no convolution, pooling, rectifier or sum, nor otherwise linear")
            for source, part in RULES[step.op](step, picture, position, unpool):
                if source.shape[0] != 1:
                    raise step.refuse("folds an axis of the map into the batch")
                placed = part.inside(source.shape[2:]) if part.framed else part
                known = pictures.get(source.index)
                pictures[source.index] = placed if known is None else known.joined(placed)
    found = pictures[chain.source.index]
    return replace(found, values=found.values * found.gain)


def resize(values: Tensor, sizes: Sequence[int], unpool: str) -> Tensor:
    """Interpolate (C, ...) to other sizes, one axis after the other; pixel areas line up, borders repeat."""
    for axis, size in enumerate(sizes, start=1):
        lines = values.movedim(axis, 0)
        if size != len(lines):
            table = lines.reshape(1, 1, len(lines), -1)
            # an axis whose size is kept is not interpolated: cubic in one direction only
            table = F.interpolate(table, (size, table.shape[-1]), mode=unpool)
            values = table.reshape(size, *lines.shape[1:]).movedim(0, axis)
    return values


def _start(target: Node, unit: int, framed: bool) -> Picture:
    axes = len(target.shape) - 2
    values = torch.zeros((target.shape[1], *(1,) * axes), dtype=target.dtype, device=target.device)
    values[unit] = 1
    return Picture(values, tuple(n // 2 for n in target.shape[2:]), (1,) * axes, 1.0, framed)


# --- rules ------------------------------------------------------------------------------------------------


def _convolution(step: Step, picture: Picture, position: int, unpool: str) -> Parts:
    source, weight = step.args["input"], step.args["weight"]
    if not isinstance(source, Node) or isinstance(weight, Node):
        raise step.refuse("has a kernel that depends on the input")
    if step.args["transposed"]:
        return _linear(step, picture, position, unpool)
    none = [0] * (weight.ndim - 2)
    stride, padding, dilation = (per_axis(step.args[k], len(none)) for k in ("stride", "padding", "dilation"))
    values = torch.convolution(
        picture.values[None], weight, None, stride, none, dilation, True, none, step.args["groups"]
    )[0]
    return [(source, picture.moved(values, stride, [-p for p in padding]))]


def _pool(step: Step, picture: Picture, position: int, unpool: str) -> Parts:
    """Enlarge by the pooling's stride, keeping sums: branches with and without pooling stay comparable.

    The factor by which plain upsampling would exceed that is remembered as the gain and given back at the
    end, so that a chain without branches is decoded as in the paper.
    """
    axes = picture.values.ndim - 1
    kernel, padding = per_axis(step.args["kernel_size"], axes), per_axis(step.args["padding"], axes)
    stride = per_axis(step.args.get("stride") or kernel, axes)
    dilation = per_axis(step.args.get("dilation", 1), axes)
    sizes = [n * s for n, s in zip(picture.values.shape[1:], stride, strict=True)]
    # a window wider than the stride is centred on what it is enlarged to
    shifts = [
        (d * (k - 1) + 1 - s) // 2 - p for k, s, p, d in zip(kernel, stride, padding, dilation, strict=True)
    ]
    values = resize(picture.values, sizes, unpool) / prod(stride)
    moved = picture.moved(values, stride, shifts)
    return [(step.inputs[0], replace(moved, gain=picture.gain * prod(stride)))]


def _adaptive_pool(step: Step, picture: Picture, position: int, unpool: str) -> Parts:
    source, sizes = step.inputs[0], step.inputs[0].shape[2:]
    whole = picture.whole(step.outputs[0].shape)
    factor = prod(sizes) / prod(step.outputs[0].shape[2:])
    values = resize(whole.values, sizes, unpool) / factor
    return [(source, replace(whole, values=values, gain=picture.gain * factor))]


def _batch_norm(step: Step, picture: Picture, position: int, unpool: str) -> Parts:
    """Folded: a factor for each channel."""
    args, axes = step.args, picture.values.ndim - 1
    if args.get("training") or args.get("running_var") is None:
        raise step.refuse("normalizes by its own input")
    scale = (args["running_var"] + args.get("eps", args.get("epsilon"))).rsqrt()
    if args["weight"] is not None:
        scale = scale * args["weight"]
    return [(args["input"], replace(picture, values=picture.values * scale.view(-1, *(1,) * axes)))]


def _pass(step: Step, picture: Picture, position: int, unpool: str) -> Parts:
    """Rectifiers and other rising functions: more of what is below is more of what is above."""
    return [(step.inputs[0], picture)]


def _pad(step: Step, picture: Picture, position: int, unpool: str) -> Parts:
    pads, axes = step.args["pad"], picture.values.ndim - 1
    if len(pads) > 2 * axes:
        return _linear(step, picture, position, unpool)
    before = [-n for n in pads[::2]][::-1]
    return [(step.inputs[0], picture.moved(picture.values, [1] * axes, [0] * (axes - len(before)) + before))]


def _axis(step: Step, picture: Picture, position: int, unpool: str) -> Parts:
    """An axis of one position that comes or goes, as 1D pooling does it."""
    source, dim = step.inputs[0], step.args.get("dim")
    gone = len(step.outputs[0].shape) - len(source.shape)
    at = dim % max(len(source.shape), len(step.outputs[0].shape)) if isinstance(dim, int) else 0
    if at < 2 or not gone or (gone > 0 and picture.values.shape[at - 1] != 1):
        return _linear(step, picture, position, unpool)

    def fit(numbers: tuple[int, ...]) -> tuple[int, ...]:
        return numbers[: at - 2] + (numbers[at - 1 :] if gone > 0 else (0, *numbers[at - 2 :]))

    values = picture.values.squeeze(at - 1) if gone > 0 else picture.values.unsqueeze(at - 1)
    moved = replace(picture, values=values, corner=fit(picture.corner), stride=fit(picture.stride))
    return [(source, moved)]


def _linear(step: Step, picture: Picture, position: int, unpool: str) -> Parts:
    """The adjoint of a linear operation: on the picture alone where places do not matter, else on the map."""
    nodes, args = step.inputs, step.args
    if step.op in _PRODUCTS and len(nodes) > 1 and step.op != "addmm":
        raise step.refuse("multiplies two things that both depend on the input")
    if isinstance(args.get("other"), Node) and step.op == "div":
        raise step.refuse("divides by something that depends on the input")
    local = _is_local(step, position)
    if not local:
        picture = picture.whole(step.outputs[position].shape)
    leaves: list[Tensor] = []

    def stand_in(value: Any) -> Any:
        if not isinstance(value, Node):
            return value
        shape = (1, value.shape[1], *picture.values.shape[1:]) if local else value.shape
        leaves.append(torch.zeros(shape, dtype=value.dtype, device=value.device, requires_grad=True))
        return leaves[-1].clone()  # operations that work in place may not have a leaf

    with torch.enable_grad():
        result = step.func(**tree_map(stand_in, args))
        output = [t for t in tree_leaves(result) if isinstance(t, Tensor)][position]
        found = torch.autograd.grad(output, leaves, picture.values.expand_as(output), allow_unused=True)
    for node, values in zip(nodes, found, strict=True):
        if values is not None:
            sizes = node.shape[2:]
            same = sizes == step.outputs[position].shape[2:]
            stride = picture.stride if same else (0,) * len(sizes)
            corner = picture.corner if local else (0,) * len(sizes)
            yield node, replace(picture, values=values[0], corner=corner, stride=stride)


def _is_local(step: Step, position: int) -> bool:
    """Whether a linear operation does the same at every place of the map, and nothing between places."""
    places = step.outputs[position].shape[2:]
    constants = [leaf for leaf in tree_leaves(step.args) if isinstance(leaf, Tensor)]
    return (
        step.op in _LOCAL
        and step.args.get("dim", 1) in (0, 1, -len(places) - 1)
        and all(node.shape[2:] == places for node in step.inputs)
        and all(set(constant.shape[constant.ndim - len(places) :]) <= {1} for constant in constants)
    )


_PRODUCTS = frozenset(["mul", "mm", "bmm", "addmm"])
_LOCAL = frozenset(
    [
        "add",
        "sub",
        "rsub",
        "mul",
        "div",
        "neg",
        "clone",
        "_to_copy",
        "cat",
        "split",
        "split_with_sizes",
        "slice",
    ]
)
_FAMILIES: dict[Rule, str] = {
    _convolution: "convolution",
    _pool: "max_pool2d_with_indices max_pool3d_with_indices avg_pool2d avg_pool3d",
    _adaptive_pool: "_adaptive_avg_pool2d _adaptive_avg_pool3d adaptive_max_pool2d adaptive_max_pool3d",
    _batch_norm: "native_batch_norm _native_batch_norm_legit _native_batch_norm_legit_no_training "
    "_batch_norm_no_update cudnn_batch_norm",
    _pass: "relu leaky_relu elu hardtanh clamp clamp_min sigmoid tanh softplus detach alias",
    _pad: "constant_pad_nd",
    _axis: "squeeze unsqueeze",
    _linear: "add sub rsub mul div neg clone _to_copy cat stack split split_with_sizes slice select unbind "
    "view _unsafe_view permute transpose t expand repeat flip roll mean sum mm bmm addmm "
    "upsample_nearest2d upsample_nearest3d upsample_bilinear2d upsample_trilinear3d",
}
RULES: dict[str, Rule] = {name: rule for rule, names in _FAMILIES.items() for name in names.split()}
"""What is known about the torch library's operations; any other is refused."""
