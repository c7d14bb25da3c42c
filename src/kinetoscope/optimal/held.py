"""A constraint on the clip: where and when it may change, and what is shown elsewhere.

The search moves x about mid grey, as ever; what the network is shown, and what comes out, is base + mask x.
With a given clip as the base x is the change to it, and its contrast budget is how far it may go from there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from ..clips.arrays import array_video, is_array, open_array
from ..errors import SettingInvalid, VideoUnreadable
from ..records import sha256_of
from ..types import Video, VideoBatch
from ..warp import pixel_grid
from .objective import Forward, Output

Mask = Float[Tensor, "time 1 height width"]
"""1 where the clip is free, 0 where it is not."""

SHAPES = "centre:SHARE, surround:SHARE, frames:FIRST-LAST or FILE.npy, several with commas between them"


@dataclass(frozen=True, eq=False)
class Held:
    """What is free of a clip, and what is shown beneath.

    Attributes:
        mask: (T, 1, H, W) in [0, 1], not 0 everywhere.
        base: (T, C, H, W) in [0, 1], mid grey where nothing was given.
        near: whether the base is a clip to stay near to, whose change is what is searched for.
    """

    mask: Mask
    base: Video
    near: bool = False

    def __call__(self, clips: VideoBatch) -> VideoBatch:
        """What clips (B, C, T, H, W) in [0, 1] come to, cut at black and white."""
        mask, base = (part.to(clips).transpose(0, 1)[None] for part in (self.mask, self.base))
        return (base + mask * (clips - 0.5)).clamp(0, 1)

    def around(self, forward: Forward) -> Callable[[VideoBatch], Output]:
        """The network as it hears what clips come to."""
        return lambda clips: forward(self(clips))

    @property
    def weights(self) -> Float[Tensor, "1 1 time height width"]:
        """The mask as contrast is counted under it: of mean square 1."""
        return (self.mask / self.mask.square().mean().sqrt()).transpose(0, 1)[None]

    def to_json(self) -> dict[str, str]:
        """Digests of what it holds."""
        return {"mask": sha256_of(self.mask), "base": sha256_of(self.base)}


def hold(
    shape: tuple[int, int, int, int], mask: Mask | None, start: Video | None, stay: float | None
) -> Held | None:
    """The constraint that was asked for; None where the whole clip is free.

    Args:
        shape: of the clip, (C, T, H, W).
        start: a clip that the search begins with.
        stay: how far from it, as a root mean square; None: as far as contrast goes.

    Raises:
        SettingInvalid: the mask has another size, leaves nothing free, or there is no clip to stay near to.
    """
    channels, frames, height, width = shape
    if stay is not None and start is None:
        raise SettingInvalid("stay is how near to a given clip; give the clip as start")
    if mask is None and stay is None:
        return None
    wanted = (frames, 1, height, width)
    mask = torch.ones(wanted) if mask is None else mask.float()
    if tuple(mask.shape) != wanted or not bool(mask.any()) or bool((mask.clamp(0, 1) != mask).any()):
        given = "x".join(map(str, mask.shape))
        raise SettingInvalid(
            f"a mask has the clip's size, {'x'.join(map(str, wanted))} (Tx1xHxW), values from 0 to 1 and "
            f"some above 0; given was one of {given} from {float(mask.min()):g} to {float(mask.max()):g}"
        )
    if stay is not None and start is not None:
        return Held(mask, start.float(), near=True)
    grey = torch.full((frames, channels, height, width), 0.5)
    return Held(mask, grey if start is None else grey + (1 - mask) * (start - 0.5))


def read_mask(text: str, size: tuple[int, int, int]) -> Mask:
    """A mask as a person writes it; where several are named, what all of them leave free.

    Args:
        text: `centre:0.5`, the ellipse of half the clip's sides; `surround:0.5`, all but that;
            `frames:4-9`, first and last frame, from 0; or a .npy file (T, H, W), floats in [0, 1] or uint8.
        size: frames, height, width.

    Raises:
        SettingInvalid: it is none of these, or leaves nothing free.
        VideoUnreadable: the file cannot be read.

    Examples:
        >>> ks.read_mask("centre:0.5,frames:2-5", (8, 24, 32)).shape
        torch.Size([8, 1, 24, 32])
    """
    mask = torch.ones(size[0], 1, size[1], size[2])
    for part in text.split(","):
        mask = mask * _part(part.strip(), size)
    if not bool(mask.any()):
        raise SettingInvalid(f"mask {text!r} leaves nothing of a clip of {'x'.join(map(str, size))} free")
    return mask


def _part(text: str, size: tuple[int, int, int]) -> Tensor:
    kind, _, value = text.partition(":")
    frames, height, width = size
    if is_array(Path(text)):
        mask = array_video(open_array(Path(text), 1), Path(text))
        if tuple(mask.shape) != (frames, 1, height, width):
            given = "x".join(map(str, (len(mask), *mask.shape[2:])))
            raise VideoUnreadable(f"mask {text!r} is {given}, wanted {frames}x{height}x{width} (TxHxW)")
        return mask
    if kind in ("centre", "surround") and _share(value) is not None:
        x, y = pixel_grid(height, width)[0]
        x, y = (2 * x + 1) / width - 1, (2 * y + 1) / height - 1
        inside = (x.square() + y.square()).sqrt() <= (_share(value) or 0.0)
        return (inside if kind == "centre" else ~inside).float()
    first, dash, last = value.partition("-")
    if kind == "frames" and first.isdecimal() and (last.isdecimal() or not dash):
        times = torch.arange(frames).view(-1, 1, 1, 1)
        return ((times >= int(first)) & (times <= int(last or first))).float()
    raise SettingInvalid(f"mask {text!r} cannot be read; write {SHAPES}")


def _share(text: str) -> float | None:
    """A share of the sides; None for anything else."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 < value <= 1.5 else None
