"""The metric of natural videos: how much of each colour and each frequency a clip of the world has.

Natural clips are mostly grey, smooth, and slow. A step uphill in the plain pixels has none of that: the
gradient of a trained unit is about as strong at the finest frequencies as at the coarsest, and as strong in
colour as in brightness. Multiplied with the operator M of this file it gets the statistics of natural clips
(docs/method.md).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from .errors import SettingInvalid
from .types import Video, VideoBatch

# Covariance of natural colours, from its square root in Olah et al. 2017, largest eigenvalue 1.
_ROOT = torch.tensor([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]], dtype=torch.float64)
_COVARIANCE = _ROOT @ _ROOT.T / torch.linalg.eigvalsh(_ROOT @ _ROOT.T)[-1]

RGB: tuple[tuple[float, ...], ...] = tuple(tuple(row) for row in _COVARIANCE.tolist())
"""Covariance of the colours of natural pictures, (3, 3), red, green, blue."""


@dataclass(frozen=True)
class NaturalMetric:
    """Statistics of natural clips, in a few numbers.

    Attributes:
        colour: covariance of the channels, (C, C), as rows, symmetric and not negative; empty: all channels
            count alike and for themselves.
        power: amplitude falls as 1 / f to this power, f^2 = fx^2 + fy^2 + (slowness ft)^2.
        slowness: pixels per frame by which a cycle per frame is turned into cycles per pixel. 0 leaves time
            out, and then optima move too fast: long waves are favoured at the same flicker.
        coarsest: frequency in cycles per pixel below which the amplitude stays level.
    """

    colour: tuple[tuple[float, ...], ...] = ()
    power: float = 1.0
    slowness: float = 0.5
    coarsest: float = 1 / 16

    def __post_init__(self) -> None:
        if self.power < 0 or self.slowness < 0 or self.coarsest <= 0:
            raise SettingInvalid(
                "a metric's power and slowness are at least 0 and its coarsest frequency above 0, not "
                f"{self.power}, {self.slowness} and {self.coarsest}"
            )
        if self.colour and any(len(row) != len(self.colour) for row in self.colour):
            raise SettingInvalid("a metric's colour is a square table, as many rows as channels")
        if self.colour:
            table = torch.tensor(self.colour, dtype=torch.float64)
            if not torch.allclose(table, table.T, atol=1e-6) or torch.linalg.eigvalsh(table)[0] < -1e-6:
                raise SettingInvalid("a metric's colour is a covariance: symmetric, no negative eigenvalue")


def usual_metric(channels: int) -> NaturalMetric:
    """Natural colours for RGB; for any other number of channels each for itself."""
    return NaturalMetric(colour=RGB if channels == 3 else ())


def colour_power(colour: tuple[tuple[float, ...], ...], power: float) -> tuple[tuple[float, ...], ...]:
    """A covariance of channels to a power: 1 leaves it, 0 weighs all colours alike; empty stays empty."""
    if not colour:
        return colour
    values, vectors = torch.linalg.eigh(torch.tensor(colour, dtype=torch.float64))
    table = vectors @ torch.diag(values.clamp(min=0) ** power) @ vectors.T
    return tuple(tuple(row) for row in ((table + table.T) / 2).tolist())


class MetricOperator:
    """M for clips of one shape: `operator(x)` is M x.

    M weighs the cosine transform (DCT-II) of a clip over t, y and x, and mixes its channels. Beyond its
    border a clip
    is thereby taken to be mirrored: no padding, and no edge that a filter could ring at. The mean of each
        frame gets
    no weight: a clip of one colour, or a flicker of the whole field, is a direction that M does not have.
    """

    def __init__(
        self, natural: NaturalMetric, shape: Sequence[int], device: torch.device | str = "cpu"
    ) -> None:
        """Args: shape: of a clip, (C, T, H, W)."""
        channels, *sizes = self.shape = tuple(shape)
        self.device = torch.device(device)
        if natural.colour and len(natural.colour) != channels:
            raise SettingInvalid(
                f"the metric's colour is for {len(natural.colour)} channels, the clip has {channels}"
            )
        self._cosines = [cosine_matrix(size).to(device) for size in sizes]
        t, y, x = (torch.arange(size, device=device) / (2 * size) for size in sizes)
        squares = (natural.slowness * t[:, None, None]) ** 2 + y[:, None] ** 2 + x**2
        self._weights = (squares.sqrt().clamp(min=natural.coarsest) / natural.coarsest) ** -natural.power
        self._weights[:, 0, 0] = 0
        colour = torch.tensor(natural.colour) if natural.colour else torch.eye(channels)
        self._colour = (colour / torch.linalg.eigvalsh(colour)[-1]).to(device)
        self._grey = torch.full((channels,), 1 / channels, device=device)

    def __call__(self, x: VideoBatch, free: Tensor | None = None) -> VideoBatch:
        """M x.

        Args:
            x: (B, C, T, H, W), any values; a gradient, or a clip about mid grey.
            free: (B,) true where colours are left as they are, none weighed down.
        """
        return self._back(self._weights * self._forth(self._coloured(x, free)))

    def norm(self, x: VideoBatch) -> Tensor:
        """x' M^-1 x for each clip, (B,), over the part of x that M does not silence; in float64."""
        inverse = torch.linalg.pinv(self._colour.double())
        spectrum = self._forth(x.double())
        mixed = torch.einsum("ij,bjthw->bithw", inverse, spectrum)
        kept = self._weights > 0
        weights = torch.where(kept, self._weights, 1.0).double()
        return (spectrum * mixed / weights * kept).sum(dim=(1, 2, 3, 4))

    def energies(self, gradient: VideoBatch) -> Tensor:
        """Energy of a gradient's colour and of its brightness, (2, B), smoothed as M does, no colour weighed.

        For a linear unit, more colour than brightness means: the best clip loses more than half of its
        response with its colour.
        """
        smooth = self._weights.sqrt() * self._forth(gradient)
        brightness = torch.einsum("c,bcthw->bthw", self._grey.to(smooth), smooth)[:, None]
        colour = (smooth - brightness).square().sum(dim=(1, 2, 3, 4))
        return torch.stack([colour, brightness.square().sum(dim=(1, 2, 3, 4)) * gradient.shape[1]])

    def _coloured(self, x: VideoBatch, free: Tensor | None) -> VideoBatch:
        mixed = (self._colour.to(x) @ x.flatten(2)).view_as(x)
        return mixed if free is None else torch.where(free.view(-1, 1, 1, 1, 1), x, mixed)

    def _forth(self, x: VideoBatch) -> VideoBatch:
        over_t, over_y, over_x = (matrix.to(x) for matrix in self._cosines)
        return (over_t @ (over_y @ (x @ over_x.mT)).flatten(3)).view_as(x)

    def _back(self, spectrum: VideoBatch) -> VideoBatch:
        over_t, over_y, over_x = (matrix.to(spectrum) for matrix in self._cosines)
        return (over_t.mT @ (over_y.mT @ (spectrum @ over_x)).flatten(3)).view_as(spectrum)


def cosine_matrix(size: int) -> Tensor:
    """The orthonormal cosine transform of an axis (DCT-II); row k has k / (2 size) cycles a cell."""
    cells, cycles = torch.arange(size, dtype=torch.float64), torch.arange(size, dtype=torch.float64)[:, None]
    matrix = torch.cos(math.pi * (2 * cells + 1) * cycles / (2 * size)) * math.sqrt(2 / size)
    matrix[0] /= math.sqrt(2)
    return matrix.float()


def natural_metric(clips: Sequence[Video]) -> NaturalMetric:
    """Measure the metric on clips: of another camera, of flow fields, of any number of channels.

    The colour covariance is that of the pixels about each clip's mean. Power and slowness are those whose 1 /
    f fits the amplitudes of the cosine transform best (least squares of logarithms).

    Args:
        clips: (T, C, H, W) each, at least 4 frames and 8 pixels a side, the same C; values in [0, 1].

    Raises:
        SettingInvalid: no clip, clips too small or of different channels, or none that varies.

    Examples:
        >>> metric = ks.natural_metric([ks.read_video("clip.mp4")])
        >>> card = ks.ModelCard(clip=(8, 32, 48), metric=metric)
    """
    if not clips:
        raise SettingInvalid("a metric is measured on at least one clip; none was given")
    channels = {clip.shape[1] for clip in clips}
    if len(channels) > 1:
        raise SettingInvalid(f"all clips must have as many channels; these have {sorted(channels)}")
    if any(len(clip) < 4 or min(clip.shape[2:]) < 8 for clip in clips):
        raise SettingInvalid("a metric needs clips of at least 4 frames and 8 pixels a side")
    count = channels.pop()
    covariance, rows, count_of = torch.zeros(count, count, dtype=torch.float64), [], 0
    for clip in clips:
        about = clip.double() - clip.double().mean(dim=(0, 2, 3), keepdim=True)
        flat = about.transpose(0, 1).flatten(1)
        covariance += flat @ flat.T
        count_of += flat.shape[1]
        rows.append(log_amplitudes(about))
    largest = float(torch.linalg.eigvalsh(covariance)[-1])
    if largest <= 1e-12 * count_of:
        raise SettingInvalid("a metric needs clips that vary; these are of one colour")
    power, slowness = _fit(torch.cat(rows, dim=1))
    table = covariance / largest
    colour = tuple(tuple(row) for row in ((table + table.T) / 2).tolist()) if count > 1 else ()
    return NaturalMetric(colour=colour, power=power, slowness=slowness)


def log_amplitudes(about: Tensor) -> Tensor:
    """Squared frequency in space, in time, and log amplitude of a clip's cosine transform, (3, bins).

    Args:
        about: (T, C, H, W) about the mean colour, in float64; the mean of its channels is measured.
    """
    frames, _, height, width = about.shape
    grey = about.mean(dim=1)
    if not bool(grey.any()):
        grey = about[:, 0]
    matrices = [cosine_matrix(size).double() for size in (frames, height, width)]
    spectrum = matrices[1] @ (grey @ matrices[2].T)
    spectrum = (matrices[0] @ spectrum.flatten(1)).view_as(grey)
    t, y, x = (torch.arange(size, dtype=torch.float64) / (2 * size) for size in grey.shape)
    space = (y[:, None] ** 2 + x**2).sqrt()
    edges = torch.logspace(math.log10(1 / 16), math.log10(0.5), 9, dtype=torch.float64)
    found = []
    for low, high in pairwise(edges):
        ring = (space >= low) & (space < high)
        if bool(ring.any()):
            energy = spectrum[:, ring].square().mean(dim=1)
            middle = float(low * high) * torch.ones(frames, dtype=torch.float64)
            found.append(torch.stack([middle, t**2, 0.5 * energy.clamp(min=1e-20).log()]))
    return torch.cat(found, dim=1)


def _fit(rows: Tensor) -> tuple[float, float]:
    """Power and slowness of the 1 / f that fits best."""
    space, time, amplitude = rows
    best = (float("inf"), 1.0, 0.5)
    for slowness in torch.logspace(-1.3, 0.7, 41, dtype=torch.float64).tolist():
        log_f = 0.5 * (space + slowness**2 * time).log()
        centred = log_f - log_f.mean()
        power = -float((centred * (amplitude - amplitude.mean())).sum() / centred.square().sum())
        misfit = float((amplitude - amplitude.mean() + power * centred).square().sum())
        best = min(best, (misfit, max(power, 0.0), slowness))
    return best[1], best[2]
