"""What the channels of a 3T layer look for, beside the motion in their parameters (Ras2020, section 4.3)."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..attribution.attribute import AttributionSettings, attribute
from ..brief import Brief
from ..card import ModelCard, card_of
from ..errors import LayerNotFound, closest
from ..inquiry.request import Options
from ..inquiry.run import Inquiry, Progress
from ..inquiry.settle import request_for
from ..optimal.ascend import unit_generator
from ..optimal.search import still_search
from ..results import DEAD, FLAT, UnitResult
from ..tconv.read import LayerMotion
from ..types import Image, Video
from ..units.layers import ReceptiveField, list_layers
from ..units.tap import find_layer, output_shape, tap
from ..units.unit import Unit
from .metrics import direction_error_deg

Vectors = Float[Tensor, "channel 2"]

LEAST_CHANNELS = 3
"""Fewer say nothing about a correlation: any two are perfectly correlated."""


@dataclass(frozen=True, eq=False, repr=False)
class ActiveFrame(Brief):
    """The moment of a clip at which a channel responds most, and what counts in it.

    Attributes:
        channel: index.
        frame: number in the clip.
        peak: the channel's largest response.
        picture: the frame, (C, H, W) in [0, 1].
        gradient: largest absolute gradient among the colours, of the channel's mean positive response with
            respect to this frame, (H, W), >= 0.
    """

    channel: int
    frame: int
    peak: float
    picture: Image
    gradient: Float[Tensor, "height width"]


@dataclass(frozen=True, eq=False, repr=False)
class ChannelVelocity(Brief):
    """One channel's velocity, read twice; pixels of the clip per frame, x right and y down.

    Attributes:
        content: what the parameters say: the mean step of the content's middle.
        result: the account that `visualize` gives.
        found: mean velocity of its optimal input; None where nothing was found (`DEAD` or `FLAT`).
        error_deg: angle between the two, [0, 180]; None where one of them has no direction, as an optimal
            input that is still.
    """

    content: Float[Tensor, "2"]
    result: UnitResult
    found: Float[Tensor, "2"] | None
    error_deg: float | None


def layer_motion(layers: Sequence[LayerMotion], layer: str) -> LayerMotion:
    """The trajectories of the layer of that name.

    Raises:
        LayerNotFound: it is no 3T layer.
    """
    known = {motion.layer: motion for motion in layers}
    if layer not in known:
        raise LayerNotFound(f"{layer!r} has no temporal parameters; closest: {closest(layer, known)}")
    return known[layer]


def active_frames(
    model: nn.Module,
    layer: str,
    channels: Sequence[int],
    windows: Iterable[tuple[int, Video]],
    *,
    card: ModelCard | None = None,
    device: str = "cpu",
) -> list[ActiveFrame]:
    """For each channel the frame that excites it most, and its gradient there (Ras2020, Figs. 2 and 3).

    The frame is the one in the middle of what the place of the largest response sees.

    Args:
        model: any network; it comes back as it was.
        layer: dotted name of a layer with a map over time and space.
        windows: number of the first frame, and frames (T, C, H, W) in [0, 1], as the network takes them.
        card: what the network expects; None: its own.

    Raises:
        LayerNotFound: no such layer, or it has no map.
    """
    card = card or card_of(model)
    find_layer(model, layer)
    best: dict[int, tuple[float, int, int, int, Video]] = {}
    for start, clip in windows:
        with tap(model, layer, device=device) as forward, torch.no_grad():
            maps = forward(card.normalize(clip.transpose(0, 1)[None]))[0]
        if maps.ndim != 4:
            raise LayerNotFound(f"{layer!r} has no map over time and space, so no frame is its most active")
        for channel in channels:
            peaks = maps[channel].amax(dim=(1, 2))
            peak, step = float(peaks.max()), int(peaks.argmax())
            if channel not in best or peak > best[channel][0]:
                best[channel] = (peak, start, step, len(peaks), clip)
    few = AttributionSettings(points=1)  # its curves are not shown
    found = []
    for channel in channels:
        peak, start, step, count, clip = best[channel]
        field = _field(model, layer, card, (len(clip), *clip.shape[2:]))
        frame = _frame_of(step, count, field, len(clip))
        gradient = attribute(model, clip, Unit(layer, channel), "gradient", few, card=card, device=device)
        found.append(ActiveFrame(channel, start + frame, peak, clip[frame], gradient.map[frame]))
    return found


def still_optima(
    model: nn.Module,
    layer: str,
    channels: Sequence[int],
    *,
    card: ModelCard | None = None,
    objective: str | None = None,
    size: tuple[int, int, int] | None = None,
    steps: int | None = None,
    seed: int = 0,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Iterator[Image]:
    """For each channel the image (C, H, W) that excites it most when all frames show it (Ras2020, Fig. 3).

    Arguments and errors as for `visualize_each`.
    """
    options = Options(card=card, objective=objective, size=size, steps=steps, seed=seed, device=device)
    request = request_for(model, layer, channels, options)
    inquiry, settings = Inquiry(request), still_search(request.optimal)
    for done, channel in enumerate(request.units):

        def report(step: int, count: int, done: int = done) -> None:
            if progress is not None:
                progress(done, step, count)

        with inquiry.listening([channel]) as (forward, objectives):
            generators = [unit_generator(seed, channel)]
            (found,) = inquiry.optima(forward, objectives, settings, generators, progress=report)
        yield found.video[0].float().cpu()


def channel_velocities(
    model: nn.Module,
    motion: LayerMotion,
    channels: Sequence[int],
    *,
    objective: str | None = None,
    size: tuple[int, int, int] | None = None,
    steps: int | None = None,
    seed: int = 0,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Iterator[ChannelVelocity]:
    """Read each channel's velocity from its parameters and from its optimal input, one after the other.

    Arguments and errors as for `visualize_each`, but for `motion`, the layer's trajectories.
    """
    cell = _cell(model, motion.layer, size)
    steps_px = (motion.path_px[-1] - motion.path_px[0]).mT / (len(motion.path_px) - 1) * cell
    # what grew from a stimulus would agree with that stimulus
    options = Options(
        objective=objective, size=size, steps=steps, seed=seed, seeds=1, start="noise", device=device
    )
    request = request_for(model, motion.layer, channels, options)
    results = Inquiry(request, progress).results()
    for channel, result in zip(request.units, results, strict=True):
        content, seen = steps_px[channel], result.motion
        found = result.decomposition.velocity.mean(dim=(0, 2, 3))
        nothing = seen.label in (DEAD, FLAT)
        error = None if nothing or seen.label == "still" else direction_error_deg(found, content)
        yield ChannelVelocity(content, result, None if nothing else found, error)


def velocity_correlation(content: Vectors, found: Vectors) -> float | None:
    """Pearson's correlation of velocities over channels, both components together, each about its own mean.

    None where it is undefined: `why_no_correlation` says why.
    """
    if why_no_correlation(content, found):
        return None
    a, b = _about_means(content, found)
    return float((a * b).sum()) / math.sqrt(float(a.square().sum() * b.square().sum()))


def why_no_correlation(content: Vectors, found: Vectors) -> str:
    """Why `velocity_correlation` is undefined, in a few words; "" where it is not."""
    if len(content) < LEAST_CHANNELS:
        return f"fewer than {LEAST_CHANNELS} channels to compare"
    for side, name in zip(_about_means(content, found), ("parameters", "optimal inputs"), strict=True):
        if float(side.square().sum()) <= 1e-12:
            return f"all {name} say the same"
    return ""


def _about_means(*sides: Vectors) -> list[Tensor]:
    return [side.double() - side.double().mean(dim=0) for side in sides]


def _cell(model: nn.Module, layer: str, size: tuple[int, int, int] | None) -> Float[Tensor, "2"]:
    """What one cell of the layer's input a slice is in pixels of the clip a frame, along x and y.

    Where geometry does not tell, as behind a normalization by the whole clip, the sizes of both do.
    """
    card, conv = card_of(model), model.get_submodule(layer)
    assert isinstance(conv, nn.Conv3d)
    clip = size or card.clip
    shapes: list[torch.Size] = []
    handle = conv.register_forward_pre_hook(lambda _, given: shapes.append(given[0].shape[-3:]))
    try:
        output_shape(model, layer, (card.channels, *clip))
    finally:
        handle.remove()
    strides = _field(model, layer, card, size).stride
    t, y, x = (
        spread * (extent / entering if between is None else between / stride)
        for between, stride, spread, extent, entering in zip(
            strides, conv.stride, conv.dilation, clip, shapes[-1], strict=True
        )
    )
    return torch.tensor([x / t, y / t])


def _field(
    model: nn.Module, layer: str, card: ModelCard, size: tuple[int, int, int] | None
) -> ReceptiveField:
    return next(row.receptive_field for row in list_layers(model, card, size=size) if row.name == layer)


def _frame_of(step: int, steps: int, field: ReceptiveField, frames: int) -> int:
    """The frame in the middle of what a step of the map sees; if that is unknown, as far along the clip."""
    centre, stride = field.centre[0], field.stride[0]
    if centre is None or stride is None:
        middle = (step + 0.5) * frames / steps - 0.5
    else:
        middle = centre + step * stride
    return min(max(round(middle), 0), frames - 1)
