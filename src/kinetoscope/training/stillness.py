"""What makes the optimal input of 'still' truly still: clips that nearly are, and its own dreams.

Cross-entropy on clips leaves the logit of 'still' free to rise with flicker and morphing, which no clip of
the task shows at its best. Here whatever changes over time must excite it less than its own time average
does; static clips must excite it the more, the more contrast they have; and no frame may be asked for
something else than the others.
"""

from collections.abc import Callable
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from ..optimal.parameters import PixelParameters
from ..optimal.transforms import TransformSettings, draw, transform
from ..schedule import cosine
from ..types import MOTION_LABELS, VideoBatch
from .clips import ClipSettings, draw_motions, make_clips, render_clips
from .textures import make_textures, uniform

STILL = MOTION_LABELS.index("still")
Logits = Callable[[Tensor], Tensor]
PerClip = Float[Tensor, " batch"]


def time_mean(video: VideoBatch) -> VideoBatch:
    """The static clip whose every frame is the video's mean over time."""
    return video.mean(2, keepdim=True).expand_as(video)


def contrast(video: VideoBatch) -> PerClip:
    """Standard deviation over the places of the video's mean over time, averaged over the channels."""
    return video.mean(2).std((2, 3)).mean(1)


def flicker(video: VideoBatch) -> PerClip:
    """Root mean square of what changes over time."""
    return (video - video.mean(2, keepdim=True)).square().mean((1, 2, 3, 4)).sqrt()


def make_restless(count: int, generator: torch.Generator, settings: ClipSettings | None = None) -> VideoBatch:
    """Make clips that stay in place and yet change: morphing textures, noise in space and time, shaking.

    Each change is slow in some clips and leaps from frame to frame in others, weak in some, strong in others.

    Returns:
        (count, 3, T, H, W) in [0, 1].
    """
    clean = (settings or ClipSettings()).clean()
    frames, height, width = clean.clip
    still = torch.full((count,), STILL)
    base, other = (make_clips(still, generator, clean).video[:, :, :1] for _ in range(2))
    size = uniform(generator, 0.05, 0.7, count, 1, 1, 1, 1)
    wave = _wave(count, frames, generator)[:, None, :, None, None]
    fine = torch.randn(count, 3, frames, height, width, generator=generator)
    cells = torch.randn(count, 3, max(2, frames // 2), height // 8, width // 8, generator=generator)
    coarse = 1.5 * F.interpolate(cells, (frames, height, width), mode="trilinear", align_corners=False)
    motions = draw_motions(still, generator, clean)
    walk = torch.stack([_wave(count, frames, generator) for _ in range(2)], 2)
    motions = replace(motions, jitter=uniform(generator, 0.1, 1.0, count, 1, 1) * walk)
    shaken = render_clips(make_textures(count, clean.texture_size, generator), motions, clean.clip, generator)
    kind = torch.randint(4, (count, 1, 1, 1, 1), generator=generator)
    noisy = base + size / 3 * torch.where(kind == 2, fine, coarse)
    changed = torch.where(kind == 0, base + size * wave * (other - 0.5), noisy)
    return torch.where(kind == 1, shaken, changed).clamp(0, 1)


def _wave(count: int, frames: int, generator: torch.Generator) -> Float[Tensor, "batch frames"]:
    """A course over time, mean 0 and deviation 1: white noise for some clips, a random walk for others."""
    white = torch.randn(count, frames, generator=generator)
    walks = uniform(generator, 0, 1, count, 1) < 0.5
    course = torch.where(walks, white.cumsum(1), white)
    course = course - course.mean(1, keepdim=True)
    return course / course.square().mean(1, keepdim=True).sqrt().clamp_min(1e-6)


class Dreams:
    """Optimal inputs of 'still' in the making: one step of activation maximization each per call.

    They follow the network while it learns, and show what it would be excited by next.
    """

    def __init__(
        self,
        count: int,
        generator: torch.Generator,
        clip: tuple[int, int, int],
        steps: int = 128,
        rate: float = 0.1,
    ) -> None:
        self.clip, self.steps, self.rate, self.generator = clip, steps, rate, generator
        # they start apart, so that young and old ones are there at any time
        self.ages = [steps * number // count for number in range(count)]
        started = [self._start() for _ in range(count)]
        self.pixels = [pixels for pixels, _ in started]
        self.optimizers = [optimizer for _, optimizer in started]

    def _start(self) -> tuple[PixelParameters, torch.optim.Optimizer]:
        pixels = PixelParameters(0.01 * torch.randn(1, 3, *self.clip, generator=self.generator))
        return pixels, torch.optim.Adam([pixels.values], lr=self.rate)

    def step(self, logits: Logits) -> VideoBatch:
        """Take each dream a step up the logit of 'still'; the finished ones start again.

        Args:
            logits: takes clips in [0, 1]; its weights collect no gradients here.

        Returns:
            (count, 3, T, H, W), detached.
        """
        for number, age in enumerate(self.ages):
            if age >= self.steps:
                self.ages[number] = 0
                self.pixels[number], self.optimizers[number] = self._start()
        leaves = [pixels.values for pixels in self.pixels]
        with torch.enable_grad():
            video = torch.cat([pixels.video() for pixels in self.pixels])
            moved = transform(video, draw(TransformSettings(), len(video), self.generator))
            gradients = torch.autograd.grad(-logits(moved)[:, STILL].sum(), leaves)
        for number, (leaf, gradient, optimizer) in enumerate(
            zip(leaves, gradients, self.optimizers, strict=True)
        ):
            optimizer.param_groups[0]["lr"] = self.rate * cosine(self.ages[number], self.steps, 0.05)
            leaf.grad = gradient
            optimizer.step()
            self.ages[number] += 1
        with torch.no_grad():
            return torch.cat([pixels.video() for pixels in self.pixels])


def calm_loss(logits: Logits, video: VideoBatch, fade: PerClip, slope: float = 80.0) -> Tensor:
    """How far the logit of 'still' is from rising with contrast and falling with change, a hinge for each.

    Relative to the logit of the clip's time mean: the clip itself must lie below it by the share of change in
    what there is to see; the time mean faded to `fade` of its contrast below it by `slope` per unit of
    contrast; and it above `slope` times its contrast.

    Args:
        logits: takes clips in [0, 1].
        video: clips that change over time.
        fade: share of the contrast that is left, per clip, in [0, 1].
        slope: logit per unit of contrast (values in [0, 1]).
    """
    static = time_mean(video)
    middle = static.mean((2, 3, 4), keepdim=True)
    faded = middle + fade[:, None, None, None, None] * (static - middle)
    of_video, of_static, of_faded = logits(torch.cat([video, static, faded]))[:, STILL].chunk(3)
    change, seen = flicker(video), contrast(video)
    # not detached: else every violation would drive the logits up without end
    unit = of_static.abs() + 10
    restless = F.relu(of_video - of_static + unit * change / (change + seen + 1e-6))
    flat = F.relu(of_faded - of_static + slope * (1 - fade) * seen)
    faint = F.relu(slope * seen - of_static)
    return ((restless + flat + faint) / unit).mean()


def unsteady_share(logits: Logits, video: VideoBatch) -> Tensor:
    """The share of the input gradient of 'still' that differs between frames, on the clips' time means.

    Differentiable in the weights (double backpropagation: Drucker & LeCun 1992, Improving Generalization
    Performance Using Double Backpropagation). Where it is 0, every frame of a static clip is asked for the
    same change, and so the clip stays static.
    """
    static = time_mean(video).detach().clone().requires_grad_()
    (gradient,) = torch.autograd.grad(logits(static)[:, STILL].sum(), static, create_graph=True)
    varying = (gradient - gradient.mean(2, keepdim=True)).square().sum((1, 2, 3, 4))
    return (varying / gradient.square().sum((1, 2, 3, 4)).clamp_min(1e-12)).mean()
