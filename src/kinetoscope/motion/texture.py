"""Textures for a known motion and light: least squares, for frames are linear in what they sample."""

from collections.abc import Sequence
from copy import copy

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from ..types import Flows, Velocities, Videos
from ..warp import accumulate, by_image, pixel_grid, sample
from .clips import taken
from .light import Light
from .metrics import total_variations
from .pyramid import blur
from .solve import conjugate_gradients

Canvases = Float[Tensor, "*clip key channel rows columns"]

FARTHEST = 3
"""A canvas reaches at most so many frame sizes beyond the frame on each side."""

MOST_BLURS = 6
"""After so many what is still too rough is left: a flat clip allows no roughness at all."""


def displacement_to(key: int, ahead: Velocities, back: Velocities) -> Flows:
    """D to frame `key`: content at p in frame t is at p + D_t(p) there, (..., T, 2, H, W), pixels.

    Args:
        ahead, back: as in `edges.sharpen`, per pixel.
    """
    pixel = ahead.new_ones(1, 2, 1, 1)
    later = accumulate(back[..., key:, :, :, :], pixel)
    earlier = accumulate(ahead[..., :key, :, :, :].flip(-4), pixel)
    return torch.cat([earlier[..., 1:, :, :, :].flip(-4), later], dim=-4)


def key_shares(times: Sequence[float], frames: int) -> Float[Tensor, "key time"]:
    """How much of each key texture each frame shows: linear between neighbouring keys, columns sum to 1."""
    at = torch.tensor(times, dtype=torch.float32)
    shares = torch.zeros(len(times), frames)
    for t in range(frames):
        after = int(torch.searchsorted(at, float(t)))
        if after == 0 or after == len(times):
            shares[min(after, len(times) - 1), t] = 1.0
        else:
            part = (t - at[after - 1]) / (at[after] - at[after - 1])
            shares[after - 1, t], shares[after, t] = 1 - part, part
    return shares


class Textures:
    """Where each frame fetches from one or more textures, each on a canvas that holds all that is fetched.

    The canvases of a batch have one size, and the frame one place on them; what lies beyond the part that a
    clip's own fields reach is no part of its textures.

    Attributes:
        keys: how many textures.
    """

    def __init__(self, fields: Sequence[Flows], shares: Float[Tensor, "key time"], spare: int = 3) -> None:
        """Lay out the canvases.

        Args:
            fields: one sampling field D per texture, (B, T, 2, H, W), pixels.
            shares: of each texture in each frame.
            spare: pixels around what is fetched.
        """
        self.keys = len(fields)
        self.frames, _, self.height, self.width = fields[0].shape[1:]
        pixels = pixel_grid(self.height, self.width, device=fields[0].device)
        self._shares = shares.to(fields[0])
        self._shown = [torch.nonzero(row).flatten() for row in self._shares]
        size = pixels.new_tensor([self.width, self.height])
        places = [pixels + field[:, shown] for field, shown in zip(fields, self._shown, strict=True)]
        low = torch.stack([at.amin(dim=(1, 3, 4)) for at in places]).amin(dim=0).clamp(max=0)
        high = torch.stack([at.amax(dim=(1, 3, 4)) for at in places]).amax(dim=0).maximum(size - 1)
        low = low.maximum(-FARTHEST * size).floor() - spare
        high = high.minimum((FARTHEST + 1) * size).ceil() + spare
        first, last = low.amin(dim=0), high.amax(dim=0)
        self._left, self._top = (-int(edge) for edge in first)
        self._right, self._bottom = (int(edge) for edge in last - (size - 1))
        self._low, self._high = (_at_places(edge - first) for edge in (low, high))
        self._places = [at - _at_places(first) for at in places]

    def of(self, clips: Tensor) -> "Textures":
        """The same for some of the clips, on canvases of the same size."""
        some = copy(self)
        some._places = [taken(at, clips) for at in self._places]
        some._low, some._high = taken(self._low, clips), taken(self._high, clips)
        return some

    def around(self, images: Float[Tensor, "clip key channel height width"]) -> Canvases:
        """Images of the frame's extent, continued to the canvases by their borders."""
        margins = (self._left, self._right, self._top, self._bottom)
        return by_image(lambda each: F.pad(each, margins, mode="replicate"), images)

    def frame(self, canvases: Tensor) -> Tensor:
        """The frame's extent of each canvas, (..., H, W)."""
        rows = slice(self._top, self._top + self.height)
        return canvases[..., rows, self._left : self._left + self.width]

    def render(self, canvases: Canvases, jitter: Flows | None = None) -> Videos:
        """What each frame fetches, blended between its textures; `jitter` is added to all fields."""
        size = (self.frames, canvases.shape[2], self.height, self.width)
        out = canvases.new_zeros(len(canvases), *size)
        for key, (places, shown) in enumerate(zip(self._places, self._shown, strict=True)):
            if len(shown):
                places = places if jitter is None else places + jitter[:, shown]
                fetched = sample(canvases[:, key : key + 1], places.clamp(self._low, self._high))
                out = out.index_add(1, shown, self._shares[key, shown].view(-1, 1, 1, 1) * fetched)
        return out

    def continued(self, canvases: Canvases) -> Canvases:
        """Each clip's own part of its canvases, continued by its borders."""
        for axis in (-1, -2):
            cells, low, high = self._own(axis, canvases.shape[axis])
            canvases = torch.take_along_dim(canvases, torch.minimum(cells.maximum(low), high).long(), axis)
        return canvases

    def joined(self, canvases: Canvases) -> list[tuple[int, Tensor]]:
        """Along each axis, 1 between neighbours that both are a clip's own, (B, 1, 1, h, w) but one."""
        ranges = (self._own(axis, canvases.shape[axis]) for axis in (-2, -1))
        down, across = ((cells >= low) & (cells <= high) for cells, low, high in ranges)
        own = (down & across).to(canvases)
        sizes = ((axis, own.shape[axis] - 1) for axis in (-2, -1))
        return [(axis, own.narrow(axis, 0, size) * own.narrow(axis, 1, size)) for axis, size in sizes]

    def _own(self, axis: int, size: int) -> tuple[Tensor, Tensor, Tensor]:
        """The cells along an axis, and the first and last that are a clip's own, for (B, 1, 1, h, w)."""
        component = -1 - axis
        cells = torch.arange(size, device=self._low.device).view(-1, *(1,) * component)
        return cells, self._low[:, :, component, None], self._high[:, :, component, None]


def _at_places(edge: Tensor) -> Tensor:
    """Positions (x, y), one or one per clip, to go with position maps (B, T, 2, H, W)."""
    return edge.view(-1, 1, 2, 1, 1)


def standing_textures(
    video: Videos, shares: Float[Tensor, "key time"], light: Light
) -> Float[Tensor, "*clip key channel height width"]:
    """Textures that do not move, in closed form: a small least-squares problem at each pixel.

    Args:
        shares: of each texture in each frame.
    """
    pairs = torch.einsum("kt,lt,...tchw->...hwkl", shares, shares, light.gain.square())
    wanted = torch.einsum("kt,...tchw->...hwkc", shares, light.gain * (video - light.offset))
    ridge = 1e-3 * video.shape[-4] / len(shares)  # where light leaves nothing to see the mean stands in
    pairs = pairs + ridge * torch.eye(len(shares)).to(pairs)
    wanted = wanted + ridge * video.mean(dim=-4).movedim(-3, -1)[..., None, :]
    return torch.linalg.solve(pairs, wanted).movedim((-2, -1), (-4, -3))


def fit_textures(
    videos: Videos,
    textures: Textures,
    light: Light,
    start: Canvases,
    *,
    jitter: Flows | None = None,
    smooth: float = 1e-3,
    iterations: int = 8,
) -> Canvases:
    """The canvases that in this light come nearest to the videos, by conjugate gradients from `start`.

    Args:
        videos: (B, T, C, H, W); light and jitter likewise.
        smooth: weight of the squared differences of neighbours: fills what no frame shows.

    Returns:
        (B, K, C, h, w); may leave [0, 1] slightly.
    """
    scale, joined = textures.keys / textures.frames, textures.joined(start)

    def pulled_back(canvases: Canvases, target: Videos | None) -> Tensor:
        """The adjoint of fetching, applied to what is fetched in this light, or to `target`."""
        with torch.enable_grad():
            canvases = canvases.detach().requires_grad_()
            fetched = textures.render(canvases, jitter)
            seen = light.gain.square() * fetched.detach() if target is None else light.gain * target
            return torch.autograd.grad(fetched, canvases, scale * seen)[0]

    def normal(canvases: Canvases) -> Tensor:
        return pulled_back(canvases, None) + smooth * _bumps(canvases, joined)

    wanted = pulled_back(start, videos - light.offset)
    return conjugate_gradients(normal, wanted, start, 1.0, iterations)


def _bumps(images: Tensor, joined: list[tuple[int, Tensor]]) -> Tensor:
    """Half the gradient of the squared differences of neighbours."""
    out = torch.zeros_like(images)
    for axis, both in joined:
        step, size = images.diff(dim=axis) * both, images.shape[axis]
        out.narrow(axis, 1, size - 1).add_(step)
        out.narrow(axis, 0, size - 1).sub_(step)
    return out


def evened(canvases: Canvases, roughest: Float[Tensor, " clip"], textures: Textures) -> Canvases:
    """Each canvas, blurred just as much as holds the frame's extent of it to `roughest`, or not at all."""

    def too_rough(images: Tensor) -> Tensor:
        return total_variations(textures.frame(images)).double() > roughest[:, None]

    def mixed(shares: Tensor) -> Tensor:
        return torch.lerp(canvases, soft, shares.to(soft)[..., None, None, None])

    rough = blurred = too_rough(canvases)
    if not bool(rough.any()):
        return canvases
    soft, untouched = canvases, canvases
    for _ in range(MOST_BLURS):
        if not bool(rough.any()):
            break
        going, once_more = rough[..., None, None, None], textures.continued(blur(soft))
        canvases, soft = torch.where(going, soft, canvases), torch.where(going, once_more, soft)
        rough = rough & too_rough(soft)
    low, high = torch.zeros_like(rough, dtype=torch.float64), torch.ones_like(rough, dtype=torch.float64)
    for _ in range(8):
        middle = (low + high) / 2
        still_rough = too_rough(mixed(middle))
        low, high = torch.where(still_rough, middle, low), torch.where(still_rough, high, middle)
    return torch.where(blurred[..., None, None, None], mixed(high), untouched)
