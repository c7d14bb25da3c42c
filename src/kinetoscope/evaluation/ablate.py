"""The ablations of section 4.2 for any unit, with numbers: domain, loss terms, one stage or two."""

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from ..brief import Brief
from ..card import ModelCard
from ..errors import ModelUnusable
from ..inquiry.request import Options, Request
from ..inquiry.run import Inquiry, Progress, StepProgress, on_cpu
from ..inquiry.settle import request_for
from ..motion.decompose import DecomposeSettings, decompose
from ..motion.findings import variance_shares
from ..motion.metrics import change_share, displacement_tv, psnr_db, temporal_variance
from ..motion.paper import PaperSettings
from ..motion.summary import summarize
from ..optimal.ascend import PAPER, AdamSettings, unit_generator
from ..optimal.beginnings import Beginning
from ..optimal.objective import Forward, Objective
from ..optimal.search import SearchSettings
from ..optimal.settings import OptimalSettings
from ..results import Decomposition, one_texture
from ..synthetic.planted import drift
from ..types import MOTION_LABELS, Video
from ..warp import content_velocity
from .metrics import direction_error_deg
from .one_stage import one_stage

VARIANTS = (
    ("search", "natural", "the default: natural metric, calmed"),
    ("search", "level spectrum", "every frequency counts alike"),
    ("search", "space only", "1/f over space, time left out"),
    ("search", "bare colours", "no colour is weighed"),
    ("search", "not calmed", "what the response does not need stays"),
    ("domain", "pixels", "bare pixels held in [0, 1], Adam (--preset strong)"),
    ("domain", "sigmoid", "pixels behind a sigmoid, Adam"),
    ("domain", "3D Fourier", "amplitude = learnable x fixed 1/f, Adam"),
    ("loss", "all terms", "eq. 5-9, one free field per frame"),
    ("loss", "without L_D", "fields need not be smooth"),
    ("loss", "without L_I", "the image need not be smooth"),
    ("loss", "without L_sim", "the image need not look like frame 0"),
    ("strategy", "one stage", "image and fields optimized for the activation"),
)
"""Group, name and what is special, in the order of the figure; all but `loss` and `strategy` move in layers.

The paper's two stages are `all terms`, of the default's optimum.
"""

_DOMAINS = {"sigmoid": "sigmoid", "3D Fourier": "fourier"}

_WITHOUT: dict[str, dict[str, Any]] = {
    "all terms": {},
    "without L_D": {"deformation": 0.0},
    "without L_I": {"smoothness": 0.0},
    "without L_sim": {"similarity": 0.0},
}


@dataclass(frozen=True, eq=False, repr=False)
class Variant(Brief):
    """One way of making the pictures of a unit, and what came of it.

    Attributes:
        group, name, note: as in `VARIANTS`.
        video: the optimal input that was taken apart, (T, C, H, W) in [0, 1].
        decomposition: of it.
        numbers: `optimum_gain` and `activation_kept`, the gains over the random input of the video and of the
            reconstruction, each as a share of the gain of the default's optimum; `psnr_db` (None where the
            reconstruction is the video), `static_psnr_db`, `displacement_tv`, `video_tv` (mean absolute
            differences of the video along x, y and t, summed); `label`, `direction_deg`,
            `speed_px_per_frame`; `direction_error_deg` in [0, 180] and `label_right`, None where the truth is
            not known; `seconds` beyond those of the default's optimum.
    """

    group: str
    name: str
    note: str
    video: Video
    decomposition: Decomposition
    numbers: dict[str, Any]


@dataclass(frozen=True, eq=False, repr=False)
class Ablation(Brief):
    """All variants of one unit.

    Attributes:
        variants: in the order of `VARIANTS`.
        record: what was ablated and how, plain JSON values.
    """

    variants: tuple[Variant, ...]
    record: dict[str, Any]


def ablate(
    model: nn.Module,
    layer: str,
    unit: int | str,
    *,
    paper: PaperSettings | None = None,
    card: ModelCard | None = None,
    objective: str | Objective | None = None,
    position: tuple[int, ...] | None = None,
    size: tuple[int, int, int] | None = None,
    preset: str = "default",
    optimal: SearchSettings | None = None,
    motion: DecomposeSettings | None = None,
    steps: int | None = None,
    contrast: float | None = None,
    start: str | Video = "bank",
    seed: int = 0,
    device: str = "cpu",
    precision: str = "fp32",
    progress: Progress | None = None,
) -> Ablation:
    """Make a unit's pictures in every way of `VARIANTS` and measure each (Li & Li 2025, section 4.2).

    The truth about a unit is known where its name is a word for a motion: the bundled network's classes.

    Args:
        model: any video network; it comes back as it was.
        layer: dotted name as in `model.named_modules()`.
        unit: a channel by index, or by class name in the output layer.
        paper: the published formulation's settings; None: the published ones.
        card, objective, position, size, preset, optimal, motion, steps, contrast, start, seed, device,
            precision: as for `visualize_each`; `optimal` and `motion` are the default that the rest is
            compared with.
        progress: called with the variant's index, the step, and the number of steps.

    Returns:
        Every variant with its video, (T, C, H, W) in [0, 1], its decomposition and numbers, see `Variant`.

    Raises:
        ModelUnusable: the unit is dead, so that there is nothing to compare.
        LayerNotFound, UnitOutOfRange, ClipTooSmall, SettingInvalid: as their names say.

    Examples:
        >>> from kinetoscope.motion.paper import PaperSettings
        >>> model, few = ks.load_model("motion13"), PaperSettings(steps=2)  # 2000 as published
        >>> found = ks.ablate(model, "conv1", 2, size=(6, 16, 24), steps=2, paper=few)
        >>> kept = {variant.name: variant.numbers["activation_kept"] for variant in found.variants}
    """
    options = Options(
        card=card,
        objective=objective,
        position=position,
        size=size,
        preset=preset,
        optimal=optimal,
        motion=motion,
        steps=steps,
        contrast=contrast,
        start=start,
        seed=seed,
        seeds=1,
        device=device,
        precision=precision,
    )
    return ablation_of(request_for(model, layer, [unit], options), paper, progress)


def ablation_of(
    request: Request, paper: PaperSettings | None = None, progress: Progress | None = None
) -> Ablation:
    """The ablations of the one unit of a checked request; the rest as for `ablate`."""
    paper, inquiry, (unit,) = paper or PaperSettings(), Inquiry(request), request.units
    known = inquiry.beginnings([unit])
    with inquiry.listening([unit]) as (forward, (objective,)):
        study = _Study(inquiry, unit, forward, objective, known, paper, progress)
        variants = tuple(study.variants())
    record = request.to_json(unit)
    record["settings"]["paper"] = asdict(paper)
    return Ablation(variants, {**record, "truth": truth_of(request.name(unit))})


def with_adam(settings: SearchSettings) -> AdamSettings:
    """The published rule on the published values, in four times the steps that the search takes."""
    return AdamSettings(steps=4 * settings.steps, rate=PAPER.rate, warmup=0.0, domain=PAPER.domain)


def truth_of(name: str) -> dict[str, Any] | None:
    """The motion a unit of that name must show: `label`, and `direction_deg` of a translation; else None."""
    if name not in MOTION_LABELS:
        return None
    index = MOTION_LABELS.index(name)
    return {"label": name, "direction_deg": 45.0 * index if index < 8 else None}


@dataclass(frozen=True)
class _Study:
    """What all variants share."""

    inquiry: Inquiry
    unit: int
    forward: Forward
    objective: Objective
    known: list[Beginning]
    paper: PaperSettings
    progress: Progress | None

    def variants(self) -> Iterator[Variant]:
        """Each of `VARIANTS`, as soon as it is measured against the gain of the default's optimum."""
        request, settings = self.inquiry.request, self._natural()
        rest = self._response(self.inquiry.first_clip(self.unit))
        optimum = self._optimum(settings, 0)
        gain = self._response(optimum) - rest
        if not gain > 0:
            raise ModelUnusable(
                f"unit {self.unit} of {request.layer!r} answers to nothing that was tried; "
                "choose one that is alive"
            )
        for index, (group, name, note) in enumerate(VARIANTS):
            began = time.perf_counter()
            video, motion = optimum, request.motion
            if name in _WITHOUT:
                terms = replace(self.paper, **_WITHOUT[name])
                motion = DecomposeSettings(formulation="paper", paper=terms)
            elif name in _DOMAINS:
                video = self._optimum(replace(with_adam(settings), domain=_DOMAINS[name]), index)
            elif name == "pixels":
                video = self._optimum(AdamSettings(steps=settings.steps), index)
            elif group == "search" and name != "natural":
                video = self._optimum(self._with_less(name), index)
            if name == "one stage":
                parts = self._one_stage(gain, index)
                video = parts.reconstruction
            else:
                parts = decompose(video, motion, seed=request.seed)
            numbers = {
                "optimum_gain": (self._response(video) - rest) / gain,
                "activation_kept": (self._response(parts.reconstruction) - rest) / gain,
                **measured(video, parts, request.name(self.unit)),
                "seconds": time.perf_counter() - began,
            }
            if name == "one stage":
                numbers["psnr_db"] = None
            yield Variant(group, name, note, video.cpu(), on_cpu(parts), numbers)

    def _with_less(self, name: str) -> OptimalSettings:
        """The default search without one of its parts."""
        whole = self._natural()
        metric = self.inquiry.metric_for(whole)
        return {
            "level spectrum": replace(whole, metric=replace(metric, power=0.0)),
            "space only": replace(whole, metric=replace(metric, slowness=0.0)),
            "bare colours": replace(whole, metric=replace(metric, colour=())),
            "not calmed": replace(whole, calm=replace(whole.calm, kept=1.0)),
        }[name]

    def _natural(self) -> OptimalSettings:
        settings = self.inquiry.request.optimal
        return settings if isinstance(settings, OptimalSettings) else OptimalSettings(steps=settings.steps)

    def _generator(self) -> torch.Generator:
        return unit_generator(self.inquiry.request.seed, self.unit)

    def _reporting(self, index: int) -> StepProgress:
        def report(step: int, steps: int) -> None:
            if self.progress is not None:
                self.progress(index, step, steps)

        return report

    def _response(self, video: Video) -> float:
        with torch.no_grad():
            return float(self.objective(self.forward(video.transpose(0, 1)[None])))

    def _optimum(self, settings: SearchSettings, index: int) -> Video:
        (found,) = self.inquiry.optima(
            self.forward, [self.objective], settings, [self._generator()], self.known, self._reporting(index)
        )
        return found.video

    def _one_stage(self, gain: float, index: int) -> Decomposition:
        began = time.perf_counter()
        image, displacement, video = one_stage(
            self.forward,
            self.objective,
            self.inquiry.request.shape,
            with_adam(self.inquiry.request.optimal),
            self.paper,
            gain,
            self._generator(),
            device=self.inquiry.request.device,
            progress=self._reporting(index),
        )
        flat = torch.zeros_like(displacement[:-1])
        still = temporal_variance(video)
        return Decomposition(
            static_image=image,
            displacement=displacement,
            velocity=content_velocity(displacement, flat),
            coherent_velocity=flat,
            reconstruction=video,
            psnr_db=psnr_db(video, video),
            single_psnr_db=psnr_db(video, video),
            static_psnr_db=psnr_db(image, video[0]),
            displacement_tv=displacement_tv(displacement),
            variance_explained=variance_shares(still, still, still, 0.0),
            change_share=change_share(video),
            settings={"formulation": "one stage", "paper": asdict(self.paper)},
            seconds=time.perf_counter() - began,
            **one_texture(image, video),
        )


def measured(video: Video, parts: Decomposition, name: str) -> dict[str, Any]:
    """The numbers of a variant that need no network; keys as in `Variant`.

    Args:
        name: the unit's, from which the truth is known.
    """
    motion, truth = summarize(parts), truth_of(name)
    error = None
    if truth is not None and truth["direction_deg"] is not None:
        found: Tensor = parts.velocity.mean(dim=(0, 2, 3)).cpu()
        error = direction_error_deg(found, drift(truth["direction_deg"], 1.0))
    return {
        "psnr_db": parts.psnr_db,
        "static_psnr_db": parts.static_psnr_db,
        "displacement_tv": parts.displacement_tv,
        "video_tv": sum(float(video.diff(dim=axis).abs().mean()) for axis in (0, 2, 3)),
        "label": motion.label,
        "direction_deg": motion.direction_deg,
        "speed_px_per_frame": motion.speed_px_per_frame,
        "direction_error_deg": error,
        "label_right": None if truth is None else motion.label == truth["label"],
    }
