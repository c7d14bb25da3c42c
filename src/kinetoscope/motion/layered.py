"""The layered account: coherent motion, light, jitter, each explaining what the ones before it leave."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from ..types import Flows, Velocities, Videos
from ..warp import content_velocity, invert, resize_field
from .clips import CLIP, alike, put, taken, where
from .coherent import CoherentSettings, estimate_steps
from .edges import EdgeSettings, sharpen
from .findings import Found
from .jitter import JitterSettings, jitter_step
from .lifetime import carried, key_times, texture_lifetime, unmatched
from .light import Light, LightSettings, fit_light, gauged, steady
from .metrics import total_variations
from .nodes import Nodes
from .texture import Textures, displacement_to, evened, fit_textures, key_shares, standing_textures


@dataclass(frozen=True)
class LayeredSettings:
    """How the layered account is made.

    Attributes:
        coherent, edges, light, jitter: of its stages.
        least_coherent: share of what standing textures in changing light leave that coherent motion must
            explain to be believed.
        least_carried: or the share of what light leaves of the change from frame to frame; where neither is
            reached the velocity is zero.
        renew: share of the temporal variance that one texture must leave before several take each other's
            place.
        smooth: weight of the squared differences of neighbours in a texture.
        roughest: a texture that stands still, or that others take the place of, is seen as it is, and so is
            held to this multiple of the frames' median roughness: what is rougher was made for the blend.
    """

    coherent: CoherentSettings = field(default_factory=CoherentSettings)
    edges: EdgeSettings = field(default_factory=EdgeSettings)
    light: LightSettings = field(default_factory=LightSettings)
    jitter: JitterSettings = field(default_factory=JitterSettings)
    least_coherent: float = 0.2
    least_carried: float = 0.5
    renew: float = 0.1
    smooth: float = 1e-2
    roughest: float = 1.1


@dataclass(frozen=True)
class _Fit:
    """Textures and light for one motion of each clip, and what they leave of the videos.

    Attributes:
        textures, canvases: where frames fetch from, and what stands there.
        light: gauged.
        bare: mean squared error of textures moved, without light, (B,).
        lit: the same in changing light.
    """

    textures: Textures
    canvases: Tensor
    light: Light
    bare: Tensor
    lit: Tensor

    def of(self, clips: Tensor) -> "_Fit":
        """The same for some of the clips."""
        canvases, bare, lit = (taken(part, clips) for part in (self.canvases, self.bare, self.lit))
        return _Fit(self.textures.of(clips), canvases, self.light.of(clips), bare, lit)

    def put(self, clips: Tensor, others: "_Fit") -> "_Fit":
        """The same with what others are for some of the clips; errors without light stay."""
        canvases, lit = put(self.canvases, clips, others.canvases), put(self.lit, clips, others.lit)
        return replace(self, canvases=canvases, light=self.light.put(clips, others.light), lit=lit)


@dataclass(frozen=True)
class _Batch:
    """Clips with the motion that is tried.

    Attributes:
        videos: (B, T, C, H, W).
        still: their temporal variances, (B,).
        ahead, back: as in `edges.sharpen`.
    """

    videos: Videos
    still: Tensor
    ahead: Velocities
    back: Velocities

    def of(self, clips: Tensor) -> "_Batch":
        """Some of the clips."""
        return _Batch(*(taken(part, clips) for part in (self.videos, self.still, self.ahead, self.back)))

    def at_rest(self) -> "_Batch":
        """The same clips without motion."""
        return replace(self, ahead=torch.zeros_like(self.ahead), back=torch.zeros_like(self.back))


Times = tuple[int, ...]
"""Frames of the key textures."""


def explain(videos: Videos, still: Tensor, settings: LayeredSettings) -> list[Found]:
    """Take videos apart, each by itself.

    Args:
        videos: (B, T, C, H, W).
        still: their temporal variances, (B,); none is zero.
    """
    batch = _Batch(videos, still, *find_motion(videos, settings))
    lifetime = texture_lifetime(videos, batch.back)
    change = carried(videos, batch.back, settings.light)
    once, moved = _stand(videos, (0,), settings), _move(batch, (0,), settings)
    renewing = torch.minimum(once.lit, moved.lit) > settings.renew * still
    told: dict[int, Found] = {}
    refused = []
    for times, clips in _by_times(lifetime, renewing, videos.shape[1]):
        part = batch.of(clips)
        if len(times) == 1:
            standing, moving = once.of(clips), moved.of(clips)
        else:
            standing, moving = _stand(part.videos, times, settings), _move(part, times, settings)
        believed = _believed(standing, moving, taken(change, clips), settings)
        yes = where(believed)
        refused.append(clips[~believed])
        if len(yes):
            some, fits = clips[yes], (standing.of(yes), moving.of(yes))
            found = _told(part.of(yes), taken(lifetime, some), taken(change, some), times, fits, settings)
            told.update(zip(some.tolist(), found, strict=True))
    told.update(_at_rest(batch, torch.cat(refused), once, settings))
    return [told[clip] for clip in range(len(videos))]


def _at_rest(batch: _Batch, clips: Tensor, once: _Fit, settings: LayeredSettings) -> dict[int, Found]:
    """The accounts of those clips whose motion is not believed."""
    if not len(clips):
        return {}
    clips = clips.sort().values
    batch, once = batch.of(clips).at_rest(), once.of(clips)
    lifetime = texture_lifetime(batch.videos, batch.back)
    change = carried(batch.videos, batch.back, settings.light)
    renewing = once.lit > settings.renew * batch.still
    told: dict[int, Found] = {}
    for times, some in _by_times(lifetime, renewing, batch.videos.shape[1]):
        part = batch.of(some)
        standing = once.of(some) if len(times) == 1 else _stand(part.videos, times, settings)
        fits = (standing, standing)
        found = _told(part, taken(lifetime, some), taken(change, some), times, fits, settings)
        told.update(zip(clips[some].tolist(), found, strict=True))
    return told


def _by_times(lifetime: Tensor, renewing: Tensor, frames: int) -> Iterator[tuple[Times, Tensor]]:
    """Clips with the same key textures: several only where textures take each other's place."""
    pairs = zip(lifetime.tolist(), renewing.tolist(), strict=True)
    kinds = (key_times(lasts, frames) if several else (0,) for lasts, several in pairs)
    for times, clips in alike(kinds).items():
        yield times, torch.tensor(clips, device=lifetime.device)


def _believed(standing: _Fit, moving: _Fit, change: Tensor, settings: LayeredSettings) -> Tensor:
    """Whether motion explains what light does not, over the clip or at least from frame to frame."""
    lasting = moving.lit <= (1 - settings.least_coherent) * standing.lit
    return lasting & (moving.bare <= standing.bare) | (change[:, 1] >= settings.least_carried)


def find_motion(videos: Videos, settings: LayeredSettings) -> tuple[Velocities, Velocities]:
    """The coherent motion from each frame to the next, and back, per pixel, with sharp edges."""
    height, width = videos.shape[-2:]
    steps = estimate_steps(videos, settings.coherent)
    back = resize_field(steps.field, height, width)
    ahead = resize_field(invert(steps.field, steps.cell), height, width)
    return sharpen(videos, ahead, back, settings.edges)


def _error(seen: Videos, videos: Videos) -> Tensor:
    """Mean squared error of each clip, (B,)."""
    return (seen - videos).square().mean(dim=CLIP).double()


def _stand(videos: Videos, times: Times, settings: LayeredSettings) -> _Fit:
    """The best textures that do not move, in steady and in changing light."""
    clips, frames, _, height, width = videos.shape
    shares = key_shares(times, frames).to(videos)
    textures = Textures([videos.new_zeros(clips, frames, 2, height, width)] * len(times), shares)
    none = steady(videos)
    plain = standing_textures(videos, shares, none)
    bare = _error(_blend(plain, shares), videos)
    images, light = standing_textures(_upright(videos), shares, none), none
    for _ in range(settings.light.turns):
        light = fit_light(videos, _blend(images, shares), settings.light)
        images = standing_textures(videos, shares, light)
    light = gauged(fit_light(videos, _blend(images, shares), settings.light))
    images = standing_textures(videos, shares, light)
    lit = _error(light.on(_blend(images, shares)), videos)
    unlit = where(lit > (1 - settings.light.least) * bare)
    dull = _Fit(textures, textures.around(plain), none, bare, bare).of(unlit)
    return _Fit(textures, textures.around(images), light, bare, lit).put(unlit, dull)


def _upright(videos: Videos) -> Videos:
    """Frames with the contrast of those that are negatives of the first turned over."""
    mean = videos.mean(dim=(-2, -1), keepdim=True)
    rest = videos - mean
    turned = (rest * rest[:, :1]).mean(dim=(-3, -2, -1), keepdim=True) < 0
    upright = mean[:, :1] + torch.where(turned, -1.0, 1.0) * rest
    return torch.where(turned.any(dim=1, keepdim=True), upright, videos)


def _blend(images: Tensor, shares: Tensor) -> Videos:
    return torch.einsum("kt,bkchw->btchw", shares, images)


def _move(batch: _Batch, times: Times, settings: LayeredSettings) -> _Fit:
    """The best textures that move coherently, in steady and in changing light."""
    fields = [displacement_to(time, batch.ahead, batch.back) for time in times]
    textures = Textures(fields, key_shares(times, batch.videos.shape[1]))
    start, none = textures.around(batch.videos[:, list(times)]), steady(batch.videos)
    plain = fit_textures(batch.videos, textures, none, start, smooth=settings.smooth)
    bare = _error(textures.render(plain), batch.videos)
    dull = _Fit(textures, plain, none, bare, bare)
    # elsewhere not even all that is left would be worth it
    clips = where(bare >= settings.light.worth * batch.still)
    if not len(clips):
        return dull
    lit = _light_up(batch.of(clips).videos, dull.of(clips), settings)
    least = torch.maximum(settings.light.least * bare, settings.light.worth * batch.still)
    worth = where(~(taken(bare, clips) - lit.lit < taken(least, clips)))
    return dull.put(clips[worth], lit.of(worth))


def _light_up(videos: Videos, fit: _Fit, settings: LayeredSettings) -> _Fit:
    """Textures and light by turns, each for the other."""
    textures, canvases = fit.textures, fit.canvases
    for _ in range(2):
        light = gauged(fit_light(videos, textures.render(canvases), settings.light))
        canvases = fit_textures(videos, textures, light, canvases, smooth=settings.smooth, iterations=4)
    lit = _error(light.on(textures.render(canvases)), videos)
    return replace(fit, canvases=canvases, light=light, lit=lit)


def _tremble(batch: _Batch, fit: _Fit, settings: LayeredSettings) -> tuple[_Fit, Tensor, Flows]:
    """The fit with jitter on top where that earns its place.

    Returns:
        The fit, the clips with jitter, and the jitter of all, (B, T, 2, H, W).
    """
    none = torch.zeros_like(batch.videos[:, :, :1]).expand(-1, -1, 2, -1, -1)
    # elsewhere not even all that is left would be worth it
    clips = where(fit.lit >= settings.jitter.worth * batch.still)
    if not len(clips):
        return fit, clips, none
    shaken, jitter = _shake(batch.of(clips).videos, fit.of(clips), settings)
    least = torch.maximum(settings.jitter.least * fit.lit, settings.jitter.worth * batch.still)
    worth = where(~(taken(fit.lit, clips) - shaken.lit < taken(least, clips)))
    clips = clips[worth]
    return fit.put(clips, shaken.of(worth)), clips, put(none, clips, taken(jitter, worth))


def _shake(videos: Videos, fit: _Fit, settings: LayeredSettings) -> tuple[_Fit, Flows]:
    """Jitter, light and textures by turns, each for the others."""
    clips, frames, _, height, width = videos.shape
    nodes, textures = Nodes(videos, settings.jitter.cell), fit.textures
    at_nodes = videos.new_zeros(clips, frames, 2, nodes.rows, nodes.columns)
    canvases, light, jitter = fit.canvases, fit.light, videos.new_zeros(clips, frames, 2, height, width)
    for _ in range(settings.jitter.turns):
        fetched = textures.render(canvases, jitter)
        at_nodes = jitter_step(videos, fetched, light, at_nodes, nodes, settings.jitter)
        jitter = resize_field(at_nodes, height, width)
        light = gauged(fit_light(videos, textures.render(canvases, jitter), settings.light))
        canvases = fit_textures(
            videos, textures, light, canvases, jitter=jitter, smooth=settings.smooth, iterations=3
        )
    canvases = canvases.clamp(0, 1)
    lit = _error(light.on(textures.render(canvases, jitter)).clamp(0, 1), videos)
    return replace(fit, canvases=canvases, light=light, lit=lit), jitter


def _told(
    batch: _Batch,
    lifetime: Tensor,
    change: Tensor,
    times: Times,
    fits: tuple[_Fit, _Fit],
    settings: LayeredSettings,
) -> list[Found]:
    """Jitter on top, and everything that is reported; `fits` without motion, and with what is believed."""
    videos, (standing, moving), shown = batch.videos, fits, len(times) // 2
    fit, trembling, jitter = _tremble(batch, moving, settings)
    displacement = displacement_to(times[shown], batch.ahead, batch.back) + jitter
    velocity = batch.ahead
    if len(trembling):
        new = content_velocity(taken(displacement, trembling), taken(velocity, trembling))
        velocity = put(velocity, trembling, new)
    canvases = fit.canvases.clamp(0, 1)
    if moving is standing or len(times) > 1:  # one that moves is seen blurred, between its pixels
        rough = torch.quantile(total_variations(videos).double(), 0.5, dim=1)
        canvases = evened(canvases, settings.roughest * rough, fit.textures)
    textures = fit.textures.frame(canvases)
    reconstruction = fit.light.on(fit.textures.render(canvases, jitter)).clamp(0, 1)
    alone = fit.textures.render(canvases[:, shown : shown + 1].expand_as(canvases), jitter)
    single = fit.light.on(alone).clamp(0, 1)
    left = _error(reconstruction, videos)
    errors = torch.stack([moving.bare.maximum(left), moving.lit.maximum(left), left], dim=1).tolist()
    renewed, lasts, shares = (part.tolist() for part in (batch.still - standing.bare, lifetime, change[:, 0]))
    covered, entered = unmatched(batch.ahead, batch.back)
    return [
        Found(
            textures=textures[clip].clone(),
            times=times,
            displacement=displacement[clip].clone(),
            velocity=velocity[clip].clone(),
            coherent_velocity=batch.ahead[clip].clone(),
            light=Light(fit.light.gain[clip].clone(), fit.light.offset[clip].clone()),
            reconstruction=reconstruction[clip].clone(),
            single=single[clip].clone(),
            errors=(errors[clip][0], errors[clip][1], errors[clip][2]),
            renewed=renewed[clip],
            lifetime=lasts[clip],
            carried=None if math.isnan(shares[clip]) else shares[clip],
            covered=covered[clip].clone(),
            entered=entered[clip].clone(),
        )
        for clip in range(len(videos))
    ]
