"""What is maximized: one number per clip, made from what layers give."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import SettingInvalid, UnitOutOfRange
from ..types import VideoBatch
from .expression import VECTORS

KINDS = ("channel", "channel-relu", "unit")
"""What can be made large of one channel."""

LAYER = "layer"
"""Kind of a term that is about all channels of a layer."""

Window = tuple[tuple[int, int] | None, ...]
"""First and last index along the axes of a map, from the first axis on; None: the whole axis."""


@dataclass(frozen=True)
class Outputs:
    """What several layers or networks give for the same clips, (B, units, *map) each."""

    parts: tuple[Tensor, ...]

    def split(self, size: int) -> "list[Outputs]":
        """So many clips at a time, as `Tensor.split`."""
        return [Outputs(parts) for parts in zip(*(part.split(size) for part in self.parts), strict=True)]


Output = Tensor | Outputs
Forward = Callable[[VideoBatch], Output]
"""From clips (B, C, T, H, W) in [0, 1] to what objectives are made of."""


@dataclass(frozen=True)
class Term:
    """A part of an objective: what is read in one layer, and how much it counts.

    Attributes:
        kind: `channel`, the mean over the map (Li & Li 2025, eq. 4); `channel-relu`, the mean of its positive
            part; `unit`, one position; `layer`, the mean square of all channels (Mordvintsev et al. 2015).
        channel: index; of no meaning for `layer`.
        position: (t, y, x) for `unit`; None: the map's centre.
        weight: factor; negative to minimize.
        layer: dotted name; empty: the layer that the request is about.
        window: part of the map that is read, for the other kinds than `unit`; empty: all of it.
        of_vectors: `channel` counts the request's vectors instead of the layer's channels.
        place: which of several outputs is read; settled when the objective is bound to them.
    """

    kind: str
    channel: int
    position: tuple[int, ...] | None = None
    weight: float = 1.0
    layer: str = ""
    window: Window = ()
    of_vectors: bool = False
    place: int = 0

    def __post_init__(self) -> None:
        if self.kind not in (*KINDS, LAYER):
            raise SettingInvalid(f"objective is {', '.join(KINDS)}, not {self.kind!r}")

    def __str__(self) -> str:
        """As an expression has it, such as `relu(conv3b:5)` or `conv3b:5@1,2,3`; without the weight."""
        what = "*" if self.kind == LAYER else str(self.channel)
        owner = VECTORS if self.of_vectors else self.layer
        place = tuple((index, index) for index in self.position or ()) or self.window
        written = (
            (f"{owner}:" if owner else "") + what + (f"@{','.join(map(_range, place))}" if place else "")
        )
        name = {"channel": "mean", "channel-relu": "relu"}.get(self.kind)
        return f"{name}({written})" if name else written

    @property
    def rectified(self) -> bool:
        """Whether only positive values count."""
        return self.kind == "channel-relu"

    @property
    def is_local(self) -> bool:
        """Whether less than the whole map is read."""
        return self.kind == "unit" or any(part is not None for part in self.window)

    def value(self, output: Output) -> Tensor:
        """What it comes to for each clip, (B,), without the weight."""
        values = self.map_of(output)
        return (values.relu() if self.rectified else values).mean(dim=1)

    def height(self, output: Output, leak: float) -> Tensor:
        """What is climbed in its place, (B,), without the weight; `leak` as for `Objective.ascent`."""
        values = self.map_of(output)
        if self.rectified and self.weight < 0:
            values = values.relu()
        elif self.rectified:
            silent = (values.detach() <= 0).all(dim=1, keepdim=True)
            values = torch.where(silent | (values > 0), values, leak * values)
        return values.mean(dim=1)

    def read(self, output: Output) -> Tensor:
        """The output that it is about, (B, units, *map)."""
        return output.parts[self.place] if isinstance(output, Outputs) else output

    def map_of(self, output: Output) -> Tensor:
        """The values whose mean counts, (B, places); one place for `unit`, all channels' squares for `layer`.

        Raises:
            UnitOutOfRange: there is no such channel, position or window.
        """
        values = self.read(output)
        if self.kind == LAYER:
            return self._windowed(values.square(), 2).flatten(1)
        if not 0 <= self.channel < values.shape[1]:
            raise UnitOutOfRange(
                f"unit {self.channel} is out of range; the layer has units 0 to {values.shape[1] - 1}"
            )
        values = values[:, self.channel]
        if self.kind != "unit":
            values = self._windowed(values, 1)
            return values.flatten(1) if values.ndim > 1 else values[:, None]
        sizes = values.shape[1:]
        place = tuple(size // 2 for size in sizes) if self.position is None else self.position
        if len(place) != len(sizes) or not all(0 <= p < size for p, size in zip(place, sizes, strict=True)):
            wanted = "x".join(map(str, sizes)) or "none"
            raise UnitOutOfRange(f"position {place} is not in the layer's map ({wanted}); give t,y,x in it")
        for index in place:
            values = values[:, index]
        return values[:, None]

    def _windowed(self, values: Tensor, first_axis: int) -> Tensor:
        """The window's part of a map that begins at an axis."""
        sizes = values.shape[first_axis:]
        inside = all(
            part is None or 0 <= part[0] <= part[1] < size
            for part, size in zip(self.window, sizes, strict=False)
        )
        if len(self.window) > len(sizes) or not inside:
            wanted = "x".join(map(str, sizes)) or "none"
            given = ",".join(map(_range, self.window))
            raise UnitOutOfRange(f"window {given} is not in the layer's map ({wanted}); give ranges in it")
        for axis, part in enumerate(self.window, first_axis):
            if part is not None:
                values = values.narrow(axis, part[0], part[1] - part[0] + 1)
        return values


def _range(part: tuple[int, int] | None) -> str:
    if part is None:
        return "*"
    return str(part[0]) if part[0] == part[1] else f"{part[0]}-{part[1]}"


@dataclass(frozen=True)
class Objective:
    """A weighted sum of terms; objectives add, subtract and negate.

    Example: `channel(3) - channel(5)` looks for what excites unit 3 and not unit 5.
    """

    terms: tuple[Term, ...]

    def __str__(self) -> str:
        """As `optimal.expression` reads it, such as `relu(conv3b:3) - 0.5*conv3b:5@1,2,2`."""
        words = ""
        for term in self.terms:
            factor = "" if abs(term.weight) == 1 else f"{abs(term.weight)!r}*".replace(".0*", "*")
            sign = ("-" if term.weight < 0 else "") if not words else (" - " if term.weight < 0 else " + ")
            words += f"{sign}{factor}{term}"
        return words

    def __call__(self, output: Output) -> Float[Tensor, " batch"]:
        """The objective's value for each clip.

        Args:
            output: (B, units, *map), or several of them where terms read more than one layer.
        """
        return torch.stack([term.weight * term.value(output) for term in self.terms]).sum(dim=0)

    def ascent(self, output: Output, leak: float = 0.0) -> Float[Tensor, " batch"]:
        """What the optimizer climbs: the objective, with a slope where a rectified channel is silent.

        A place that is silent has no gradient, and a channel that speaks in one corner would never learn of
        the others. A channel that is to be silent has what it wants there.

        Args:
            output: as for a call.
            leak: slope of the negative part of a rectified channel; one that is silent everywhere counts with
                its plain mean, whatever the leak.
        """
        return torch.stack([term.weight * term.height(output, leak) for term in self.terms]).sum(dim=0)

    def __add__(self, other: "Objective") -> "Objective":
        return Objective(self.terms + other.terms)

    def __neg__(self) -> "Objective":
        return Objective(tuple(replace(term, weight=-term.weight) for term in self.terms))

    def __sub__(self, other: "Objective") -> "Objective":
        return self + (-other)

    def __mul__(self, factor: float) -> "Objective":
        return Objective(tuple(replace(term, weight=factor * term.weight) for term in self.terms))

    __rmul__ = __mul__


def channel(index: int, layer: str = "", window: Window = ()) -> Objective:
    """Mean of a channel over its map, or over a window of it.

    Examples:
        >>> str(ks.channel(3, "conv1") - 0.5 * ks.channel(5, "conv1"))
        'mean(conv1:3) - 0.5*mean(conv1:5)'
    """
    return Objective((Term("channel", index, layer=layer, window=window),))


def channel_relu(index: int, layer: str = "", window: Window = ()) -> Objective:
    """Mean of the positive part of a channel over its map: what the ReLU behind it passes on.

    Examples:
        >>> str(ks.channel_relu(3, "conv1", window=((0, 1), None, (4, 4))))
        'relu(conv1:3@0-1,*,4)'
    """
    return Objective((Term("channel-relu", index, layer=layer, window=window),))


def unit(index: int, position: tuple[int, ...] | None = None, layer: str = "") -> Objective:
    """One position of a channel's map; its centre when None.

    Examples:
        >>> str(ks.unit(3, (1, 2, 2), "conv1"))
        'conv1:3@1,2,2'
    """
    return Objective((Term("unit", index, position, layer=layer),))


def whole_layer(layer: str = "", window: Window = ()) -> Objective:
    """Mean square of all channels of a layer (DeepDream; Mordvintsev et al. 2015).

    Examples:
        >>> str(ks.whole_layer("conv1"))
        'conv1:*'
    """
    return Objective((Term(LAYER, 0, layer=layer, window=window),))


def usual_kind(output_shape: tuple[int, ...], preset: str = "default") -> str:
    """The objective where none is asked for: rectified for maps, plain for single numbers and in the paper.

    Args:
        output_shape: of the layer, without batch.
    """
    return "channel" if len(output_shape) == 1 or preset == "paper" else "channel-relu"


def make_objective(
    kind: str, index: int, position: tuple[int, ...] | None = None, *, of_vectors: bool = False
) -> Objective:
    """The objective that goes by the name `kind`, of a channel or of a vector."""
    return Objective((Term(kind, index, position if kind == "unit" else None, of_vectors=of_vectors),))
