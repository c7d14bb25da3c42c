"""Random weights under which deep layers still answer to the clip."""

from torch import nn


def he_normal(model: nn.Module) -> None:
    """Draw every 3D convolution anew, from torch's global generator (He et al. 2015, eq. 10).

    torch's own start lets the signal of a ReLU network die away within a few layers.
    """
    for layer in model.modules():
        if isinstance(layer, nn.Conv3d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
