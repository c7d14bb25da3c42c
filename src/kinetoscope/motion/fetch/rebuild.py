"""What pixels fetched from one texture can rebuild: the default of version 0.1.0, kept to compare
with.

Its free fields per frame explain light and noise as displacement, from textures with dots planted for it:
what they show is no motion.
"""

from dataclasses import dataclass, field

import torch

from ...types import Video
from ...warp import accumulate, content_velocity, invert, resize_field
from ..findings import STILL_VARIANCE, Found
from ..light import steady
from .canvas import Canvas, fit_texture
from .fields import FieldSettings, fit_fields
from .steps import StepSettings, estimate_steps


@dataclass(frozen=True)
class FetchSettings:
    """How fetched pixels are found.

    Attributes:
        steps, fields: of the accumulating velocity, and of the free fields on top.
        least_coherent: share of the temporal variance that a coherent motion must explain to be believed;
            below it the velocity is zero and all displacement is free.
    """

    steps: StepSettings = field(default_factory=StepSettings)
    fields: FieldSettings = field(default_factory=FieldSettings)
    least_coherent: float = 0.2


def explain(video: Video, still: float, settings: FetchSettings) -> Found:
    """Coherent velocity first, then free fields and the final texture on top of it."""
    frames, _, height, width = video.shape
    displacement = video.new_zeros(frames, 2, height, width)
    velocity = displacement[:-1]
    canvas = Canvas(displacement)
    texture, error = canvas.around(video.mean(dim=0, keepdim=True)), still
    if still >= STILL_VARIANCE:
        steps = estimate_steps(video, settings.steps)
        chained = resize_field(accumulate(steps.field, steps.cell), height, width)
        wider = Canvas(chained)
        moving = fit_texture(video, chained, wider)
        explained = float((wider.render(moving, chained) - video).square().mean())
        if explained <= (1 - settings.least_coherent) * still:
            displacement, canvas, texture, error = chained, wider, moving, explained
            velocity = resize_field(invert(steps.field, steps.cell), height, width)
        free, texture = fit_fields(video, displacement, texture, canvas, error, settings.fields)
        displacement = displacement + free
    texture = texture.clamp(0, 1)
    reconstruction = canvas.render(texture, displacement)
    full = float((reconstruction - video).square().mean())
    nothing = torch.zeros_like(velocity[:, :1], dtype=torch.bool)
    return Found(
        textures=canvas.frame(texture),
        times=(0,),
        displacement=displacement,
        velocity=content_velocity(displacement, velocity),
        coherent_velocity=velocity,
        light=steady(video),
        reconstruction=reconstruction,
        single=reconstruction,
        errors=(error, error, full),
        renewed=0.0,
        lifetime=None,
        carried=None,
        covered=nothing,
        entered=nothing,
    )
