"""`kinetoscope sweep`: the same unit under a prior that grows."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .boundary import wrong_usage
from .options import Objective, check_objective, takes
from .study import OneUnitAsked, Study, facts_of, plan_study

if TYPE_CHECKING:
    from ..inquiry.run import Progress
    from ..inquiry.sweep import Sweep

COLUMNS = (
    "response",
    "share of\nthe best",
    "motion",
    "speed\n[px/frame]",
    "change\nover time",
    "needs\nmotion",
)
NOTES = (
    "share of the best: gain over mid grey as a share of the largest; change over time: temporal variance "
    "as a share of all variance",
    "needs motion: share of the gain that is lost when the texture stands still",
)
WORDS = {
    "slowness": ("slowness {:g} px/frame", "the weight of time: larger makes change dearer"),
    "power": ("power {:g}", "amplitudes 1 / f to this power: larger is smoother"),
    "contrast": ("contrast {:g}", "root mean square about mid grey at most"),
}


class Over(StrEnum):
    """What is swept."""

    slowness = "slowness"
    power = "power"
    contrast = "contrast"


@dataclass(frozen=True, kw_only=True)
class SweepAsked(OneUnitAsked):
    """What `sweep` is asked for."""

    over: Annotated[Over, typer.Option(help="The prior that grows.")] = Over.slowness
    values: Annotated[
        str | None, typer.Option(metavar="V1,V2", help="Of it, numbers with commas; five usual ones.")
    ] = None
    objective: Objective = None

    def numbers(self) -> list[float] | None:
        """The values, in the order given; status 2 where they are no numbers."""
        from ..errors import SettingInvalid

        with wrong_usage("--values"):
            try:
                return None if self.values is None else [float(part) for part in self.values.split(",")]
            except ValueError as error:
                raise SettingInvalid(
                    f"{self.values!r} are no numbers with commas, such as 0.5,1,2"
                ) from error


@takes(SweepAsked)
def sweep(asked: SweepAsked) -> None:
    """Find a unit's optimum under growing values of one prior, from the same noise, in one figure.

    Slowness makes change over time dear, power fine detail; contrast is the budget.
    """
    check_objective(asked.objective)
    values = asked.numbers()
    study = plan_study(asked, objective=asked.objective, start="noise")
    from ..inquiry.run import Inquiry
    from ..inquiry.sweep import settings_over

    with wrong_usage("--values"):
        chosen = list(settings_over(Inquiry(study.request), asked.over.value, values))
    study = replace(study, beside={"sweep": {"over": asked.over.value, "values": chosen}})

    def find(study: Study, progress: "Progress") -> tuple[dict[str, Any], bytes]:
        from ..inquiry.sweep import sweep_of

        return _shown(study, sweep_of(study.request, asked.over.value, chosen, progress))

    study.run("sweep", [WORDS[asked.over.value][0].format(value) for value in chosen], find)


def _shown(study: Study, found: "Sweep") -> tuple[dict[str, Any], bytes]:
    """The JSON file and the figure; the clips are written beside them."""
    import torch

    from ..records import ARRAYS_FILE, write_arrays
    from ..render.comparison import Row, draw_comparison
    from ..render.words import number, title_of

    record, rows, numbers = study.record_of(found), list[Row](), list[dict[str, Any]]()
    videos = torch.stack([result.video for result in found.results])
    write_arrays(study.asked.out / ARRAYS_FILE, {"optimal_videos": videos})
    words, about = WORDS[found.over]
    for value, result, share in zip(found.values, found.results, found.shares, strict=True):
        parts, speed = result.decomposition, result.motion.speed_px_per_frame
        depends = result.indices["motion_dependence"]
        cells = (
            number(result.activation["optimal"], "{:.3g}"),
            number(share),
            result.motion.label,
            number(speed),
            number(parts.change_share),
            number(depends),
        )
        rows.append(
            Row(
                f"Over {found.over}",
                words.format(value),
                about if not rows else "",
                result.video,
                parts.static_image,
                parts.velocity,
                cells,
            )
        )
        numbers.append(
            {
                found.over: value,
                "response": result.activation["optimal"],
                "share": share,
                "label": result.motion.label,
                "direction_deg": result.motion.direction_deg,
                "speed_px_per_frame": speed,
                "change_share": parts.change_share,
                "motion_dependence": depends,
            }
        )
    title = f"Sweep of {title_of(record)}"
    document = {**record, "over": found.over, "rows": numbers}
    return document, draw_comparison(title, facts_of(record), COLUMNS, rows, NOTES, study.scale)
