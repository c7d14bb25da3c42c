"""Receptive fields from geometry: every tensor operation is watched, none has to be a module.

Per tensor and per axis of the clip a `Span` is carried (`span.py`); what each operation does to it stands in
`rules.py`. Functional calls, branches, sums and concatenations count as much as modules do.
"""

from typing import Any

from torch import Tensor
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakIdKeyDictionary

from ..operators import Watching
from .rules import CONSTANT, propagate
from .span import Axis, TensorSpans, clip_spans


class SpanTracker(Watching):
    """While active, knows the `TensorSpans` of every tensor computed from a clip given to `begin`."""

    def __init__(self) -> None:
        super().__init__()
        self._reaches: Any = WeakIdKeyDictionary()
        self._dirty: dict[int, Any] = {}

    def begin(self, clip: Tensor) -> None:
        """Start from the clip, (B, C, T, H, W)."""
        self._reaches[clip] = clip_spans(clip.ndim)

    def look(self, tensor: Any) -> TensorSpans | None:
        """The spans of a tensor; None when it does not depend on the clip."""
        if not isinstance(tensor, Tensor):
            return None
        known = self._reaches.get(tensor)
        if self._dirty and tensor.untyped_storage()._cdata in self._dirty:
            axes = len(known.spans) if known is not None else 3
            return TensorSpans((None,) * axes, (None,) * axes)
        return known

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        # taken apart, upsampling becomes index arithmetic and a linear layer loses the places it works on
        if not func.name().startswith(("aten::upsample", "aten::linear")):
            with self:
                result = func.decompose(*args, **kwargs)
            if result is not NotImplemented:
                return result
        result = func(*args, **kwargs)
        inputs = [t for t in tree_leaves((args, kwargs)) if self.look(t) is not None]
        outputs = [t for t in tree_leaves(result) if isinstance(t, Tensor)]
        if inputs and outputs and func.overloadpacket.__name__ not in CONSTANT:
            reaches = propagate(func, args, kwargs, self.look, inputs, result)
            for tensor, reach in zip(outputs, reaches, strict=True):
                self._note(tensor, reach, written=func._schema.is_mutable)
        return result

    def _note(self, tensor: Tensor, reach: TensorSpans, written: bool) -> None:
        if written and self._reaches.get(tensor) != reach:
            storage = tensor.untyped_storage()
            if storage.nbytes() != tensor.numel() * tensor.element_size():
                # a partial view was written: what shares its memory is unknown now; kept alive for its id
                self._dirty[storage._cdata] = storage
        self._reaches[tensor] = reach

    def spans(self, tensor: Tensor) -> tuple[Axis, ...]:
        """The spans of a tensor by clip axis; unknown when it does not depend on the clip.

        Where the tensor has lost an axis, as one frame has, no unit has a neighbour: the stride is 0.
        """
        reach = self.look(tensor)
        if reach is None:
            return (None, None, None)
        pairs = zip(reach.spans, reach.dims, strict=True)
        return tuple(span._replace(stride=0) if span and dim is None else span for span, dim in pairs)
