"""How a gradient becomes a step: one rule for values with bounds, one for values without."""

import torch
from torch import Tensor


class BoundedAdam:
    """Adam (Kingma & Ba 2015) on values held in [0, 1], with short averages.

    An optimum between bounds has most pixels at one. Clamped pixels get there, and away again, in a few dozen
    steps where a sigmoid, flat near its bounds, takes hundreds. A step for each pixel matters: one size for
    all lets loud pixels decide, and the pattern then clings to the borders and moves more slowly than the
    unit wants. docs/speed.md shows the curves.
    """

    BETAS = (0.5, 0.9)

    def __init__(self, values: Tensor) -> None:
        self._values = values
        self._optimizer = torch.optim.Adam([values], betas=self.BETAS, maximize=True)

    @torch.no_grad()
    def step(self, gradient: Tensor, rate: float) -> None:
        """Move each value uphill by about `rate`, as far as bounds allow.

        Args:
            gradient: of what is maximized, (B, ...) as the values; only its proportions within a clip count.
        """
        size = gradient.square().mean(dim=tuple(range(1, gradient.ndim)), keepdim=True).sqrt()
        self._values.grad = gradient / size.clamp(min=torch.finfo(gradient.dtype).tiny)
        self._optimizer.param_groups[0]["lr"] = rate
        self._optimizer.step()
        self._values.clamp_(0, 1)


class Adam:
    """Adam as published, on unbounded values."""

    def __init__(self, values: Tensor) -> None:
        self._values = values
        self._optimizer = torch.optim.Adam([values], maximize=True)

    def step(self, gradient: Tensor, rate: float) -> None:
        """Move each value uphill by about `rate`; `gradient` is of what is maximized."""
        self._values.grad = gradient
        self._optimizer.param_groups[0]["lr"] = rate
        self._optimizer.step()
