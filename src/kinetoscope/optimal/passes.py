"""Passes through the network for one batch: responses and gradients, counted and recorded."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..types import VideoBatch
from ..units.rectifiers import leaky_rectifiers
from .alpha import Alpha
from .objective import Forward, Objective


@dataclass
class Passes:
    """One batch of clips and the objectives they are for.

    Attributes:
        forward: clips in [0, 1] to the layer's output.
        objectives: one per clip.
        frames: that each clip has where it is shown.
        steps: that the search takes, for `progress`.
        leak: slope of closed rectifiers at the start.
        progress: called with the step and the number of steps.
        history: per objective, the response of each step.
        taken: steps so far.
        watch: called with an objective's place, its step, from 1, and its response there.
        alpha: told the gradients of each step; None: nobody asks.
    """

    forward: Forward
    objectives: Sequence[Objective]
    frames: int
    steps: int
    leak: float
    progress: Callable[[int, int], None] | None
    history: list[list[float]] = field(default_factory=list)
    taken: int = 0
    watch: Callable[[int, int, float], None] | None = None
    alpha: Alpha | None = None

    def shown(self, x: Tensor) -> Tensor:
        """Clips in [0, 1]; a still image in every frame."""
        return (0.5 + x).expand(-1, -1, self.frames, -1, -1)

    def values(self, x: VideoBatch, chosen: Sequence[int] | None = None) -> Tensor:
        """Responses to clips as they are, one at a time, (B,); `chosen` names the objective of each."""
        which = range(len(x)) if chosen is None else chosen
        with torch.no_grad():
            parts = [
                self.objectives[unit](self.forward(self.shown(clip[None])))
                for unit, clip in zip(which, x, strict=True)
            ]
        return torch.nan_to_num(torch.cat(parts), nan=float("-inf"))

    def climb(
        self,
        x: Tensor,
        chosen: Sequence[int],
        seen: Callable[[Tensor], VideoBatch] | None = None,
        fading: float = 0.0,
    ) -> tuple[Tensor, Tensor]:
        """Responses (B,) and gradients of what is climbed.

        Args:
            x: what the gradients are of; clips about mid grey unless `seen` makes them of it.
            chosen: the objective of each.
            seen: from `x` to the clips in [0, 1] that the network is given; None: `shown`.
            fading: share of the slope that closed rectifiers still have.
        """
        leak = self.leak * fading
        with torch.enable_grad():
            leaf = x.detach().requires_grad_()
            clips = (seen or self.shown)(leaf)
            with leaky_rectifiers(leak):
                output = self.forward(clips)
            parts = output.split(1)
            heights = [
                self.objectives[unit].ascent(part, leak) for unit, part in zip(chosen, parts, strict=True)
            ]
            (gradient,) = torch.autograd.grad(torch.cat(heights).sum(), leaf, materialize_grads=True)
        with torch.no_grad():
            values = [self.objectives[unit](part) for unit, part in zip(chosen, parts, strict=True)]
        # a unit that gives NaN keeps its start, instead of losing its clip
        gradient = torch.nan_to_num(gradient, nan=0.0, posinf=0.0, neginf=0.0)
        if self.alpha is not None:
            self.alpha.note(chosen, x, gradient)
        return torch.nan_to_num(torch.cat(values).detach(), nan=float("-inf")), gradient

    def record(self, values: Tensor, chosen: Sequence[int]) -> None:
        """Note the responses of a step, and tell how far the search is."""
        for unit, value in zip(chosen, values.tolist(), strict=True):
            self.history[unit].append(value)
            if self.watch is not None:
                self.watch(unit, len(self.history[unit]), value)
        self.taken = min(self.taken + 1, self.steps)
        if self.progress is not None:
            self.progress(self.taken, self.steps)
