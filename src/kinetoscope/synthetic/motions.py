"""Short clips of thirteen known motions, made by exact warps of random textures.

Content that sits at c + q in the texture (pixels from the frame's middle) is seen at `c + M_t q + v t + j_t`
in frame t, where c is the motion's centre, `M_t` the class's growth and turn to the power t, v its velocity
and `j_t` a small jitter. Content velocity: `u_t(p) = M_1 (p - s_t) + s_{t+1} - p`, `s_t = c + vt + j_t`.
"""

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from ..errors import SettingInvalid
from ..types import MOTION_LABELS, VideoBatch
from ..warp import sample
from .textures import Split, Textures, make_textures, uniform

VelocityBatch = Float[Tensor, "batch step 2 height width"]
_TRANSLATIONS = 8


@dataclass(frozen=True)
class ClipSettings:
    """How clips are drawn. Ranges are (low, high), drawn from uniformly.

    Attributes:
        clip: (frames, height, width).
        texture_size: texels of the square texture; beyond it the texture is mirrored.
        speed: of translations, pixels per frame.
        direction_jitter_deg: largest deviation from the class direction, degrees.
        expansion: growth (and shrinking) per frame, as a fraction.
        rotation: radians per frame.
        centre_jitter: largest distance of the motion's centre from the middle, per axis, pixels.
        jitter: largest standard deviation of the frame-by-frame jitter, pixels; half of the clips have none.
        flicker: largest deviation of contrast over time; brightness varies by half of it.
        noise: largest standard deviation of pixel noise.
        occluder_probability: how often a still patch covers part of the frame.
    """

    clip: tuple[int, int, int] = (16, 64, 64)
    texture_size: int = 128
    speed: tuple[float, float] = (0.5, 2.5)
    direction_jitter_deg: float = 10.0
    expansion: tuple[float, float] = (0.01, 0.05)
    rotation: tuple[float, float] = (0.015, 0.08)
    centre_jitter: float = 4.0
    jitter: float = 0.15
    flicker: float = 0.2
    noise: float = 0.06
    occluder_probability: float = 0.25

    def __post_init__(self) -> None:
        if len(self.clip) != 3 or min(self.clip) < 2:
            raise SettingInvalid(f"a clip is (frames, height, width), all at least 2, not {self.clip}")
        for name in ("speed", "expansion", "rotation"):
            low, high = getattr(self, name)
            if not 0 <= low <= high:
                raise SettingInvalid(f"{name} is (low, high) with 0 <= low <= high, not {(low, high)}")

    def clean(self) -> "ClipSettings":
        """The same motions without any nuisance: no jitter, flicker, noise or occluder."""
        return replace(self, jitter=0.0, flicker=0.0, noise=0.0, occluder_probability=0.0)


@dataclass(frozen=True)
class Motions:
    """The motion of each clip of a batch: a similarity per frame, and jitter on top.

    Attributes:
        velocity: (B, 2), translation in pixels per frame, x then y (down).
        growth: (B,), logarithm of the growth per frame; positive expands.
        turn: (B,), radians per frame, counter-clockwise as seen on screen positive.
        centre: (B, 2), what growth and turn leave in place, pixels from the frame's middle.
        jitter: (B, T, 2), displacement of the content in each frame, pixels.
    """

    velocity: Float[Tensor, "batch 2"]
    growth: Float[Tensor, " batch"]
    turn: Float[Tensor, " batch"]
    centre: Float[Tensor, "batch 2"]
    jitter: Float[Tensor, "batch frames 2"]


@dataclass(frozen=True)
class Clips:
    """A batch of labelled clips.

    Attributes:
        video: (B, 3, T, H, W) in [0, 1].
        labels: (B,), indices into `MOTION_LABELS`.
        motions: what moves, and how; `velocity_field` turns it into vectors.
    """

    video: VideoBatch
    labels: Int[Tensor, " batch"]
    motions: Motions


def make_clips(
    labels: Int[Tensor, " batch"],
    generator: torch.Generator,
    settings: ClipSettings | None = None,
    split: Split = "train",
) -> Clips:
    """Make one clip per label, all randomness from `generator`.

    Raises:
        SettingInvalid: a label outside `MOTION_LABELS`, or scikit-learn (for photographs) is missing.
    """
    settings = settings or ClipSettings()
    motions = draw_motions(labels, generator, settings)
    textures = make_textures(len(labels), settings.texture_size, generator, split)
    video = render_clips(textures, motions, settings.clip, generator)
    return Clips(add_nuisances(video, generator, settings), labels, motions)


def make_nothing(
    count: int, generator: torch.Generator, settings: ClipSettings | None = None, split: Split = "train"
) -> VideoBatch:
    """Make clips that show none of the motions: leaps, too high speeds, reversals, blanks, dissolves.

    Without them a network may take noise for stillness, and likes a motion better the faster it is.

    Returns:
        (count, 3, T, H, W) in [0, 1], with the same nuisances as `make_clips`.
    """
    settings = settings or ClipSettings()
    kind = torch.randint(5, (count, 1), generator=generator)
    labels = torch.randint(len(MOTION_LABELS), (count,), generator=generator)
    motions = draw_motions(labels, generator, settings)
    leaps = 8 * torch.randn(motions.jitter.shape, generator=generator)
    angle = uniform(generator, 0, 2 * math.pi, count)
    speed = settings.speed[1] * uniform(generator, 2, 3, count)
    fast = torch.stack([speed * angle.cos(), speed * angle.sin()], 1)
    motions = replace(
        motions,
        jitter=torch.where(kind[..., None] == 0, leaps, motions.jitter),
        velocity=torch.where(kind == 1, fast, torch.where(kind == 4, 0.0, motions.velocity)),
        growth=torch.where(kind == 4, 0.0, motions.growth[:, None])[:, 0],
        turn=torch.where(kind == 4, 0.0, motions.turn[:, None])[:, 0],
    )
    # what repeats would seem to move slowly when it moves fast
    video, other = (
        render_clips(
            make_textures(count, settings.texture_size, generator, split, ("noise", "shapes")),
            motions, settings.clip, generator,
        )
        for _ in range(2)
    )  # fmt: skip
    time = torch.arange(settings.clip[0])
    period, phase = uniform(generator, 8, 28, count, 1), uniform(generator, 0, 2 * math.pi, count, 1)
    mixing = torch.where(kind == 4, 0.5 + 0.5 * (2 * math.pi * time / period + phase).cos(), 1.0)
    video = other + mixing[:, None, :, None, None] * (video - other)
    reversing = uniform(generator, -1, 1, count, settings.clip[0])
    contrast = torch.where(kind == 2, reversing, torch.where(kind == 3, 0.0, 1.0))
    middle = video.mean((2, 3, 4), keepdim=True)
    return add_nuisances(middle + contrast[:, None, :, None, None] * (video - middle), generator, settings)


def draw_motions(
    labels: Int[Tensor, " batch"], generator: torch.Generator, settings: ClipSettings
) -> Motions:
    """Draw each class's speed, direction and jitter.

    Raises:
        SettingInvalid: a label outside `MOTION_LABELS`.
    """
    count, frames = len(labels), settings.clip[0]
    if count and not 0 <= int(labels.min()) <= int(labels.max()) < len(MOTION_LABELS):
        raise SettingInvalid(f"labels lie in 0..{len(MOTION_LABELS) - 1}, not {labels.tolist()}")
    wobble = uniform(generator, -settings.direction_jitter_deg, settings.direction_jitter_deg, count)
    angle = torch.deg2rad(45.0 * labels + wobble)
    speed = uniform(generator, *settings.speed, count) * (labels < _TRANSLATIONS)
    growth = torch.log1p(uniform(generator, *settings.expansion, count))
    turn = uniform(generator, *settings.rotation, count)
    name = {label: index for index, label in enumerate(MOTION_LABELS)}
    sign_growth = (labels == name["expansion"]).float() - (labels == name["contraction"]).float()
    sign_turn = (labels == name["counter-clockwise"]).float() - (labels == name["clockwise"]).float()
    deviation = uniform(generator, -settings.jitter, settings.jitter, count, 1, 1).clamp_min(0)
    return Motions(
        velocity=torch.stack([speed * angle.cos(), -speed * angle.sin()], 1),
        growth=growth * sign_growth,
        turn=turn * sign_turn,
        centre=uniform(generator, -settings.centre_jitter, settings.centre_jitter, count, 2),
        jitter=deviation * torch.randn(count, frames, 2, generator=generator),
    )


def render_clips(
    textures: Textures, motions: Motions, clip: tuple[int, int, int], generator: torch.Generator
) -> VideoBatch:
    """See each texture, laid down at a random angle, scale and place, move through the frame.

    Returns:
        (B, 3, T, H, W), the textures' values.
    """
    frames, height, width = clip
    count, size = len(textures), textures.shape[-1]
    x, y = _frame_positions(height, width)
    # time runs from the middle, so that growth reaches as far before it as after
    time = torch.arange(frames, dtype=torch.float32) - (frames - 1) / 2
    shift = motions.jitter + motions.velocity[:, None] * time[:, None] + motions.centre[:, None]
    dx, dy = x - shift[..., 0, None, None], y - shift[..., 1, None, None]
    rest_x, rest_y = _turn_and_scale(dx, dy, -motions.turn[:, None] * time, -motions.growth[:, None] * time)
    centre_x, centre_y = motions.centre[..., None, None, None].unbind(1)
    rest_x, rest_y = rest_x + centre_x, rest_y + centre_y
    # the laying down hides the texture's own grid, so that interpolation blur tells nothing about the class
    angle = uniform(generator, -math.pi, math.pi, count, 1)
    scale = uniform(generator, math.log(0.75), math.log(1.2), count, 1)
    place = uniform(generator, -4, 4, count, 2)
    texel_x, texel_y = _turn_and_scale(rest_x, rest_y, angle, scale)
    texel = torch.stack([texel_x, texel_y], 1) + place[..., None, None, None] + (size - 1) / 2
    sampled = sample(textures, _mirror(texel, size - 1).reshape(count, 2, frames * height, width))
    return sampled.reshape(count, 3, frames, height, width)


def _mirror(position: Tensor, last: int) -> Tensor:
    """Fold positions into [0, last], so that a texture goes on as its mirror image."""
    return last - ((position % (2 * last)) - last).abs()


def velocity_field(motions: Motions, clip: tuple[int, int, int]) -> VelocityBatch:
    """The true content velocity: content at p in frame t is at p + u_t(p) in frame t+1.

    Returns:
        (B, T-1, 2, H, W), pixels per frame, x then y.
    """
    frames, height, width = clip
    x, y = _frame_positions(height, width)
    time = torch.arange(frames, dtype=torch.float32) - (frames - 1) / 2
    shift = motions.jitter + motions.velocity[:, None] * time[:, None] + motions.centre[:, None]
    here, there = shift[:, :-1, :, None, None], shift[:, 1:, :, None, None]
    steps = (len(shift), frames - 1)
    moved = _turn_and_scale(
        x - here[:, :, 0], y - here[:, :, 1],
        motions.turn[:, None].expand(steps), motions.growth[:, None].expand(steps),
    )  # fmt: skip
    return torch.stack([moved[0] + there[:, :, 0] - x, moved[1] + there[:, :, 1] - y], 2)


def _frame_positions(height: int, width: int) -> tuple[Float[Tensor, "1 width"], Float[Tensor, "height 1"]]:
    """Pixel positions from the frame's middle, x then y."""
    x = torch.arange(width, dtype=torch.float32) - (width - 1) / 2
    y = torch.arange(height, dtype=torch.float32) - (height - 1) / 2
    return x[None, :], y[:, None]


def _turn_and_scale(
    x: Tensor, y: Tensor, turn: Float[Tensor, "batch frames"], growth: Float[Tensor, "batch frames"]
) -> tuple[Tensor, Tensor]:
    """Turn vectors counter-clockwise on screen (y points down) and scale them by exp(growth)."""
    cos = (growth.exp() * turn.cos())[..., None, None]
    sin = (growth.exp() * turn.sin())[..., None, None]
    return x * cos + y * sin, y * cos - x * sin


def add_nuisances(video: VideoBatch, generator: torch.Generator, settings: ClipSettings) -> VideoBatch:
    """Cover, flicker and add noise, alike in all classes: none of it tells the motion."""
    count, _, frames, _, _ = video.shape
    if settings.occluder_probability > 0:
        video = _occlude(video, generator, settings.occluder_probability)
    if settings.flicker > 0:
        strength = uniform(generator, 0, settings.flicker, count, 1, 1)
        wave = torch.randn(count, 2, frames, generator=generator)
        smooth = F.avg_pool1d(F.pad(wave, (2, 2), mode="replicate"), 5, stride=1) * 5**0.5
        is_smooth = uniform(generator, 0, 1, count, 1, 1) < 0.5
        contrast, brightness = (strength * torch.where(is_smooth, smooth, wave) / 2).unbind(1)
        middle = video.mean((2, 3, 4), keepdim=True)
        video = middle + (video - middle) * (1 + contrast)[:, None, :, None, None]
        video = video + brightness[:, None, :, None, None] / 2
    if settings.noise > 0:
        deviation = uniform(generator, 0, settings.noise, count, 1, 1, 1, 1)
        video = video + deviation * torch.randn(video.shape, generator=generator)
    return video.clamp(0, 1)


def _occlude(video: VideoBatch, generator: torch.Generator, probability: float) -> VideoBatch:
    """Lay a still, soft-edged rectangle of one colour over part of some clips."""
    count, channels, _, height, width = video.shape
    x, y = _frame_positions(height, width)
    centre = uniform(generator, -0.5, 0.5, count, 2, 1, 1)
    half = uniform(generator, 0.06, 0.25, count, 2, 1, 1)
    outside = torch.maximum(
        (x - centre[:, 0] * width).abs() - half[:, 0] * width,
        (y - centre[:, 1] * height).abs() - half[:, 1] * height,
    )
    present = (uniform(generator, 0, 1, count, 1, 1) < probability).float()
    cover = (present * torch.sigmoid(-2 * outside))[:, None, None]
    colour = uniform(generator, 0, 1, count, channels, 1, 1, 1)
    return video + cover * (colour - video)
