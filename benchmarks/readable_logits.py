"""Class scores of a real Inception-I3D as pictures that can be named: a study, not the library's default.

    python benchmarks/readable_logits.py "riding a bike" "blowing out candles" --weights FILE --out DIR

Coarse to fine in the natural metric, seen through random zooms *into* the clip: a large object is strong at
every zoom, a tiling of small pieces is not. Behind the coarse stage a matte, a coarse smooth mask, keeps
the parts that give the score at least as much as the average part; the fine stage climbs under it, and is
calmed a little at each step.
"""

import argparse
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from kinetoscope.metric import RGB, MetricOperator, NaturalMetric
from kinetoscope.models.registry import card_of, load_model
from kinetoscope.optimal.calm import CalmSettings, root_mean_square, variation
from kinetoscope.schedule import cosine

Score = Callable[[Tensor], Tensor]
"""Clips in [0, 1], (B, C, T, H, W) of any size, to one number each."""

FRAMES, MATTE_CELLS, MATTE_STEPS = 8, (4, 14, 14), 12


@dataclass(frozen=True)
class Stage:
    """One size.

    Attributes:
        side: height and width, pixels.
        steps: passes through the network and back.
        powers: of the metric's 1 / f, at the first and at the last step.
        slowness: of the metric; large keeps one subject in all frames.
        contrast: root mean square about mid grey, under the matte.
        calm: share of a step spent on lowering variation.
    """

    side: int
    steps: int
    powers: tuple[float, float]
    slowness: float
    contrast: float
    calm: float = 0.0


COARSE = Stage(64, 50, (1.5, 1.2), 2.0, 0.2)
FINE = Stage(112, 45, (1.3, 1.0), 0.7, 0.17, calm=0.15)


def colours(power: float) -> tuple[tuple[float, ...], ...]:
    """The covariance of natural colours to a power: 1 is nearly grey, 0 is bare RGB."""
    values, vectors = torch.linalg.eigh(torch.tensor(RGB))
    table = vectors @ torch.diag(values.clamp(min=0) ** power) @ vectors.T
    return tuple(tuple(row) for row in ((table + table.T) / 2).tolist())


def view(
    clip: Tensor, amount: float, generator: torch.Generator, inward: tuple[float, float], shift: float
) -> Tensor:
    """A random look into (1, C, T, H, W): zoom, shift (px), turn, and a time shift mirrored at the ends."""
    channels, frames, height, width = clip.shape[1:]

    def draw() -> float:
        return float(torch.rand((), generator=generator) * 2 - 1)

    low, high = map(math.log, inward)
    zoom = math.exp(low + (high - low) * (draw() / 2 + 0.5))
    angle = math.radians(8) * draw() * amount
    c, s = math.cos(angle) / zoom, math.sin(angle) / zoom
    move = [draw() * shift * amount * 2 / side for side in (width, height)]
    theta = torch.tensor([[c, -s, move[0]], [s, c, move[1]]]).expand(frames, -1, -1)
    grid = F.affine_grid(theta, [frames, channels, height, width], align_corners=False)
    seen = F.grid_sample(clip[0].transpose(0, 1), grid, padding_mode="reflection", align_corners=False)
    # mirrored, not clamped: an end, which half as many windows of a stem see, takes its turn inside
    at = (torch.arange(frames) - 2.0 * draw() * amount).abs()
    at = (frames - 1) - ((frames - 1) - at).abs()
    first = at.floor().long().clamp(0, frames - 1)
    part = (at - first).view(-1, 1, 1, 1)
    mixed = seen[first] * (1 - part) + seen[(first + 1).clamp(max=frames - 1)] * part
    return mixed.transpose(0, 1)[None]


def climb(
    score: Score, x: Tensor | None, stage: Stage, generator: torch.Generator, matte: Tensor | None = None
) -> Tensor:
    """One stage from `x` (about mid grey; None: faint noise), seen under `matte` but given without it."""
    shape, covariance = (3, FRAMES, stage.side, stage.side), colours(0.7)
    operators: dict[float, MetricOperator] = {}

    def natural(step: int) -> MetricOperator:
        first, last = stage.powers
        power = round(first + (last - first) * step / max(1, stage.steps - 1), 1)
        if power not in operators:
            metric = NaturalMetric(colour=covariance, power=power, slowness=stage.slowness)
            operators[power] = MetricOperator(metric, shape)
        return operators[power]

    faint = x is None
    if x is None:
        x = natural(0)(torch.randn(1, *shape, generator=generator))
        x = 0.01 * x / root_mean_square(x)
    mean, energy = torch.zeros_like(x), torch.zeros(())
    for step in range(stage.steps):
        operator = natural(step)
        leaf = x.detach().requires_grad_()
        under = leaf if matte is None else leaf * matte
        seen = view(0.5 + under, cosine(step, stage.steps, 0.5), generator, (0.9, 1.8), 12.0)
        grain = operator(torch.randn(seen.shape, generator=generator))
        white = torch.randn(seen.shape, generator=generator)
        seen = seen + 0.015 * (grain / root_mean_square(grain) + white)
        (gradient,) = torch.autograd.grad(score(seen).sum(), leaf)
        up = operator(gradient)
        up = up / root_mean_square(up)
        mean = 0.6 * mean + 0.4 * up
        energy = 0.9 * energy + 0.1 * up.square().mean((1, 3, 4), keepdim=True)  # frames alike
        direction = mean / (1 - 0.6 ** (step + 1)) / ((energy / (1 - 0.9 ** (step + 1))).sqrt() + 1e-3)
        if stage.calm:
            leaf = x.detach().requires_grad_()
            rough = variation(leaf, CalmSettings(contrast=0.0), torch.tensor([False]))
            (down,) = torch.autograd.grad(rough.sum(), leaf)
            share = stage.calm * root_mean_square(direction)
            direction = direction - share * down / root_mean_square(down)
        warm = 50 ** min((step + 1) / (0.2 * stage.steps) - 1, 0) if faint else 1
        x = x + 0.3 * stage.contrast * cosine(step, stage.steps, 0.1) * warm * direction
        shown = root_mean_square(x if matte is None else x * matte)
        x = (x * (stage.contrast / shown).clamp(max=1)).clamp(-0.5, 0.5)
    return x.detach()


def find_matte(score: Score, x: Tensor, generator: torch.Generator) -> Tensor:
    """Which parts the score needs: a mask in (0, 1), (1, 1, T, H, W), of coarse cells.

    Maximizes score(mid grey + a x) / score(mid grey + x) less the mean of a: with a price of 1 a cell stays
    if it gives at least the average cell's share. Nothing is blurred, and the score rises: the clutter was
    in the way.
    """
    raw = torch.full((1, 1, *MATTE_CELLS), 1.5, requires_grad=True)
    adam = torch.optim.Adam([raw], lr=0.6, betas=(0.7, 0.95))

    def wide() -> Tensor:
        return F.interpolate(torch.sigmoid(raw), size=x.shape[2:], mode="trilinear", align_corners=False)

    with torch.no_grad():
        whole = score(0.5 + x).sum().abs().clamp(min=1e-12)
    for _ in range(MATTE_STEPS):
        mask = wide()
        seen = view(0.5 + mask * x, 0.5, generator, (0.95, 1.3), 8.0)
        loss = mask.mean() - score(seen).sum() / whole
        adam.zero_grad()
        loss.backward()
        adam.step()
    return wide().detach()


def readable(score: Score, seed: int = 0) -> Tensor:
    """The optimum, (1, 3, T, side, side) in [0, 1]."""
    generator = torch.Generator().manual_seed(seed)
    x = climb(score, None, COARSE, generator)
    size = (FRAMES, FINE.side, FINE.side)
    mask = find_matte(score, x, generator).pow(0.75)  # softer: the fine stage may grow a little beyond it
    mask = F.interpolate(mask, size=size, mode="trilinear", align_corners=False)
    frames = F.interpolate(x[0].transpose(0, 1), size=size[1:], mode="bicubic", align_corners=False)
    x = frames.transpose(0, 1)[None].clamp(-0.5, 0.5)
    return 0.5 + climb(score, x, FINE, generator, mask) * mask


def class_scores(model: nn.Module, clips: Tensor) -> Tensor:
    """I3D's logits (B, 400) of clips of any size: pooled over what is left of the map."""
    x = 2 * clips - 1
    for name in model._endpoints:  # type: ignore[union-attr]
        x = model.get_submodule(str(name))(x)
    last = model.get_submodule("logits.conv3d")
    return x.mean(dim=(2, 3, 4)) @ last.weight.flatten(1).T + last.bias


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("labels", nargs="+")
    parser.add_argument("--weights", required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("readable"))
    options = parser.parse_args()
    model = load_model("i3d_inception_piergiaj", weights=options.weights).requires_grad_(False)
    names = list(card_of(model).class_names)
    options.out.mkdir(parents=True, exist_ok=True)
    for label in options.labels:
        index, began = names.index(label), time.perf_counter()

        def score(clips: Tensor, index: int = index) -> Tensor:
            """Twice the logit less the log of the sum: neighbours such as two guitars are told apart."""
            found = class_scores(model, clips)
            return 2 * found[:, index] - found.logsumexp(dim=1)

        clip = readable(score, options.seed)
        seconds = time.perf_counter() - began
        with torch.no_grad():
            found = class_scores(model, clip)[0]
        share = float(found.softmax(0)[index])
        print(
            f"{label}: logit {float(found[index]):.0f}, probability {share:.3f}, {seconds:.0f} s", flush=True
        )
        frames = torch.cat(list(clip[0].transpose(0, 1)[[0, 1, 3, 5, 7]]), dim=2)
        picture = Image.fromarray((255 * frames).byte().permute(1, 2, 0).numpy())
        picture.resize((picture.width * 2, picture.height * 2), Image.Resampling.BICUBIC).save(
            options.out / f"{index:03d}.png"
        )


if __name__ == "__main__":
    main()
