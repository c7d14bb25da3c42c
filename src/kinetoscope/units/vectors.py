"""Directions in a layer's channels, looked at as units: probe weights, principal axes, class weights."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import safetensors
import torch
from safetensors.torch import load as load_safetensors
from torch import Tensor

from ..errors import SettingInvalid, closest
from ..records import sha256_of

FLOOR = 0.1
"""The cosine counts as at least that, so that there is a way up where it is negative (Carter et al. 2019)."""


@dataclass(frozen=True, eq=False)
class Vectors:
    """Rows of weights of a layer's channels; unit n is row n.

    The value of a unit at a place of the map is the sum of the channels there, weighted by its row. Rows are
    divided by their lengths.

    Attributes:
        rows: (n, C), of real numbers; of length 1 when made.
        name: where they are from; "" where that is not known.
        cosine: power p of the cosine between row and channels; the value is its product with max(cosine,
            0.1)^p, which prefers places where the channels say this and nothing else (Carter et al. 2019).
    """

    rows: Tensor
    name: str = ""
    cosine: float = 0.0

    def __post_init__(self) -> None:
        if self.rows.ndim != 2 or not self.rows.is_floating_point():
            given = "x".join(map(str, self.rows.shape)) or "one number"
            raise SettingInvalid(
                f"vectors are rows of real numbers, one per channel, not {given} of {self.rows.dtype}"
            )
        lengths = self.rows.norm(dim=1, keepdim=True)
        odd = torch.nonzero(~(torch.isfinite(lengths) & (lengths > 0)).flatten()).flatten().tolist()
        if odd:
            raise SettingInvalid(
                f"vector {odd[0]} of {self.name or 'those given'} is zero or not finite; leave it out"
            )
        if not 0 <= self.cosine <= 16:
            raise SettingInvalid(f"the cosine's power is 0 to 16, not {self.cosine}")
        object.__setattr__(self, "rows", self.rows / lengths)

    def __len__(self) -> int:
        return len(self.rows)

    def names(self) -> tuple[str, ...]:
        """What each row is called."""
        return tuple(f"{self.name or 'vector'}[{row}]" for row in range(len(self)))

    def describe(self) -> dict[str, str | float]:
        """What a record says of them: name, digest of the rows, and the cosine's power."""
        return {"name": self.name, "sha256": sha256_of(self.rows[None, None]), "cosine": self.cosine}

    def check(self, channels: int, layer: str) -> None:
        """Refuse a layer of another width.

        Raises:
            SettingInvalid: it has more channels, or fewer.
        """
        if self.rows.shape[1] != channels:
            raise SettingInvalid(
                f"vectors of {self.rows.shape[1]} numbers do not fit layer {layer!r} of {channels} channels; "
                "give the layer they were made for"
            )

    def of(self, output: Tensor, rows: Sequence[int]) -> Tensor:
        """What some of the rows give.

        Args:
            output: of the layer, (B, C, *map).

        Returns:
            (B, rows, *map).
        """
        chosen = self.rows[list(rows)].to(output)
        dots = torch.einsum("uc,bc...->bu...", chosen, output)
        if not self.cosine:
            return dots
        lengths = output.norm(dim=1, keepdim=True).clamp(min=torch.finfo(output.dtype).tiny)
        return dots * (dots / lengths).clamp(min=FLOOR) ** self.cosine


def read_vectors(where: str, cosine: float = 0.0) -> Vectors:
    """Vectors out of a file.

    Args:
        where: `FILE.safetensors:NAME`, a tensor (C,) or (n, C); `:NAME` may be left out where there is one.
        cosine: as for `Vectors`.

    Raises:
        SettingInvalid: no such file or tensor, or it is none of these shapes.

    Examples:
        >>> from safetensors.torch import save_file
        >>> save_file({"plane": torch.randn(2, 24)}, "probe.safetensors")
        >>> ks.read_vectors("probe.safetensors:plane").names()
        ('plane[0]', 'plane[1]')
    """
    path, colon, name = where.rpartition(":")
    if not colon or (not Path(path).exists() and Path(where).exists()):
        path, name = where, ""
    try:
        tensors = load_safetensors(Path(path).read_bytes())
    except OSError as error:
        raise SettingInvalid(
            f"vectors {path!r} cannot be read ({error.strerror}); give FILE.safetensors:NAME"
        ) from error
    except safetensors.SafetensorError as error:
        raise SettingInvalid(f"{path!r} is no safetensors file ({error}); save the vectors as one") from error
    if not name and len(tensors) == 1:
        (name,) = tensors
    if name not in tensors:
        raise SettingInvalid(f"{path!r} has no tensor {name!r}; closest: {closest(name, tensors)}")
    rows = tensors[name]
    if rows.ndim == 4 or rows.ndim == 5:  # weights of a 1x1 convolution, as class weights often are
        rows = rows.flatten(1) if rows[0].numel() == rows.shape[1] else rows
    return Vectors(rows[None] if rows.ndim == 1 else rows, name, cosine)
