"""From an objective as it was asked for to terms that read known layers, checked one by one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ..card import ModelCard
from ..errors import SettingInvalid, UnitOutOfRange
from ..optimal.expression import VECTORS, Said, read_expression
from ..optimal.objective import LAYER, Objective, Term, usual_kind
from ..units.unit import check_position, find_unit

Shape = tuple[int, ...]
"""Of a layer's output without the batch, (units, *map)."""


@dataclass(frozen=True)
class Scope:
    """What the terms of an objective can read.

    Attributes:
        layer: that the request is about.
        shape_of: the output's shape of any layer.
        card: knows the names of units.
        vectors: how many of them the request has; None: none.
        preset: whose usual kind is taken.
    """

    layer: str
    shape_of: Callable[[str], Shape]
    card: ModelCard
    vectors: int | None
    preset: str

    def counted(self, term: Term) -> Shape:
        """Shape of what a term's channels are counted in."""
        shape = self.shape_of(term.layer or self.layer)
        return (self.vectors or 0, *shape[1:]) if term.of_vectors else shape


def from_text(text: str, scope: Scope) -> Objective:
    """The objective of an expression.

    Numbers without a map count as they are. Maps are rectified, which asks of a channel taken away that it
    be silent; where all terms are taken away, their plain means are made small: what inhibits most.

    Raises:
        SettingInvalid: it cannot be read, or speaks of vectors where there are none.
        LayerNotFound, UnitOutOfRange, PositionInvalid: as their names say.
    """
    said = read_expression(text)
    inhibiting = all(one.weight < 0 for one in said)
    return checked(Objective(tuple(_term(one, inhibiting, scope) for one in said)), scope)


def _term(said: Said, inhibiting: bool, scope: Scope) -> Term:
    of_vectors = said.layer == VECTORS
    if of_vectors and scope.vectors is None:
        raise SettingInvalid(
            f"the objective has {VECTORS}:{said.unit}, and no vectors were given; see --vector"
        )
    layer = scope.layer if of_vectors else said.layer
    blank = Term("channel", 0, weight=said.weight, layer=layer, of_vectors=of_vectors)
    shape = scope.counted(blank)
    if said.unit is None:
        if said.kind is not None:
            raise SettingInvalid(
                "all channels of a layer count with their mean square; leave mean and relu out"
            )
        return replace(blank, kind=LAYER, window=said.place)
    names = () if of_vectors else scope.card.names_of(layer or scope.layer)
    channel = find_unit(said.unit, names) if isinstance(said.unit, str) else said.unit
    axes = len(shape) - 1
    single = len(said.place) == axes and all(part and part[0] == part[1] for part in said.place)
    if said.place and single:
        place = tuple(part[0] for part in said.place if part)
        return replace(blank, kind="unit", channel=channel, position=place)
    usual = "channel" if inhibiting else usual_kind(shape, scope.preset)
    return replace(blank, kind=said.kind or usual, channel=channel, window=said.place)


def checked(objective: Objective, scope: Scope) -> Objective:
    """The objective, all of whose terms read something that is there, each with its layer and place named.

    Raises:
        SettingInvalid: it has no terms, or all weigh nothing.
        LayerNotFound, UnitOutOfRange, PositionInvalid: as their names say.
    """
    if not any(term.weight for term in objective.terms):
        raise SettingInvalid("the objective has no terms; make it of channels, such as channel(3)")
    terms = tuple(replace(term, layer=term.layer or scope.layer) for term in objective.terms)
    for place, term in enumerate(terms):
        count, *sizes = scope.counted(term)
        if term.kind != LAYER and not 0 <= term.channel < count:
            whose = "vectors" if term.of_vectors else "units"
            raise UnitOutOfRange(
                f"the objective has channel {term.channel}; the layer has {whose} 0 to {count - 1}"
            )
        if term.kind == "unit" and term.position is not None:
            check_position(term.position, sizes)
        for part, size in zip(term.window, (*sizes, *[0] * len(term.window)), strict=False):
            if size == 0 or (part is not None and part[1] >= size):
                wanted = "x".join(map(str, sizes)) or "none"
                raise UnitOutOfRange(f"{term} lies outside the layer's map of {wanted}; give ranges in it")
        if term.kind == "unit" and term.position is None:
            centre = tuple(size // 2 for size in sizes)
            terms = (*terms[:place], replace(term, position=centre), *terms[place + 1 :])
    return Objective(terms)


@dataclass(frozen=True)
class Source:
    """One layer of one network that is listened to.

    Attributes:
        network: place among the request's networks.
        layer: dotted name.
        channels: that are computed, in this order; None: all.
        vectors: whether the request's vectors, not channels, come out; `channels` are their rows then.
    """

    network: int
    layer: str
    channels: tuple[int, ...] | None
    vectors: bool = False


@dataclass(frozen=True)
class Bound:
    """What is listened to, and objectives whose terms count in that."""

    sources: tuple[Source, ...]
    objectives: tuple[Objective, ...]


def bind(objectives: Sequence[Objective], layer: str, networks: int = 1) -> Bound:
    """Which layers objectives read, each as little of it as they need; with more networks, their mean.

    Args:
        layer: that terms without a layer of their own read.
    """
    read: dict[tuple[str, bool], dict[int, None]] = {}
    whole: set[tuple[str, bool]] = set()
    for term in (term for objective in objectives for term in objective.terms):
        key = term.layer or layer, term.of_vectors
        read.setdefault(key, {})[term.channel] = None
        if term.kind == LAYER:
            whole.add(key)
    keys = list(read)
    sources = tuple(
        Source(network, name, None if (name, rows) in whole else tuple(read[name, rows]), rows)
        for network in range(networks)
        for name, rows in keys
    )

    def bound(term: Term, network: int) -> Term:
        key = term.layer or layer, term.of_vectors
        channel = term.channel if key in whole else list(read[key]).index(term.channel)
        place = network * len(keys) + keys.index(key)
        return replace(term, channel=channel, weight=term.weight / networks, place=place)

    return Bound(
        sources,
        tuple(
            Objective(tuple(bound(term, n) for n in range(networks) for term in objective.terms))
            for objective in objectives
        ),
    )


def layers_of(objective: str | Objective, layer: str) -> tuple[str, ...]:
    """The layers that are read, the request's own first where it is."""
    if isinstance(objective, str):
        return (layer,)
    return tuple(dict.fromkeys(term.layer or layer for term in objective.terms))
