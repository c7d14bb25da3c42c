"""How natural an optimal input is: the card of each unit, measured against a folder of clips."""

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..card import ModelCard, card_of
from ..clips.folder import find_clips
from ..errors import SettingInvalid
from ..optimal.objective import KINDS
from ..results import UnitResult
from ..tuning.listen import Report
from ..units.layers import weighted_layers
from ..zoo.registry import weights_sha256
from .ask import Asking
from .cards import Compared, NaturalCard
from .files import Naturalness
from .looks import Look, bins_of, gap_db, look_at, natural_gaps
from .transfer import Transfer, ratio, transferred
from .way import LayerWay, percentile
from .windows import MOST, read_natural

STAGES = ("responses", "layers on the way", "second network")
"""What is done, in order, once the clips are read; the numbers of `Progress`."""

Progress = Callable[[int, int, int], None]
"""Called with the stage's number in `STAGES`, the step, and the number of steps."""

LAYERS = 8
"""Layers of the way, spread evenly, where neither a person nor the card names some."""


def naturalness(
    model: nn.Module,
    results: Iterable[UnitResult],
    clips: str | Path | Iterable[str | Path],
    *,
    card: ModelCard | None = None,
    second: nn.Module | None = None,
    layers: Sequence[str] | None = None,
    most: int = MOST,
    seed: int = 0,
    device: str = "cpu",
    precision: str = "fp32",
    progress: Progress | None = None,
) -> Naturalness:
    """Say of each optimal input where it lies among natural clips.

    Args:
        model: the network the results are of; it comes back as it was.
        results: of `visualize`, of one size; one or several layers.
        clips: a folder of videos, or videos; their windows, the whole frame and its quarters, are compared.
        card: what the network expects; None: what came with it from `load_model`, else inferred.
        second: another network of the same architecture, of other weights or another seed; None: none.
        layers: whose activations are compared; None: the card's suggested ones, else eight spread over those
            with weights.
        most: natural clips to use.
        seed: of the choice among more.
        device, precision: as for `visualize`.
        progress: told the stage (`STAGES`), the step, and the number of steps.

    Returns:
        A `Naturalness`; what its numbers mean is in docs/naturalness.md.

    Raises:
        SettingInvalid: no results, several sizes, other weights, an objective made by hand, too few clips.
        LayerNotFound, UnitOutOfRange, ClipTooSmall, ModelUnusable: as their names say.
        VideoUnreadable: a video cannot be read, or the folder holds none.

    Examples:
        >>> model = ks.load_model("motion13")
        >>> results = ks.visualize(model, "fc", "up", size=(8, 24, 24), steps=4, seeds=1)
        >>> found = ks.naturalness(model, results, "clips")
        >>> 0 <= found.cards[0].response.percentile <= 100
        True
    """
    results, began = tuple(results), time.perf_counter()
    card = card or card_of(model)
    shape = _checked(results, model, card)
    files = find_clips(Path(clips)).files if isinstance(clips, (str, Path)) else [Path(f) for f in clips]
    asking = Asking(results, read_natural(files, shape, most, seed), card, device, precision)
    named = list(layers) if layers is not None else way_layers(model, card, (shape[1], shape[2], shape[3]))
    way = [asking.layer(model, name) for name in named]  # a wrong name is told before anything is computed

    def told(stage: int) -> Report:
        return lambda step, steps: None if progress is None else progress(stage, step, steps)

    units = [int(result.record["unit"]) for result in results]
    responses = [
        (float(own[unit]), answers[:, unit])
        for unit, (own, answers) in zip(units, asking.responses(model, told(0)), strict=True)
    ]
    ways = asking.ways(way, [answers for _, answers in responses], told(1))
    transfers = _transfers(asking, second, units, responses, told(2))
    record: dict[str, Any] = {
        "network": type(model).__name__,
        "weights_sha256": weights_sha256(model),
        "second_weights_sha256": None if second is None else weights_sha256(second),
        "size": list(shape[1:]),
        "natural_clips": len(asking.natural),
        "files": list(dict.fromkeys(str(source.file) for source in asking.natural.sources)),
        "way_layers": named,
        "seed": seed,
        "device": device,
        "precision": precision,
        "seconds": time.perf_counter() - began,
    }
    return _assemble(asking, responses, ways, transfers, record)


def _checked(results: Sequence[UnitResult], model: nn.Module, card: ModelCard) -> tuple[int, int, int, int]:
    """The size of all results, (C, T, H, W); refused where they are of something else."""
    if not results:
        raise SettingInvalid("there is no result to look at; give those of a visualize run")
    sizes = {tuple(result.video.shape) for result in results}
    if len(sizes) > 1:
        words = " and ".join("x".join(map(str, size)) for size in sorted(sizes))
        raise SettingInvalid(f"the results are of several sizes ({words}, TxCxHxW); give those of one size")
    for result in results:
        if (objective := result.record.get("objective")) not in KINDS:
            raise SettingInvalid(
                f"a result was searched for by {objective!r}; only {', '.join(KINDS)} can be asked again, so "
                "leave it out"
            )
    if {result.record.get("weights_sha256") for result in results} - {None, weights_sha256(model)}:
        raise SettingInvalid(
            "the results are of other weights than the model has; give the weights they were made with"
        )
    frames, channels, height, width = next(iter(sizes))
    if channels != card.channels:
        raise SettingInvalid(
            f"the results have {channels} channels and the network takes {card.channels}; give its own"
        )
    return channels, frames, height, width


def way_layers(model: nn.Module, card: ModelCard, size: tuple[int, int, int]) -> list[str]:
    """Layers to follow a clip through: the card's, else eight spread over those with weights."""
    if card.suggested_layers:
        return list(card.suggested_layers)
    reached, _ = weighted_layers(model, card, size=size)
    count = min(LAYERS, len(reached))
    return [reached[round(index * (len(reached) - 1) / max(count - 1, 1))] for index in range(count)]


def _transfers(
    asking: Asking,
    second: nn.Module | None,
    units: Sequence[int],
    responses: Sequence[tuple[float, Tensor]],
    report: Report,
) -> list[Transfer | None]:
    if second is None:
        return [None] * len(units)
    found: list[Transfer | None] = []
    there = asking.responses(second, report)
    for unit, result, (_, own), (optimum, natural) in zip(
        units, asking.results, responses, there, strict=True
    ):
        is_class = bool(asking.card.names_of(str(result.record["layer"])))
        found.append(transferred(unit, own, natural, optimum, is_class))
    return found


def _assemble(
    asking: Asking,
    responses: Sequence[tuple[float, Tensor]],
    ways: Sequence[Sequence[LayerWay]],
    transfers: Sequence[Transfer | None],
    record: dict[str, Any],
) -> Naturalness:
    natural = asking.natural
    looks = [look_at(natural.video(place)) for place in range(len(natural))]
    places = {file: index for index, file in enumerate({source.file: None for source in natural.sources})}
    profiles = torch.stack([look.profile for look in looks])
    gaps = natural_gaps(profiles, [places[source.file] for source in natural.sources])
    cards, best_clips = [], []
    for index, result in enumerate(asking.results):
        look, (own, answers) = look_at(result.video), responses[index]
        best = int(answers.argmax())
        best_clips.append(natural.video(best))
        cards.append(
            NaturalCard(
                layer=str(result.record["layer"]),
                unit=int(result.record["unit"]),
                name=str(result.record.get("unit_name") or ""),
                objective=str(result.record["objective"]),
                response=_compared(own, answers.tolist()),
                ratio_to_best=ratio(own, answers),
                best=natural.sources[best],
                spectrum_gap_db=_compared(gap_db(look.profile, profiles), gaps),
                limits=_compared(look.limits, [each.limits for each in looks]),
                contrast=_compared(look.contrast, [each.contrast for each in looks]),
                colour=_colours(look, looks),
                way=tuple(ways[index]),
                transfer=transfers[index],
                profile=look.profile,
                natural_responses=answers,
            )
        )
    bins = bins_of(asking.results[0].video)
    return Naturalness(tuple(cards), asking.results, tuple(best_clips), bins, profiles, record)


def _colours(look: Look, looks: Sequence[Look]) -> Compared | None:
    known = [each.colour for each in looks if each.colour is not None]
    return None if look.colour is None or not known else _compared(look.colour, known)


def _compared(value: float, natural: Sequence[float]) -> Compared:
    numbers = torch.tensor(list(natural), dtype=torch.float64)
    low, middle, high = (float(numbers.quantile(q)) for q in (0.05, 0.5, 0.95))
    return Compared(value, percentile(value, numbers), low, middle, high)
