"""A network that knows directions whatever the contrast: shares of motion energy."""

from torch import Tensor, nn

from kinetoscope.synthetic.networks import MotionEnergy


class Shares(nn.Module):
    """Each channel as a share of all."""

    def forward(self, energy: Tensor) -> Tensor:
        return energy / (energy.sum(dim=1, keepdim=True) + 1e-4)


class MotionShares(MotionEnergy):
    """Motion energy of eight directions, and their shares; layers `conv`, `energy` and `shares`."""

    def __init__(self) -> None:
        super().__init__([(45.0 * k, 1.0) for k in range(8)], wavelength=6.0, size=(5, 7))
        self.shares = Shares()

    def forward(self, clips: Tensor) -> Tensor:
        return self.shares(super().forward(clips))
