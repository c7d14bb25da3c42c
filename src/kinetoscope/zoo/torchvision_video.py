"""torchvision's video models, with their published weights and the preprocessing those were trained with."""

from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..card import ModelCard
from ..errors import ModelNotFound, ModelUnusable, SettingInvalid, closest

# builder name prefix -> frames, frames per second, output layer; as torchvision's notes on its weights say,
# but for s3d, which was evaluated on 128 frames and takes any number from 14 on
_FED = {
    "s3d": (16, 15.0, "classifier.1"),
    "mvit": (16, 7.5, "head.1"),
    "swin3d": (32, 15.0, "head"),
    "": (16, 15.0, "fc"),
}


def load_torchvision(
    builder: str, weights: str = "default", num_classes: int | None = None
) -> tuple[nn.Module, ModelCard]:
    """Make a model of `torchvision.models.video`, and the card that its published weights imply.

    Args:
        builder: `r3d_18`, `mvit_v2_s`, ...
        weights: `default`, torchvision's best; `random`; or a name out of torchvision's enumeration, such as
            `KINETICS400_V1` or `R3D_18_Weights.KINETICS400_V1`. torchvision itself downloads and checks them.
        num_classes: outputs, for random weights.

    Raises:
        ModelNotFound: torchvision is not installed, or has no such builder.
        ModelUnusable: torchvision does not load here, or the weights are unknown or cannot be had.
        SettingInvalid: `num_classes` for published weights.
    """
    models = _import_models()
    known = models.list_models(module=models.video)
    if builder not in known:
        raise ModelNotFound(f"torchvision has no video model {builder!r}; closest: {closest(builder, known)}")
    published = models.get_model_weights(builder)
    if weights == "random":
        options = {} if num_classes is None else {"num_classes": num_classes}
        model = models.get_model_builder(builder)(weights=None, **options)
        return model, _card(builder, published.DEFAULT, named=num_classes is None)
    if num_classes is not None:
        raise SettingInvalid(
            "torchvision's published weights have fixed classes; leave num_classes out, or random"
        )
    chosen = _find_weights(published, weights)
    try:
        model = models.get_model_builder(builder)(weights=chosen, progress=True)
    except (OSError, RuntimeError) as error:  # no network, an unwritable cache, or a wrong hash
        place = Path(torch.hub.get_dir()) / "checkpoints"
        raise ModelUnusable(
            f"{chosen} cannot be had ({_line(error)}); put {chosen.url} into {place}, or give random"
        ) from error
    return model, _card(builder, chosen, named=True)


def _import_models() -> Any:
    try:
        return import_module("torchvision.models")
    except ImportError as error:
        if error.name and error.name.partition(".")[0] == "torchvision":
            raise ModelNotFound(
                "torchvision is not installed: pip install 'kinetoscope[torchvision]'"
            ) from error
        raise _unloadable(error) from error
    except (RuntimeError, OSError, AttributeError) as error:
        raise _unloadable(error) from error


def _unloadable(error: Exception) -> ModelUnusable:
    return ModelUnusable(
        f"torchvision's compiled part does not load next to torch {torch.__version__} ({_line(error)}); "
        "reinstall both from the same source"
    )


def _find_weights(published: Any, name: str) -> Any:
    enumeration, _, member = name.rpartition(".")
    if name == "default":
        return published.DEFAULT
    if member not in published.__members__ or enumeration not in ("", published.__name__):
        known = ", ".join(published.__members__)
        raise ModelUnusable(f"{published.__name__} has no {name!r}; give one of {known}, a file, or random")
    return published[member]


def _card(builder: str, weights: Any, named: bool) -> ModelCard:
    frames, rate, output = next(row for prefix, row in _FED.items() if builder.startswith(prefix))
    preset = weights.transforms()
    return ModelCard(
        clip=(frames, *preset.crop_size),
        mean=tuple(preset.mean),
        std=tuple(preset.std),
        class_names=tuple(weights.meta["categories"]) if named else (),
        frames_per_second=rate,
        output_layer=output,
        citation=f"torchvision.models.video.{builder}",
    )


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
