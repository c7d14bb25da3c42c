"""`kinetoscope diversity`: is it one preference or several?"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import Contrast, Objective, check_objective, takes
from .study import OneUnitAsked, Study, facts_of, plan_study

if TYPE_CHECKING:
    from ..inquiry.diversity import Diversity, DiversitySettings
    from ..inquiry.run import Progress


@dataclass(frozen=True, kw_only=True)
class DiversityAsked(OneUnitAsked):
    """What `diversity` is asked for."""

    count: Annotated[
        int, typer.Option(min=2, max=64, metavar="N", help="Optima, found one after another.")
    ] = 6
    features: Annotated[
        str | None, typer.Option(metavar="LAYER", help="Whose responses are to differ; the unit's own layer.")
    ] = None
    price: Annotated[
        float,
        typer.Option(
            min=0.01, max=0.99, metavar="W", help="Share of the response that being like another clip costs."
        ),
    ] = 0.7
    objective: Objective = None
    contrast: Contrast = None


@takes(DiversityAsked)
def diversity(asked: DiversityAsked) -> None:
    """Find several optima of a unit that differ, and tell how many preferences they show.

    Each is repelled from those found before by what it says to a layer. Those alike are one preference.
    """
    check_objective(asked.objective)
    study = plan_study(asked, objective=asked.objective, contrast=asked.contrast)
    from ..inquiry.diversity import DiversitySettings
    from ..units.tap import find_layer

    settings = DiversitySettings(count=asked.count, features=asked.features or "", price=asked.price)
    if settings.features:
        find_layer(study.request.model, settings.features)
    study = replace(study, beside={"diversity": asdict(settings)})
    parts = [f"optimum {number + 1}" for number in range(settings.count)]

    def find(study: Study, progress: "Progress") -> tuple[dict[str, Any], bytes]:
        from ..inquiry.diversity import diversity_of

        return _shown(study, settings, diversity_of(study.request, settings, progress))

    study.run("diversity", parts, find)


def _shown(study: Study, settings: "DiversitySettings", found: "Diversity") -> tuple[dict[str, Any], bytes]:
    """The JSON file and the figure; the clips and the matrix are written beside them."""
    import torch

    from ..records import ARRAYS_FILE, write_arrays
    from ..render.comparison import draw_comparison
    from ..render.words import title_of

    record = study.record_of(found)
    videos = torch.stack([result.video for result in found.results])
    arrays = {"optimal_videos": videos, "similarity": found.similarity}
    write_arrays(study.asked.out / ARRAYS_FILE, arrays)
    document = {
        **record,
        "preferences": found.preferences,
        "features": found.features,
        "similarity": found.similarity,
        "rows": [_numbers(found, index) for index in range(len(found.results))],
    }
    many = f"{found.preferences} preference{'s' if found.preferences != 1 else ''}"
    title = f"{many} in {title_of(record)}"
    order = sorted(range(len(found.results)), key=lambda index: _place(found, index))
    columns = ("share of\nthe best", "response", "motion", *(f"like\n{index + 1}" for index in order))
    rows = [_row(found, settings, index, order) for index in order]
    notes = (
        "share of the best: gain over mid grey as a share of the largest; response: the objective itself",
        f"like n: cosine to clip n of what both say to {found.features}, each channel's positive part "
        f"averaged over its map; from {settings.alike:g} on two groups are one preference",
    )
    return document, draw_comparison(title, facts_of(record), columns, rows, notes, study.scale)


def _place(found: "Diversity", index: int) -> tuple[int, float]:
    number = found.clusters[index]
    return (len(found.clusters) if number is None else number, -found.shares[index])


def _numbers(found: "Diversity", index: int) -> dict[str, Any]:
    result = found.results[index]
    return {
        "share": found.shares[index],
        "response": result.activation["optimal"],
        "cluster": found.clusters[index],
        "label": result.motion.label,
        "direction_deg": result.motion.direction_deg,
        "speed_px_per_frame": result.motion.speed_px_per_frame,
        "motion_dependence": result.indices["motion_dependence"],
    }


def _row(found: "Diversity", settings: "DiversitySettings", index: int, order: Sequence[int]) -> Any:
    from ..render.comparison import Row
    from ..render.words import number

    result, cluster = found.results[index], found.clusters[index]
    numbers = _numbers(found, index)
    group = f"Below {settings.least:.0%} of the best: no preference"
    if cluster is not None:
        group = f"Preference {chr(ord('A') + cluster)}" if cluster < 26 else f"Preference {cluster + 1}"
    depends = number(numbers["motion_dependence"])
    cells = (
        number(numbers["share"]),
        number(numbers["response"], "{:.3g}"),
        f"{numbers['label']}\n{number(numbers['speed_px_per_frame'])} px/fr.",
        *(number(float(found.similarity[index, other])) for other in order),
    )
    begun = result.optimal.notes.start if result.optimal and result.optimal.notes else ""
    note = f"began with {begun}; {depends} of its gain needs motion"
    parts = result.decomposition
    return Row(group, f"clip {index + 1}", note, result.video, parts.static_image, parts.velocity, cells)
