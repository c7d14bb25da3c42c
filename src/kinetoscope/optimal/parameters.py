"""How a video in [0, 1] is parameterized so that an optimizer may move freely."""

import torch
from torch import Tensor

from ..types import VideoBatch

# Square root of the covariance of natural colours (Olah et al. 2017), its largest column scaled to 1.
_COLOUR = torch.tensor([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])
_COLOUR = _COLOUR / _COLOUR.norm(dim=0).max()


class PixelParameters:
    """Pixels behind a sigmoid; colours are mixed from decorrelated ones when there are three.

    Attributes:
        values: (B, C, T, H, W), unbounded, the leaf that is optimized.
    """

    def __init__(self, start: VideoBatch) -> None:
        self.values = start.requires_grad_()
        self._mix = _COLOUR.to(start) if start.shape[1] == 3 else None

    def video(self) -> VideoBatch:
        """The clips they stand for, in (0, 1)."""
        return torch.sigmoid(self.values if self._mix is None else mix_channels(self._mix, self.values))


def mix_channels(matrix: Tensor, values: VideoBatch) -> VideoBatch:
    """Apply a (C, C) matrix to the channels of (B, C, T, H, W)."""
    return torch.matmul(matrix, values.flatten(2)).view_as(values)
