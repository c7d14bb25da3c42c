"""A layer's plane of motion direction: a linear probe, trained on planted motion, scored on other clips."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import median

import torch
from jaxtyping import Float
from torch import Tensor

from ..brief import Brief
from ..synthetic.motions import ClipSettings, add_nuisances, draw_motions, render_clips
from ..synthetic.textures import Split, make_textures, split_generator
from ..tuning.agreement import circular_correlation
from ..tuning.curves import difference_deg
from ..tuning.listen import BATCH_PIXELS, Layer, mean_over_map

Activations = Float[Tensor, "clip channel"]
"""Means over the map, per clip and channel."""

Angles = Float[Tensor, " clip"]
"""Directions in degrees, in [0, 360): 0 right, 90 up."""

FAMILIES = ("noise", "plaid", "shapes")
"""Textures of the planted clips: those that are made from numbers alone."""

SECTORS = 8
PENALTIES = torch.logspace(-4, 5, 37, dtype=torch.float64)
"""Ridge penalties that are tried, per clip."""

KNOWN = 0.5
"""Mean cosine of the errors on held-out clips from which on a layer is said to have a plane of direction."""


@dataclass(frozen=True, eq=False, repr=False)
class Planted(Brief):
    """What a layer answers to clips of known direction.

    Attributes:
        activations: (clips, channels), means over the map.
        planted_deg: (clips,), where each clip moves.
    """

    activations: Activations
    planted_deg: Angles


@dataclass(frozen=True)
class Score:
    """How well directions come back.

    Attributes:
        median_error_deg: of the angles between what was asked and what came, in [0, 180]; chance is 90.
        mean_cosine: of those angles, in [-1, 1]; chance is 0.
        circular_correlation: Fisher & Lee 1983, in [-1, 1]; chance is 0. None where it is undefined.
    """

    median_error_deg: float
    mean_cosine: float
    circular_correlation: float | None


@dataclass(frozen=True, eq=False, repr=False)
class Probe(Brief):
    """Two linear functions of a layer's mean activations: the cosine and the sine of a direction.

    Attributes:
        weights: (2, channels), of cosine and sine; in the layer's own scale.
        offset: (2,).
        penalty: of the ridge, per clip, chosen by leaving one clip out.
    """

    weights: Float[Tensor, "2 channel"]
    offset: Float[Tensor, "2"]
    penalty: float

    def read(self, activations: Activations) -> Angles:
        """The direction that the probe reads in each clip, degrees."""
        cosine, sine = (activations.double() @ self.weights.T + self.offset).unbind(dim=1)
        return torch.rad2deg(torch.atan2(sine, cosine)).remainder(360.0)

    def towards(self, angle_deg: float) -> Float[Tensor, " channel"]:
        """Weights of the channels for one angle of the plane, cos(a) w_cos + sin(a) w_sin, of length 1.

        Only their ratios matter: a longer vector has the same best clip.
        """
        angle = torch.deg2rad(torch.tensor(angle_deg, dtype=torch.float64))
        weights = angle.cos() * self.weights[0] + angle.sin() * self.weights[1]
        return weights / weights.norm().clamp(min=1e-30)


def planted_clips(
    layer: Layer, count: int, seed: int, split: Split, report: Callable[[int], None] | None = None
) -> Planted:
    """Show a layer clips that drift in directions spread evenly over the circle, and keep what it answers.

    Textures, speeds (0.5 to 2.5 pixels per frame), flicker, noise, trembling and still patches are those of
    `synthetic.motions`; none of them tells the direction. Textures of the two halves share no random numbers.

    Args:
        layer: all its units, from `tuning.listen.layer_of`.
        count: clips.
        seed: of everything drawn.
        split: "train" or "held-out".
        report: called with how many were shown, after each batch.
    """
    channels, *extent = layer.shape
    settings = replace(
        ClipSettings(clip=(extent[0], extent[1], extent[2])), direction_jitter_deg=180 / SECTORS
    )
    generator = split_generator(seed, split)
    together = max(1, BATCH_PIXELS // (extent[0] * extent[1] * extent[2]))
    answers: list[Tensor] = []
    directions: list[Tensor] = []
    with layer.listening() as forward, torch.no_grad():
        while (done := sum(map(len, answers))) < count:
            some = min(together, count - done)
            labels = torch.randint(SECTORS, (some,), generator=generator)
            motions = draw_motions(labels, generator, settings)
            textures = make_textures(some, settings.texture_size, generator, split, FAMILIES)
            video = render_clips(textures, motions, settings.clip, generator)
            video = add_nuisances(video, generator, settings)
            if channels != 3:  # planted textures are coloured; other networks get their grey
                video = video.mean(dim=1, keepdim=True).expand(-1, channels, -1, -1, -1)
            answers.append(mean_over_map(forward(video)).double().cpu())
            across, down = motions.velocity.double().unbind(dim=1)
            directions.append(torch.rad2deg(torch.atan2(-down, across)).remainder(360.0))
            if report is not None:
                report(done + some)
    return Planted(torch.nan_to_num(torch.cat(answers)), torch.cat(directions))


def train(planted: Planted, generator: torch.Generator | None = None) -> Probe:
    """Regress cosine and sine of the direction on the activations, by ridge.

    Channels are brought to about one spread first, those that hardly answer less so: what moves a channel
    that no planted clip moves is unknown, and its best clip would be all that is seen. The penalty is the one
    with the least error on clips left out one at a time, for which the regression need not be done again:
    (y - y_hat) / (1 - h), h being the diagonal of the hat matrix.

    Args:
        planted: what to train on.
        generator: where given, the directions are dealt anew to the clips first: a probe that can know
            nothing.
    """
    angles = torch.deg2rad(planted.planted_deg.double())
    if generator is not None:
        angles = angles[torch.randperm(len(angles), generator=generator)]
    targets = torch.stack([angles.cos(), angles.sin()], dim=1)
    mean, spread = planted.activations.mean(dim=0), planted.activations.std(dim=0, correction=0)
    scale = torch.hypot(spread, spread.median()).clamp(min=1e-30)
    scaled = (planted.activations - mean) / scale
    level = targets.mean(dim=0)
    left, values, right = torch.linalg.svd(scaled, full_matrices=False)
    along, squares = left.T @ (targets - level), values.square()

    def left_out(penalty: float) -> float:
        shrunk = squares / (squares + penalty * len(scaled))
        residual = targets - level - left @ (shrunk[:, None] * along)
        leverage = (left.square() @ shrunk) + 1 / len(scaled)
        return float((residual / (1 - leverage).clamp(min=1e-6)[:, None]).square().mean())

    penalty = min(PENALTIES.tolist(), key=left_out)
    weights = right.T @ ((values / (squares + penalty * len(scaled)))[:, None] * along)
    weights = weights / scale[:, None]
    return Probe(weights.T.contiguous(), level - mean @ weights, penalty)


def score(asked_deg: list[float], came_deg: list[float | None]) -> Score:
    """How well directions come back; one that did not come counts with 90 degrees, as good as chance."""
    pairs = [(asked, came) for asked, came in zip(asked_deg, came_deg, strict=True) if came is not None]
    errors = [
        90.0 if came is None else difference_deg(asked, came)
        for asked, came in zip(asked_deg, came_deg, strict=True)
    ]
    cosines = torch.deg2rad(torch.tensor(errors, dtype=torch.float64)).cos()
    return Score(
        median(errors),
        float(cosines.mean()),
        circular_correlation([a for a, _ in pairs], [c for _, c in pairs]),
    )


def held_out_score(probe: Probe, held_out: Planted) -> Score:
    """How well a probe reads clips that it was not trained on."""
    return score(held_out.planted_deg.tolist(), list(probe.read(held_out.activations).tolist()))


def knows_direction(true: Score, dealt: list[Score]) -> bool:
    """Whether a probe reads direction at all: `KNOWN`, and better than any whose labels were dealt anew."""
    return true.mean_cosine >= max([KNOWN, *(other.mean_cosine for other in dealt)])
