"""Weights that ship with the package."""

from importlib import resources

from safetensors.torch import load
from torch import nn

from ..errors import ModelUnusable


def fill_bundled(model: nn.Module, name: str) -> None:
    """Fill a model from the package's own weights file `name`, as float32, and put it in evaluation mode.

    Raises:
        ModelUnusable: the file is missing from the installation.
    """
    file = resources.files(__package__) / "shipped" / name
    try:
        state = load(file.read_bytes())
    except FileNotFoundError as missing:
        raise ModelUnusable(
            f"{name} is missing from this installation; install kinetoscope again"
        ) from missing
    model.load_state_dict({key: tensor.float() for key, tensor in state.items()})
    model.eval()
