"""`kinetoscope sanity`: is a unit's picture about the unit?"""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from .options import takes
from .study import OneUnitAsked, Study, facts_of, plan_study, row_of

if TYPE_CHECKING:
    from ..inquiry.run import Progress

COLUMNS = (
    "drives\nthe unit",
    "field circ.\nvariance",
    "own\nresponse",
    "random\ninput",
    "motion",
    "direction",
    "direction\nindex",
    "motion de-\npendence",
)
NOTES = (
    "drives the unit: what this optimum gains in the unit over the random input, as a share of the unit's "
    "own; near 1 for other seeds, near 0 or below for what is not the unit's",
    "field circular variance: of this velocity and the unit's, place by place; 0 the same directions, "
    "1 opposite ones",
)


@takes(OneUnitAsked)
def sanity(asked: OneUnitAsked) -> None:
    """Compare a unit with other seeds, with its neighbour, with re-drawn weights, and with a dead unit."""
    from ..evaluation.sanity import CHECKS

    study = plan_study(asked)
    study.run("sanity", [name for _, name, _ in CHECKS], _find)


def _find(study: Study, progress: "Progress") -> tuple[dict[str, Any], bytes]:
    from ..evaluation.sanity import sanity_of
    from ..render.comparison import Row, draw_comparison
    from ..render.words import MISSING, direction_words, number, title_of

    found = sanity_of(study.request, progress)
    record, rows = study.record_of(found), []
    for check in found.checks:
        own, parts = check.numbers, check.result.decomposition
        cells = (
            number(own["drives_unit"]),
            number(own["field_circular_variance"]),
            number(own["response"], "{:.3g}"),
            number(own["random_input"], "{:.3g}"),
            f"{own['label']}\n{number(own['speed_px_per_frame'])} px/fr.",
            MISSING if direction_words(own) == MISSING else number(own["direction_deg"], "{:.0f}°"),
            number(own["direction_index"]),
            number(own["motion_dependence"]),
        )
        rows.append(
            Row(
                check.group,
                check.name,
                check.note,
                check.result.video,
                parts.static_image,
                parts.velocity,
                cells,
            )
        )
    numbers = [row_of(check) for check in found.checks]
    document = {**record, "rows": numbers, "confidence": asdict(found.confidence)}
    title = f"Sanity of {title_of(record)}"
    return document, draw_comparison(title, facts_of(record), COLUMNS, rows, NOTES, study.scale)
