"""What is maximized: one number per clip, made from a layer's output."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import SettingInvalid, UnitOutOfRange

KINDS = ("channel", "channel-relu", "unit")


@dataclass(frozen=True)
class Term:
    """One channel's part in an objective.

    Attributes:
        kind: `channel`, the mean over the map (Li & Li 2025, eq. 4); `channel-relu`, the mean of its positive
            part; `unit`, one position.
        channel: index.
        position: (t, y, x) for `unit`; None: the map's centre.
        weight: factor; negative to minimize.
    """

    kind: str
    channel: int
    position: tuple[int, ...] | None = None
    weight: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise SettingInvalid(f"objective is {', '.join(KINDS)}, not {self.kind!r}")

    def map_of(self, output: Tensor) -> Tensor:
        """The channel's values, (B, places); one place for `unit`."""
        if not 0 <= self.channel < output.shape[1]:
            raise UnitOutOfRange(
                f"unit {self.channel} is out of range; the layer has units 0 to {output.shape[1] - 1}"
            )
        values = output[:, self.channel]
        if self.kind != "unit":
            return values.flatten(1) if values.ndim > 1 else values[:, None]
        sizes = values.shape[1:]
        place = tuple(size // 2 for size in sizes) if self.position is None else self.position
        if len(place) != len(sizes) or not all(0 <= p < size for p, size in zip(place, sizes, strict=True)):
            wanted = "x".join(map(str, sizes)) or "none"
            raise UnitOutOfRange(f"position {place} is not in the layer's map ({wanted}); give t,y,x in it")
        for index in place:
            values = values[:, index]
        return values[:, None]


@dataclass(frozen=True)
class Objective:
    """A weighted sum of terms; objectives add, subtract and negate.

    Example: `channel(3) - channel(5)` looks for what excites unit 3 and not unit 5.
    """

    terms: tuple[Term, ...]

    def __str__(self) -> str:
        """Such as `channel(3) - 0.5 unit(5 at 1,2,2)`."""
        words = ""
        for term in self.terms:
            place = "" if term.position is None else f" at {','.join(map(str, term.position))}"
            factor = "" if abs(term.weight) == 1 else f"{abs(term.weight)!r} ".replace(".0 ", " ")
            sign = ("-" if term.weight < 0 else "") if not words else (" - " if term.weight < 0 else " + ")
            words += f"{sign}{factor}{term.kind}({term.channel}{place})"
        return words

    def __call__(self, output: Float[Tensor, "batch units *map"]) -> Float[Tensor, " batch"]:
        """The objective's value for each clip."""
        parts = []
        for term in self.terms:
            values = term.map_of(output)
            parts.append(term.weight * (values.relu() if term.kind == "channel-relu" else values).mean(dim=1))
        return torch.stack(parts).sum(dim=0)

    def ascent(self, output: Float[Tensor, "batch units *map"], leak: float = 0.0) -> Float[Tensor, " batch"]:
        """What the optimizer climbs: the objective, with a slope where a rectified channel is silent.

        A place that is silent has no gradient, and a channel that speaks in one corner would never learn of
        the others.

        Args:
            leak: slope of the negative part of a rectified channel; one that is silent everywhere counts with
                its plain mean, whatever the leak.
        """
        parts = []
        for term in self.terms:
            values = term.map_of(output)
            if term.kind == "channel-relu":
                silent = (values.detach() <= 0).all(dim=1, keepdim=True)
                values = torch.where(silent | (values > 0), values, leak * values)
            parts.append(term.weight * values.mean(dim=1))
        return torch.stack(parts).sum(dim=0)

    def __add__(self, other: "Objective") -> "Objective":
        return Objective(self.terms + other.terms)

    def __neg__(self) -> "Objective":
        return Objective(tuple(replace(term, weight=-term.weight) for term in self.terms))

    def __sub__(self, other: "Objective") -> "Objective":
        return self + (-other)

    def __mul__(self, factor: float) -> "Objective":
        return Objective(tuple(replace(term, weight=factor * term.weight) for term in self.terms))

    __rmul__ = __mul__


def channel(index: int) -> Objective:
    """Mean of a channel over its map."""
    return Objective((Term("channel", index),))


def channel_relu(index: int) -> Objective:
    """Mean of the positive part of a channel over its map: what the ReLU behind it passes on."""
    return Objective((Term("channel-relu", index),))


def unit(index: int, position: tuple[int, ...] | None = None) -> Objective:
    """One position of a channel's map; its centre when None."""
    return Objective((Term("unit", index, position),))


def usual_kind(output_shape: tuple[int, ...], preset: str = "default") -> str:
    """The objective where none is asked for: rectified for maps, plain for single numbers and in the paper.

    Args:
        output_shape: of the layer, without batch.
    """
    return "channel" if len(output_shape) == 1 or preset == "paper" else "channel-relu"


def make_objective(kind: str, index: int, position: tuple[int, ...] | None = None) -> Objective:
    """The objective that goes by the name `kind`."""
    return Objective((Term(kind, index, position if kind == "unit" else None),))
