"""How much of what the places of a layer can see they really use: effective receptive fields.

Luo, Li, Urtasun & Zemel 2016, section 3: the gradient of the place in the middle of a map over random inputs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..card import ModelCard
from ..errors import LayerNotFound, ModelUnusable, SettingInvalid
from ..units.failures import check_weights
from ..units.tap import find_layer, tap
from .field import Power, gradient_power
from .listen import Shown

SHARE = 0.95
"""Of the gradient's power lies within the extents of an `EffectiveField`."""

NOISE = 0.2
"""Deviation of the white noise about mid grey in which the gradient is taken."""


@dataclass(frozen=True)
class EffectiveField:
    """Where the place in the middle of a layer's map takes its answer from, on average over its units.

    The power is the mean square of the gradient with respect to each pixel, channels added.

    Attributes:
        frames, height, width: the fewest successive frames, rows and columns that hold `SHARE` of the power
            along that axis, the others summed.
        deviation: of the power along (t, y, x), in frames and pixels. A Gaussian kernel of deviation s has s
            divided by the root of 2, for its square counts.
        centre: mean of the power along (t, y, x), in frames and pixels of the clip.
    """

    frames: int
    height: int
    width: int
    deviation: tuple[float, ...]
    centre: tuple[float, ...]


def effective_fields(
    model: nn.Module,
    card: ModelCard,
    layers: Sequence[str],
    *,
    size: tuple[int, int, int] | None = None,
    clips: int = 8,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
    told: Callable[[str], None] | None = None,
) -> dict[str, EffectiveField | None]:
    """Measure which part of a clip the place in the middle of each layer's map uses.

    All units count alike: each clip sends them back together under signs of their own, drawn at random, so
    that the expected square of the sum is the sum of their squares.

    Args:
        model: any video network; it comes back as it was.
        card: its clip and channels.
        layers: dotted names, with `@N` for a call N.
        size: (frames, height, width) of the clips; None: the card's.
        clips: of white noise about mid grey, deviation 0.2; more make the numbers steadier.
        seed: of noise and signs.
        progress: called with the number of layers that are done.
        told: called with why a layer has no field.

    Returns:
        By layer; None where no gradient reaches the clip, or it is zero everywhere.

    Raises:
        SettingInvalid: no clips.
        LayerNotFound: no such layer.
        ModelUnusable: weights that are not finite.
        ClipTooSmall: the clip does not go as far as a layer.
    """
    if clips < 1:
        raise SettingInvalid(f"a field is measured over at least 1 clip, not {clips}")
    check_weights(model)
    for layer in layers:
        find_layer(model, layer)
    found: dict[str, EffectiveField | None] = {}
    for done, layer in enumerate(layers, 1):
        try:
            found[layer] = _effective_field(model, card, layer, size or card.clip, clips, seed)
        except (LayerNotFound, ModelUnusable) as error:  # gives no numbers, or none that hang on the clip
            found[layer] = None
            if told is not None:
                told(str(error))
        if progress is not None:
            progress(done)
    return found


def _effective_field(
    model: nn.Module, card: ModelCard, layer: str, size: tuple[int, int, int], clips: int, seed: int
) -> EffectiveField | None:
    generator = torch.Generator().manual_seed(seed)
    grey = torch.zeros(card.channels, *size)
    shown = [Shown("noise", "white noise", lambda: grey, None)] * clips
    with tap(model, layer) as tapped:

        def forward(clip: Tensor) -> Tensor:
            answer = tapped(card.normalize(clip))
            signs = torch.randint(0, 2, answer.shape[:2], generator=generator) * 2.0 - 1
            return answer * signs.to(answer).view(*signs.shape, *[1] * (answer.ndim - 2))

        return measured_extent(gradient_power(forward, shown, generator, NOISE))


def measured_extent(power: Power) -> EffectiveField | None:
    """A field in numbers; None where the power is zero everywhere."""
    if not float(power.sum()) > 0:
        return None
    extents, deviations, centres = [], [], []
    for axis in range(3):
        along = power.double().sum(dim=[other for other in range(3) if other != axis])
        share, places = along / along.sum(), torch.arange(len(along)).double()
        centre = float((share * places).sum())
        centres.append(centre)
        deviations.append(float((share * (places - centre).square()).sum().sqrt()))
        extents.append(_shortest(share))
    frames, height, width = extents
    return EffectiveField(frames, height, width, tuple(deviations), tuple(centres))


def _shortest(share: Tensor) -> int:
    """Length of the shortest run that holds `SHARE` of the whole."""
    sums = torch.cat([share.new_zeros(1), share.cumsum(dim=0)])
    needed = SHARE - 1e-9  # sums of shares fall short of what they are by rounding
    return next(
        length
        for length in range(1, len(share) + 1)
        if bool((sums[length:] - sums[:-length] >= needed).any())
    )
