"""Recover what was planted: clips and networks of known motion, under every formulation."""

import time
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ..files import plain
from ..inquiry.visualize import visualize
from ..motion.decompose import DecomposeSettings, decompose
from ..motion.paper import PaperSettings
from ..motion.summary import summarize, summarize_velocity
from ..results import Decomposition, MotionSummary
from ..types import Velocity
from .cases import CARD, ClipCase, NetworkCase, Size, clip_cases, network_cases
from .flow import available, flow_programs
from .metrics import (
    Where,
    angular_errors_deg,
    direction_error_deg,
    endpoint_errors,
    shifted_correlation,
    spectrum_correlation,
    speed_ratio,
)

TUNING = 500
"""First of the seeds on which settings are chosen; what is reported comes from others, from 0 on."""

MeanField = Float[Tensor, "2 height width"]
Track = Float[Tensor, "time 2"]


@dataclass(frozen=True)
class PlantedSettings:
    """How much is tested.

    Attributes:
        seeds: of textures, speeds, directions and optimizations: `first` to `first` + `seeds` - 1.
        first: 0 for what is reported; settings are chosen on other seeds, from `TUNING` on.
        clip: (T, H, W) of planted clips.
        network_clip: (T, H, W) of planted networks' optimal inputs.
        paper_steps: Adam steps of the paper's formulation; it states 2000.
    """

    seeds: int = 3
    first: int = 0
    clip: Size = (16, 96, 128)
    network_clip: Size = (16, 64, 64)
    paper_steps: int = 2000

    def formulations(self) -> dict[str, DecomposeSettings]:
        """What is compared: ours; what fetched pixels rebuild, as version 0.1.0 did; the paper's own."""
        return {
            "layered": DecomposeSettings(),
            "fetch": DecomposeSettings(formulation="fetch"),
            "paper": DecomposeSettings(formulation="paper", paper=PaperSettings(steps=self.paper_steps)),
        }


QUICK = PlantedSettings(seeds=1, clip=(16, 48, 64), network_clip=(16, 40, 48), paper_steps=400)
"""Smaller, and the paper's formulation with a fifth of its steps; sizes and steps stand in the report."""


@dataclass(frozen=True)
class Errors:
    """How far the recovered motion is from the planted one; `metrics` defines each number.

    Attributes:
        endpoint_px: median over pixels and steps.
        endpoint_p90_px: nine of ten pixels are better.
        angular_deg: median over pixels and steps.
        direction_deg: of the mean velocity; None where the truth has no drift.
        speed_ratio: None where the truth is still.
        texture_correlation: clips: `shifted_correlation`; networks: `spectrum_correlation`; None where no
            texture was planted.
    """

    endpoint_px: float
    endpoint_p90_px: float
    angular_deg: float
    direction_deg: float | None
    speed_ratio: float | None
    texture_correlation: float | None


@dataclass(frozen=True)
class Finding:
    """One planted case under one formulation.

    Attributes:
        planted: "clip" or "network".
        family, name, seed: which case.
        formulation: one of `PlantedSettings.formulations`, or of `flow_programs` where they are installed.
        truth, result: the motion of the whole frame in a few numbers, planted and recovered.
        errors: over the pixels that the case speaks about.
        motion_share: share of the temporal variance that the true motion explains; None for networks.
        variance_explained, psnr_db, label: as `Decomposition` and its summary say; None for a flow program.
        seconds: `decompose`, and `optimize` for a network.
        truth_path, result_path: where content went on average since the first frame, (T, 2), pixels.
        truth_field, result_field: velocities averaged over time, (2, H, W), pixels per frame.
    """

    planted: str
    family: str
    name: str
    seed: int
    formulation: str
    truth: MotionSummary
    result: MotionSummary
    errors: Errors
    motion_share: float | None
    variance_explained: dict[str, float] | None
    psnr_db: float | None
    label: str | None
    seconds: dict[str, float]
    truth_path: Track
    result_path: Track
    truth_field: MeanField
    result_field: MeanField

    def to_json(self) -> dict[str, Any]:
        """A row of `planted.json`: everything but the fields."""
        row = {key: getattr(self, key) for key in self.__dataclass_fields__ if not key.endswith("_field")}
        return plain(row)


def planted_cases(settings: PlantedSettings) -> list[tuple[int, ClipCase | NetworkCase]]:
    """Every case with its seed, in the order of the report."""
    cases: list[tuple[int, ClipCase | NetworkCase]] = []
    for seed in range(settings.first, settings.first + settings.seeds):
        cases += [(seed, clip) for clip in clip_cases(seed, settings.clip)]
        cases += [(seed, network) for network in network_cases(seed, settings.network_clip)]
    return cases


def judge(case: ClipCase | NetworkCase, seed: int, settings: PlantedSettings) -> list[Finding]:
    """Recover one case under every formulation and compare with the truth.

    The formulations take apart the same clip: of a network, its one optimal input.
    """
    if isinstance(case, ClipCase):
        planted, truth, where, share = "clip", case.clip.velocity, None, case.clip.motion_share
        video, ours, seconds = case.clip.video, None, {}
    else:
        planted, truth, where, share = "network", case.velocity, case.where, None
        (unit,) = visualize(
            case.model,
            case.layer,
            [0],
            card=CARD,
            objective=case.objective,
            size=case.size,
            seed=seed,
            seeds=1,
        )
        video, ours = unit.video, unit.decomposition
        seconds = {} if unit.optimal is None else {"optimize": unit.optimal.seconds}
    findings = []
    accounts: dict[str, Decomposition | None] = {
        formulation: ours if ours and formulation == "layered" else decompose(video, how, seed=seed)
        for formulation, how in settings.formulations().items()
    }
    programs = flow_programs() if planted == "clip" and available() else {}
    for formulation, found in {**accounts, **dict.fromkeys(programs)}.items():
        began = time.perf_counter()
        velocity = programs[formulation](video) if found is None else found.velocity
        spent = time.perf_counter() - began if found is None else found.seconds
        errors = compare(velocity, truth, where)
        path = torch.cat([torch.zeros(1, 2), velocity.mean(dim=(2, 3)).cumsum(dim=0)])
        if found is not None:
            errors = replace(errors, texture_correlation=_texture(case, found))
            moved = found.displacement.mean(dim=(2, 3))
            path = moved[0] - moved
        findings.append(
            Finding(
                planted=planted,
                family=case.family,
                name=case.name,
                seed=seed,
                formulation=formulation,
                truth=summarize_velocity(truth),
                result=summarize_velocity(velocity),
                errors=errors,
                motion_share=share,
                variance_explained=None if found is None else found.variance_explained,
                psnr_db=None if found is None else found.psnr_db,
                label=None if found is None else summarize(found).label,
                seconds={**seconds, "decompose": spent},
                truth_path=torch.cat([torch.zeros(1, 2), truth.mean(dim=(2, 3)).cumsum(dim=0)]),
                result_path=path,
                truth_field=truth.mean(dim=0),
                result_field=velocity.mean(dim=0),
            )
        )
    return findings


def compare(found: Velocity, truth: Velocity, where: Where | None = None) -> Errors:
    """All errors of a velocity field, over the pixels `where` (all by default); no texture."""
    if where is None:
        where = torch.ones_like(truth[:1, :1], dtype=torch.bool)
    inside = where.expand_as(truth[:, :1])
    endpoint = endpoint_errors(found, truth)[inside]
    found_mean, true_mean = ((u * inside).sum(dim=(0, 2, 3)) / inside.sum() for u in (found, truth))
    return Errors(
        endpoint_px=float(endpoint.median()),
        endpoint_p90_px=float(endpoint.sort().values[int(0.9 * (len(endpoint) - 1))]),
        angular_deg=float(angular_errors_deg(found, truth)[inside].median()),
        direction_deg=direction_error_deg(found_mean, true_mean),
        speed_ratio=speed_ratio(found, truth, where),
        texture_correlation=None,
    )


def _texture(case: ClipCase | NetworkCase, found: Decomposition) -> float | None:
    if isinstance(case, ClipCase):
        return shifted_correlation(found.static_image, case.clip.texture)
    return None if case.texture is None else spectrum_correlation(found.static_image, case.texture)
