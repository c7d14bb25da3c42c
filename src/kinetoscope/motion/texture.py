"""Textures for a known motion and light: least squares, for frames are linear in what they sample."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from ..types import Flow, Velocity, Video
from ..warp import accumulate, pixel_grid, sample
from .light import Light
from .metrics import roughness
from .pyramid import blur
from .solve import conjugate_gradients

Canvases = Float[Tensor, "key channel rows columns"]

FARTHEST = 3
"""A canvas reaches at most so many frame sizes beyond the frame on each side."""

MOST_BLURS = 6
"""After so many what is still too rough is left: a flat clip allows no roughness at all."""


def displacement_to(key: int, ahead: Velocity, back: Velocity) -> Flow:
    """D to frame `key`: content at p in frame t is at p + D_t(p) there, (T, 2, H, W), pixels.

    Args:
        ahead, back: as in `edges.sharpen`, per pixel.
    """
    pixel = ahead.new_ones(1, 2, 1, 1)
    later = accumulate(back[key:], pixel)
    earlier = accumulate(ahead[:key].flip(0), pixel)
    return torch.cat([earlier[1:].flip(0), later])


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

    Attributes:
        keys: how many textures.
    """

    def __init__(self, fields: Sequence[Flow], shares: Float[Tensor, "key time"], spare: int = 3) -> None:
        """Lay out the canvases.

        Args:
            fields: one sampling field D per texture, (T, 2, H, W), pixels.
            shares: of each texture in each frame.
            spare: pixels around what is fetched.
        """
        self.keys = len(fields)
        self.frames, _, self.height, self.width = fields[0].shape
        self._pixels = pixel_grid(self.height, self.width, device=fields[0].device)
        self._shares = shares.to(fields[0])
        self._shown = [torch.nonzero(row).flatten() for row in self._shares]
        size = self._pixels.new_tensor([self.width, self.height])
        places = [self._pixels + field[shown] for field, shown in zip(fields, self._shown, strict=True)]
        low = torch.stack([at.amin(dim=(0, 2, 3)) for at in places]).amin(dim=0).clamp(max=0)
        high = torch.stack([at.amax(dim=(0, 2, 3)) for at in places]).amax(dim=0).maximum(size - 1)
        low, high = low.maximum(-FARTHEST * size).floor() - spare, high.minimum((FARTHEST + 1) * size).ceil()
        self._left, self._top = (-int(low[0]), -int(low[1]))
        self._right, self._bottom = (int(high[k] + spare - (size[k] - 1)) for k in (0, 1))
        self._places = [at - low.view(1, 2, 1, 1) for at in places]

    def around(self, images: Float[Tensor, "key channel height width"]) -> Canvases:
        """Images of the frame's extent, continued to the canvases by their borders."""
        return F.pad(images, (self._left, self._right, self._top, self._bottom), mode="replicate")

    def frame(self, canvases: Tensor) -> Tensor:
        """The frame's extent of each canvas, (..., H, W)."""
        rows = slice(self._top, self._top + self.height)
        return canvases[..., rows, self._left : self._left + self.width]

    def render(self, canvases: Canvases, jitter: Flow | None = None) -> Video:
        """What each frame fetches, blended between its textures; `jitter` is added to all fields."""
        out = canvases.new_zeros(self.frames, canvases.shape[1], self.height, self.width)
        for key, (places, shown) in enumerate(zip(self._places, self._shown, strict=True)):
            if len(shown):
                places = places if jitter is None else places + jitter[shown]
                part = self._shares[key, shown].view(-1, 1, 1, 1) * sample(canvases[key][None], places)
                out = out.index_add(0, shown, part)
        return out


def standing_textures(
    video: Video, shares: Float[Tensor, "key time"], light: Light
) -> Float[Tensor, "key channel height width"]:
    """Textures that do not move, in closed form: a small least-squares problem at each pixel.

    Args:
        shares: of each texture in each frame.
    """
    pairs = torch.einsum("kt,lt,tchw->hwkl", shares, shares, light.gain.square())
    wanted = torch.einsum("kt,tchw->hwkc", shares, light.gain * (video - light.offset))
    ridge = 1e-3 * len(video) / len(shares)  # where light leaves nothing to see the mean stands in
    pairs = pairs + ridge * torch.eye(len(shares)).to(pairs)
    wanted = wanted + ridge * video.mean(dim=0).permute(1, 2, 0)[:, :, None]
    return torch.linalg.solve(pairs, wanted).permute(2, 3, 0, 1)


def fit_textures(
    video: Video,
    textures: Textures,
    light: Light,
    start: Canvases,
    *,
    jitter: Flow | None = None,
    smooth: float = 1e-3,
    iterations: int = 8,
) -> Canvases:
    """The canvases that in this light come nearest to the video, by conjugate gradients from `start`.

    Args:
        smooth: weight of the squared differences of neighbours: fills what no frame shows.

    Returns:
        (K, C, h, w); may leave [0, 1] slightly.
    """
    scale = textures.keys / textures.frames

    def pulled_back(canvases: Canvases, target: Video | None) -> Tensor:
        """The adjoint of fetching, applied to what is fetched in this light, or to `target`."""
        with torch.enable_grad():
            canvases = canvases.detach().requires_grad_()
            fetched = textures.render(canvases, jitter)
            seen = light.gain.square() * fetched.detach() if target is None else light.gain * target
            return torch.autograd.grad(fetched, canvases, scale * seen)[0]

    def normal(canvases: Canvases) -> Tensor:
        return pulled_back(canvases, None) + smooth * _bumps(canvases)

    wanted = pulled_back(start, video - light.offset)
    return conjugate_gradients(normal, wanted, start, 1.0, iterations)


def _bumps(images: Tensor) -> Tensor:
    """Half the gradient of the squared differences of neighbours."""
    out = torch.zeros_like(images)
    for axis in (2, 3):
        step, size = images.diff(dim=axis), images.shape[axis]
        out.narrow(axis, 1, size - 1).add_(step)
        out.narrow(axis, 0, size - 1).sub_(step)
    return out


def evened(canvases: Canvases, roughest: float, textures: "Textures") -> Canvases:
    """Each canvas, blurred just as much as holds the frame's extent of it to `roughest`, or not at all."""

    def smooth_enough(image: Tensor) -> bool:
        return roughness(textures.frame(image)) <= roughest

    found = []
    for canvas in canvases:
        soft, blurs = canvas, 0
        while not smooth_enough(soft) and blurs < MOST_BLURS:
            canvas, soft, blurs = soft, blur(soft[None])[0], blurs + 1
        low, high = 0.0, 1.0
        for _ in range(8 if blurs else 0):
            middle = (low + high) / 2
            low, high = (low, middle) if smooth_enough(torch.lerp(canvas, soft, middle)) else (middle, high)
        found.append(torch.lerp(canvas, soft, high) if blurs else canvas)
    return torch.stack(found)
