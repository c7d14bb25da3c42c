"""From a model and its units to finished results: optimal input, decomposition, responses, confidence."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import nn

from .account import Account, Progress, on_cpu
from .errors import SettingInvalid, UnitOutOfRange
from .models.card import ModelCard
from .models.registry import card_of, weights_sha256
from .models.source import source_sha256
from .motion.decompose import PRESETS as DECOMPOSE_PRESETS
from .motion.decompose import DecomposeSettings, check_extent, decompose
from .motion.summary import summarize
from .optimal.ascend import unit_generator
from .optimal.objective import Objective, make_objective, usual_kind
from .optimal.search import PRESETS as OPTIMAL_PRESETS
from .optimal.search import SearchSettings
from .optimal.settings import OptimalSettings
from .request import SEEDS, Options, Request, check_start, coarse_sizes, versions
from .results import Results, UnitResult
from .types import Video
from .units.crop import crop_to_unit
from .units.pooling import pooled_over_what_is_left
from .units.tap import output_shape, tap
from .units.unit import check_position, unit_indices


def visualize_each(
    model: nn.Module,
    layer: str,
    units: int | str | Sequence[int | str],
    *,
    card: ModelCard | None = None,
    objective: str | Objective | None = None,
    position: tuple[int, ...] | None = None,
    size: tuple[int, int, int] | None = None,
    preset: str = "default",
    optimal: SearchSettings | None = None,
    motion: DecomposeSettings | None = None,
    steps: int | None = None,
    contrast: float | None = None,
    start: str | Video = "bank",
    seed: int = 0,
    seeds: int = SEEDS,
    device: str = "cpu",
    precision: str = "fp32",
    progress: Progress | None = None,
) -> Iterator[UnitResult]:
    """Visualize units of a layer, giving each as soon as it is finished.

    Args:
        model: any video network; it comes back as it was.
        layer: dotted name as in `model.named_modules()`.
        units: channels by index, or by class name in the output layer.
        card: what the network expects; None: what came with it from `load_model`, else inferred.
        objective: `channel`, `channel-relu` or `unit`, or an `Objective` of your own, made of channels of the
            layer, for one unit to be filed under. None: `unit` where a position is given, else
            `channel-relu` for maps, `channel` for single numbers and in the preset `paper` (eq. 4).
        position: (t, y, x) in the layer's map, for `unit`; None: the centre.
        size: clip as (frames, height, width); None: the card's.
        preset: `default`, natural statistics; `strong`, bare pixels; or `paper`, the published procedure.
        optimal: settings of the search, `OptimalSettings` or `AdamSettings`; None: the preset's.
        motion: settings of the decomposition; None: the preset's.
        steps: optimization steps; None: those of the search's settings.
        contrast: root mean square about mid grey that the clip may have, in (0, 0.5]; None: 0.2, and 0.3 for
            a unit that gains by more.
        start: `bank`, noise and, where that ends lower, the best of a bank of stimuli; `noise` alone; or a
            clip (T, C, H, W) in [0, 1] of the size asked for. For the search of natural statistics only.
        seed: of every random number; the same seed, device kind and version give the same arrays.
        seeds: how many seeds, from `seed` on, the motion is compared between (`confidence`). Runs after the
            first take a quarter of the steps, so that three cost half as much again as one; with 1 there is
            no confidence. The run that is shown is the same whatever this number.
        device: torch device.
        precision: `fp32`, or `bf16` for the network's arithmetic.
        progress: called with the unit's place among `units`, the step, and the number of steps.

    Raises:
        LayerNotFound, UnitOutOfRange, ClipTooSmall, ModelUnusable, SettingInvalid: as their names say, before
            anything is computed.
        ModelUnusable: later, where no gradient from the layer reaches the clip.
        DeviceFull: later, where even one clip is too much for the device's memory.
    """
    options = Options(
        card=card,
        objective=objective,
        position=position,
        size=size,
        preset=preset,
        optimal=optimal,
        motion=motion,
        steps=steps,
        contrast=contrast,
        start=start,
        seed=seed,
        seeds=seeds,
        device=device,
        precision=precision,
    )
    return Account(request_for(model, layer, units, options), progress).results()


def visualize(
    model: nn.Module,
    layer: str,
    units: int | str | Sequence[int | str],
    *,
    card: ModelCard | None = None,
    objective: str | Objective | None = None,
    position: tuple[int, ...] | None = None,
    size: tuple[int, int, int] | None = None,
    preset: str = "default",
    optimal: SearchSettings | None = None,
    motion: DecomposeSettings | None = None,
    steps: int | None = None,
    contrast: float | None = None,
    start: str | Video = "bank",
    seed: int = 0,
    seeds: int = SEEDS,
    device: str = "cpu",
    precision: str = "fp32",
    progress: Progress | None = None,
) -> Results:
    """Visualize units of a layer; arguments and errors as for `visualize_each`.

    Returns:
        A list of results, which shows itself as a contact sheet in a notebook.

    Example:
        results = visualize(model, layer="conv3b", units=[0, 1], seed=0)
        results[0].save("out")
    """
    each = visualize_each(
        model,
        layer,
        units,
        card=card,
        objective=objective,
        position=position,
        size=size,
        preset=preset,
        optimal=optimal,
        motion=motion,
        steps=steps,
        contrast=contrast,
        start=start,
        seed=seed,
        seeds=seeds,
        device=device,
        precision=precision,
        progress=progress,
    )
    return Results(each)


def request_for(
    model: nn.Module, layer: str, units: int | str | Sequence[int | str], options: Options | None = None
) -> Request:
    """Check a request, and settle what was left open.

    Args:
        model: any video network; it comes back as it was.
        layer: dotted name as in `model.named_modules()`.
        units: channels by index, by class name in the output layer, or as text, such as `0,3,8-15` or `all`.
        options: how they are looked at; None: the usual.

    Raises:
        LayerNotFound, UnitOutOfRange, ClipTooSmall, ModelUnusable, SettingInvalid: as their names say.
        PositionInvalid: the position has other axes than the layer's map.
    """
    options = options or Options()
    digests = weights_sha256(model), source_sha256(model)  # before the model has run
    card = options.card or card_of(model)
    optimal, motion = _settings(options)
    if options.seeds < 1:
        raise SettingInvalid(f"seeds is how many runs are compared, at least 1, not {options.seeds}")
    shape = (card.channels, *(options.size or card.clip))
    check_extent(*shape[1:])
    check_start(options, optimal, shape)
    with pooled_over_what_is_left():
        produced = output_shape(model, layer, shape)
    chosen = tuple(unit_indices(units, produced[0], card.names_of(layer)))
    objective = _objective(options, chosen, produced)
    tap(model, layer, device=options.device, precision=options.precision)
    crop = None
    if objective == "unit" and len(produced) == 4:
        place = options.position or tuple(side // 2 for side in produced[1:])
        probe = torch.rand(1, *shape, generator=unit_generator(options.seed, chosen[0]))
        crop = crop_to_unit(model, layer, place, card.normalize(probe), options.device)
    whole = objective != "unit" if isinstance(objective, str) else _over_maps(objective)
    searched = whole and isinstance(options.start, str)
    sizes = coarse_sizes(model, layer, shape, produced, optimal) if searched else ()
    return Request(
        model=model,
        card=card,
        layer=layer,
        units=chosen,
        count=produced[0],
        shape=shape,
        objective=objective,
        position=options.position,
        crop=crop,
        preset=options.preset,
        optimal=optimal,
        motion=motion,
        start=options.start,
        sizes=sizes,
        seed=options.seed,
        seeds=options.seeds,
        device=options.device,
        precision=options.precision,
        weights_sha256=digests[0],
        card_sha256=card.sha256,
        source_sha256=digests[1],
        asked=options,
    )


def _settings(options: Options) -> tuple[SearchSettings, DecomposeSettings]:
    """Settings of both stages: the preset's or one's own, with steps and contrast where they are given.

    Raises:
        SettingInvalid: no such preset, or a setting out of range.
    """
    if options.preset not in OPTIMAL_PRESETS:
        raise SettingInvalid(f"preset is {' or '.join(OPTIMAL_PRESETS)}, not {options.preset!r}")
    optimal = options.optimal or OPTIMAL_PRESETS[options.preset]
    motion = options.motion or DECOMPOSE_PRESETS["paper" if options.preset == "paper" else "default"]
    if options.steps is not None:
        optimal = replace(optimal, steps=options.steps)
    if options.contrast is not None:
        if not isinstance(optimal, OptimalSettings):
            raise SettingInvalid(f"preset {options.preset!r} has no contrast to keep to; leave contrast out")
        optimal = replace(optimal, contrast=options.contrast, most_contrast=options.contrast)
    return optimal, motion


def _objective(options: Options, units: tuple[int, ...], produced: tuple[int, ...]) -> str | Objective:
    """The objective in force, checked against the layer's output and the place that was named."""
    asked, position = options.objective, options.position
    if position is not None:
        check_position(position, produced[1:])
    if isinstance(asked, Objective):
        if position is not None:
            raise SettingInvalid("an objective of your own names its places itself; leave the position out")
        if len(units) != 1:
            raise SettingInvalid(f"an objective of your own is for one unit, not {len(units)}; give one")
        if not asked.terms:
            raise SettingInvalid("the objective has no terms; make it of channels, such as channel(3)")
        for term in asked.terms:
            if not 0 <= term.channel < produced[0]:
                raise UnitOutOfRange(
                    f"the objective has channel {term.channel}; the layer has units 0 to {produced[0] - 1}"
                )
            if term.kind == "unit" and term.position is not None:
                check_position(term.position, produced[1:])
        return asked
    if position is not None and asked not in (None, "unit"):
        raise SettingInvalid(
            f"a position is of one unit, and the objective {asked} is of the whole channel; "
            "give --objective unit, or leave --position out"
        )
    kind = asked or ("unit" if position is not None else usual_kind(produced, options.preset))
    make_objective(kind, units[0], position)
    return kind


def _over_maps(objective: Objective) -> bool:
    return all(term.kind != "unit" for term in objective.terms)


def decompose_video(
    video: Video,
    *,
    preset: str = "default",
    formulation: str | None = None,
    seed: int = 0,
    device: str = "cpu",
    progress: Progress | None = None,
) -> UnitResult:
    """Decompose a given video and sum up its motion.

    Args:
        video: (T, C, H, W) in [0, 1].
        preset: `default`, `strong` or `paper`, whose settings are taken.
        formulation: `layered`, `paper` or `fetch`; None: the preset's.
        seed: as for `decompose`.
        device: where to compute.
        progress: called with 0, the step, and the number of steps.

    Raises:
        ClipTooSmall, SettingInvalid: as for `decompose`; no such preset or formulation.
    """
    _, settings = _settings(Options(preset=preset))
    settings = settings if formulation is None else replace(settings, formulation=formulation)
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
