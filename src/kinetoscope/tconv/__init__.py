"""Convolutions whose kernels are a slice that moves: the layer, its networks, and reading their motion."""

from .convert import Conversion, LayerFit, convert
from .inflate import Inflation, inflate
from .kernel import temporal_kernel
from .layer import Conv3T

__all__ = ["Conv3T", "Conversion", "Inflation", "LayerFit", "convert", "inflate", "temporal_kernel"]
