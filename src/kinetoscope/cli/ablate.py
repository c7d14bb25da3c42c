"""`kinetoscope ablate`: the ablations of the paper for one unit, with numbers."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .options import takes
from .study import OneUnitAsked, Study, facts_of, plan_study, row_of

if TYPE_CHECKING:
    from ..inquiry.run import Progress

COLUMNS = (
    "response\nto optimum",
    "kept by\nrebuilt",
    "PSNR\n[dB]",
    "static\n[dB]",
    "TV of\nD",
    "TV of\nvideo",
    "motion",
    "direction\nerror",
)
GROUPS = {
    "search": "Parts of the default search",
    "domain": "Optimization domain (Fig. 3)",
    "loss": "Loss terms of the paper's formulation, two stages (Fig. 4)",
    "strategy": "One stage instead of two (Fig. 5)",
}
NOTES = (
    "response to optimum, kept by rebuilt: gain of the video, and of texture and motion put together again, "
    "over the random input, as shares of the gain of the optimum in pixels",
    "PSNR: the rebuilt video against the optimum; static: the texture against its first frame; TV: mean "
    "absolute differences along x, y and t, of D as a fraction of the frame",
    "frames shown: of the optimum where search and domain are compared, of the rebuilt video elsewhere",
)


@takes(OneUnitAsked)
def ablate(asked: OneUnitAsked) -> None:
    """Leave out what the paper's method is made of, piece by piece, and measure what that does to a unit.

    Pixels against a 3D Fourier spectrum, each loss term dropped in turn, one stage against two. --steps holds
    for the decomposition's own optimization as well.
    """
    from ..evaluation.ablate import VARIANTS

    study = plan_study(asked)
    parts = [name for _, name, _ in VARIANTS]
    study.run("ablation", parts, _find)


def _find(study: Study, progress: "Progress") -> tuple[dict[str, Any], bytes]:
    from ..evaluation.ablate import ablation_of
    from ..motion.paper import PaperSettings
    from ..render.comparison import Row, draw_comparison
    from ..render.words import MISSING, decibels, number, title_of

    paper, steps = PaperSettings(), study.asked.steps
    paper = paper if steps is None else replace(paper, steps=steps)
    found = ablation_of(study.request, paper, progress)
    record, rows = study.record_of(found), []
    for variant in found.variants:
        own, parts = variant.numbers, variant.decomposition
        cells = (
            number(own["optimum_gain"]),
            number(own["activation_kept"]),
            MISSING if own["psnr_db"] is None else decibels(own["psnr_db"]).removesuffix(" dB"),
            decibels(own["static_psnr_db"]).removesuffix(" dB"),
            number(own["displacement_tv"], "{:.4f}"),
            number(own["video_tv"], "{:.3f}"),
            f"{own['label']}\n{number(own['speed_px_per_frame'])} px/fr.",
            number(own["direction_error_deg"], "{:.0f}°"),
        )
        shown = variant.video if variant.group in ("search", "domain") else parts.reconstruction
        group = GROUPS[variant.group]
        rows.append(Row(group, variant.name, variant.note, shown, parts.static_image, parts.velocity, cells))
    facts = facts_of(record)
    if record["truth"] is not None:
        facts += f"   ·   truth: {record['truth']['label']}"
    title = f"Ablations of {title_of(record)}"
    document = {**record, "rows": [row_of(variant) for variant in found.variants]}
    return document, draw_comparison(title, facts, COLUMNS, rows, NOTES, study.scale)
