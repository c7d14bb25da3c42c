"""How a video in [0, 1] is parameterized, and which update rule suits what is moved."""

import torch
from torch import Tensor

from ..types import VideoBatch
from .steps import Adam, BoundedAdam

# Square root of the covariance of natural colours (Olah et al. 2017), its largest column scaled to 1.
_COLOUR = torch.tensor([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])
_COLOUR = _COLOUR / _COLOUR.norm(dim=0).max()


class PixelParameters:
    """The pixels themselves; the update rule holds them between black and white.

    Attributes:
        values: (B, C, T, H, W), in [0, 1], the leaf that is optimized.
    """

    rule = BoundedAdam

    def __init__(self, start: VideoBatch) -> None:
        self.values = SigmoidParameters(start).video().detach().requires_grad_()

    def video(self) -> VideoBatch:
        """The clips they are."""
        return self.values


class StillParameters(PixelParameters):
    """One image, shown in every frame: what a unit looks for if nothing moves (Ras2020, Fig. 3).

    Attributes:
        values: (B, C, 1, H, W), in [0, 1], the leaf that is optimized.
    """

    def __init__(self, start: VideoBatch) -> None:
        super().__init__(start[:, :, :1])
        self._frames = start.shape[2]

    def video(self) -> VideoBatch:
        """The clips they stand for; all frames are one tensor."""
        return self.values.expand(-1, -1, self._frames, -1, -1)


class SigmoidParameters:
    """Pixels behind a sigmoid, as published; three colours are mixed from decorrelated ones.

    Attributes:
        values: (B, C, T, H, W), unbounded, the leaf that is optimized.
    """

    rule = Adam

    def __init__(self, start: VideoBatch) -> None:
        self.values = start.clone().requires_grad_()
        self._mix = _COLOUR.to(start) if start.shape[1] == 3 else None

    def video(self) -> VideoBatch:
        """The clips they stand for, in (0, 1)."""
        return torch.sigmoid(self.values if self._mix is None else mix_channels(self._mix, self.values))


class FourierParameters:
    """The clip's spectrum over a fixed 1/f scale: amplitude = learnable times scale (Li & Li 2025, 4.2.1).

    The scale is that of images (Olah et al. 2017) with time as a third axis: one over the frequency in cycles
    per cell, at most the number of cells of the longest axis.

    Attributes:
        values: (B, C, T, H, W // 2 + 1, 2), real and imaginary parts, the leaf that is optimized.
    """

    rule = Adam

    def __init__(self, start: VideoBatch) -> None:
        self._extent = start.shape[2:]
        spectrum = torch.fft.rfftn(start, dim=(2, 3, 4), norm="ortho")
        self.values = torch.view_as_real(spectrum).clone().requires_grad_()
        frames, height, width = self._extent
        t, y = (torch.fft.fftfreq(size, device=start.device) for size in (frames, height))
        x = torch.fft.rfftfreq(width, device=start.device)
        frequency = (t[:, None, None] ** 2 + y[:, None] ** 2 + x**2).sqrt()
        self._scale = 1 / frequency.clamp(min=1 / max(self._extent))
        self._mix = _COLOUR.to(start) if start.shape[1] == 3 else None

    def video(self) -> VideoBatch:
        """The clips they stand for, in (0, 1)."""
        spectrum = torch.view_as_complex(self.values) * self._scale
        values = torch.fft.irfftn(spectrum, s=self._extent, dim=(2, 3, 4), norm="ortho")
        return torch.sigmoid(values if self._mix is None else mix_channels(self._mix, values))


Parameters = PixelParameters | SigmoidParameters | FourierParameters

PARAMETERS: dict[str, type[Parameters]] = {
    "pixel": PixelParameters,
    "sigmoid": SigmoidParameters,
    "fourier": FourierParameters,
    "still": StillParameters,
}


def mix_channels(matrix: Tensor, values: VideoBatch) -> VideoBatch:
    """Apply a (C, C) matrix to the channels of (B, C, T, H, W)."""
    return torch.matmul(matrix, values.flatten(2)).view_as(values)
