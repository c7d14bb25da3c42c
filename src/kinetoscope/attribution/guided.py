"""Guided backpropagation on the graph of a forward pass, so that no rectification is missed or mistaken.

A ReLU is one wherever it is written: as a module, as a function, in place, or as a clamp at zero. Hooks on
modules see the first kind only and mix guided with plain gradients in silence.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import BackwardCFunction
from torch.autograd.graph import Node

from ..errors import ModelUnusable, listed

# what bends or cuts off values, and whose guided gradient nobody has defined; names of autograd's nodes
_BENT = (
    "Celu", "Clamp", "Elu", "Gelu", "Glu", "Hardshrink", "Hardsigmoid", "Hardswish", "Hardtanh", "LeakyRelu",
    "Maximum", "Minimum", "Mish", "Prelu", "Rrelu", "Selu", "Silu", "Softplus", "Softshrink",
    "Threshold", "Where",
)  # fmt: skip


def guided_gradient(output: Tensor, response: Tensor, clip: Tensor) -> Tensor:
    """The gradient of `response` with respect to `clip`, of which each ReLU lets only the positive part pass.

    Args:
        output: of the last layer that counts; ReLUs between it and the response are no part of the network.
        response: a single number.
        clip: a leaf that requires a gradient.

    Raises:
        ModelUnusable: the network has no ReLU, or something else rectifies, or its inside cannot be seen.
    """
    relus, other = rectifications(output)
    if other or not relus:
        found = f"this network has {listed(other, 3)}" if other else "this network has no ReLU"
        raise ModelUnusable(
            "guided-backprop is defined for ReLUs alone (nn.ReLU, relu, clamp(min=0)), and "
            f"{found} before the target; take gradient or smoothgrad"
        )
    hooks = [node.register_hook(_positive_part) for node in relus]
    try:
        return torch.autograd.grad(response, clip)[0]
    finally:
        for hook in hooks:
            hook.remove()


def rectifications(output: Tensor) -> tuple[list[Node], list[str]]:
    """The ReLUs in the graph behind a tensor, and in words, sorted, what else bends or cuts off values."""
    relus, other = [], set()
    for node in nodes_behind(output):
        if _is_relu(node):
            relus.append(node)
        elif why := _unguided(node):
            other.add(why)
    return relus, sorted(other)


def _positive_part(inputs: tuple[Tensor | None, ...], outputs: Any) -> tuple[Tensor | None, ...]:
    return tuple(None if grad is None else grad.clamp(min=0) for grad in inputs)


def nodes_behind(output: Tensor) -> Iterator[Node]:
    """All of the graph behind a tensor, each node once."""
    waiting, seen = [output.grad_fn], set()
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        yield node
        waiting += [before for before, _ in node.next_functions]


def _is_relu(node: Node) -> bool:
    kind, saved = node.name(), lambda name: getattr(node, f"_saved_{name}")
    if kind == "ThresholdBackward0":
        return saved("threshold") == 0
    if kind.startswith("ClampMin"):
        return _is_zero(saved("min"))
    if kind.startswith("Clamp"):
        return saved("max") is None and _is_zero(saved("min"))
    return kind == "ReluBackward0"


def _is_zero(bound: Any) -> bool:
    if isinstance(bound, Tensor):
        return bound.numel() == 1 and not bound.requires_grad and not bound.any()
    return bound is not None and bound == 0


def _unguided(node: Node) -> str:
    """What a node that is no ReLU does to the rule, in words; "" where it is linear, or bends nothing off."""
    kind = node.name()
    if isinstance(node, BackwardCFunction):
        return f"{kind.removesuffix('Backward')}, a function of its own whose inside cannot be seen"
    if kind.startswith(_BENT):
        return kind.partition("Backward")[0]
    factor = getattr(node, "_saved_other", None) if kind == "MulBackward0" else None
    return "a product with a mask" if isinstance(factor, Tensor) and factor.dtype == torch.bool else ""
