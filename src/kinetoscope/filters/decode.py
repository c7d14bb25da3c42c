"""A unit of any layer as a filter on the network's input (Rafegas & Vanrell 2015)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..brief import Brief
from ..card import ModelCard
from ..errors import ModelUnusable, SettingInvalid, UnitOutOfRange
from ..types import Video
from .chain import Chain, record_chain
from .substitute import substitute

THRESHOLD = 0.3
"""Share of a filter's largest magnitude below which a thresholded picture is blank."""


@dataclass(frozen=True, eq=False, repr=False)
class DecodedFilter(Brief):
    """What one unit looks like on the network's input.

    Attributes:
        decoded: (C, H, W), or (C, T, H, W) of a 3D network: a filter on the normalized input, channels in the
            network's order, without bias; as large as the unit's receptive field, and no larger than the
            input where the model's card or the caller states its size.
        layer, unit, unpool: what was asked for.
        corner: where in the input it lies for the unit in the middle of the layer's map, in pixels, one
            number an axis.
        stride: how far it moves from unit to unit, pixels; 0 for units without a map.
        map_shape: of the layer's output, without batch and units; () for units without a map.
    """

    decoded: Float[Tensor, "channel *extent"]
    layer: str
    unit: int
    unpool: str
    corner: tuple[int, ...]
    stride: tuple[int, ...]
    map_shape: tuple[int, ...]

    @property
    def picture(self) -> Float[Tensor, "channel *extent"]:
        """The filter in [0, 1]: zero is 0.5, the largest magnitude reaches 0 or 1."""
        return 0.5 + 0.5 * self.decoded / _peak(self.decoded)

    @property
    def video(self) -> Video:
        """The picture of a 3D filter as a video (T, C, H, W) in [0, 1], ready for `decompose`.

        Raises:
            SettingInvalid: the filter is of a network without time.
        """
        if self.decoded.ndim != 4:
            raise SettingInvalid(
                f"a filter of {self.decoded.ndim - 1} axes is no video; decode a 3D network, or use picture"
            )
        return self.picture.movedim(1, 0)

    def thresholded(self, share: float = THRESHOLD) -> tuple[Tensor, Tensor]:
        """The strong positive and the strong negative part, each in [0, 1] and shaped as `decoded`.

        Args:
            share: of the largest magnitude; what is weaker is 0.
        """
        relative = self.decoded / _peak(self.decoded)
        strong = relative * (relative.abs() >= share)
        return strong.clamp(min=0), -strong.clamp(max=0)


def decode_filter(
    model: nn.Module,
    layer: str,
    unit: int,
    unpool: str = "bicubic",
    *,
    size: tuple[int, int, int] | None = None,
) -> DecodedFilter:
    """Decode one unit by substitution; arguments and errors as for `decode_filters`.

    Examples:
        >>> found = ks.decode_filter(ks.load_model("lenet"), layer="conv3", unit=0, unpool="bicubic")
        >>> found.decoded.shape  # channels, rows, columns
        torch.Size([1, 14, 14])
    """
    return next(decode_filters(model, layer, [unit], unpool, size=size))


def decode_filters(
    model: nn.Module,
    layer: str,
    units: Sequence[int],
    unpool: str = "bicubic",
    *,
    size: tuple[int, int, int] | None = None,
) -> Iterator[DecodedFilter]:
    """Decode units of one layer by substitution, one after the other.

    Args:
        model: any module of convolutions (1D to 3D), pooling, rectifiers, sums and other linear operations;
            it comes back as it was.
        layer: dotted name as in `model.named_modules()`.
        units: channels, or indices of outputs.
        unpool: interpolation at pooling layers: `nearest`, `bilinear` or `bicubic`, over time as over space.
        size: (frames, height, width) of the input; the card's. A 2D network takes the last two.

    Raises:
        LayerNotFound: no such layer, or the forward pass never reaches it.
        NotDecodable: something on the way to the layer is not additive; its name and the reason are given.
        UnitOutOfRange: the layer has fewer units.
        ClipTooSmall: the input is too small, or does not fit a linear layer.
        ModelUnusable: the model has no convolution or linear layer to tell its input by, or is unsound.
        SettingInvalid: no such interpolation.
    """
    stated = size or getattr(getattr(model, "kinetoscope_card", None), "clip", None)
    chain = read_chain(model, layer, size=size)
    for unit in units:
        if not 0 <= unit < chain.target.shape[1]:
            raise UnitOutOfRange(
                f"unit {unit} does not exist: layer {layer!r} has {chain.target.shape[1]} units"
            )
        found = substitute(chain, unit, unpool, framed=stated is not None)
        yield DecodedFilter(
            found.values, layer, unit, unpool, found.corner, found.stride, chain.target.shape[2:]
        )


def read_chain(model: nn.Module, layer: str, *, size: tuple[int, int, int] | None = None) -> Chain:
    """What the model does up to a layer, on an input as its first convolution wants it.

    Arguments and errors as for `decode_filters`.
    """
    card: ModelCard | None = getattr(model, "kinetoscope_card", None)
    convolutions = (m for m in model.modules() if isinstance(m, (nn.Conv1d, nn.Conv2d, nn.Conv3d)))
    first = next(convolutions, None)
    if card is None and first is None:
        raise ModelUnusable(
            "the model has no convolution to tell its input by; give it a kinetoscope_card with its channels"
        )
    axes = len(first.kernel_size) if first else 3
    channels = card.channels if card else first.in_channels if first else 0
    return record_chain(model, layer, (1, channels, *(size or (card or ModelCard()).clip)[3 - axes :]))


def _peak(decoded: Tensor) -> Tensor:
    peak = decoded.abs().max()
    return torch.where(peak > 0, peak, 1.0)
