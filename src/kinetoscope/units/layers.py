"""Which layers a model has, how large their outputs are, and how much of the clip their units see."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from math import ceil
from typing import Any

import torch
from torch import nn
from torch.nn.modules.conv import _ConvNd

from ..card import ModelCard
from ..errors import ClipTooSmall, ModelUnusable
from .failures import ForwardFault, check_initialized, explained, meta_first, working_dtype
from .layout import Layout, first_tensor
from .pooling import pooled_over_what_is_left
from .receptive.span import WHOLE, Axis, Span
from .receptive.tracker import SpanTracker
from .stand_ins import StandIns


@dataclass(frozen=True)
class ReceptiveField:
    """How much of the clip one unit sees, from geometry; it may be larger than the clip.

    Attributes:
        frames, height, width: extent; the clip's own where a unit sees all of it, None where unknown.
        stride: distance between the fields of neighbouring units (t, y, x); None where there are none, a
            fraction behind upsampling.
        centre: middle of the first unit's field (t, y, x), in frames and pixels of the clip; negative in
            padding, the clip's own middle where a unit sees all of it, None where unknown.
    """

    frames: int | None
    height: int | None
    width: int | None
    stride: tuple[int | float | None, ...]
    centre: tuple[int | float | None, ...]


@dataclass(frozen=True)
class LayerInfo:
    """One layer that the forward pass reaches.

    Attributes:
        name: dotted, as in `named_modules()`.
        type: class of the module.
        output_shape: of the first call's first tensor as the layer gives it, without the batch.
        units: how many units there are: channels, wherever they lie, or outputs of a layer without a map.
        map_shape: places of a unit, (frames, height, width) where they are known to be that; () for none.
        calls: how often a forward pass runs the layer; `NAME@N` means call N, from 0, and `NAME` the first.
            0 for a layer that the clip does not reach: then nothing is known of the others.
        receptive_field: of one unit.
    """

    name: str
    type: str
    output_shape: tuple[int, ...]
    units: int
    map_shape: tuple[int, ...]
    calls: int
    receptive_field: ReceptiveField

    def to_json(self) -> dict[str, Any]:
        """Plain values, keys as `kinetoscope layers --json` prints them."""
        return asdict(self)


def list_layers(
    model: nn.Module, card: ModelCard, *, size: tuple[int, int, int] | None = None
) -> list[LayerInfo]:
    """List the layers that a forward pass reaches, from input to output, blocks before what is in them.

    Shapes and receptive fields are found without arithmetic (meta tensors). A small model with a small clip,
    and one that looks at values in its forward pass, is run once on a blank clip instead.

    Args:
        model: any module that takes clips (B, C, T, H, W); it comes back as it was.
        card: its clip and channels.
        size: (frames, height, width) to assume instead of the card's clip.

    Raises:
        ClipTooSmall: the clip does not go through the whole model.
        ModelUnusable: TorchScript, weights that are not there yet, or the forward pass fails.

    Examples:
        >>> model = ks.load_model("motion13")
        >>> for row in ks.list_layers(model, ks.card_of(model))[:2]:
        ...     print(row.name, row.units, row.map_shape)
        conv1 24 (16, 32, 32)
        relu1 24 (16, 32, 32)
    """
    rows, stopped = list_reached(model, card, size=size)
    if stopped is not None:
        raise stopped
    return rows


def list_reached(
    model: nn.Module, card: ModelCard, *, size: tuple[int, int, int] | None = None
) -> tuple[list[LayerInfo], ModelUnusable | ClipTooSmall | None]:
    """As `list_layers`, for a clip that may not go through the whole model.

    Returns:
        The layers, and what stopped the pass, or None. Layers that it would reach with the card's clip, or
        all where that is not known, are there as well, with `calls` 0.

    Raises:
        ModelUnusable: TorchScript, or weights that are not there yet.
    """
    clip = size or card.clip
    check_initialized(model)
    rows, stopped = _probed(model, (1, card.channels, *clip))
    names = [name for name, _ in model.named_modules() if name]
    if stopped is None:
        names = _from_input_to_output(names, list(rows))
        return [_describe(name, rows[name], clip) for name in names if name in rows], None
    native, fault = _probed(model, (1, card.channels, *card.clip))
    kinds = {name: type(module).__name__ for name, module in model.named_modules()}
    return [
        _describe(name, rows[name], clip) if name in rows else _unreached(name, kinds[name])
        for name in _from_input_to_output(names, [*rows, *native])
        if name in rows or name in native or fault is not None
    ], stopped


def _from_input_to_output(names: Sequence[str], ended: Sequence[str]) -> list[str]:
    """Names by the first call in or below each, blocks first; those that no clip reached come last.

    Args:
        names: as in `named_modules()`, so that a block stands before its parts.
        ended: those whose call ended, in that order.
    """
    first: dict[str, int] = {}
    for place, name in enumerate(ended):
        parts = name.split(".")
        for count in range(1, len(parts) + 1):
            first.setdefault(".".join(parts[:count]), place)
    return sorted(names, key=lambda name: first.get(name, len(ended)))


def weighted_layers(
    model: nn.Module, card: ModelCard, *, size: tuple[int, int, int] | None = None
) -> tuple[list[str], ModelUnusable | ClipTooSmall | None]:
    """Names of the convolutions and linear layers, in the order in which a forward pass reaches them.

    Args:
        model, card, size: as for `list_layers`.

    Returns:
        The layers that a clip reaches, and what stopped it before it was through, or None.

    Raises:
        ModelUnusable: TorchScript, or weights that are not there yet.
    """
    check_initialized(model)
    with pooled_over_what_is_left():
        rows, stopped = _probed(model, (1, card.channels, *(size or card.clip)))
    kinds = (_ConvNd, nn.Linear)
    return [name for name in rows if isinstance(model.get_submodule(name), kinds)], stopped


@dataclass
class _Row:
    """What is seen of a layer while it runs."""

    type: str
    output_shape: tuple[int, ...]
    laid_out: tuple[int, ...]
    spans: tuple[Axis, ...]
    calls: int = 1


_Probed = tuple[dict[str, _Row], ModelUnusable | ClipTooSmall | None]
"""Type, output shape and spans of every layer that a blank clip reaches; and what stopped it."""


def _probed(model: nn.Module, shape: tuple[int, ...]) -> _Probed:
    return meta_first(lambda device: _probe(model, shape, device), model, shape)


def _probe(model: nn.Module, shape: tuple[int, ...], device: str | None) -> _Probed:
    rows: dict[str, _Row] = {}
    tracker, layout = SpanTracker(), Layout(model)

    def watch(name: str) -> Callable[[nn.Module, Any, Any], None]:
        """A hook that writes the row of the layer `name`."""

        def note(module: nn.Module, args: Any, output: Any) -> None:
            """Describe the first call; count the others."""
            tensor = first_tensor(output)
            if name in rows:
                rows[name].calls += 1
            elif tensor is not None:
                plain = tensor.shape[1:] if tensor.shape[:1] == (1,) else tensor.shape
                laid_out = layout.units_first(module, output, 1)
                assert laid_out is not None
                rows[name] = _Row(
                    type(module).__name__, tuple(plain), tuple(laid_out.shape[1:]), tracker.spans(tensor)
                )

        return note

    place = device or next((str(t.device) for t in model.parameters()), "cpu")
    usual = torch.device(place) == torch.get_default_device()  # saying so again loads all of torch's compiler
    dtype = working_dtype(model)
    stand_ins = StandIns(model, lambda t: t.to(place, dtype if t.is_floating_point() else t.dtype))
    handles = [m.register_forward_hook(watch(name)) for name, m in model.named_modules() if name]
    try:
        with (
            explained(model, shape[2:], ""),
            torch.inference_mode(),
            nullcontext() if usual else torch.device(place),
            stand_ins.in_place(),
            layout.following(),
            tracker,
        ):
            clip = torch.zeros(shape, dtype=dtype)
            tracker.begin(clip)
            model(clip)
    except (ClipTooSmall, ModelUnusable) as stop:
        if isinstance(stop, ForwardFault) and device == "meta":
            raise  # it may want a real device or values
        return rows, stop
    finally:
        for handle in handles:
            handle.remove()
        stand_ins.put_back()
    return rows, None


def _describe(name: str, row: _Row, clip: tuple[int, int, int]) -> LayerInfo:
    pairs = list(zip(row.spans, clip, strict=True))
    frames, height, width = (None if s is None else n if s == WHOLE else ceil(s.size) for s, n in pairs)
    stride = tuple(None if s is None or s.stride == 0 else _plain(s.stride) for s, _ in pairs)
    centre = tuple(None if s is None else _plain(_middle(s, n)) for s, n in pairs)
    field = ReceptiveField(frames, height, width, stride, centre)
    units, *places = row.laid_out
    return LayerInfo(name, row.type, row.output_shape, units, tuple(places), row.calls, field)


def _unreached(name: str, kind: str) -> LayerInfo:
    unknown = ReceptiveField(None, None, None, (None,) * 3, (None,) * 3)
    return LayerInfo(name, kind, (), 0, (), 0, unknown)


def _middle(span: Span, extent: int) -> int | float:
    return (extent - 1) / 2 if span == WHOLE else span.start + (span.size - 1) / 2


def _plain(number: int | float) -> int | float:
    return int(number) if number == int(number) else number
