"""From a model and its units to finished accounts: optimal input, decomposition, and the unit's responses."""

import platform
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from . import __version__
from .errors import ModelUnusable, SettingInvalid, UnitOutOfRange
from .models.card import ModelCard
from .models.registry import card_of, weights_sha256
from .motion.decompose import PRESETS as DECOMPOSE_PRESETS
from .motion.decompose import DecomposeSettings, check_extent, decompose
from .motion.summary import summarize
from .optimal.ascend import PRESETS as OPTIMAL_PRESETS
from .optimal.ascend import (
    Forward,
    OptimalSettings,
    batches,
    maximize,
    normalize,
    start_clip,
    unit_generator,
)
from .optimal.objective import Objective, make_objective, usual_kind
from .results import Decomposition, Optimal, UnitResult
from .types import Video
from .units.tap import output_shape, tap
from .units.unit import check_position, parse_units

Progress = Callable[[int, int, int], None]
"""Called with the unit's index in the list, the step, and the number of steps."""


def versions() -> dict[str, str]:
    """What a result depends on beside its settings."""
    return {
        "kinetoscope": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def resolve_settings(
    preset: str = "default", steps: int | None = None, formulation: str | None = None
) -> tuple[OptimalSettings, DecomposeSettings]:
    """The settings a preset means, with the steps or the formulation replaced where they are given.

    Raises:
        SettingInvalid: no such preset, or a setting out of range.
    """
    if preset not in OPTIMAL_PRESETS:
        raise SettingInvalid(f"preset is {' or '.join(OPTIMAL_PRESETS)}, not {preset!r}")
    optimal, motion = OPTIMAL_PRESETS[preset], DECOMPOSE_PRESETS[preset]
    if steps is not None:
        optimal = replace(optimal, steps=steps)
    return optimal, motion if formulation is None else replace(motion, formulation=formulation)


def request_settings(
    *,
    card: ModelCard | None = None,
    size: tuple[int, int, int] | None = None,
    position: tuple[int, int, int] | None = None,
    preset: str = "default",
    steps: int | None = None,
    **_: Any,
) -> dict[str, Any]:
    """What will stand under `settings` in a unit's record, from keyword arguments of `visualize_each`."""
    optimal, motion = resolve_settings(preset, steps)
    clip = size or (card or ModelCard()).clip
    return {
        "preset": preset,
        "size": list(clip),
        "position": None if position is None else list(position),
        "optimal": asdict(optimal),
        "decompose": motion.describe(),
    }


def visualize_each(
    model: nn.Module,
    layer: str,
    units: Sequence[int | str],
    *,
    card: ModelCard | None = None,
    objective: str | None = None,
    position: tuple[int, int, int] | None = None,
    size: tuple[int, int, int] | None = None,
    preset: str = "default",
    steps: int | None = None,
    seed: int = 0,
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
        objective: `channel`, `channel-relu` or `unit`; None: `channel-relu` for maps, `channel` for single
            numbers and in the preset `paper` (eq. 4).
        position: (t, y, x) in the layer's map, for `unit`; None: the centre.
        size: clip as (frames, height, width); None: the card's.
        preset: `default`, or `paper` for the published procedure.
        steps: optimization steps; None: the preset's.
        seed: of every random number; the same seed, device kind and version give the same arrays.
        device: torch device.
        precision: `fp32`, or `bf16` for the network's arithmetic.
        progress: told about every step.

    Raises:
        LayerNotFound, UnitOutOfRange, ClipTooSmall, ModelUnusable, SettingInvalid: as their names say, before
            anything is computed.
    """
    card = card or card_of(model)
    if card.channels not in (1, 3):
        raise ModelUnusable(
            f"the model takes {card.channels} channels; 3 (RGB) or 1 (grey) can be visualized"
        )
    optimal_settings, motion_settings = resolve_settings(preset, steps)
    shape = (card.channels, *(size or card.clip))
    check_extent(*shape[1:])
    produced = output_shape(model, layer, shape)
    named = card.class_names if layer == card.output_layer else ()
    chosen = _indices(units, produced[0], named)
    if position is not None:
        check_position(position, produced[1:])
    kind = objective or usual_kind(produced, preset)
    make_objective(kind, chosen[0], position)
    tap(model, layer, device=device, precision=precision)
    record = {
        "weights_sha256": weights_sha256(model),
        "layer": layer,
        "objective": kind,
        "seed": seed,
        "settings": request_settings(card=card, size=size, position=position, preset=preset, steps=steps),
        "versions": versions(),
        "device": device,
        "precision": precision,
    }
    run = _Run(model, card, named, shape, position, optimal_settings, motion_settings, record, progress)
    return run.results(chosen)


def visualize(model: nn.Module, layer: str, units: Sequence[int | str], **options: Any) -> list[UnitResult]:
    """Visualize units of a layer; arguments and errors as for `visualize_each`.

    Example:
        results = visualize(model, layer="conv3b", units=[0, 1], seed=0)
        results[0].save("out")
    """
    return list(visualize_each(model, layer, units, **options))


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
    decomposition = _on_cpu(decompose(video.to(device), settings, seed=seed))
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


@dataclass(frozen=True)
class _Run:
    """One checked request: what is needed to compute its units one after the other."""

    model: nn.Module
    card: ModelCard
    names: tuple[str, ...]
    shape: tuple[int, int, int, int]
    position: tuple[int, int, int] | None
    optimal: OptimalSettings
    motion: DecomposeSettings
    record: dict[str, Any]
    progress: Progress | None

    def results(self, units: list[int]) -> Iterator[UnitResult]:
        """Each unit's account, as soon as it is finished."""
        done = 0
        for batch in batches(units, self.optimal, self.record["device"]):
            for result in self._batch(batch, done):
                yield result
                done += 1

    def _batch(self, units: list[int], done: int) -> Iterator[UnitResult]:
        layer, device, seed = (self.record[key] for key in ("layer", "device", "seed"))
        objectives = [make_objective(self.record["objective"], unit, self.position) for unit in units]
        with tap(self.model, layer, device=device, precision=self.record["precision"]) as tapped:

            def forward(clips: Tensor) -> Tensor:
                return tapped(normalize(clips, self.card))

            def told(step: int, steps: int) -> None:
                if self.progress is not None:
                    self.progress(done, step, steps)

            generators = [unit_generator(seed, unit) for unit in units]
            optima = maximize(
                forward, objectives, self.shape, self.optimal, generators, device=device, progress=told
            )
            for unit, objective, optimal in zip(units, objectives, optima, strict=True):
                decomposition = decompose(optimal.video, self.motion, seed=seed)
                start = start_clip(self.optimal, self.shape, unit_generator(seed, unit))
                responses = respond(forward, objective, optimal.video, decomposition, start)
                yield self._assemble(unit, optimal, decomposition, responses)

    def _assemble(
        self, unit: int, optimal: Optimal, decomposition: Decomposition, responses: dict[str, float]
    ) -> UnitResult:
        decomposition = _on_cpu(decomposition)
        optimal = replace(optimal, video=optimal.video.float().cpu())
        return UnitResult(
            video=optimal.video,
            optimal=optimal,
            decomposition=decomposition,
            motion=summarize(decomposition),
            activation=responses,
            record={
                **self.record,
                "unit": unit,
                "unit_name": self.names[unit] if unit < len(self.names) else "",
                "steps": optimal.steps,
                "seconds": {"optimize": optimal.seconds, "decompose": decomposition.seconds},
            },
        )


def respond(
    forward: Forward, objective: Objective, video: Video, decomposition: Decomposition, start: Video
) -> dict[str, float]:
    """The unit's response, same objective, no transforms, to the optimum and to what it was made of.

    Args:
        forward: clips in [0, 1] to the layer's output.
        video: the optimal input, (T, C, H, W).
        start: the clip the optimization started from.

    Returns:
        `optimal`; `random_input`, the response to `start`; `reconstruction`; `static_only`, the texture in
        every frame; `reversed` and `shuffled` in time.
    """
    order = torch.randperm(len(video), generator=torch.Generator().manual_seed(0)).to(video.device)
    clips = {
        "optimal": video,
        "random_input": start.to(video),
        "reconstruction": decomposition.reconstruction,
        "static_only": decomposition.static_image.expand_as(video),
        "reversed": video.flip(0),
        "shuffled": video[order],
    }
    with torch.no_grad():
        return {name: float(objective(forward(clip.transpose(0, 1)[None]))) for name, clip in clips.items()}


def _on_cpu(decomposition: Decomposition) -> Decomposition:
    return replace(
        decomposition,
        static_image=decomposition.static_image.cpu(),
        displacement=decomposition.displacement.cpu(),
        velocity=decomposition.velocity.cpu(),
        coherent_velocity=decomposition.coherent_velocity.cpu(),
        reconstruction=decomposition.reconstruction.cpu(),
    )


def _indices(units: Sequence[int | str], count: int, names: tuple[str, ...]) -> list[int]:
    """Channels from indices and class names.

    Raises:
        UnitOutOfRange: beyond the layer's units, or no class of that name.
    """
    if not units:
        raise UnitOutOfRange(f"no units given; name some of the {count} the layer has")
    chosen: list[int] = []
    for unit in units:
        if isinstance(unit, str):
            chosen += parse_units(unit, count, names)
        elif 0 <= unit < count:
            chosen.append(int(unit))
        else:
            raise UnitOutOfRange(f"unit {unit} is out of range; the layer has units 0 to {count - 1}")
    return list(dict.fromkeys(chosen))
