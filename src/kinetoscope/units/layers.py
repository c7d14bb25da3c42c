"""Which layers a model has, how large their outputs are, and how much of the clip their units see."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from math import ceil
from typing import Any

import torch
from torch import nn

from ..models.card import ModelCard
from .receptive import ReachTracker
from .spans import WHOLE, Axis
from .tap import Loan, explain_misfit, first_tensor, working_dtype


@dataclass(frozen=True)
class ReceptiveField:
    """How much of the clip one unit sees, from geometry; it may be larger than the clip.

    Attributes:
        frames, height, width: extent; the clip's own where a unit sees all of it, None where unknown.
        stride: distance between the fields of neighbouring units (t, y, x); None where there are none, a
            fraction behind upsampling.
    """

    frames: int | None
    height: int | None
    width: int | None
    stride: tuple[int | float | None, ...]


@dataclass(frozen=True)
class LayerInfo:
    """One layer that the forward pass reaches.

    Attributes:
        name: dotted, as in `named_modules()`.
        type: class of the module.
        output_shape: of the first call's first tensor, without the batch.
        units: how many units there are: channels, or outputs of a layer without a map.
        receptive_field: of one unit.
    """

    name: str
    type: str
    output_shape: tuple[int, ...]
    units: int
    receptive_field: ReceptiveField

    def to_json(self) -> dict[str, Any]:
        """Plain values, keys as `kinetoscope layers --json` prints them."""
        return asdict(self)


def list_layers(
    model: nn.Module, card: ModelCard, *, size: tuple[int, int, int] | None = None
) -> list[LayerInfo]:
    """List the layers that a forward pass reaches, in the order of `named_modules()`.

    Shapes and receptive fields are found without arithmetic (meta tensors); a model that looks at values in
    its forward pass is run once on a blank clip instead.

    Args:
        model: any module that takes clips (B, C, T, H, W); it comes back as it was.
        card: its clip and channels.
        size: (frames, height, width) to assume instead of the card's clip.

    Raises:
        ClipTooSmall: the clip does not go through the whole model.
        ModelUnusable: TorchScript.
    """
    clip = size or card.clip
    try:
        rows = _probe(model, (1, card.channels, *clip), "meta")
    except RuntimeError:  # the forward pass looks at values, and meta tensors have none
        rows = _probe(model, (1, card.channels, *clip), None)
    order = [name for name, _ in model.named_modules() if name in rows]
    return [_describe(name, *rows[name], clip) for name in order]


Row = tuple[str, tuple[int, ...], tuple[Axis, ...]]


def _probe(model: nn.Module, shape: tuple[int, ...], device: str | None) -> dict[str, Row]:
    """Type, output shape and spans of every layer reached, by running on an empty clip."""
    rows: dict[str, Row] = {}
    tracker = ReachTracker()

    def watch(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def note(module: nn.Module, args: Any, output: Any) -> None:
            tensor = first_tensor(output)
            if tensor is not None and name not in rows:
                rows[name] = (type(module).__name__, tuple(tensor.shape[1:]), tracker.spans(tensor))

        return note

    place = device or next((str(t.device) for t in model.parameters()), "cpu")
    loan = Loan(model, lambda t: t.to(place))
    handles = [m.register_forward_hook(watch(name)) for name, m in model.named_modules() if name]
    try:
        with torch.inference_mode(), torch.device(place), loan.lent(), tracker:
            clip = torch.zeros(shape, dtype=working_dtype(model))
            tracker.begin(clip)
            model(clip)
    except RuntimeError as error:
        explain_misfit(error, model, shape[2:], "")
        raise
    finally:
        for handle in handles:
            handle.remove()
        loan.close()
    return rows


def _describe(
    name: str, kind: str, shape: tuple[int, ...], spans: tuple[Axis, ...], clip: tuple[int, int, int]
) -> LayerInfo:
    frames, height, width = (
        None if span is None else whole if span == WHOLE else ceil(span.size)
        for span, whole in zip(spans, clip, strict=True)
    )
    stride = tuple(None if span is None or span == WHOLE else _plain(span.stride) for span in spans)
    units = shape[0] if shape else 1
    return LayerInfo(name, kind, shape, units, ReceptiveField(frames, height, width, stride))


def _plain(number: int | float) -> int | float:
    return int(number) if number == int(number) else number
