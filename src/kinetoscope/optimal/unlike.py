"""A term that repels: what a clip says to a layer, wherever it says it, is to differ from what others say.

Features are the positive parts of a layer's channels, averaged over the map, so that neither place nor
phase counts; as differences to mid grey, in units of how much each channel varies over a bank of stimuli, and
without the direction in which the bank goes as a whole. Of two clips that have nothing to do with one another
the cosine is then near 0, whatever the layer, and a clip that says nothing is like none (Olah et al. 2017 and
Cadena et al. 2018 for the idea of such a term).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float
from torch import Tensor

from .objective import LAYER, Forward, Objective, Output, Term

Features = Float[Tensor, "clip channel"]

_QUIET = 0.1
"""A channel that varies less than this share of the average one counts as if it varied so much."""


@dataclass(frozen=True, eq=False)
class Unlike(Term):
    """A response times how alike the clip is to the most similar of others; its weight is negative to repel.

    Added to the response f itself with the weight -w it makes f (1 - w alike): a clip like one that is there
    counts for 1 - w of its response, at any strength, so that a faint one is not driven by being different.

    Attributes:
        response: f, bound to the same outputs, and `rest`, what it is for mid grey.
        without: a channel that does not count, as the unit's own, which all optima drive; None: all count.
        grey, spread, common: (C,), the features of mid grey, their standard deviation over a bank, and the
            direction of the bank's mean, of length 1; empty: nothing is taken away.
        others: features, (n, C), to differ from; empty: the term is 0.
    """

    kind: str = LAYER
    channel: int = 0
    response: Objective = field(default_factory=lambda: Objective(()))
    rest: float = 0.0
    without: int | None = None
    grey: Tensor = field(default_factory=lambda: torch.zeros(0))
    spread: Tensor = field(default_factory=lambda: torch.zeros(0))
    common: Tensor = field(default_factory=lambda: torch.zeros(0))
    others: Tensor = field(default_factory=lambda: torch.zeros(0, 0))

    def __str__(self) -> str:
        """Such as `alike(conv3b, 2 clips)`."""
        return f"alike({self.layer}, {len(self.others)} clips)"

    def raw(self, output: Output) -> Features:
        """Positive parts of the channels, averaged over the map; numbers without a map as they are."""
        values = self.read(output)
        values = values if values.ndim == 2 else values.relu().flatten(2).mean(dim=2)
        if self.without is None:
            return values
        kept = [channel for channel in range(values.shape[1]) if channel != self.without]
        return values[:, kept]

    def features(self, output: Output) -> Features:
        """The same as they are compared."""
        values = self.raw(output)
        if not len(self.spread):
            return values
        values = (values - self.grey.to(values)) / self.spread.to(values)
        common = self.common.to(values)
        return values - (values @ common)[:, None] * common

    def alike(self, output: Output) -> Float[Tensor, " batch"]:
        """The largest cosine to one of the others, in [-1, 1]; 0 where there are none."""
        mine = self.features(output)
        if not len(self.others):
            return mine.new_zeros(len(mine))
        return cosines(mine, self.others.to(mine)).amax(dim=1)

    def value(self, output: Output) -> Tensor:
        """The gain over mid grey times the likeness, (B,)."""
        return (self.response(output) - self.rest).relu() * self.alike(output)

    def height(self, output: Output, leak: float) -> Tensor:
        """The same of what is climbed in place of the response."""
        return (self.response.ascent(output, leak) - self.rest).relu() * self.alike(output)

    @torch.no_grad()
    def measured(
        self, forward: Forward, clips: Iterable[Float[Tensor, "channel time height width"]]
    ) -> "Unlike":
        """The same term in units of what stimuli give.

        Args:
            forward: clips in [0, 1] to what the term reads.
            clips: stimuli about mid grey, of one contrast; shown one at a time.
        """
        shown = [self.raw(forward((0.5 + clip)[None])) for clip in clips]
        rows = torch.cat(shown)
        grey = self.raw(forward(torch.full_like(next(iter(clips))[None], 0.5)))[0]
        spread = rows.std(dim=0, correction=0)
        least = torch.finfo(spread.dtype).tiny
        spread = spread.clamp(min=float((_QUIET * spread.mean()).clamp(min=least)))
        mean = ((rows - grey) / spread).mean(dim=0)
        return replace(self, grey=grey, spread=spread, common=mean / mean.norm().clamp(min=least))


def cosines(mine: Features, others: Float[Tensor, "other channel"]) -> Float[Tensor, "clip other"]:
    """Cosine of each with each of the others; 0 where one of them is zero."""
    lengths = [(one.square().sum(dim=1) + torch.finfo(one.dtype).tiny).sqrt() for one in (mine, others)]
    return mine @ others.T / (lengths[0][:, None] * lengths[1]).clamp(min=torch.finfo(mine.dtype).tiny)


def clusters(
    similarity: Float[Tensor, "clip clip"], counted: Sequence[bool], alike: float
) -> list[int | None]:
    """Which clips show the same: average linkage, the two nearest groups joined while they are alike enough.

    Args:
        similarity: cosines, symmetric.
        counted: whether each clip takes part.
        alike: mean cosine between two groups from which on they are one.

    Returns:
        A number per clip, from 0 in the order of the groups' first members; None for those that take no part.
    """
    groups = [[index] for index, counts in enumerate(counted) if counts]
    while len(groups) > 1:
        pairs = [(a, b) for b in range(len(groups)) for a in range(b)]
        linked = {pair: float(similarity[groups[pair[0]]][:, groups[pair[1]]].mean()) for pair in pairs}
        first, second = max(pairs, key=linked.__getitem__)
        if linked[first, second] < alike:
            break
        groups[first] += groups.pop(second)
    groups.sort(key=min)
    number = {index: place for place, group in enumerate(groups) for index in group}
    return [number.get(index) for index in range(len(counted))]
