"""The layered account: coherent motion, light, jitter, each explaining what the ones before it leave."""

import statistics
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from ..types import Flow, Velocity, Video
from ..warp import content_velocity, invert, resize_field
from .coherent import CoherentSettings, estimate_steps
from .edges import EdgeSettings, sharpen
from .findings import Found
from .jitter import JitterSettings, jitter_step
from .lifetime import carried, key_times, texture_lifetime, unmatched
from .light import Light, LightSettings, fit_light, gauged, steady
from .metrics import roughness
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
    """Textures and light for one motion, and what they leave of the video.

    Attributes:
        textures, canvases: where frames fetch from, and what stands there.
        light: gauged.
        bare: mean squared error of textures moved, without light.
        lit: the same in changing light.
    """

    textures: Textures
    canvases: Tensor
    light: Light
    bare: float
    lit: float


def account(video: Video, still: float, settings: LayeredSettings) -> Found:
    """Take a video apart, (T, C, H, W), whose temporal variance `still` is not zero."""
    ahead, back = find_motion(video, settings)
    lifetime = texture_lifetime(video, back)
    once = _stand(video, (0,), settings)
    times: tuple[int, ...] = (0,)
    standing = once
    moving = _move(video, still, ahead, back, times, settings)
    keys = key_times(lifetime, len(video))
    if len(keys) > 1 and min(once.lit, moving.lit) > settings.renew * still:
        times, standing = keys, _stand(video, keys, settings)
        moving = _move(video, still, ahead, back, keys, settings)
    if not _believed(video, back, standing, moving, settings):
        ahead, back = torch.zeros_like(ahead), torch.zeros_like(back)
        lifetime = texture_lifetime(video, back)
        keys = key_times(lifetime, len(video)) if once.lit > settings.renew * still else (0,)
        if keys != times:
            times, standing = keys, once if len(keys) == 1 else _stand(video, keys, settings)
        moving = standing
    return _told(video, still, lifetime, (ahead, back), times, (standing, moving), settings)


def _believed(video: Video, back: Velocity, standing: _Fit, moving: _Fit, settings: LayeredSettings) -> bool:
    """Whether motion explains what light does not, over the clip or at least from frame to frame."""
    lasting = moving.lit <= (1 - settings.least_coherent) * standing.lit
    change = carried(video, back, settings.light)
    return (lasting and moving.bare <= standing.bare) or (
        change is not None and change[1] >= settings.least_carried
    )


def find_motion(video: Video, settings: LayeredSettings) -> tuple[Velocity, Velocity]:
    """The coherent motion from each frame to the next, and back, per pixel, with sharp edges."""
    height, width = video.shape[2:]
    steps = estimate_steps(video, settings.coherent)
    back = resize_field(steps.field, height, width)
    ahead = resize_field(invert(steps.field, steps.cell), height, width)
    return sharpen(video, ahead, back, settings.edges)


def _error(seen: Video, video: Video) -> float:
    return float((seen - video).square().mean())


def _stand(video: Video, times: tuple[int, ...], settings: LayeredSettings) -> _Fit:
    """The best textures that do not move, in steady and in changing light."""
    shares = key_shares(times, len(video)).to(video)
    none = video.new_zeros(len(video), 2, *video.shape[2:])
    textures = Textures([none] * len(times), shares)
    light = steady(video)
    plain = standing_textures(video, shares, light)
    bare = _error(_blend(plain, shares), video)
    images = standing_textures(_upright(video), shares, light)
    for _ in range(settings.light.turns):
        light = fit_light(video, _blend(images, shares), settings.light)
        images = standing_textures(video, shares, light)
    light = gauged(fit_light(video, _blend(images, shares), settings.light))
    images = standing_textures(video, shares, light)
    lit = _error(light.on(_blend(images, shares)), video)
    if lit > (1 - settings.light.least) * bare:
        images, light, lit = plain, steady(video), bare
    return _Fit(textures, textures.around(images), light, bare, lit)


def _upright(video: Video) -> Video:
    """Frames with the contrast of those that are negatives of the first turned over."""
    mean = video.mean(dim=(2, 3), keepdim=True)
    rest = video - mean
    likeness = (rest * rest[:1]).mean(dim=(1, 2, 3), keepdim=True)
    return mean[:1] + torch.where(likeness < 0, -1.0, 1.0) * rest if bool((likeness < 0).any()) else video


def _blend(images: Tensor, shares: Tensor) -> Video:
    return torch.einsum("kt,kchw->tchw", shares, images)


def _move(
    video: Video,
    still: float,
    ahead: Velocity,
    back: Velocity,
    times: tuple[int, ...],
    settings: LayeredSettings,
) -> _Fit:
    """The best textures that move coherently, in steady and in changing light."""
    fields = [displacement_to(time, ahead, back) for time in times]
    textures = Textures(fields, key_shares(times, len(video)))
    start = textures.around(torch.stack([video[time] for time in times]))
    none = steady(video)
    plain = fit_textures(video, textures, none, start, smooth=settings.smooth)
    fetched = textures.render(plain)
    bare = _error(fetched, video)
    if bare < settings.light.worth * still:  # not even all that is left would be worth it
        return _Fit(textures, plain, none, bare, bare)
    light = gauged(fit_light(video, fetched, settings.light))
    canvases = fit_textures(video, textures, light, plain, smooth=settings.smooth, iterations=4)
    light = gauged(fit_light(video, textures.render(canvases), settings.light))
    canvases = fit_textures(video, textures, light, canvases, smooth=settings.smooth, iterations=4)
    lit = _error(light.on(textures.render(canvases)), video)
    if bare - lit < max(settings.light.least * bare, settings.light.worth * still):
        canvases, light, lit = plain, none, bare
    return _Fit(textures, canvases, light, bare, lit)


def _tremble(video: Video, still: float, fit: _Fit, settings: LayeredSettings) -> tuple[_Fit, Flow | None]:
    """The fit with jitter (T, 2, H, W) on top where that earns its place; else as it was, and None."""
    if fit.lit < settings.jitter.worth * still:  # not even all that is left would be worth it
        return fit, None
    height, width = video.shape[2:]
    nodes = Nodes(video, settings.jitter.cell)
    at_nodes = video.new_zeros(len(video), 2, nodes.rows, nodes.columns)
    canvases, light, jitter = fit.canvases, fit.light, video.new_zeros(len(video), 2, height, width)
    for _ in range(settings.jitter.turns):
        fetched = fit.textures.render(canvases, jitter)
        at_nodes = jitter_step(video, fetched, light, at_nodes, nodes, settings.jitter)
        jitter = resize_field(at_nodes, height, width)
        light = gauged(fit_light(video, fit.textures.render(canvases, jitter), settings.light))
        canvases = fit_textures(
            video, fit.textures, light, canvases, jitter=jitter, smooth=settings.smooth, iterations=3
        )
    canvases = canvases.clamp(0, 1)
    lit = _error(light.on(fit.textures.render(canvases, jitter)).clamp(0, 1), video)
    if fit.lit - lit < max(settings.jitter.least * fit.lit, settings.jitter.worth * still):
        return fit, None
    return replace(fit, canvases=canvases, light=light, lit=lit), jitter


def _told(
    video: Video,
    still: float,
    lifetime: float,
    motion: tuple[Velocity, Velocity],
    times: tuple[int, ...],
    fits: tuple[_Fit, _Fit],
    settings: LayeredSettings,
) -> Found:
    """Jitter on top, and everything that is reported; `fits` without motion, and with what is believed."""
    (ahead, back), (standing, moving) = motion, fits
    shown = len(times) // 2
    displacement, velocity = displacement_to(times[shown], ahead, back), ahead
    fit, jitter = _tremble(video, still, moving, settings)
    if jitter is not None:
        displacement = displacement + jitter
        velocity = content_velocity(displacement, ahead)
    canvases = fit.canvases.clamp(0, 1)
    if moving is standing or len(times) > 1:  # one that moves is seen blurred, between its pixels
        rough = statistics.median(roughness(frame) for frame in video)
        canvases = evened(canvases, settings.roughest * rough, fit.textures)
    fetched = fit.textures.render(canvases, jitter)
    reconstruction = fit.light.on(fetched).clamp(0, 1)
    alone = fit.textures.render(canvases[shown][None].expand_as(canvases), jitter)
    left = _error(reconstruction, video)
    covered, entered = unmatched(ahead, back)
    change = carried(video, back, settings.light)
    return Found(
        textures=fit.textures.frame(canvases),
        times=times,
        displacement=displacement,
        velocity=velocity,
        coherent_velocity=ahead,
        light=fit.light,
        reconstruction=reconstruction,
        single=fit.light.on(alone).clamp(0, 1),
        errors=(max(moving.bare, left), max(moving.lit, left), left),
        renewed=still - standing.bare,
        lifetime=lifetime,
        carried=None if change is None else change[0],
        covered=covered,
        entered=entered,
    )
