"""From a model and its units to finished accounts: optimal input, decomposition, responses, confidence."""

import platform
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any

import torch
from torch import nn

from . import __version__
from .account import Account, Progress, on_cpu
from .errors import ClipTooSmall, ModelUnusable, SettingInvalid
from .models.card import ModelCard
from .models.registry import card_of, weights_sha256
from .motion.decompose import PRESETS as DECOMPOSE_PRESETS
from .motion.decompose import DecomposeSettings, check_extent, decompose
from .motion.summary import summarize
from .optimal.ascend import normalize, unit_generator
from .optimal.coarse import Size
from .optimal.objective import make_objective, usual_kind
from .optimal.search import PRESETS as OPTIMAL_PRESETS
from .optimal.search import SearchSettings
from .optimal.settings import OptimalSettings
from .records import sha256_of
from .results import Results, UnitResult
from .types import Video
from .units.crop import crop_to_unit
from .units.fields import layer_spans
from .units.pooling import pooled_over_what_is_left
from .units.tap import output_shape, tap
from .units.unit import check_position, unit_indices

SEEDS = 3
"""Seeds whose motions are compared unless a number is given."""


def versions() -> dict[str, str]:
    """What a result depends on beside its settings."""
    return {
        "kinetoscope": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def resolve_settings(
    preset: str = "default",
    steps: int | None = None,
    formulation: str | None = None,
    contrast: float | None = None,
) -> tuple[SearchSettings, DecomposeSettings]:
    """The settings a preset means, with steps, formulation or contrast replaced where they are given.

    Raises:
        SettingInvalid: no such preset, or a setting out of range.
    """
    if preset not in OPTIMAL_PRESETS:
        raise SettingInvalid(f"preset is {' or '.join(OPTIMAL_PRESETS)}, not {preset!r}")
    optimal, motion = OPTIMAL_PRESETS[preset], DECOMPOSE_PRESETS["paper" if preset == "paper" else "default"]
    if steps is not None:
        optimal = replace(optimal, steps=steps)
    if contrast is not None:
        if not isinstance(optimal, OptimalSettings):
            raise SettingInvalid(f"preset {preset!r} has no contrast to keep to; leave contrast out")
        optimal = replace(optimal, contrast=contrast, most_contrast=contrast)
    return optimal, motion if formulation is None else replace(motion, formulation=formulation)


def request_settings(
    *,
    card: ModelCard | None = None,
    size: tuple[int, int, int] | None = None,
    position: tuple[int, ...] | None = None,
    preset: str = "default",
    steps: int | None = None,
    seeds: int = SEEDS,
    contrast: float | None = None,
    start: str | Video = "bank",
    **_: Any,
) -> dict[str, Any]:
    """What will stand under `settings` in a unit's record, from keyword arguments of `visualize_each`."""
    optimal, motion = resolve_settings(preset, steps, contrast=contrast)
    clip = size or (card or ModelCard()).clip
    return {
        "preset": preset,
        "size": list(clip),
        "position": None if position is None else list(position),
        "optimal": asdict(optimal),
        "start": start if isinstance(start, str) else f"clip {sha256_of(start)}",
        "decompose": motion.describe(),
        "seeds": seeds,
    }


def visualize_each(
    model: nn.Module, layer: str, units: Sequence[int | str], **options: Any
) -> Iterator[UnitResult]:
    """Visualize units of a layer, giving each as soon as it is finished.

    Args:
        model: any video network; it comes back as it was.
        layer: dotted name as in `model.named_modules()`.
        units: channels by index, or by class name in the output layer.

    Keyword arguments (types and defaults as for `account_for`):
        card: what the network expects; None: what came with it from `load_model`, else inferred.
        objective: `channel`, `channel-relu` or `unit`; None: `channel-relu` for maps, `channel` for single
            numbers and in the preset `paper` (eq. 4).
        position: (t, y, x) in the layer's map, for `unit`; None: the centre.
        size: clip as (frames, height, width); None: the card's.
        preset: `default`, natural statistics; `strong`, bare pixels; or `paper`, the published procedure.
        steps: optimization steps; None: the preset's.
        contrast: root mean square about mid grey that the clip may have, in (0, 0.5]; None: 0.2, and 0.3 for
            a unit that gains by more.
        start: `bank`, noise and, where that ends lower, the best of a bank of stimuli; `noise` alone; or a
            clip (T, C, H, W) in [0, 1] of the size asked for. For the preset `default` only.
        seed: of every random number; the same seed, device kind and version give the same arrays.
        seeds: how many seeds, from `seed` on, the motion is compared between (`confidence`). Runs after the
            first take a quarter of the steps, so that three cost half as much again as one; with 1 there is
            no confidence. The run that is shown is the same whatever this number.
        device: torch device.
        precision: `fp32`, or `bf16` for the network's arithmetic.
        progress: told about every step.

    Raises:
        LayerNotFound, UnitOutOfRange, ClipTooSmall, ModelUnusable, SettingInvalid: as their names say, before
            anything is computed.
        ModelUnusable: later, where no gradient from the layer reaches the clip.
        DeviceFull: later, where even one clip is too much for the device's memory.
    """
    account, chosen = account_for(model, layer, units, **options)
    return account.results(chosen)


def visualize(model: nn.Module, layer: str, units: Sequence[int | str], **options: Any) -> Results:
    """Visualize units of a layer; arguments and errors as for `visualize_each`.

    Returns:
        A list of results, which shows itself as a contact sheet in a notebook.

    Example:
        results = visualize(model, layer="conv3b", units=[0, 1], seed=0)
        results[0].save("out")
    """
    return Results(visualize_each(model, layer, units, **options))


def account_for(
    model: nn.Module,
    layer: str,
    units: Sequence[int | str],
    *,
    card: ModelCard | None = None,
    objective: str | None = None,
    position: tuple[int, ...] | None = None,
    size: tuple[int, int, int] | None = None,
    preset: str = "default",
    steps: int | None = None,
    seed: int = 0,
    seeds: int = SEEDS,
    device: str = "cpu",
    precision: str = "fp32",
    contrast: float | None = None,
    start: str | Video = "bank",
    progress: Progress | None = None,
) -> tuple[Account, list[int]]:
    """Check a request, and give what computes it with the units' indices.

    Arguments and errors as for `visualize_each`.
    """
    card = card or card_of(model)
    optimal_settings, motion_settings = resolve_settings(preset, steps, contrast=contrast)
    if seeds < 1:
        raise SettingInvalid(f"seeds is how many runs are compared, at least 1, not {seeds}")
    shape = (card.channels, *(size or card.clip))
    check_extent(*shape[1:])
    _check_start(start, shape, preset)
    with pooled_over_what_is_left():
        produced = output_shape(model, layer, shape)
    named = card.class_names if layer == card.output_layer else ()
    chosen = unit_indices(units, produced[0], named)
    if position is not None:
        check_position(position, produced[1:])
    kind = objective or usual_kind(produced, preset)
    make_objective(kind, chosen[0], position)
    tap(model, layer, device=device, precision=precision)
    crop = None
    if kind == "unit" and len(produced) == 4:
        place = position or tuple(size // 2 for size in produced[1:])
        probe = torch.rand(1, *shape, generator=unit_generator(seed, chosen[0]))
        crop = crop_to_unit(model, layer, place, normalize(probe, card), device)
    record = {
        "network": type(model).__name__,
        "weights_sha256": weights_sha256(model),
        "layer": layer,
        "objective": kind,
        "seed": seed,
        "settings": request_settings(
            card=card,
            size=size,
            position=position,
            preset=preset,
            steps=steps,
            seeds=seeds,
            contrast=contrast,
            start=start,
        ),
        "versions": versions(),
        "device": device,
        "precision": precision,
    }
    account = Account(
        model,
        card,
        named,
        shape,
        position,
        crop,
        optimal_settings,
        start,
        _sizes(model, layer, shape, optimal_settings, kind) if isinstance(start, str) else (),
        motion_settings,
        record,
        progress,
    )
    return account, chosen


def decompose_video(
    video: Video,
    *,
    preset: str = "default",
    formulation: str | None = None,
    seed: int = 0,
    device: str = "cpu",
    progress: Progress | None = None,
) -> UnitResult:
    """Decompose a given video and sum up its motion; arguments as for `visualize_each` and `decompose`."""
    _, settings = resolve_settings(preset, formulation=formulation)
    if progress is not None:
        progress(0, 0, 1)
    decomposition = on_cpu(decompose(video.to(device), settings, seed=seed))
    if progress is not None:
        progress(0, 1, 1)
    record = {
        "settings": {"preset": preset, "decompose": settings.describe()},
        "seed": seed,
        "versions": versions(),
        "device": device,
        "precision": "fp32",
        "seconds": {"decompose": decomposition.seconds},
    }
    return UnitResult(
        video=video.detach().float().cpu(),
        decomposition=decomposition,
        motion=summarize(decomposition),
        record=record,
    )


def _sizes(
    model: nn.Module, layer: str, shape: tuple[int, int, int, int], settings: SearchSettings, kind: str
) -> tuple[Size, ...]:
    """First and last size of a search coarse to fine; none where there is no room, or units see less."""
    if not isinstance(settings, OptimalSettings) or settings.still or kind == "unit":
        return ()
    channels, frames, height, width = shape
    first = settings.coarse.begin_at((height, width))
    if first is None:
        return ()
    with pooled_over_what_is_left():
        produced = output_shape(model, layer, shape)
        _, *spans = layer_spans(model, layer, shape)
        sides = zip(spans, (height, width), strict=True)
        wide = all(span and span.size >= settings.reach * side for span, side in sides)
        if not wide and any(places > 1 for places in produced[1:][-2:]):
            return ()
        try:
            output_shape(model, layer, (channels, frames, *first))
        except (ClipTooSmall, ModelUnusable):  # a model that takes clips of one size only
            return ()
    return first, (height, width)


def _check_start(start: str | Video, shape: tuple[int, int, int, int], preset: str) -> None:
    """Refuse a start that the search cannot begin with.

    Raises:
        SettingInvalid: neither a known word nor a clip of the right shape, or one the preset does not know.
    """
    if isinstance(start, str):
        if start not in ("bank", "noise"):
            raise SettingInvalid(f"start is bank, noise or a clip, not {start!r}")
        return
    if preset != "default":
        raise SettingInvalid(f"preset {preset!r} begins with noise; leave the clip to start from out")
    channels, frames, height, width = shape
    if tuple(start.shape) != (frames, channels, height, width):
        given, wanted = ("x".join(map(str, s)) for s in (start.shape, (frames, channels, height, width)))
        raise SettingInvalid(
            f"the clip to start from is {given}, wanted {wanted} (TxCxHxW); give its size too"
        )
