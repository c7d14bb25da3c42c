"""Attribution methods, most by captum: how much each place and moment of a clip adds to a unit's response.

Captum, and zennit for `lrp`, are imported when a method runs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..errors import LayerNotFound, SettingInvalid
from ..types import VideoBatch
from .guided import guided_gradient
from .lrp import relevance
from .perturbation import extremal_mask

AttributionMap = Float[Tensor, "time height width"]


@dataclass(frozen=True)
class AttributionSettings:
    """How attributions are computed and judged.

    Attributes:
        steps: of the path from the baseline to the clip (integrated gradients).
        samples: noisy copies (SmoothGrad).
        noise: their standard deviation, as a fraction of the value range.
        window: (frames, height, width) of what is covered at a time (occlusion); None: a quarter of the
            frames, an eighth of the height and of the width.
        cam_layer: whose maps Grad-CAM weighs; None: the last before the target that still has time and space.
        volume: share of space-time that the mask of a perturbation lets through, in (0, 1).
        mask_steps: of the mask's ascent (perturbation).
        batch: clips computed together; bounds the memory, changes no result beyond rounding.
        points: of the insertion and deletion curves, beside the starting point.
        seed: of the noise.
    """

    steps: int = 32
    samples: int = 16
    noise: float = 0.15
    window: tuple[int, int, int] | None = None
    cam_layer: str | None = None
    volume: float = 0.1
    mask_steps: int = 100
    batch: int = 4
    points: int = 20
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "samples", "mask_steps", "batch", "points"):
            if getattr(self, name) < 1:
                raise SettingInvalid(f"{name} is at least 1, not {getattr(self, name)}")
        if self.noise <= 0:
            raise SettingInvalid(f"noise is above 0, not {self.noise}")
        if not 0 < self.volume < 1:
            raise SettingInvalid(f"a mask's volume is above 0 and below 1, not {self.volume}")
        if self.window is not None and min(self.window) < 1:
            raise SettingInvalid(f"an occlusion window is at least 1 along each axis, not {self.window}")


@dataclass(frozen=True)
class Problem:
    """What a method is given.

    Attributes:
        network: takes clips (B, C, T, H, W) in [0, 1] to responses (B,); holds the model as a submodule, and
            as `reached` what the target gave when it was last called. `respond(normalized(clips))` is the
            same in two steps, and `on(copy)` lends one that runs a copy of the model.
        clip: (1, C, T, H, W) in [0, 1].
        baseline: the clip without content, same shape.
        cam_layer: the layer that Grad-CAM looks at; None for other methods.
        settings: numbers.
    """

    network: Any
    clip: VideoBatch
    baseline: VideoBatch
    cam_layer: nn.Module | None
    settings: AttributionSettings


def gradient(problem: Problem) -> AttributionMap:
    """Largest absolute gradient among the channels; >= 0 (Simonyan et al. 2014, section 3)."""
    from captum.attr import Saliency

    return Saliency(problem.network).attribute(_leaf(problem.clip), abs=True)[0].amax(dim=0)


def guided_backprop(problem: Problem) -> AttributionMap:
    """Largest absolute guided gradient among the channels; >= 0 (Springenberg et al. 2015, section 3.4).

    Raises:
        ModelUnusable: the network rectifies by something else than ReLUs, or not at all.
    """
    clip = _leaf(problem.clip)
    response = problem.network(clip).sum()
    return guided_gradient(problem.network.reached, response, clip)[0].abs().amax(dim=0)


def integrated_gradients(problem: Problem) -> AttributionMap:
    """Signed; sums to response minus baseline response, but for a gap (Sundararajan et al. 2017, eq. 1)."""
    from captum.attr import IntegratedGradients

    found = IntegratedGradients(problem.network).attribute(
        _leaf(problem.clip),
        baselines=problem.baseline,
        n_steps=problem.settings.steps,
        internal_batch_size=problem.settings.batch,
    )
    return found[0].sum(dim=0).float()


def smoothgrad(problem: Problem) -> AttributionMap:
    """As `gradient`, of the mean gradient over noisy clips; >= 0 (Smilkov et al. 2017, eq. 1)."""
    from captum.attr import Saliency

    settings, saliency = problem.settings, Saliency(problem.network)
    # drawn one by one: the noise does not depend on how many clips are computed together
    generator = torch.Generator().manual_seed(settings.seed)
    total = torch.zeros_like(problem.clip[0])
    for first in range(0, settings.samples, settings.batch):
        count = min(settings.batch, settings.samples - first)
        draws = [torch.randn(total.shape, generator=generator) for _ in range(count)]
        noisy = problem.clip + settings.noise * torch.stack(draws).to(problem.clip)
        total += saliency.attribute(_leaf(noisy), abs=False).sum(dim=0)
    return (total / settings.samples).abs().amax(dim=0)


def grad_cam(problem: Problem) -> AttributionMap:
    """Maps weighed by their mean gradient over time and space; >= 0 (Selvaraju et al. 2017, eq. 1-2)."""
    from captum.attr import LayerGradCam

    _with_maps(problem)  # captum's own errors do not say what is wrong with a layer
    cam = LayerGradCam(problem.network, problem.cam_layer)
    found = cam.attribute(_leaf(problem.clip), relu_attributions=True)
    return _at_clip_size(found, problem.clip)


def grad_cam_t(problem: Problem) -> AttributionMap:
    """As `grad_cam`, with weights of their own for every time step: gradients are averaged over space only.

    What the unit wants of a channel may change from early to late; one weight for all steps averages it away.
    """
    response, maps = _with_maps(problem)
    (slopes,) = torch.autograd.grad(response, maps)
    found = (slopes.mean(dim=(3, 4), keepdim=True) * maps.detach()).sum(dim=1, keepdim=True).relu()
    return _at_clip_size(found, problem.clip)


def occlusion(problem: Problem) -> AttributionMap:
    """What the response loses when a box shows the baseline; signed (Zeiler & Fergus 2014, section 4.2)."""
    from captum.attr import Occlusion

    channels, time, height, width = problem.clip.shape[1:]
    chosen = problem.settings.window or (time // 4, height // 8, width // 8)
    window = tuple(min(max(1, n), size) for n, size in zip(chosen, (time, height, width), strict=True))
    with torch.no_grad():
        found = Occlusion(problem.network).attribute(
            problem.clip,
            sliding_window_shapes=(channels, *window),
            strides=(channels, *window),
            baselines=problem.baseline,
            perturbations_per_eval=problem.settings.batch,
        )
    return found[0].mean(dim=0)


def lrp(problem: Problem) -> AttributionMap:
    """Relevance by zennit's composite `EpsilonGammaBox`; signed (Bach et al. 2015; Montavon et al. 2019).

    Sums to the response, but for what biases take.

    Raises:
        SettingInvalid: the extra `lrp` is missing.
        ModelUnusable: the network has what no rule is defined for.
    """
    return relevance(problem.network, problem.clip).sum(dim=0).float()


def perturbation(problem: Problem) -> AttributionMap:
    """The mask of a fixed volume that keeps the response; in [0, 1] (Fong et al. 2019, Li et al. 2021)."""
    settings = problem.settings
    return extremal_mask(
        problem.network, problem.clip, problem.baseline, volume=settings.volume, steps=settings.mask_steps
    )


METHODS: dict[str, Callable[[Problem], AttributionMap]] = {
    "gradient": gradient,
    "guided-backprop": guided_backprop,
    "integrated-gradients": integrated_gradients,
    "smoothgrad": smoothgrad,
    "grad-cam": grad_cam,
    "grad-cam-t": grad_cam_t,
    "occlusion": occlusion,
    "lrp": lrp,
    "perturbation": perturbation,
}
"""By the names of the command line."""

CAM = ("grad-cam", "grad-cam-t")


def _leaf(clip: VideoBatch) -> Tensor:
    return clip.detach().clone().requires_grad_()


def _with_maps(problem: Problem) -> tuple[Tensor, Tensor]:
    """The response and the maps of `cam_layer`, joined by their graph.

    Raises:
        LayerNotFound: the layer is not reached before the target, or has no maps over time and space.
    """
    seen: list[Any] = []

    def keep(module: nn.Module, args: Any, output: Any) -> Any:
        seen.append(output)
        return output.clone() if isinstance(output, Tensor) else output  # safe from what works in place

    assert problem.cam_layer is not None
    handle = problem.cam_layer.register_forward_hook(keep)
    try:
        response = problem.network(_leaf(problem.clip)).sum()
    finally:
        handle.remove()
    if not seen or not isinstance(seen[0], Tensor) or seen[0].ndim != 5:
        kind = type(problem.cam_layer).__name__
        raise LayerNotFound(
            f"Grad-CAM needs a layer before the target with maps over time and space, and this {kind} is "
            "none; name a convolution"
        )
    return response, seen[0]


def _at_clip_size(found: Tensor, clip: VideoBatch) -> AttributionMap:
    from captum.attr import LayerAttribution

    return LayerAttribution.interpolate(found.detach(), tuple(clip.shape[2:]), "trilinear")[0, 0]
