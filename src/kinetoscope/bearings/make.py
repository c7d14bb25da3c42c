"""Does a layer know where things go, and does its picture point there too? The compass of a layer."""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict

import torch
from torch import nn

from ..card import ModelCard, card_of
from ..errors import SettingInvalid
from ..inquiry.request import Options, versions
from ..results import UnitResult
from ..tuning.listen import Layer, layer_of
from ..zoo.registry import weights_sha256
from .files import Compass, Reading
from .needle import PROBE, SHUFFLED, Needle, angles_of, find_needle, needle_of, request_along
from .probe import Planted, Probe, Score, held_out_score, knows_direction, planted_clips, score, train

STAGES = ("planted clips", "angles of the probe", "angles of shuffled probes")
"""What is done, in order; the numbers of `Progress`."""

Progress = Callable[[int, int, int], None]
"""Called with the stage's number in `STAGES`, the step, and the number of steps."""

ANGLES, CLIPS = 12, 640
"""Angles of the plane, and clips that the probe is trained and scored on."""

TRAINED_ON = 0.75
"""Share of the clips that the probe is trained on; the rest is held out."""

FEWEST_CLIPS, ANGLE_RANGE = 64, (4, 36)

Known = Mapping[tuple[str, float], UnitResult]
"""Clips found before, by kind and angle."""


def compass(
    model: nn.Module,
    layer: str,
    *,
    card: ModelCard | None = None,
    angles: int = ANGLES,
    clips: int = CLIPS,
    size: tuple[int, int, int] | None = None,
    steps: int | None = None,
    contrast: float | None = None,
    seed: int = 0,
    device: str = "cpu",
    precision: str = "fp32",
    known: Known | None = None,
    found: Callable[[Needle], None] | None = None,
    progress: Progress | None = None,
) -> Compass:
    """Ask a layer for every direction, and see whether the pictures go there.

    A linear probe is trained to read the direction of planted motion from the layer's mean activations. Where
    it reads clips that it was not trained on, its two functions span a plane of direction; for evenly spaced
    angles of that plane the best clip is searched for, all from the same noise, and taken apart. The
    direction that comes back is held against the angle asked for. The control does the same with probes whose
    directions were dealt anew to the clips, another dealing for each angle: what one dealing knows by chance
    it may say at all its angles.

    Args:
        model: any video network; it comes back as it was.
        layer: dotted name.
        card: what the network expects; None: what came with it from `load_model`, else inferred.
        angles: how many, evenly spaced from 0; 4 to 36.
        clips: that the probe is trained (three quarters) and scored on; at least 64.
        size: of all clips, (frames, height, width); None: the card's.
        steps, contrast: of the search, as for `visualize`.
        seed: of planted clips, probes and the search.
        device, precision: as for `visualize`.
        known: clips that were found before; only the others are searched for.
        found: told each needle as soon as it is there.
        progress: told the stage (`STAGES`), the step, and the number of steps.

    Returns:
        A `Compass`; where the probe reads no direction it has no needles, and says so.

    Raises:
        LayerNotFound, ClipTooSmall, ModelUnusable, SettingInvalid: as their names say.

    Examples:
        >>> model = ks.load_model("motion13")
        >>> found = ks.compass(model, "conv1", angles=4, clips=64, size=(8, 24, 24), steps=2)
        >>> found.reading.knows  # where it does not, there are no clips
        False
    """
    if not ANGLE_RANGE[0] <= angles <= ANGLE_RANGE[1]:
        raise SettingInvalid(f"angles is {angles}; give {ANGLE_RANGE[0]} to {ANGLE_RANGE[1]}")
    if clips < FEWEST_CLIPS:
        raise SettingInvalid(f"clips is {clips}; a probe needs at least {FEWEST_CLIPS}")
    began, card = time.perf_counter(), card or card_of(model)
    asked = layer_of(model, layer, "all", card, size or card.clip, device, precision)
    options = Options(
        card=card,
        size=(asked.shape[1], asked.shape[2], asked.shape[3]),
        steps=steps,
        contrast=contrast,
        start="noise",
        seed=seed,
        seeds=1,
        device=device,
        precision=precision,
    )
    settings = request_along(
        asked, torch.ones(len(asked.units)), options
    )  # refuses what the search would, before the clips
    trained_on, held_out = _planted(asked, clips, seed, progress)
    probe, dealt = train(trained_on), _dealt(trained_on, angles, seed)
    true, chance = held_out_score(probe, held_out), [held_out_score(p, held_out) for p in dealt.values()]
    knows = knows_direction(true, chance)
    needles: tuple[Needle, ...] = ()
    if knows:
        pairs = [(PROBE, probe, angle) for angle in dealt]
        pairs += [(SHUFFLED, other, angle) for angle, other in dealt.items()]
        needles = _needles(asked, pairs, options, known or {}, found, progress)
    record = {
        "network": type(model).__name__,
        "weights_sha256": weights_sha256(model),
        "layer": layer,
        "size": list(asked.shape[1:]),
        "angles": angles,
        "clips": {"trained_on": len(trained_on.planted_deg), "held_out": len(held_out.planted_deg)},
        "seed": seed,
        "settings": {"optimal": asdict(settings.optimal), "decompose": settings.motion.describe()},
        "device": device,
        "precision": precision,
        "versions": versions(),
        "seconds": time.perf_counter() - began,
    }
    reading = Reading(
        true, tuple(chance), knows, held_out.planted_deg, probe.read(held_out.activations), probe
    )
    scores = {kind: _score(needles, kind) for kind in (PROBE, SHUFFLED)}
    return Compass(layer, asked.shape, reading, needles, scores[PROBE], scores[SHUFFLED], record)


def _planted(layer: Layer, clips: int, seed: int, progress: Progress | None) -> tuple[Planted, Planted]:
    """What the layer answers to clips to train on, and to held-out ones."""
    count = round(TRAINED_ON * clips)

    def report(before: int) -> Callable[[int], None]:
        return lambda done: None if progress is None else progress(0, before + done, clips)

    return (
        planted_clips(layer, count, seed, "train", report(0)),
        planted_clips(layer, clips - count, seed, "held-out", report(count)),
    )


def _dealt(planted: Planted, angles: int, seed: int) -> dict[float, Probe]:
    """By angle, a probe whose directions were dealt anew to the clips.

    The dealing goes by the angle, so that more angles are asked later without changing those before.
    """
    return {
        angle: train(planted, torch.Generator().manual_seed((seed * 1_000_003 + round(angle * 1000)) % 2**63))
        for angle in angles_of(angles)
    }


def _needles(
    layer: Layer,
    pairs: list[tuple[str, Probe, float]],
    options: Options,
    known: Known,
    found: Callable[[Needle], None] | None,
    progress: Progress | None,
) -> tuple[Needle, ...]:
    """One needle for each probe and angle; those known are only read."""
    needles = []
    per_kind = len(pairs) // 2
    for index, (kind, probe, angle) in enumerate(pairs):
        held = known.get((kind, angle))
        if held is not None:
            needles.append(needle_of(layer, probe, kind, angle, held))
            continue

        def report(_: int, step: int, steps: int, index: int = index) -> None:
            if progress is not None:
                stage = 1 + index // per_kind
                progress(stage, index % per_kind * steps + step, per_kind * steps)

        needle = find_needle(layer, probe, kind, angle, options, report)
        needles.append(needle)
        if found is not None:
            found(needle)
    return tuple(needles)


def _score(needles: tuple[Needle, ...], kind: str) -> Score | None:
    own = [needle for needle in needles if needle.kind == kind]
    if not own:
        return None
    return score([needle.asked_deg for needle in own], [needle.recovered_deg for needle in own])
