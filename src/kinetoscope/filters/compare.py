"""How well decoded filters stand for their units: their correlation with images beside the response."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from ..errors import SettingInvalid
from ..units.tap import tap
from .decode import DecodedFilter, decode_filters, read_chain
from .substitute import UNPOOLINGS

Inputs = Float[Tensor, "image channel *extent"]
Maps = Float[Tensor, "image unit *places"]
_BATCH = 250


@dataclass(frozen=True)
class DecodingError:
    """Rafegas & Vanrell 2015, eq. 3, over a set of images.

    Attributes:
        layer, unpool: of the decoded filters.
        mean, deviation: of the mean square difference between response and correlation, over the images.
        images: how many.
    """

    layer: str
    unpool: str
    mean: float
    deviation: float
    images: int


def correlate(inputs: Inputs, filters: Sequence[DecodedFilter]) -> Maps:
    """Slide decoded filters of one layer over inputs, as the layer's units lie over them.

    Args:
        inputs: normalized as the network takes them, (N, C, H, W) or (N, C, T, H, W).
        filters: of one layer, decoded at this input size.

    Returns:
        (N, units, ...) with the layer's map; without axes for units that have no map.

    Raises:
        SettingInvalid: the inputs do not have the filters' axes and channels, or the layer's map does not lie
            evenly over the input.
    """
    first, axes = filters[0], inputs.ndim - 2
    if first.decoded.ndim - 1 != axes or first.decoded.shape[0] != inputs.shape[1]:
        given, wanted = tuple(inputs.shape[1:]), tuple(first.decoded.shape)
        raise SettingInvalid(f"inputs of shape {given} do not fit filters of {wanted}; both are (N, C, ...)")
    places = first.map_shape or (1,) * axes
    if len(places) != axes or any(n > 1 and s == 0 for n, s in zip(places, first.stride, strict=True)):
        raise SettingInvalid(
            f"the map of {first.layer!r} does not lie evenly over the input; choose another layer"
        )
    kernel = torch.stack([filter.decoded for filter in filters]).to(inputs.dtype)
    pads: list[int] = []
    for n, size, wide, corner, stride in zip(
        places, kernel.shape[2:], inputs.shape[2:], first.corner, first.stride, strict=True
    ):
        start = corner - n // 2 * stride  # where the filter of the first unit lies
        pads = [-start, start + (n - 1) * stride + size - wide, *pads]
    none = [0] * axes
    steps = [max(1, stride) for stride in first.stride]
    maps = torch.convolution(F.pad(inputs, pads), kernel, None, steps, none, [1] * axes, False, none, 1)
    return maps if first.map_shape else maps.flatten(1)


def decoding_error(response: Maps, correlation: Maps) -> Float[Tensor, " image"]:
    """Mean square difference for each image, once its maps, all units together, span [0, 1] (eq. 3)."""
    return (_spread(response) - _spread(correlation)).square().mean(1)


def decoding_errors(
    model: nn.Module, layer: str, inputs: Inputs, unpoolings: Iterable[str] = UNPOOLINGS
) -> list[DecodingError]:
    """Eq. 3 for all units of a layer and several interpolations (the paper's Table 1).

    Args:
        model, layer: as for `decode_filters`.
        inputs: normalized as the network takes them.
        unpoolings: interpolations to compare.

    Raises:
        as `decode_filters` and `correlate`.
    """
    frames, height, width = (1, *inputs.shape[2:])[-3:]
    size = (frames, height, width)
    errors: dict[str, list[Tensor]] = {unpool: [] for unpool in unpoolings}
    units = range(read_chain(model, layer, size=size).target.shape[1])
    filters = {unpool: list(decode_filters(model, layer, units, unpool, size=size)) for unpool in errors}
    with torch.no_grad(), tap(model, layer) as forward:
        for part in inputs.split(_BATCH):
            response = forward(part)
            for unpool, found in errors.items():
                found.append(decoding_error(response, correlate(part, filters[unpool])))
    joined = {unpool: torch.cat(found) for unpool, found in errors.items()}
    return [
        DecodingError(layer, unpool, e.mean().item(), e.std(correction=0).item(), len(e))
        for unpool, e in joined.items()
    ]


def most_exciting(maps: Maps, count: int) -> Int[Tensor, "unit rank"]:
    """Indices of the images with the highest value anywhere in each unit's map, best first."""
    peaks = maps.flatten(2).amax(2) if maps.ndim > 2 else maps
    return peaks.topk(count, dim=0).indices.T


def _spread(maps: Tensor) -> Tensor:
    flat = maps.flatten(1)
    low, high = flat.amin(1, keepdim=True), flat.amax(1, keepdim=True)
    return (flat - low) / (high - low).clamp(min=torch.finfo(flat.dtype).tiny)
