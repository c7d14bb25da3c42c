"""One preference or several? Optima found one after another, each repelled from those before, then sorted."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..brief import Brief
from ..card import ModelCard
from ..errors import ModelUnusable, SettingInvalid
from ..motion.decompose import decompose
from ..optimal.ascend import unit_generator
from ..optimal.beginnings import beginnings
from ..optimal.objective import Forward, Objective
from ..optimal.unlike import Unlike, clusters, cosines
from ..results import Optimal, UnitResult
from ..stimuli import Named, bank, to_contrast
from ..types import Video
from ..units.vectors import Vectors
from .nothing import LEAST_GAIN
from .redrive import redrive
from .request import Options, Request
from .run import Inquiry, Progress
from .settle import request_for

CONTRAST = 0.2
"""Root mean square about mid grey of the stimuli that features are measured against."""

EVERY = 3
"""Of the bank every so many-th stimulus is shown."""


@dataclass(frozen=True)
class DiversitySettings:
    """How optima that differ are found and told apart.

    Attributes:
        count: optima, the first of which nothing repels.
        features: layer whose responses are to differ, by dotted name; empty: the unit's own.
        price: w, what likeness costs: the response f is climbed as f (1 - w alike), so that a clip just like
            one that is there counts for 1 - w of its gain.
        least: share of the best gain from which on a clip counts as a preference.
        alike: mean cosine of the features from which on two groups of clips are one.
    """

    count: int = 6
    features: str = ""
    price: float = 0.7
    least: float = 0.5
    alike: float = 0.5

    def __post_init__(self) -> None:
        if not 2 <= self.count <= 64:
            raise SettingInvalid(f"count is how many optima are told apart, 2 to 64, not {self.count}")
        if not 0 < self.price < 1 or not 0 <= self.least <= 1:
            raise SettingInvalid(
                f"price and least are shares of the response, 0 to 1, not {self.price} and {self.least}"
            )
        if not -1 <= self.alike <= 1:
            raise SettingInvalid(f"alike is a cosine, -1 to 1, not {self.alike}")


@dataclass(frozen=True, eq=False, repr=False)
class Diversity(Brief):
    """Optima of one unit that differ, and how they fall into groups.

    Attributes:
        results: of each optimum, in the order found; `activation` is of the unit alone, nothing repelled.
        shares: gain of each over mid grey as a share of the largest gain.
        similarity: cosines of the features, (n, n), 1 on the diagonal.
        clusters: per optimum the number of its group, from 0; None for one below the least share.
        features: the layer that they are features of.
        record: what was asked and how, plain JSON values.
    """

    results: tuple[UnitResult, ...]
    shares: tuple[float, ...]
    similarity: Float[Tensor, "clip clip"]
    clusters: tuple[int | None, ...]
    features: str
    record: dict[str, Any]

    @property
    def preferences(self) -> int:
        """How many groups there are."""
        return len({number for number in self.clusters if number is not None})


def diversity(
    model: nn.Module,
    layer: str,
    unit: int | str,
    *,
    settings: DiversitySettings | None = None,
    card: ModelCard | None = None,
    objective: str | Objective | None = None,
    position: tuple[int, ...] | None = None,
    size: tuple[int, int, int] | None = None,
    steps: int | None = None,
    contrast: float | None = None,
    seed: int = 0,
    device: str = "cpu",
    precision: str = "fp32",
    vectors: Vectors | None = None,
    progress: Progress | None = None,
) -> Diversity:
    """Find optima of a unit that differ, and tell how many preferences they show (docs/diversity.md).

    Args:
        model: any video network; it comes back as it was.
        layer: dotted name as in `model.named_modules()`.
        unit: a channel by index, or by class name in the output layer.
        settings: how many, and what makes them differ; None: six, by the responses of the unit's own layer.
        card, objective, position, size, steps, contrast, device, precision, vectors: as for
            `visualize_each`; each optimum takes as many steps as a single one.
        seed: of the first optimum; each further one has the next.
        progress: called with the optimum's number, the step, and the number of steps.

    Raises:
        ModelUnusable: the unit is dead, so that nothing can be told apart.
        LayerNotFound, UnitOutOfRange, ClipTooSmall, SettingInvalid: as their names say.

    Examples:
        >>> model = ks.load_model("motion13")
        >>> two = ks.DiversitySettings(count=2)
        >>> found = ks.diversity(model, "fc", "up", settings=two, size=(8, 24, 24), steps=4)
        >>> len(found.shares), found.similarity.shape
        (2, torch.Size([2, 2]))
    """
    options = Options(
        card=card,
        objective=objective,
        position=position,
        size=size,
        steps=steps,
        contrast=contrast,
        start="noise",
        seed=seed,
        seeds=1,
        device=device,
        precision=precision,
        vectors=vectors,
    )
    return diversity_of(request_for(model, layer, [unit], options), settings, progress)


def diversity_of(
    request: Request, settings: DiversitySettings | None = None, progress: Progress | None = None
) -> Diversity:
    """The same for the one unit of a checked request."""
    settings, (unit,) = settings or DiversitySettings(), request.units
    layer = settings.features or request.layer
    inquiry = Inquiry(request)
    with inquiry.listening([unit], [_repelling(request, layer, unit)]) as (forward, (objective,)):
        *own, term = objective.terms
        assert isinstance(term, Unlike)
        alone = Objective(tuple(own))
        if term.raw(_heard(forward, inquiry.first_clip(unit))).shape[1] < 2:
            raise SettingInvalid(
                f"layer {layer!r} has too few channels to tell clips apart; give features, a layer with more"
            )
        rest = float(alone(_heard(forward, torch.full_like(inquiry.first_clip(unit), 0.5))))
        term = replace(term, response=alone, rest=rest, weight=-settings.price)
        stimuli = list(islice(bank(request.shape), 0, None, EVERY))
        clips = to_contrast(torch.stack([named.clip for named in stimuli]), CONTRAST)
        term = term.measured(forward, list(clips))
        term, found = _found(inquiry, forward, alone, term, stimuli, settings, progress)
        gains = [float(alone(_heard(forward, optimal.video))) - rest for optimal in found]
        results = []
        for number, optimal in enumerate(found):
            parts = decompose(optimal.video, request.motion, seed=request.seed)
            responses = redrive(forward, alone, optimal.video, parts, inquiry.first_clip(unit, number))
            results.append(inquiry.assemble(unit, optimal, parts, responses))
    similarity = cosines(term.others, term.others).float().cpu()
    shares = tuple(gain / max(gains) for gain in gains)
    counted = [share >= settings.least for share in shares]
    return Diversity(
        tuple(results),
        shares,
        similarity,
        tuple(clusters(similarity, counted, settings.alike)),
        layer,
        request.to_json(unit),
    )


def _repelling(request: Request, layer: str, unit: int) -> Unlike:
    """The term before its features are measured; a unit's own channel is left out of its own layer's."""
    mine = layer == request.layer and isinstance(request.objective, str) and request.vectors is None
    return Unlike(layer=layer, weight=-1.0, without=unit if mine else None)


def _found(
    inquiry: Inquiry,
    forward: Forward,
    alone: Objective,
    term: Unlike,
    stimuli: Sequence[Named],
    settings: DiversitySettings,
    progress: Progress | None,
) -> tuple[Unlike, list[Optimal]]:
    """The optima, one after another, each from the next seed and repelled from all before it.

    Each begins with noise, and where that ends lower, with the stimulus that does best while it is repelled:
    an ascent from noise alone tends to what it has found before.
    """
    request, (unit,) = inquiry.request, inquiry.request.units
    found: list[Optimal] = []
    for number in range(settings.count):

        def report(step: int, steps: int, number: int = number) -> None:
            if progress is not None:
                progress(number, step, steps)

        repelled = alone + Objective((term,)) if found else alone
        known = beginnings(forward, [repelled], stimuli, CONTRAST, device=request.device)
        generator = unit_generator(request.seed + number, unit)
        (optimal,) = inquiry.optima(forward, [repelled], request.optimal, [generator], known, report)
        found.append(optimal)
        heard = _heard(forward, optimal.video)
        term = replace(term, others=torch.cat([*([term.others] if number else []), term.features(heard)]))
        if number == 0 and not float(alone(heard)) - term.rest > LEAST_GAIN * abs(float(alone(heard))):
            raise ModelUnusable(
                f"unit {unit} of {request.layer!r} answers to nothing that was tried; choose a live one"
            )
    return term, found


@torch.no_grad()
def _heard(forward: Forward, video: Video) -> Any:
    """What a clip (T, C, H, W) gives."""
    return forward(video.transpose(0, 1)[None])
