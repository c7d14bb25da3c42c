"""One stage instead of two: texture and field are optimized directly for the activation (section 4.2.3)."""

import torch

from ..inquiry.run import StepProgress
from ..motion.paper import PaperSettings, consistency
from ..optimal.ascend import AdamSettings
from ..optimal.objective import Forward, Objective
from ..optimal.parameters import SigmoidParameters
from ..optimal.transforms import draw, transform
from ..types import Flow, Image, Video
from ..warp import pixel_grid, sample


def one_stage(
    forward: Forward,
    objective: Objective,
    shape: tuple[int, int, int, int],
    settings: AdamSettings,
    weights: PaperSettings,
    gain: float,
    generator: torch.Generator,
    *,
    device: torch.device | str = "cpu",
    progress: StepProgress | None = None,
) -> tuple[Image, Flow, Video]:
    """Find the texture and the field whose video excites a unit most (Li & Li 2025, eq. 4 with eq. 6-8).

    The activation takes the place of eq. 5. Eq. 6-8 are in grey levels and fractions of the frame, and a
    layer's numbers have any size, so the activation enters as a share of `gain`.

    Args:
        forward: clips in [0, 1] to the layer's output.
        objective: of the unit.
        shape: of the clip, (C, T, H, W).
        settings: steps, step size, start and random transforms, as of an optimal input.
        weights: of eq. 6-8, and the start of the field.
        gain: what a video found without them gains over its start, above 0.
        generator: draws start and transforms, on the CPU.
        progress: called with the step and the number of steps.

    Returns:
        The image (C, H, W), D (T, 2, H, W) in pixels, and their video (T, C, H, W).
    """
    channels, frames, height, width = shape
    start = torch.randn(1, channels, 1, height, width, generator=generator) * settings.spread
    texture = SigmoidParameters(start.to(device))
    fractions = (torch.randn(frames, 2, height, width, generator=generator) * weights.spread).to(device)
    fractions.requires_grad_()
    draws = draw(settings.transforms, settings.steps, generator).to(device)
    frame = fractions.new_tensor([width, height]).view(1, 2, 1, 1)
    pixels = pixel_grid(height, width, device=device)
    optimizer = torch.optim.Adam([texture.values, fractions], lr=settings.rate)
    for step in range(settings.steps):
        for group in optimizer.param_groups:
            group["lr"] = settings.rate_at(step)
        image = texture.video()[:, :, 0]
        video = sample(image, pixels + fractions * frame)
        output = forward(transform(video.transpose(0, 1)[None], draws[step : step + 1]))
        loss = consistency(image, fractions, video[:1], weights) - objective.ascent(output).sum() / gain
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if progress is not None:
            progress(step + 1, settings.steps)
    with torch.no_grad():
        image, displacement = texture.video()[:, :, 0], fractions * frame
        return image[0], displacement.detach(), sample(image, pixels + displacement)
