"""Coarse to fine, for units that see all of the clip: one subject instead of clutter.

An ascent of such a unit finds its evidence anywhere and at any size, and tiles the frame with it. Three
things make one picture of it (docs/method.md): the search begins at a small size, where only large shapes
fit; the network looks *into* the clip at random zooms (`views.py`); and a matte, a coarse smooth mask, takes
away what gives the response less than its share.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from ..metric import MetricOperator, NaturalMetric, colour_power
from ..schedule import cosine
from ..types import VideoBatch
from .ascents import enough_contrast, steady
from .calm import root_mean_square
from .climb import Climb, faint_noise, frame_energy
from .passes import Passes
from .settings import CoarseSettings, OptimalSettings
from .views import draw_looks, look_into

Size = tuple[int, int]
"""Height and width."""


def coarse_to_fine(
    search: Passes,
    settings: OptimalSettings,
    climb: Climb,
    sizes: Sequence[Size],
    metric: NaturalMetric,
    generators: Sequence[torch.Generator],
) -> tuple[VideoBatch, Tensor]:
    """The main ascent of units that see all of the clip, from noise.

    Args:
        climb: how such clips are counted; its budgets, and whether its colours are free, are found here.
        sizes: first the one to begin at, last the clip's own.

    Returns:
        The best clips about mid grey as the network sees them, (B, C, T, H, W), and the responses to them.
    """
    (channels, frames, *_), device, how = climb.operator.shape, climb.operator.device, settings.coarse
    first, matting, looking, plain = how.passes(settings.steps, sizes[0], sizes[-1])
    operators = Annealed(metric, (channels, frames, *sizes[0]), device, how)
    begun = Climb(
        faint_noise(operators.at(0), generators), climb.budget, climb.free, operators.at(0), frame_energy
    )
    # steps grow while the pattern is faint, so that it is of one piece
    warm = [50 ** min((step + 1) / (0.2 * first) - 1, 0.0) for step in range(first)]
    rates = [settings.rate * factor * cosine(step, first, 0.1) for step, factor in enumerate(warm)]
    _climb_looking(search, how, begun, operators, (0.0, 0.5), rates, generators)
    climb.free = _wants_colour(search, begun.x)
    matte = find_matte(search, how, begun.x, matting, generators)

    operators = Annealed(metric, (channels, frames, *sizes[-1]), device, how)
    x = _resized(begun.x, sizes[-1])
    wide = F.interpolate(matte.pow(how.soften), size=x.shape[2:], mode="trilinear", align_corners=False)
    done = Climb(x, climb.budget, begun.free, operators.at(0.5), frame_energy, wide)
    rates = [settings.rate * cosine(step, looking, 0.6) for step in range(looking)]
    _climb_looking(search, how, done, operators, (0.5, 1.0), rates, generators)
    done.budget = climb.budget = enough_contrast(search, settings, done)
    return steady(search, done, plain, range(len(x)), 0.6 * settings.rate)


@dataclass
class Annealed:
    """The metric's operator on its way from steep and slow to what the model card says."""

    natural: NaturalMetric
    shape: tuple[int, int, int, int]
    device: torch.device | str
    settings: CoarseSettings
    _made: dict[float, MetricOperator] = field(default_factory=dict)

    def at(self, share: float) -> MetricOperator:
        """For a share of the search that is done, 0 to 1; seven of them, for each takes a while to make."""
        share = round(share * 6) / 6
        if share not in self._made:
            power, slowness = (
                first + (last - first) * share
                for first, last in (self.settings.steepness, self.settings.slowness)
            )
            metric = replace(
                self.natural,
                colour=colour_power(self.natural.colour, self.settings.colour),
                power=power * self.natural.power,
                slowness=slowness * self.natural.slowness,
            )
            self._made[share] = MetricOperator(metric, self.shape, self.device)
        return self._made[share]


def _climb_looking(
    search: Passes,
    settings: CoarseSettings,
    climb: Climb,
    operators: Annealed,
    span: tuple[float, float],
    rates: Sequence[float],
    generators: Sequence[torch.Generator],
) -> None:
    """Take `climb` uphill, seen through random looks.

    Args:
        span: which part of the search these steps are, as shares.
        rates: of the steps.
    """
    every = range(len(climb.x))
    for step, rate in enumerate(rates):
        done = span[0] + (span[1] - span[0]) * step / max(1, len(rates) - 1)
        climb.operator = operators.at(done)
        looks = draw_looks(settings.views, cosine(step, len(rates), settings.views.final), generators)
        grain = _grain(climb.operator, generators, settings.grain)

        def seen(x: Tensor, looks: Tensor = looks, grain: Tensor = grain) -> Tensor:
            return look_into(search.shown(climb.under_matte(x)), looks) + grain

        values, gradient = search.climb(climb.x, every, seen, max(0.0, 1 - 2 * done))
        climb.move(climb.direction(gradient), rate)
        search.record(values, every)


def _grain(operator: MetricOperator, generators: Sequence[torch.Generator], size: float) -> Tensor:
    """Noise of half natural and half white statistics: what a response rests on must be stronger than it."""
    both = [torch.randn(2, *operator.shape, generator=generator) for generator in generators]
    natural, white = torch.stack(both, dim=1).to(operator.device)
    natural = operator(natural)
    return 0.5 * size * (natural / root_mean_square(natural) + white)


def find_matte(
    search: Passes,
    settings: CoarseSettings,
    x: VideoBatch,
    steps: int,
    generators: Sequence[torch.Generator],
) -> Tensor:
    """Which parts the response needs: masks in (0, 1), (B, 1, T, H, W), of coarse cells.

    Maximizes gain(a x) / gain(x) less the mean of a, gain being the response beyond that to mid grey: a
    cell stays if it gives at least what the average cell gives. Nothing is blurred, and the response rises:
    clutter was in the way.

    Args:
        x: clips about mid grey, (B, C, T, H, W).
    """
    every = range(len(x))
    cells = [min(cell, size) for cell, size in zip(settings.cells, x.shape[2:], strict=True)]
    raw = torch.full((len(x), 1, *cells), 1.5, device=x.device, requires_grad=True)
    adam = torch.optim.Adam([raw], lr=0.6, betas=(0.7, 0.95))
    gain = search.values(x) - search.values(torch.zeros_like(x))
    gain = gain.abs().clamp(min=1e-12).view(-1, 1, 1, 1, 1)
    gentle = replace(settings.views, zoom=(0.95, 1.3))

    def wide(raw: Tensor) -> Tensor:
        return F.interpolate(torch.sigmoid(raw), size=x.shape[2:], mode="trilinear", align_corners=False)

    for _ in range(steps):
        looks = draw_looks(gentle, gentle.final, generators)

        def seen(raw: Tensor, looks: Tensor = looks) -> Tensor:
            return look_into(search.shown(wide(raw) * x), looks)

        values, gradient = search.climb(raw, every, seen)
        with torch.enable_grad():
            (price,) = torch.autograd.grad(wide(raw).mean(dim=(1, 2, 3, 4)).sum(), raw)
        raw.grad = price - gradient / gain
        adam.step()
        search.record(values, every)
    return wide(raw).detach()


def _wants_colour(search: Passes, x: VideoBatch) -> Tensor:
    """Whether clips lose more than half of their gain over mid grey with their colours, (B,)."""
    rest, whole = search.values(torch.zeros_like(x)), search.values(x)
    return search.values(x.mean(dim=1, keepdim=True).expand_as(x)) - rest < 0.5 * (whole - rest)


def _resized(x: VideoBatch, size: Size) -> Tensor:
    """Clips about mid grey at another height and width."""
    frames = x.transpose(1, 2).flatten(0, 1)
    frames = F.interpolate(frames, size=size, mode="bicubic", align_corners=False).clamp(-0.5, 0.5)
    return frames.unflatten(0, (len(x), -1)).transpose(1, 2)
