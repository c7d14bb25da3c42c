"""How a video in [0, 1] is parameterized, and which update rule suits what is moved."""

import torch
from torch import Tensor

from ..metric import usual_metric
from ..spectrum import NaturalSpectrum, metric_spectrum
from ..stimuli import contrast
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
    axes = 3

    def __init__(self, start: VideoBatch) -> None:
        self._axes = range(5 - self.axes, 5)
        self._extent = start.shape[5 - self.axes :]
        spectrum = torch.fft.rfftn(start, dim=tuple(self._axes), norm="ortho")
        self.values = torch.view_as_real(spectrum).clone().requires_grad_()
        frames, height, width = start.shape[2:]
        t, y = (torch.fft.fftfreq(size, device=start.device) for size in (frames, height))
        x = torch.fft.rfftfreq(width, device=start.device)
        t = t if self.axes == 3 else torch.zeros_like(t)
        frequency = (t[:, None, None] ** 2 + y[:, None] ** 2 + x**2).sqrt()
        self._scale = 1 / frequency.clamp(min=1 / max(self._extent))
        self._mix = _COLOUR.to(start) if start.shape[1] == 3 else None

    def video(self) -> VideoBatch:
        """The clips they stand for, in (0, 1)."""
        spectrum = torch.view_as_complex(self.values) * self._scale
        values = torch.fft.irfftn(spectrum, s=self._extent, dim=tuple(self._axes), norm="ortho")
        return torch.sigmoid(values if self._mix is None else mix_channels(self._mix, values))


class FrameFourierParameters(FourierParameters):
    """The same frame by frame: a spectrum over y and x for each, nothing that joins them in time.

    Attributes:
        values: (B, C, T, H, W // 2 + 1, 2).
    """

    axes = 2


class PhaseParameters:
    """Free phases under fixed magnitudes (MaCo; Fel et al. 2023), here jointly over t, y and x.

    Nothing can be gained by strength or by fine grain: each frequency has what natural clips have of it.

    Attributes:
        values: phases in radians, (B, C, T, H, W // 2 + 1), the leaf that is optimized.
    """

    rule = Adam

    def __init__(self, start: VideoBatch, natural: NaturalSpectrum) -> None:
        """Args: start: random, whose phases are taken. natural: magnitudes, and the colours they are of."""
        self._extent = start.shape[2:]
        self.values = torch.fft.rfftn(start, dim=(2, 3, 4)).angle().requires_grad_()
        self._magnitude = natural.magnitude.to(start)
        self._colours = natural.colours.to(start)

    def video(self) -> VideoBatch:
        """The clips they stand for, of contrast `CONTRAST` about mid grey, cut at black and white."""
        spectrum = torch.polar(self._magnitude.expand_as(self.values), self.values)
        values = torch.fft.irfftn(spectrum, s=self._extent, dim=(2, 3, 4))
        values = mix_channels(self._colours, values)
        return (0.5 + CONTRAST * values / contrast(values).clamp(min=1e-12)).clamp(0, 1)


CONTRAST = 0.2
"""Root mean square about mid grey of clips whose magnitudes are fixed."""

PHASES = "maco"
"""The domain of free phases, the only one that a spectrum is for."""

Parameters = PixelParameters | SigmoidParameters | FourierParameters | PhaseParameters

PARAMETERS: dict[str, type[PixelParameters | SigmoidParameters | FourierParameters]] = {
    "pixel": PixelParameters,
    "sigmoid": SigmoidParameters,
    "fourier": FourierParameters,
    "fourier-2d": FrameFourierParameters,
    "still": StillParameters,
}


DOMAINS = (*PARAMETERS, PHASES)
"""What can be optimized, by name."""


def make_parameters(domain: str, start: VideoBatch, natural: NaturalSpectrum | None = None) -> Parameters:
    """Parameters of one of `DOMAINS`.

    Args:
        start: (B, C, T, H, W), random.
        natural: for free phases; None: what the usual metric describes.
    """
    if domain != PHASES:
        return PARAMETERS[domain](start)
    shape = tuple(start.shape[1:])
    return PhaseParameters(start, natural or metric_spectrum(usual_metric(shape[0]), shape))


def mix_channels(matrix: Tensor, values: VideoBatch) -> VideoBatch:
    """Apply a (C, C) matrix to the channels of (B, C, T, H, W)."""
    return torch.matmul(matrix, values.flatten(2)).view_as(values)
