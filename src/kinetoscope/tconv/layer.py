"""The temporally factorized convolution as a layer."""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .kernel import Kernel, temporal_kernel

IDENTITY = {"scale": 1.0, "rotate": 0.0, "translate_x": 0.0, "translate_y": 0.0}
"""The trajectory's four parameters, by name, and their values where nothing moves."""


class Conv3T(nn.Conv3d):
    """A `Conv3d` whose kernel is its first slice, moved on from frame to frame (Ras2020, section 3).

    Takes the arguments of `torch.nn.Conv3d` and stands wherever that does. Learned are `first_weight`
    (out, in / groups, 1, h, w) and `scale`, `rotate`, `translate_x`, `translate_y`, each (D-1, out), beside
    `bias`: h w in + 4 (D-1) numbers per output channel in place of D h w in; `temporal_kernel` says what they
    mean. `weight`, the kernel (out, in / groups, D, h, w), is computed from them whenever it is asked for and
    never stored: writing into it changes nothing.

    The state dict of the official code loads: it holds `weight` as well, which is passed over. A new layer
    stands still and draws its first slice as `Conv3d` draws kernels; the official code draws from N(0, 1),
    which makes no difference before batch norm.

    Examples:
        >>> layer = ks.Conv3T(3, 8, kernel_size=(3, 5, 5), padding=(1, 2, 2))  # as nn.Conv3d
        >>> layer(torch.rand(1, 3, 8, 24, 32)).shape
        torch.Size([1, 8, 8, 24, 32])
    """

    first_weight: nn.Parameter
    scale: nn.Parameter
    rotate: nn.Parameter
    translate_x: nn.Parameter
    translate_y: nn.Parameter

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        kernel = self._parameters.pop("weight")
        assert kernel is not None
        steps = kernel.new_empty(self.kernel_size[0] - 1, self.out_channels)
        self.first_weight = nn.Parameter(torch.empty_like(kernel[:, :, :1]))
        for name in IDENTITY:
            setattr(self, name, nn.Parameter(steps.clone()))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw first slice and bias anew, from torch's global generator, and stand still."""
        if "weight" in self._parameters:  # the base class asks before there is anything to draw
            return
        bound = 1 / math.sqrt(self.in_channels // self.groups * math.prod(self.kernel_size))
        for drawn in (self.first_weight, self.bias):
            if drawn is not None:
                nn.init.uniform_(drawn, -bound, bound)
        self.reset_trajectory()

    def reset_trajectory(self) -> None:
        """Stand still: every slice like the first."""
        for name, value in IDENTITY.items():
            nn.init.constant_(getattr(self, name), value)

    @property
    def weight(self) -> Kernel:  # type: ignore[override]  # to be read only, unlike Conv3d's
        """The kernel that the parameters make now, (out, in / groups, D, h, w)."""
        return self._kernel(0, 0)

    def forward(self, input: Tensor) -> Tensor:
        """As `Conv3d`; slices that meet nothing but padding, in every output, are not computed."""
        early, late = self._unmet(input.shape[-3])
        if early == 0:
            return super().forward(input)
        assert not isinstance(self.padding, str)
        padding = (self.padding[0] - early * self.dilation[0], *self.padding[1:])
        kernel = self._kernel(early, late)
        return F.conv3d(input, kernel, self.bias, self.stride, padding, self.dilation, self.groups)

    def _kernel(self, early: int, late: int) -> Kernel:
        path = (getattr(self, name) for name in IDENTITY)
        first, kind = self.first_weight.to(self.scale.dtype), self.first_weight.device.type
        if not torch.amp.is_autocast_available(kind):  # as for tensors without values
            return temporal_kernel(first, *path, early=early, late=late)
        with torch.autocast(kind, enabled=False):  # places bear no rounding
            return temporal_kernel(first, *path, early=early, late=late)

    def _unmet(self, frames: int) -> tuple[int, int]:
        """How many slices at the beginning and the end need not meet so many frames.

        Padding is the same at both ends: so no more are left out at the end than at the beginning, and more
        at the beginning only where the frames that the stride leaves over at the end make up for it.
        """
        if self.padding_mode != "zeros" or isinstance(self.padding, str):
            return 0, 0
        about = (self.kernel_size, self.stride, self.padding, self.dilation)
        depth, stride, padding, apart = (numbers[0] for numbers in about)
        room = frames + 2 * padding - apart * (depth - 1) - 1
        last, over = room // stride * stride, room % stride  # start of the last output; frames after its end
        early = min(-(-(padding - last) // apart), padding // apart, depth - 1)
        late = min(depth + -(frames + padding) // apart, early, (depth - 1) // 2)
        late = max(0, late)
        return max(0, min(early, late + over // apart)), late

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *more: Any) -> None:
        state_dict.pop(f"{prefix}weight", None)
        super()._load_from_state_dict(state_dict, prefix, *more)
