"""What a network does between its input and one layer, as a list of tensor operations.

The operations are recorded while they run, below modules and functions alike: torch calls the same few
convolutions, poolings and sums whatever a network's author wrote. So no model has to be traceable, and
weights that are computed in the forward pass (factorized kernels, weight norm) are seen as they are used.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.module_tracker import ModuleTracker
from torch.utils.weak import WeakIdKeyDictionary

from ..errors import LayerNotFound, NotDecodable
from ..units.failures import working_dtype
from ..units.operators import Watching, named_arguments
from ..units.tap import Tap


@dataclass(frozen=True)
class Node:
    """A tensor that depends on the network's input.

    Attributes:
        index: its number; the input is 0.
        shape: of the tensor, batch first.
        dtype, device: of its values.
    """

    index: int
    shape: tuple[int, ...]
    dtype: torch.dtype
    device: torch.device


@dataclass(frozen=True)
class Step:
    """One operation.

    Attributes:
        func: the operation itself.
        op: its name without overload and without the underscore of operations that work in place.
        args: its arguments by name; a tensor that depends on the input is a `Node`.
        outputs: what came out.
        layer: dotted name of the module it ran in; "" for the model itself.
    """

    func: Callable[..., Any]
    op: str
    args: dict[str, Any]
    outputs: tuple[Node, ...]
    layer: str

    @property
    def inputs(self) -> list[Node]:
        """The arguments that depend on the network's input, in order, each as often as it occurs."""
        return [leaf for leaf in tree_leaves(self.args) if isinstance(leaf, Node)]

    def refuse(self, why: str) -> NotDecodable:
        """The error to raise when this step cannot be decoded."""
        where = f"layer {self.layer!r}" if self.layer else "the model's own forward"
        return NotDecodable(f"{where} cannot be decoded: {self.op} {why}; choose a layer before it")


@dataclass(frozen=True)
class Chain:
    """The operations that lead to a layer, in the order they ran; `target` is the layer's output."""

    steps: tuple[Step, ...]
    source: Node
    target: Node


def record_chain(model: nn.Module, layer: str, shape: tuple[int, ...]) -> Chain:
    """Run the model on a blank input up to `layer` and list what was done.

    Args:
        model: any module; it comes back as it was.
        layer: dotted name as in `model.named_modules()`.
        shape: of the input, (1, C, ...).

    Raises:
        LayerNotFound: there is no such layer, it is never reached, or does not depend on the input.
        ClipTooSmall: the input is too small, or does not fit a linear layer.
        ModelUnusable: as for `tap`.
    """
    recorder = _Recorder(type(model).__name__)
    with Tap(model, layer) as forward, torch.no_grad(), recorder.modules, recorder:
        blank = torch.zeros(shape, dtype=working_dtype(model))
        source = recorder.note(blank)
        target = recorder.node(forward(blank))
    if target is None:
        raise LayerNotFound(f"layer {layer!r} does not depend on the input; choose one that does")
    return Chain(tuple(recorder.steps), source, target)


class _Recorder(Watching):
    """While active, writes down every operation on a tensor that depends on the noted input."""

    def __init__(self, root: str) -> None:
        super().__init__()
        self.steps: list[Step] = []
        self.modules = ModuleTracker()
        self._root = root
        self._nodes: Any = WeakIdKeyDictionary()
        self._count = 0

    def note(self, tensor: Tensor) -> Node:
        """Give the tensor a number of its own; one that was written in place gets another."""
        self._nodes[tensor] = made = Node(self._count, tuple(tensor.shape), tensor.dtype, tensor.device)
        self._count += 1
        return made

    def node(self, value: Any) -> Node | None:
        """The tensor's node; None for anything that does not depend on the input."""
        return self._nodes.get(value) if isinstance(value, Tensor) else None

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        with self:
            result = func.decompose(*args, **kwargs)
        if result is not NotImplemented:
            return result
        named = named_arguments(func, args, kwargs)
        known = tree_map(lambda value: self.node(value) or value, named)
        result = func(*args, **kwargs)
        if any(isinstance(leaf, Node) for leaf in tree_leaves(known)):
            op = func.overloadpacket.__name__.removesuffix("_")
            if func._schema.is_mutable and _is_partial(result):
                self._write(func, f"{op} into a part of a tensor", known, self._sharing(result))
            else:
                self._write(func, op, known, [t for t in tree_leaves(result) if isinstance(t, Tensor)])
        return result

    def _write(self, func: Any, op: str, args: dict[str, Any], outputs: list[Tensor]) -> None:
        names = [name for name in self.modules.parents if name.startswith(f"{self._root}.")]
        layer = max(names, key=len, default="").removeprefix(f"{self._root}.")
        self.steps.append(Step(func, op, args, tuple(map(self.note, outputs)), layer))

    def _sharing(self, tensor: Tensor) -> list[Tensor]:
        """Everything that changes when a view of it is written; no rule knows how, so all of it is lost."""
        place = tensor.untyped_storage()._cdata
        return [t for t in self._nodes if t.untyped_storage()._cdata == place] + [tensor]


def _is_partial(result: Any) -> bool:
    return isinstance(result, Tensor) and result.untyped_storage().nbytes() > result.nbytes
