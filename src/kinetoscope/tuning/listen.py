"""Showing clips to a layer and keeping numbers of its answers: batch by batch, never a map."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..card import ModelCard
from ..stimuli import Shape, Stimulus, to_contrast
from ..types import VideoBatch
from ..units.pooling import pooled_over_what_is_left
from ..units.tap import Forward, output_shape, tap
from ..units.unit import unit_indices

BATCH_PIXELS = 2**20
"""Pixels of all frames of all clips that are shown at once: sixteen clips of 16 x 64 x 64."""

Reduce = Callable[[Float[Tensor, "batch unit *map"]], Tensor]
"""Numbers of an answer, the batch first."""

Report = Callable[[int, int], None]
"""Called with how many clips were shown, and of how many."""


@dataclass(frozen=True)
class Shown:
    """One stimulus, made when it is shown.

    Attributes:
        kind: what sort of stimulus, such as "drifting grating".
        name: what it is called, with its numbers.
        make: gives the clip about mid grey, (C, T, H, W).
        contrast: root mean square about mid grey to show it at; None: as it is made.
        direction_deg: where it drifts; None for what does not.
    """

    kind: str
    name: str
    make: Callable[[], Stimulus]
    contrast: float | None
    direction_deg: float | None = None

    def clip(self) -> Stimulus:
        """The clip about mid grey at its contrast, (C, T, H, W)."""
        made = self.make()
        return made if self.contrast is None else to_contrast(made[None], self.contrast)[0]


@dataclass(frozen=True)
class Layer:
    """Units of a layer that can be asked.

    Attributes:
        model, name, card: the network, the layer's dotted name, and what the network expects.
        shape: of a clip, (C, T, H, W).
        units: indices.
        unit_names: of all units of the layer; empty when they have none.
        map_shape: of the layer's map; empty for single numbers.
        device, precision: of the arithmetic.
    """

    model: nn.Module
    name: str
    card: ModelCard
    shape: Shape
    units: tuple[int, ...]
    unit_names: tuple[str, ...]
    map_shape: tuple[int, ...]
    device: str
    precision: str

    @contextmanager
    def listening(self, units: Sequence[int] | None = None) -> Iterator[Forward]:
        """Inside, clips (B, C, T, H, W) in [0, 1] give the output of these units, or of all asked for."""
        chosen = self.units if units is None else units
        tapping = tap(self.model, self.name, units=chosen, device=self.device, precision=self.precision)
        with tapping as tapped:

            def forward(clips: VideoBatch) -> Tensor:
                with pooled_over_what_is_left():
                    return tapped(self.card.normalize(clips.to(self.device)))

            yield forward


def layer_of(
    model: nn.Module,
    layer: str,
    units: int | str | Sequence[int | str],
    card: ModelCard,
    size: tuple[int, int, int],
    device: str,
    precision: str,
) -> Layer:
    """Check what is asked for; arguments as for `tune`.

    Raises:
        LayerNotFound, UnitOutOfRange, ClipTooSmall, ModelUnusable, SettingInvalid: as their names say.
    """
    shape = (card.channels, *size)
    with pooled_over_what_is_left():
        produced = output_shape(model, layer, shape)
    names = card.names_of(layer)
    chosen = tuple(unit_indices(units, produced[0], names))
    tap(model, layer, device=device, precision=precision)
    return Layer(model, layer, card, shape, chosen, tuple(names), produced[1:], device, precision)


def over_map(output: Float[Tensor, "batch unit *map"]) -> Float[Tensor, "batch unit"]:
    """Mean of the positive part of a map; a single number as it is."""
    return output.relu().flatten(2).mean(dim=2) if output.ndim > 2 else output


def mean_over_map(output: Float[Tensor, "batch unit *map"]) -> Float[Tensor, "batch unit"]:
    """The mean of each unit over its places; a single number as it is."""
    return output.flatten(2).mean(dim=2) if output.ndim > 2 else output


def at_centre(output: Float[Tensor, "batch unit *map"]) -> Float[Tensor, "batch unit"]:
    """The positive part at the middle of a map; a single number as it is."""
    if output.ndim == 2:
        return output
    for size in output.shape[2:]:
        output = output[:, :, size // 2]
    return output.relu()


def over_space(output: Float[Tensor, "batch unit *map"]) -> Float[Tensor, "batch unit time"]:
    """Mean of the positive part over the places of each time step; maps without time have one step."""
    if output.ndim == 5:
        return output.relu().mean(dim=(3, 4))
    return over_map(output)[:, :, None]


def centre_and_course(output: Float[Tensor, "batch unit *map"]) -> Float[Tensor, "batch unit number"]:
    """What `at_centre` gives, and behind it what `over_space` gives."""
    return torch.cat([at_centre(output)[:, :, None], over_space(output)], dim=2)


@torch.no_grad()
def heard(
    forward: Forward, shown: Sequence[Shown], reduce: Reduce, report: Report | None = None
) -> Float[Tensor, "stimulus unit *rest"]:
    """What units answer to stimuli, one after the other, in numbers; NaN counts as 0.

    Only one batch of clips (`BATCH_PIXELS`) and its answer are in memory, beside the numbers.
    """
    found, stream = [], iter(shown)
    pixels = 0
    while batch := list(islice(stream, max(1, BATCH_PIXELS // pixels) if pixels else 1)):
        clips = 0.5 + torch.stack([each.clip() for each in batch])
        pixels = clips[0, 0].numel()
        found.append(torch.nan_to_num(reduce(forward(clips)).float().cpu(), posinf=0.0, neginf=0.0))
        if report is not None:
            report(sum(map(len, found)), len(shown))
    return torch.cat(found)


def grey_response(forward: Forward, shape: Shape) -> Float[Tensor, " unit"]:
    """What units answer to nothing: mid grey in every pixel."""
    grey = Shown("grey", "mid grey", lambda: torch.zeros(shape), None)
    return heard(forward, [grey], over_map)[0]


@torch.no_grad()
def best_window(forward: Forward, windows: Iterable[VideoBatch]) -> Float[Tensor, " unit"] | None:
    """The largest answer of each unit to any window of natural videos; None where there is no window.

    Args:
        windows: each (1, C, T, H, W) in [0, 1], one in memory at a time.
    """
    best = None
    for window in windows:
        answer = over_map(forward(window))[0].float().cpu()
        best = answer if best is None else torch.maximum(best, answer)
    return best
