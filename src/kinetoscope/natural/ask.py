"""What layers of a network answer to optimal inputs and to natural clips, in numbers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..brief import Brief
from ..card import ModelCard
from ..optimal.objective import Term
from ..results import UnitResult
from ..tuning.listen import BATCH_PIXELS, Layer, Report, layer_of, mean_over_map
from ..types import VideoBatch
from .way import LayerWay, layer_way, standardized
from .windows import NaturalClips

BEST_SHARE, LEAST_BEST = 0.05, 5
"""Share of the natural clips that count as those that drive a unit most, and how many at least."""

Reduce = Callable[[Float[Tensor, "batch unit *map"]], Float[Tensor, "batch unit"]]


@dataclass(frozen=True, eq=False, repr=False)
class Asking(Brief):
    """Optimal inputs and natural clips of one size, and how they are shown.

    Attributes:
        results: whose optimal inputs are shown.
        natural: the natural clips.
        card: what the networks expect.
        device, precision: of the arithmetic.
    """

    results: tuple[UnitResult, ...]
    natural: NaturalClips
    card: ModelCard
    device: str
    precision: str

    def layer(self, model: nn.Module, name: str) -> Layer:
        """All units of a layer, for clips of this size; errors as for `layer_of`."""
        _, frames, height, width = self.natural.levels.shape[1:]
        return layer_of(model, name, "all", self.card, (frames, height, width), self.device, self.precision)

    def responses(self, model: nn.Module, report: Report) -> list[tuple[Tensor, Tensor]]:
        """Of each result, by its objective, what all units of its layer answer in a network.

        Returns:
            Answers to the optimal input, (units,), and to the natural clips, (clips, units).
        """
        found: dict[int, tuple[Tensor, Tensor]] = {}
        groups = self._groups()
        for done, (name, places) in enumerate(groups):
            reduce = _objective_of(self.results[places[0]])

            def told(step: int, steps: int, done: int = done) -> None:
                report(done * steps + step, len(groups) * steps)

            own, answers = self._answers(self.layer(model, name), places, reduce, told)
            found |= {place: (own[row], answers) for row, place in enumerate(places)}
        return [found[place] for place in range(len(self.results))]

    def ways(
        self, layers: Sequence[Layer], natural_responses: Sequence[Tensor], report: Report
    ) -> list[list[LayerWay]]:
        """Of each result its way through layers.

        Args:
            layers: in order.
            natural_responses: of each result, what its unit answers to the natural clips.
        """
        apart, count = self.natural.apart(), max(LEAST_BEST, round(BEST_SHARE * len(self.natural)))
        best = [
            answers.argsort(descending=True, stable=True)[:count].tolist() for answers in natural_responses
        ]
        ways: list[list[LayerWay]] = [[] for _ in self.results]
        every = range(len(self.results))
        for done, layer in enumerate(layers):

            def told(step: int, steps: int, done: int = done) -> None:
                report(done * steps + step, len(layers) * steps)

            own, answers = (standardized(part) for part in self._answers(layer, every, mean_over_map, told))
            for place in every:
                ways[place].append(layer_way(layer.name, own[place], answers, apart, best[place]))
        return ways

    def _groups(self) -> list[tuple[str, list[int]]]:
        """Layers, and places of the results that are asked alike: by one objective, at one position."""
        found: dict[tuple[str, str, str], list[int]] = {}
        for index, result in enumerate(self.results):
            key = (str(result.record["layer"]), str(result.record["objective"]), str(_position(result)))
            found.setdefault(key, []).append(index)
        return [(layer, places) for (layer, _, _), places in found.items()]

    def _answers(
        self, layer: Layer, places: Sequence[int], reduce: Reduce, report: Report
    ) -> tuple[Tensor, Tensor]:
        """Numbers of a layer's answers to some optimal inputs and to the natural clips, batch by batch."""
        frames, _, height, width = self.results[0].video.shape
        together = max(1, BATCH_PIXELS // (frames * height * width))
        own: list[Tensor] = []
        answers: list[Tensor] = []
        with layer.listening() as forward, torch.no_grad():
            for some in _pieces(places, together):
                shown: VideoBatch = torch.stack([self.results[k].video.transpose(0, 1) for k in some])
                own.append(_finite(reduce(forward(shown))))
            for some in _pieces(range(len(self.natural)), together):
                answers.append(_finite(reduce(forward(self.natural.batch(some)))))
                report(some[-1] + 1, len(self.natural))
        return torch.cat(own), torch.cat(answers)


def _pieces(places: Sequence[int], together: int) -> list[Sequence[int]]:
    return [places[start : start + together] for start in range(0, len(places), together)]


def _finite(numbers: Tensor) -> Tensor:
    return torch.nan_to_num(numbers.double().cpu(), posinf=0.0, neginf=0.0)


def _position(result: UnitResult) -> tuple[int, ...] | None:
    position = (result.record.get("settings") or {}).get("position")
    return None if position is None else tuple(position)


def _objective_of(result: UnitResult) -> Reduce:
    """The objective of a result, of every unit of its layer."""
    kind, position = str(result.record["objective"]), _position(result)

    def reduce(output: Float[Tensor, "batch unit *map"]) -> Float[Tensor, "batch unit"]:
        maps = [Term(kind, unit, position).map_of(output) for unit in range(output.shape[1])]
        rectified = kind == "channel-relu"
        return torch.stack([(m.relu() if rectified else m).mean(dim=1) for m in maps], dim=1)

    return reduce
