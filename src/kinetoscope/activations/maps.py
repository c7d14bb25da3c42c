"""A clip through a 3D filter or a layer, window by window, equal to the clip taken as a whole."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ..brief import Brief
from ..card import ModelCard, card_of
from ..clips.video import MAX_BYTES, Window, fit_channels, fit_clip
from ..errors import ClipTooSmall, LayerNotFound, SettingInvalid
from ..types import Video
from ..units.receptive.fields import layer_spans
from ..units.receptive.span import WHOLE, Axis, Span
from ..units.tap import Forward, output_shape, tap
from ..units.unit import unit_indices

Kernels = Float[Tensor, "filter channel depth rows columns"]
Maps = Float[Tensor, "filter steps rows columns"]


@dataclass(frozen=True, eq=False, repr=False)
class Filters(Brief):
    """What a clip is sent through.

    Attributes:
        names: one per map.
        forward: clips (1, C, T, H, W) in [0, 1] to maps (1, N, T', H', W').
        spans: what a place of the maps sees along t, y, x: `size`, `stride`, and `start` of the first place.
        channels: of the clips; RGB is turned grey for a single one.
        size: (height, width) that frames are brought to first; None: as they are.
        kernels: (N, C, D, h, w) where the filters are single kernels.
    """

    names: tuple[str, ...]
    forward: Forward
    spans: tuple[Span, Span, Span]
    channels: int = 3
    size: tuple[int, int] | None = None
    kernels: Kernels | None = None

    def select(self, chosen: Sequence[int]) -> "Filters":
        """Some of the filters, in the order given."""
        index, forward, kernels = list(chosen), self.forward, self.kernels
        return replace(
            self,
            names=tuple(self.names[i] for i in index),
            forward=lambda clips: forward(clips)[:, index],
            kernels=None if kernels is None else kernels[index],
        )

    def window(self, core: int) -> tuple[int, int]:
        """(length, step) of windows that overlap enough; each adds `core` frames or a little more.

        The frames on either side of a cut are seen by no place whose field crosses the cut, so windows share
        one field and what is lost to the stride.
        """
        span = self.spans[0]
        stride = int(span.stride)
        step = -(-core // stride) * stride
        return step + int(span.size) + stride - 1, step


@dataclass(frozen=True, eq=False, repr=False)
class Block(Brief):
    """What one window adds.

    Attributes:
        clip: new frames as the filters saw them, (T, C, H, W) in [0, 1].
        maps: new steps of the maps, (N, T', H', W').
    """

    clip: Video
    maps: Maps


def random_kernels(filters: int, channels: int, size: tuple[int, int, int], seed: int = 0) -> Kernels:
    """Draw kernels (N, C, D, h, w) from a normal distribution, each scaled to a sum of squares of 1.

    Raises:
        SettingInvalid: no filters, or a size below 1.
    """
    wanted = "x".join(map(str, size))
    if min(filters, channels, *size) < 1:
        raise SettingInvalid(f"{filters} filters of {wanted}: each number is at least 1")
    if (bytes_ := 4 * filters * channels * prod(size)) > MAX_BYTES:
        raise SettingInvalid(
            f"{filters} filters of {wanted} take {bytes_ / 1e9:.3g} GB; give fewer or smaller ones"
        )
    drawn = torch.randn(filters, channels, *size, generator=torch.Generator().manual_seed(seed))
    return drawn / torch.linalg.vector_norm(drawn, dim=(1, 2, 3, 4), keepdim=True)


def kernel_filters(kernels: Kernels, names: Sequence[str] = ()) -> Filters:
    """Given kernels as filters: cross-correlation as `nn.Conv3d` computes it, stride 1, no padding.

    Args:
        kernels: (N, C, D, h, w); of one channel for grey clips, which RGB clips are turned into.
        names: one per kernel; none: their numbers.
    """
    spans = [Span(size, 1, 0) for size in kernels.shape[2:]]
    return Filters(
        names=tuple(names) or tuple(map(str, range(len(kernels)))),
        forward=lambda clips: F.conv3d(clips, kernels),
        spans=(spans[0], spans[1], spans[2]),
        channels=kernels.shape[1],
        kernels=kernels,
    )


def layer_filters(
    model: nn.Module,
    layer: str,
    units: Sequence[int],
    card: ModelCard,
    *,
    size: tuple[int, int] | None = None,
    device: str = "cpu",
) -> Filters:
    """Units of a layer as filters; frames are brought to the network's size and normalized as its card says.

    Args:
        model: any video network; it comes back as it was.
        layer: dotted name.
        units: channels by index.
        card: what the network expects.
        size: (height, width) of frames; None: the card's.
        device: where to compute.

    Raises:
        LayerNotFound: no such layer, or it has no map over time and space that a window of the clip decides.
    """
    height, width = size or card.clip[1:]
    shape = (card.channels, card.clip[0], height, width)
    produced = output_shape(model, layer, shape)
    spans = layer_spans(model, layer, shape)
    if len(produced) != 4 or not all(_slides(span) for span in spans):
        raise LayerNotFound(
            f"layer {layer!r} gives {'x'.join(map(str, produced))}, no map that slides over the clip; choose "
            "a convolution, or a layer before the network looks at the whole clip at once"
        )

    def forward(clips: Tensor) -> Tensor:
        with tap(model, layer, units=units, device=device) as tapped:
            return tapped(card.normalize(clips)).cpu()

    return Filters(
        names=tuple(f"{layer}:{unit}" for unit in units),
        forward=forward,
        spans=tuple(spans),  # type: ignore[arg-type]
        channels=card.channels,
        size=(height, width),
    )


def _slides(span: Axis) -> bool:
    return span is not None and span != WHOLE and span.stride >= 1 and span.stride == int(span.stride)


def stream_maps(windows: Iterable[Window], filters: Filters) -> Iterator[Block]:
    """The maps of a clip, piece by piece; joined along time they are those of the whole clip at once.

    Args:
        windows: of the length and step that `filters.window` gives.
        filters: what the clip goes through.

    Raises:
        ClipTooSmall: the clip is smaller than a filter.
        SettingInvalid: the maps of one window are too large for any memory.
        VideoUnreadable: it has other channels.
    """
    span, stride = filters.spans[0], int(filters.spans[0].stride)
    frames = steps = 0
    for window in windows:
        skip = -window.start % stride  # of the last window, which starts anywhere
        start, video = window.start + skip, window.video[skip:]
        channels, size = filters.channels, filters.size
        clip = fit_channels(video, channels) if size is None else fit_clip(video, channels, *size)
        end = start + len(clip)
        _require_room(filters, clip)
        maps = _apply(filters, clip)
        first = start // stride
        # a place that sees beyond a cut would have seen other frames there, not padding
        sound = first + maps.shape[1] if window.last else int((end - span.start - span.size) // stride) + 1
        yield Block(clip=clip[frames - start :], maps=maps[:, steps - first : sound - first])
        frames, steps = end, sound


def _require_room(filters: Filters, clip: Video) -> None:
    extents = (len(clip), *clip.shape[2:])
    places = [max(0, (n - s.size) // s.stride + 1) for n, s in zip(extents, filters.spans, strict=True)]
    if (size := 4 * len(filters.names) * prod(places)) > MAX_BYTES:
        wanted = "x".join(map(str, map(int, places)))
        raise SettingInvalid(
            f"{len(filters.names)} maps of {wanted} take {size / 1e9:.3g} GB at a time; "
            "give fewer filters or units, or a smaller --size"
        )


def _apply(filters: Filters, clip: Video) -> Maps:
    if filters.kernels is not None:
        size, wanted = clip.shape[:1] + clip.shape[2:], filters.kernels.shape[2:]
        if any(n < k for n, k in zip(size, wanted, strict=True)):
            given, kernel = ("x".join(map(str, numbers)) for numbers in (size, wanted))
            raise ClipTooSmall(
                f"a clip of {given} is smaller than a kernel of {kernel}; give a smaller kernel"
            )
    with torch.no_grad():
        return filters.forward(clip.transpose(0, 1)[None])[0]


def feature_maps(
    model: nn.Module,
    layer: str,
    units: int | str | Sequence[int | str],
    video: Video,
    *,
    card: ModelCard | None = None,
    device: str = "cpu",
) -> Block:
    """Send a clip through a network up to a layer: what its units answer, place by place.

    Args:
        model: any video network; it comes back as it was. A convolution alone is one
            too: `nn.Sequential(convolution)`, layer "0".
        layer: dotted name, as in `model.named_modules()`, of a layer whose maps slide over the clip.
        units: channels by index, or by class name in the output layer.
        video: (T, C, H, W) in [0, 1], of any length that the layer can take; frames stay as large as given.
        card: what the network expects; None: what came with it from `load_model`, else inferred.
        device: where to compute.

    Returns:
        `maps`, (N, T', H', W'), in the layer's own scale and in the order of `units`; and `clip`, (T, C, H,
        W) in [0, 1], as the network saw it: grey where it takes one channel.

    Raises:
        LayerNotFound: no such layer, or it looks at the whole clip at once.
        UnitOutOfRange: no such unit.
        ClipTooSmall, ModelUnusable: as their names say.

    Examples:
        >>> model = ks.load_model("motion13")
        >>> found = ks.feature_maps(model, "conv1", [0, 3], torch.rand(16, 3, 32, 48))
        >>> found.maps.shape  # units, steps, rows, columns
        torch.Size([2, 16, 16, 24])
    """
    card = card or card_of(model)
    size = (video.shape[2], video.shape[3])
    named = card.names_of(layer)
    produced = output_shape(model, layer, (card.channels, len(video), *size))
    chosen = unit_indices(units, produced[0], named)
    fitted = replace(card, clip=(len(video), *size))
    return maps_of(video, layer_filters(model, layer, chosen, fitted, size=size, device=device))


def maps_of(video: Video, filters: Filters) -> Block:
    """The maps of a clip that fits into memory: (N, T', H', W'), and the clip as the filters saw it.

    Raises:
        ClipTooSmall: the clip is smaller than a filter.
    """
    (block,) = stream_maps([Window(0, video, last=True)], filters)
    return block


def strongest(blocks: Iterable[Block], count: int) -> list[int]:
    """The `count` maps with the largest mean positive part, strongest first.

    Raises:
        SettingInvalid: `count` below 1.
    """
    if count < 1:
        raise SettingInvalid(f"the strongest {count} maps were asked for; give at least 1")
    total = sum(block.maps.clamp(min=0).double().sum(dim=(1, 2, 3)) for block in blocks)
    return torch.as_tensor(total).argsort(descending=True, stable=True)[:count].tolist()
