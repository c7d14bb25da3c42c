"""The part of a clip that one unit sees, cut so that the network gives that unit the same value."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..errors import ClipTooSmall
from ..types import VideoBatch
from .failures import FORWARD_FAULTS
from .receptive.fields import field_box, layer_spans
from .receptive.span import WHOLE
from .tap import Tap


@dataclass(frozen=True)
class Crop:
    """A box of a clip, and where the unit lies in the map of what is in the box.

    Attributes:
        box: first position and the one behind the last along (t, y, x).
        position: (t, y, x) in the smaller map.
    """

    box: tuple[tuple[int, int], ...]
    position: tuple[int, ...]

    def __call__(self, clips: VideoBatch) -> Tensor:
        """What is in the box, of clips (B, C, T, H, W)."""
        for axis, (first, end) in enumerate(self.box, start=2):
            clips = clips.narrow(axis, first, end - first)
        return clips


def crop_to_unit(
    model: nn.Module,
    layer: str,
    position: Sequence[int],
    probe: VideoBatch,
    device: torch.device | str | None = None,
) -> Crop | None:
    """Cut clips to a unit's receptive field; None where that would change its value or gain nothing.

    The box begins where the layer's grid does, a whole number of strides into the clip, and reaches the
    frame where the field does, so that no padding comes in that was not there. That is tried on `probe`.

    Args:
        model: any module; it comes back as it was.
        layer: dotted name.
        position: (t, y, x) in the layer's map.
        probe: a clip as the network takes it, (1, C, T, H, W).
        device: where to try it; None: where the weights are.
    """
    channels, frames, height, width = probe.shape[1:]
    extents = (frames, height, width)
    spans = layer_spans(model, layer, (channels, *extents))
    box, place = [], []
    fields = field_box(spans, position, extents)
    for span, at, (first, end), extent in zip(spans, position, fields, extents, strict=True):
        if span is None or span == WHOLE or span.stride != int(span.stride) or span.stride < 1:
            box.append((0, extent))
            place.append(at)
            continue
        skipped = first // int(span.stride)
        box.append((skipped * int(span.stride), end))
        place.append(at - skipped)
    crop = Crop(tuple(box), tuple(place))
    if all((0, extent) == cut for cut, extent in zip(box, extents, strict=True)):
        return None
    try:
        with Tap(model, layer, device=device) as forward, torch.no_grad():
            whole, cut = forward(probe), forward(crop(probe))
    except (ClipTooSmall, *FORWARD_FAULTS):  # a model that takes clips of one size only
        return None
    fits = whole.ndim == cut.ndim == 5 and all(p < n for p, n in zip(place, cut.shape[2:], strict=True))
    if not fits:
        return None
    t, y, x = position
    in_t, in_y, in_x = place
    values = whole[:, :, t, y, x], cut[:, :, in_t, in_y, in_x]
    close = torch.allclose(*values, rtol=1e-4, atol=1e-5 * float(values[0].abs().max()))
    return crop if close else None
