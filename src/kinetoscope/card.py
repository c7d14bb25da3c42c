"""What a model expects of its input, stated by the model and never assumed by a caller."""

import json
from dataclasses import asdict, dataclass
from functools import lru_cache
from hashlib import sha256

import torch
from torch import Tensor, nn

from .errors import SettingInvalid
from .metric import NaturalMetric, usual_metric
from .types import VideoBatch


@dataclass(frozen=True)
class ModelCard:
    """How one network wants its clips.

    Attributes:
        clip: native clip as (frames, height, width), in frames and pixels.
        channels: input channels; 3 for RGB, 1 for grey, 2 for a flow's x and y, or any other number.
        value_range: what the network's authors feed for black and for white, before normalization.
        channel_order: "RGB" or "BGR".
        mean, std: subtracted and divided per channel after scaling to `value_range`.
        class_names: names of the output layer's units, in index order; empty when unknown.
        frames_per_second: of the clips the network was trained on; for playback only.
        output_layer: dotted name of the layer whose units are the classes.
        suggested_layers: dotted names worth looking at first, from input to output.
        citation: where the network was published.
        metric: statistics of the clips it was made for (`natural_metric` measures them); None: natural
            colours for RGB, and each channel for itself otherwise.
    """

    clip: tuple[int, int, int] = (16, 112, 112)
    channels: int = 3
    value_range: tuple[float, float] = (0.0, 1.0)
    channel_order: str = "RGB"
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    class_names: tuple[str, ...] = ()
    frames_per_second: float = 8.0
    output_layer: str = ""
    suggested_layers: tuple[str, ...] = ()
    citation: str = ""
    metric: NaturalMetric | None = None

    @property
    def natural(self) -> NaturalMetric:
        """The metric in force."""
        return self.metric or usual_metric(self.channels)

    @property
    def sha256(self) -> str:
        """SHA-256 of everything the card says: another mean or another list of classes is another card."""
        return sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()

    def normalize(self, clips: VideoBatch) -> VideoBatch:
        """Turn clips (B, C, T, H, W) in [0, 1], RGB or grey, into what the network's authors feed it."""
        low, high = self.value_range
        mean, std = (_constants(numbers, clips.device, clips.dtype) for numbers in (self.mean, self.std))
        if self.channel_order == "BGR":
            clips = clips.flip(1)
        return (clips * (high - low) + low - mean) / std

    def names_of(self, layer: str) -> tuple[str, ...]:
        """Names of a layer's units: the classes where it is the output layer, else none."""
        return self.class_names if layer == self.output_layer else ()

    def __post_init__(self) -> None:
        if len(self.clip) != 3 or min(self.clip) < 1:
            raise SettingInvalid(f"a card's clip is (frames, height, width), all at least 1, not {self.clip}")
        if self.channels < 1:
            raise SettingInvalid(f"a card's channels must be at least 1, not {self.channels}")
        if self.channel_order not in ("RGB", "BGR"):
            raise SettingInvalid(f"a card's channel_order is 'RGB' or 'BGR', not {self.channel_order!r}")
        for name in ("mean", "std"):
            count = len(getattr(self, name))
            if count not in (1, self.channels):
                raise SettingInvalid(f"a card's {name} has 1 or {self.channels} numbers, not {count}")
        if self.metric is not None and len(self.metric.colour) not in (0, self.channels):
            raise SettingInvalid(
                f"a card's metric has a colour table for {len(self.metric.colour)} channels; the card says "
                f"{self.channels}"
            )
        if min(self.std) <= 0:
            raise SettingInvalid(f"a card's std must be positive, not {self.std}")


def card_of(model: nn.Module) -> ModelCard:
    """The model's own card, or a guess: channels of its first convolution, and the default clip.

    Examples:
        >>> ks.card_of(ks.load_model("motion13")).clip  # frames, height, width
        (16, 64, 64)
    """
    card = getattr(model, "kinetoscope_card", None)
    if card is None:
        convolutions = (m for m in model.modules() if isinstance(m, (nn.Conv3d, nn.Conv2d)))
        # a lazy one that has not run yet has none
        card = ModelCard(channels=next((m.in_channels for m in convolutions if m.in_channels), 3))
    return card


@lru_cache(maxsize=32)
def _constants(numbers: tuple[float, ...], device: torch.device, dtype: torch.dtype) -> Tensor:
    """Numbers per channel, made once: a copy to a device at every step would make it wait."""
    return torch.tensor(numbers, device=device, dtype=dtype).view(1, -1, 1, 1, 1)
