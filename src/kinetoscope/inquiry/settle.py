"""From what a person asks of units to a request with nothing left open, or an error with its repair."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial

import torch
from torch import nn

from ..card import ModelCard, card_of
from ..errors import ClipTooSmall, ModelUnusable, SettingInvalid
from ..motion.decompose import PRESETS as DECOMPOSE_PRESETS
from ..motion.decompose import DecomposeSettings, check_extent
from ..optimal.ascend import AdamSettings, unit_generator
from ..optimal.coarse import Size
from ..optimal.expression import is_expression
from ..optimal.held import hold
from ..optimal.objective import Objective, make_objective, usual_kind
from ..optimal.parameters import PHASES
from ..optimal.search import PRESETS as OPTIMAL_PRESETS
from ..optimal.search import SearchSettings
from ..optimal.settings import OptimalSettings
from ..units.crop import crop_to_unit
from ..units.pooling import pooled_over_what_is_left
from ..units.receptive.fields import layer_spans
from ..units.tap import output_shape, tap
from ..units.unit import check_position, unit_indices
from ..zoo.registry import weights_sha256
from ..zoo.source import source_sha256
from .objectives import Scope, checked, from_text, layers_of
from .request import Options, Request


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
    optimal, motion = settings_of(options)
    if options.seeds < 1:
        raise SettingInvalid(f"seeds is how many runs are compared, at least 1, not {options.seeds}")
    shape = (card.channels, *(options.size or card.clip))
    check_extent(*shape[1:])
    check_start(options, optimal, shape)
    shape_of = cache(partial(_shape_of, model, shape))
    produced = shape_of(layer)
    vectors, names = options.vectors, card.names_of(layer)
    if vectors is not None:
        vectors.check(produced[0], layer)
        produced, names = (len(vectors), *produced[1:]), vectors.names()
    chosen = tuple(unit_indices(units, produced[0], names))
    objective = _objective(options, chosen, layer, produced, shape_of, card)
    read = {name: shape_of(name) for name in layers_of(objective, layer)}
    networks = _further(options.networks, read, shape)
    tap(model, layer, device=options.device, precision=options.precision)
    crop = None
    if objective == "unit" and len(produced) == 4:
        place = options.position or tuple(side // 2 for side in produced[1:])
        probe = torch.rand(1, *shape, generator=unit_generator(options.seed, chosen[0]))
        crop = crop_to_unit(model, layer, place, card.normalize(probe), options.device)
    whole = objective != "unit" if isinstance(objective, str) else _over_maps(objective, layer)
    if options.spectrum is not None:
        if not isinstance(optimal, AdamSettings) or optimal.domain != PHASES:
            raise SettingInvalid("a spectrum is for free phases; give the preset maco, or leave it out")
        options.spectrum.check(shape)
    held = hold(shape, options.mask, None if isinstance(options.start, str) else options.start, options.stay)
    searched = whole and isinstance(options.start, str) and held is None
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
        vectors=vectors,
        networks=networks,
        held=held,
        alpha=options.alpha,
        spectrum=options.spectrum,
    )


def settings_of(options: Options) -> tuple[SearchSettings, DecomposeSettings]:
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
    named = {"mask": options.mask is not None, "stay": options.stay is not None, "alpha": options.alpha}
    given = [name for name, there in named.items() if there]
    if given and not isinstance(optimal, OptimalSettings):
        raise SettingInvalid(f"preset {options.preset!r} knows no {' and '.join(given)}; leave it out")
    if options.stay is not None and isinstance(optimal, OptimalSettings):
        if options.contrast is not None:
            raise SettingInvalid("stay is the contrast of the change; leave contrast out")
        if not 0 < options.stay <= 0.5:
            raise SettingInvalid(f"stay is a root mean square above 0 and at most 0.5, not {options.stay}")
        optimal = replace(optimal, contrast=options.stay, most_contrast=options.stay)
    return optimal, motion


def _objective(
    options: Options,
    units: tuple[int, ...],
    layer: str,
    produced: tuple[int, ...],
    shape_of: Callable[[str], tuple[int, ...]],
    card: ModelCard,
) -> str | Objective:
    """The objective in force, checked against what it reads and the place that was named."""
    asked, position = options.objective, options.position
    if position is not None:
        check_position(position, produced[1:])
    if isinstance(asked, Objective) or (asked is not None and is_expression(asked)):
        if position is not None:
            raise SettingInvalid("an objective of your own names its places itself; leave the position out")
        if len(units) != 1:
            raise SettingInvalid(f"an objective of your own is for one unit, not {len(units)}; give one")
        vectors = None if options.vectors is None else len(options.vectors)
        scope = Scope(layer, shape_of, card, vectors, options.preset)
        return checked(asked, scope) if isinstance(asked, Objective) else from_text(asked, scope)
    if position is not None and asked not in (None, "unit"):
        raise SettingInvalid(
            f"a position is of one unit, and the objective {asked} is of the whole channel; "
            "give --objective unit, or leave --position out"
        )
    kind = asked or ("unit" if position is not None else usual_kind(produced, options.preset))
    make_objective(kind, units[0], position)
    return kind


def _shape_of(model: nn.Module, shape: tuple[int, int, int, int], layer: str) -> tuple[int, ...]:
    with pooled_over_what_is_left():
        return output_shape(model, layer, shape)


def _further(
    networks: Sequence[nn.Module],
    layers: Mapping[str, tuple[int, ...]],
    shape: tuple[int, int, int, int],
) -> tuple[tuple[nn.Module, str], ...]:
    """Further networks and digests of their weights; `layers` has the shapes that the first one gives.

    Raises:
        SettingInvalid: one gives other shapes than the first.
        LayerNotFound: one has no such layer.
    """
    further = []
    for network in networks:
        digest = weights_sha256(network)  # before it has run
        for layer, mine in layers.items():
            its = _shape_of(network, shape, layer)
            if mine != its:
                raise SettingInvalid(
                    f"layer {layer!r} gives {'x'.join(map(str, mine))}, and {'x'.join(map(str, its))} in a "
                    "further network; give networks of one architecture"
                )
        further.append((network, digest))
    return tuple(further)


def _over_maps(objective: Objective, layer: str) -> bool:
    """Whether one layer's whole maps are what counts, so that the search may begin with a small clip."""
    return all(not term.is_local and term.layer in ("", layer) for term in objective.terms)


def coarse_sizes(
    model: nn.Module,
    layer: str,
    shape: tuple[int, int, int, int],
    produced: tuple[int, ...],
    settings: SearchSettings,
) -> tuple[Size, ...]:
    """First and last size of a search coarse to fine; none where there is no room, or units see less.

    Args:
        produced: shape of the layer's output for a clip of that shape, without the batch.
    """
    if not isinstance(settings, OptimalSettings) or settings.still:
        return ()
    channels, frames, height, width = shape
    first = settings.coarse.begin_at((height, width))
    if first is None:
        return ()
    with pooled_over_what_is_left():
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


def check_start(options: Options, optimal: SearchSettings, shape: tuple[int, int, int, int]) -> None:
    """Refuse a start that the search cannot begin with.

    Raises:
        SettingInvalid: neither a known word nor a clip of the right shape, or one the search does not know.
    """
    start = options.start
    if isinstance(start, str):
        if start not in ("bank", "noise"):
            raise SettingInvalid(f"start is bank, noise or a clip, not {start!r}")
        return
    if not isinstance(optimal, OptimalSettings):
        raise SettingInvalid(f"preset {options.preset!r} begins with noise; leave the clip to start from out")
    channels, frames, height, width = shape
    if tuple(start.shape) != (frames, channels, height, width):
        given, wanted = ("x".join(map(str, s)) for s in (start.shape, (frames, channels, height, width)))
        raise SettingInvalid(
            f"the clip to start from is {given}, wanted {wanted} (TxCxHxW); give its size too"
        )
