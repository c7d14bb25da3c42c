"""Networks whose tuning is known; kernels as large as the clip, so that forwards cost nothing."""

import math

import torch
from torch import nn

from kinetoscope.card import ModelCard
from kinetoscope.synthetic.networks import PairEnergy, gabor, grey

FRAMES, SIDE = 9, 25
CARD = ModelCard(clip=(FRAMES, SIDE, SIDE), mean=(0.5,))
WAVELENGTH = 9.0


class Energies(nn.Module):
    """Quadrature pairs of the given kernels, (2N, 3, D, h, w), squared and summed; layer `energy`."""

    def __init__(self, kernels):
        super().__init__()
        self.conv = nn.Conv3d(3, len(kernels), kernels.shape[2:], bias=False)
        self.conv.weight = nn.Parameter(kernels.float())
        self.energy = PairEnergy()

    def forward(self, clips):
        return self.energy(self.conv(clips))


def energies(tuning, wavelength=WAVELENGTH):
    """Units that prefer (direction, speed)."""
    size = (FRAMES, SIDE)
    return Energies(
        torch.stack(
            [
                grey(gabor(direction, speed, wavelength=wavelength, size=size, phase=phase))
                for direction, speed in tuning
                for phase in (0.0, math.pi / 2)
            ]
        )
    )


class Pattern(nn.Module):
    """Units that pool energies of all directions with a cosine and sharpen the sum; layer `pool`.

    A plaid's gratings 60 degrees to either side add up to the cosine about the plaid's own direction
    [SimoncelliHeeger1998].
    """

    def __init__(self, directions, speed=1.0):
        super().__init__()
        count = 24
        angles = [360 / count * k for k in range(count)]
        self.first = energies([(angle, speed) for angle in angles])
        weights = torch.tensor([[math.cos(math.radians(d - a)) for a in angles] for d in directions])
        self.pool = nn.Conv3d(count, len(directions), 1, bias=False)
        self.pool.weight = nn.Parameter(weights[:, :, None, None, None])
        self.sharp = Sharpen()

    def forward(self, clips):
        return self.sharp(self.pool(self.first(clips)))


class Sharpen(nn.Module):
    def forward(self, x):
        return x.relu().square()


def closed_form_dsi(kernels, unit, wavelength, speed, count=24):
    """From the Fourier transform of a unit's two kernels at the gratings' frequencies."""
    frames, side = kernels.shape[2], kernels.shape[3]
    t = torch.arange(frames).view(-1, 1, 1).double()
    y, x = torch.arange(side).view(-1, 1).double(), torch.arange(side).double()
    pair = kernels[2 * unit : 2 * unit + 2].double().sum(dim=1)
    total, along = 0.0, 0j
    for k in range(count):
        angle = 2 * math.pi * k / count
        wave = torch.exp(2j * math.pi / wavelength * (x * math.cos(angle) - y * math.sin(angle) - speed * t))
        power = float((pair * wave).sum(dim=(1, 2, 3)).abs().square().sum())
        total, along = total + power, along + power * complex(math.cos(angle), math.sin(angle))
    return abs(along) / total
