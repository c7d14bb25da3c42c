"""Ascents at one size: from noise, through random shifts and scalings; from a clip, as it is."""

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from ..schedule import cosine
from ..types import VideoBatch
from .climb import Climb
from .passes import Passes
from .settings import OptimalSettings
from .transforms import draw, transform


def ascend(
    search: Passes,
    settings: OptimalSettings,
    climb: Climb,
    steps: int,
    generators: Sequence[torch.Generator],
    *,
    faint: bool,
) -> tuple[VideoBatch, Tensor]:
    """The main ascent: best clips of its last third, and the responses to them."""
    every = list(range(len(climb.x)))
    shaken = steps - max(1, steps // 3) if steps > 2 else 0
    draws = torch.stack([draw(settings.transforms, max(shaken, 1), g) for g in generators], dim=1)
    draws, energies = draws.to(climb.x.device), torch.zeros(2, len(climb.x), device=climb.x.device)
    best, value = climb.x, torch.full((len(climb.x),), float("-inf"), device=climb.x.device)
    for step in range(steps):
        moved = partial(_moved, search, draws[step]) if step < shaken else None
        fading = max(0.0, 1 - step / (0.5 * steps))
        values, gradient = search.climb(climb.x, every, moved, fading)
        if moved is None:
            better = values > value
            best = torch.where(better.view(-1, 1, 1, 1, 1), climb.x, best)
            value = torch.where(better, values, value)
        if step < max(1, steps // 4):  # later ones count more: a unit that is open at grey says nothing there
            energies = 0.7 * energies + climb.operator.energies(gradient)
            climb.free = energies[0] > energies[1]
        warm = 50 ** min((step + 1) / max(settings.warmup * steps, 1) - 1, 0.0) if faint else 1.0
        fade = cosine(step, steps, settings.final_rate)
        climb.move(climb.direction(gradient), settings.rate * fade * warm)
        search.record(values, every)
        if step == steps // 2:
            climb.budget = enough_contrast(search, settings, climb)
    return _better(search, climb, every, best, value)


def _moved(search: Passes, draws: Tensor, x: Tensor) -> VideoBatch:
    return transform(search.shown(x), draws)


def steady(
    search: Passes, climb: Climb, steps: int, chosen: Sequence[int], rate: float
) -> tuple[VideoBatch, Tensor]:
    """An ascent without transforms, whose best clip, as the network sees it, is never below its start."""
    best, value = climb.shown, torch.full((len(climb.x),), float("-inf"), device=climb.x.device)
    for step in range(steps):
        values, gradient = search.climb(climb.x, chosen, lambda x: search.shown(climb.under_matte(x)))
        better = values > value
        best = torch.where(better.view(-1, 1, 1, 1, 1), climb.shown, best)
        value = torch.where(better, values, value)
        climb.move(climb.direction(gradient), rate * cosine(step, steps, 0.1))
        search.record(values, chosen)
    return _better(search, climb, chosen, best, value)


def _better(
    search: Passes, climb: Climb, chosen: Sequence[int], best: VideoBatch, value: Tensor
) -> tuple[VideoBatch, Tensor]:
    """Where the last step led, if that is better: a look without a gradient."""
    values = search.values(climb.shown, chosen)
    better = values > value
    return torch.where(better.view(-1, 1, 1, 1, 1), climb.shown, best), torch.maximum(value, values)


def enough_contrast(search: Passes, settings: OptimalSettings, climb: Climb) -> Tensor:
    """The least contrast at which each clip has nearly the response it has at the best contrast."""
    most = max(settings.most_contrast / settings.contrast, 1.0)
    scales = [most ** (step / 2) for step in range(3)] if most > 1 else [1.0]
    curve = torch.stack([search.values((climb.shown * scale).clamp(-0.5, 0.5)) for scale in scales])
    good = curve >= settings.enough * curve.amax(dim=0)
    first = good.float().argmax(dim=0)
    return climb.budget * torch.tensor(scales, device=climb.x.device)[first].view(-1, 1, 1, 1, 1)
