"""The spectrum of natural clips, jointly over space and time: how much there is of each frequency.

It is not a product of one over space and one over time: fast changes are rarer at fine detail than at coarse
(Dong & Atick 1995). So magnitudes are kept for every (t, y, x) frequency, of a formula or as measured.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from .brief import Brief
from .errors import SettingInvalid
from .metric import NaturalMetric
from .records import sha256_of
from .types import Video

Magnitude = Float[Tensor, "colour time height half"]
"""Per principal colour, over the frequencies of a real 3D Fourier transform, W // 2 + 1 of them along x."""


@dataclass(frozen=True, eq=False, repr=False)
class NaturalSpectrum(Brief):
    """Magnitudes of natural clips of one size; only their proportions count.

    Attributes:
        magnitude: (C, T, H, W // 2 + 1), not negative, 0 at frequency zero.
        colours: (C, C), columns the principal colours that the magnitudes are of.
    """

    magnitude: Magnitude
    colours: Float[Tensor, "channel colour"]

    def sha256(self) -> str:
        """Digest of its numbers."""
        return sha256_of(torch.cat([self.magnitude.flatten(), self.colours.flatten()])[:, None, None, None])

    def check(self, shape: Sequence[int]) -> None:
        """Refuse clips (C, T, H, W) of another size.

        Raises:
            SettingInvalid: the spectrum is of another size.
        """
        channels, frames, height, width = shape
        wanted, given = (channels, frames, height, width // 2 + 1), tuple(self.magnitude.shape)
        if given != wanted:
            raise SettingInvalid(
                f"the spectrum is {'x'.join(map(str, given))}, a clip of {'x'.join(map(str, shape))} "
                f"(CxTxHxW) wants {'x'.join(map(str, wanted))}; measure it at the clip's size"
            )


def metric_spectrum(metric: NaturalMetric, shape: Sequence[int]) -> NaturalSpectrum:
    """The spectrum that a metric's few numbers describe: 1 / f over joint frequencies, natural colours.

    Args:
        shape: of a clip, (C, T, H, W).
    """
    channels, frames, height, width = shape
    t, y = torch.fft.fftfreq(frames).abs(), torch.fft.fftfreq(height)
    x = torch.fft.rfftfreq(width)
    squares = (metric.slowness * t[:, None, None]) ** 2 + y[:, None] ** 2 + x**2
    falling = (squares.sqrt().clamp(min=metric.coarsest) / metric.coarsest) ** -metric.power
    falling[:, 0, 0] = 0  # no frame has a mean: no flicker of the whole field
    table = torch.tensor(metric.colour) if metric.colour else torch.eye(channels)
    values, colours = torch.linalg.eigh(table)
    return NaturalSpectrum(values.clamp(min=0).sqrt().view(-1, 1, 1, 1) * falling, colours)


def natural_spectrum(clips: Sequence[Video]) -> NaturalSpectrum:
    """Measure the spectrum of clips, of one's own camera or data.

    Args:
        clips: (T, C, H, W) each, all of one size, at least 4 frames and 8 pixels a side; values in [0, 1].
            Each is windowed (Hann along t, y and x), so that its borders add nothing.

    Returns:
        Root mean square magnitudes over the clips, of the principal colours of their covariance.

    Raises:
        SettingInvalid: no clip, clips of several sizes or too small, or none that varies.

    Examples:
        >>> spectrum = ks.natural_spectrum([ks.read_video("clip.mp4")])
        >>> len(spectrum.sha256())
        64
    """
    shapes = {tuple(clip.shape) for clip in clips}
    if len(shapes) != 1:
        raise SettingInvalid(f"a spectrum is measured on clips of one size; these have {sorted(shapes)}")
    ((frames, channels, height, width),) = shapes
    if frames < 4 or min(height, width) < 8:
        raise SettingInvalid("a spectrum needs clips of at least 4 frames and 8 pixels a side")
    windows = [torch.hann_window(size + 2, periodic=False)[1:-1] for size in (frames, height, width)]
    window = windows[0][:, None, None] * windows[1][:, None] * windows[2]
    about = [(clip - clip.mean(dim=(0, 2, 3), keepdim=True)).float().transpose(0, 1) for clip in clips]
    flat = torch.cat([clip.flatten(1) for clip in about], dim=1).double()
    covariance = flat @ flat.T / flat.shape[1]
    if float(covariance.diagonal().sum()) < 1e-10:
        raise SettingInvalid("a spectrum needs clips that vary; these are of one colour")
    colours = torch.linalg.eigh(covariance)[1].float()
    power = torch.zeros(channels, frames, height, width // 2 + 1)
    for clip in about:
        principal = (colours.T @ clip.flatten(1)).view_as(clip)
        power += torch.fft.rfftn(window * principal, dim=(1, 2, 3)).abs().square()
    power[:, 0, 0, 0] = 0
    return NaturalSpectrum((power / power.amax()).sqrt(), colours)
