"""Video transformers of the `transformers` package: VideoMAE, TimeSformer, ViViT, V-JEPA 2 and their like."""

from functools import partial
from importlib import import_module
from typing import Any

from torch import nn

from ..card import ModelCard
from ..errors import ModelNotFound, ModelUnusable, SettingInvalid, closest, one_line

# mean and deviation of clips, where no file of preprocessing says them: those of the published networks
_IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_NORMALIZED = {"timesformer": ((0.45,), (0.225,)), "vivit": ((0.5,), (0.5,))}


def load_hugging_face(
    name: str, weights: str = "default", num_classes: int | None = None
) -> tuple[nn.Module, ModelCard]:
    """Make a video transformer, its layers named as there, that takes clips (B, C, T, H, W).

    Args:
        name: an architecture such as `videomae`, with random weights; a folder that holds `config.json`; or a
            repository of the hub, such as `MCG-NJU/videomae-base-finetuned-kinetics`, from the cache or
            downloaded.
        weights: `default`, those of the folder or repository, safetensors only; or `random`, for which its
            configuration is enough.
        num_classes: outputs, for random weights.

    Raises:
        ModelNotFound: transformers is not installed, or knows no such architecture.
        ModelUnusable: folder or repository cannot be had, or hold no weights as safetensors.
        SettingInvalid: `num_classes` for published weights.
    """
    package = _package()
    known = import_module("transformers.models.auto.modeling_auto")
    kinds = known.MODEL_FOR_VIDEO_CLASSIFICATION_MAPPING_NAMES
    bare = name in kinds
    if bare and weights == "default":
        raise ModelUnusable(f"hf:{name} is an architecture without weights; give --weights random, or a file")
    if weights == "default" and num_classes is not None:
        raise SettingInvalid("published weights have fixed classes; leave num_classes out, or random")
    try:
        config = _config(package, name, bare, num_classes)
        if config.model_type not in kinds:
            raise ModelNotFound(
                f"hf:{name} is a {config.model_type}, which is no video network that transformers "
                f"{package.__version__} knows; closest: {closest(config.model_type, kinds)}"
            )
        kind = package.AutoModelForVideoClassification if _has_classes(config, bare) else package.AutoModel
        if weights == "random":
            model = kind.from_config(config)
        else:
            model = kind.from_pretrained(name, config=config, use_safetensors=True)
        told = {} if bare else _preprocessing(package, name)
    except (OSError, ValueError) as error:  # no such name, no network, no safetensors, a damaged file
        raise ModelUnusable(
            f"hf:{name} cannot be had ({one_line(error)[:200]}); give a folder with config.json and "
            f"model.safetensors, or an architecture with --weights random, such as {closest(name, kinds, 1)}"
        ) from error
    model.register_forward_pre_hook(partial(_packed, name=model.main_input_name), with_kwargs=True)
    return model, _card(config, told, name)


def _config(package: Any, name: str, bare: bool, num_classes: int | None) -> Any:
    options = {} if num_classes is None else {"num_labels": num_classes}
    if bare:
        return package.AutoConfig.for_model(name, **options)
    return package.AutoConfig.from_pretrained(name, **options)


def _package() -> Any:
    try:
        package = import_module("transformers")
    except ImportError as error:
        raise ModelNotFound("transformers is not installed: pip install 'kinetoscope[hf]'") from error
    package.logging.set_verbosity_error()
    package.logging.disable_progress_bar()
    return package


def _packed(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], *, name: str) -> Any:
    """Frames before channels, under the name that the network has for its input."""
    (clips,) = args
    return (), {**kwargs, name: clips.transpose(1, 2)}


def _has_classes(config: Any, bare: bool) -> bool:
    return bare or any("ForVideoClassification" in name for name in config.architectures or ())


def _preprocessing(package: Any, name: str) -> dict[str, Any]:
    """What the file of preprocessing beside the weights says; nothing where there is none."""
    try:
        return package.ImageProcessingMixin.get_image_processor_dict(name)[0]
    except OSError:
        return {}


def _card(config: Any, told: dict[str, Any], name: str) -> ModelCard:
    mean, std = _NORMALIZED.get(config.model_type, _IMAGENET)
    side = getattr(config, "image_size", None) or config.crop_size
    height, width = (side, side) if isinstance(side, int) else side
    names = tuple(config.id2label[place] for place in sorted(config.id2label))
    classes = () if any(label.startswith("LABEL_") for label in names) else names
    return ModelCard(
        clip=(getattr(config, "num_frames", None) or config.frames_per_clip, height, width),
        channels=getattr(config, "num_channels", None) or config.in_chans,
        mean=tuple(told.get("image_mean") or mean),
        std=tuple(told.get("image_std") or std),
        class_names=classes,
        output_layer="classifier",
        citation=f"transformers, {config.model_type}: {name}",
    )
