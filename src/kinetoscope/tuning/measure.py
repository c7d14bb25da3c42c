"""What units answer to, measured as a physiologist would, and their pictures held against it."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..card import ModelCard, card_of
from ..clips.video import fit_clip, read_windows
from ..errors import SettingInvalid
from ..results import UnitResult
from ..types import VideoBatch
from ..zoo.registry import weights_sha256
from . import sets
from .agreement import Agreement, Pair, agreement
from .answers import Answers, Progress, ask, ask_about_picture, look_for_fields
from .files import Tuning
from .found import UnitTuning, measured, with_picture
from .listen import layer_of


def tune(
    model: nn.Module,
    layer: str,
    units: int | str | Sequence[int | str],
    *,
    card: ModelCard | None = None,
    size: tuple[int, int, int] | None = None,
    compare: Iterable[UnitResult] = (),
    clips: Iterable[str | Path] = (),
    contrast: float = sets.CONTRAST,
    seed: int = 0,
    device: str = "cpu",
    precision: str = "fp32",
    progress: Progress | None = None,
) -> Tuning:
    """Measure what units answer to: gratings, plaids, textures, dots, bars, light; where and when they look.

    An answer is the mean positive part of a map, or a logit, less that to mid grey. About two and a half
    thousand clips are shown to all units at once, then some thirty for each distinct best grating, and 130
    for each picture that is compared; one batch of them is in memory at a time (`listen.BATCH_PIXELS`).

    Args:
        model: any video network; it comes back as it was.
        layer: dotted name.
        units: channels by index, or by class name in the output layer.
        card: what the network expects; None: what came with it from `load_model`, else inferred.
        size: of the stimuli, (frames, height, width); None: that of the pictures compared, else the card's.
        compare: results of `visualize` for units of this layer, to be held against what is measured.
        clips: natural videos; the answer to the best window says how much the others are.
        contrast: root mean square about mid grey of the stimuli, in (0, 0.35].
        seed: of textures, dots and permutations.
        device, precision: as for `visualize_each`.
        progress: told the stage (`answers.STAGES`), the step, and the number of steps.

    Raises:
        LayerNotFound, UnitOutOfRange, ClipTooSmall, ModelUnusable: as their names say.
        SettingInvalid: a contrast out of range, or pictures of another layer, other weights or several sizes.
        VideoUnreadable: a natural video cannot be read.

    Examples:
        >>> tuning = ks.tune(ks.load_model("motion13"), layer="conv1", units=[0], size=(8, 32, 48))
        >>> best = tuning.units[0].gratings
        >>> 0 <= best.direction_deg < 360, 0 <= best.dsi <= 1
        (True, True)
    """
    if not 0 < contrast <= 0.35:
        raise SettingInvalid(f"contrast is {contrast}; give a root mean square in (0, 0.35]")
    began, card = time.perf_counter(), card or card_of(model)
    pictures = _pictures(list(compare), layer, model)
    asked = layer_of(model, layer, units, card, size or _size(pictures) or card.clip, device, precision)
    pictures = {unit: picture for unit, picture in pictures.items() if unit in asked.units}
    _check_sizes(pictures, asked.shape)
    answers = ask(asked, contrast, seed, _windows(clips, asked.shape), progress)
    fields = look_for_fields(answers, contrast, seed, progress)
    found = [measured(answers, index, field, seed) for index, (field, _) in enumerate(fields)]
    responses = {**answers.arrays, "receptive_fields": torch.stack([power.sum(dim=0) for _, power in fields])}
    compared: dict[str, dict[int, Tensor]] = {}
    for done, (unit, picture) in enumerate(pictures.items()):
        index = asked.units.index(unit)
        arrays, best, answer = ask_about_picture(asked, index, picture, float(answers.grey[index]))
        found[index] = with_picture(found[index], picture, arrays, best, answer, seed)
        for key, part in arrays.items():
            compared.setdefault(key, {})[index] = part
        if progress is not None:
            progress(2, done + 1, len(pictures))
    responses |= {key: _spread(parts, len(found)) for key, parts in compared.items()}
    record = {
        "network": type(model).__name__,
        "weights_sha256": weights_sha256(model),
        "layer": layer,
        "size": list(asked.shape[1:]),
        "contrast": contrast,
        "seed": seed,
        "device": device,
        "precision": precision,
        "response": "mean positive part of the map" if asked.map_shape else "the number itself",
        "axes": _axes(answers),
        "seconds": time.perf_counter() - began,
    }
    agreed = _agreement(found) if pictures else None
    return Tuning(layer, asked.shape, tuple(found), agreed, responses, pictures, record)


def _pictures(results: Sequence[UnitResult], layer: str, model: nn.Module) -> dict[int, UnitResult]:
    """By unit; refused where they are of something else."""
    for result in results:
        held = result.record.get("layer")
        if held != layer:
            raise SettingInvalid(f"a picture to compare is of layer {held!r}, not {layer!r}; give others")
    hashes = {result.record.get("weights_sha256") for result in results} - {None}
    if hashes - {weights_sha256(model)}:
        raise SettingInvalid(
            "the pictures to compare are of other weights than the model has; give those they were made with"
        )
    return {int(result.record["unit"]): result for result in results}


def _size(pictures: Mapping[int, UnitResult]) -> tuple[int, int, int] | None:
    for picture in pictures.values():
        frames, _, height, width = picture.video.shape
        return frames, height, width
    return None


def _check_sizes(pictures: Mapping[int, UnitResult], shape: tuple[int, int, int, int]) -> None:
    for unit, picture in pictures.items():
        frames, _, *sides = picture.video.shape
        if (frames, *sides) != shape[1:]:
            given, wanted = ("x".join(map(str, s)) for s in ((frames, *sides), shape[1:]))
            raise SettingInvalid(
                f"the picture of unit {unit} is {given} (TxHxW), and stimuli are {wanted}; "
                f"give size {given}, or leave it out"
            )


def _windows(clips: Iterable[str | Path], shape: tuple[int, int, int, int]) -> Iterator[VideoBatch]:
    """Windows of natural videos, half a window apart, at the stimuli's size; short ones are left out."""
    channels, frames, height, width = shape
    for file in clips:
        for window in read_windows(file, frames, max(1, frames // 2), channels=channels):
            if len(window.video) == frames:
                yield fit_clip(window.video, channels, height, width).transpose(0, 1)[None]


def _spread(parts: Mapping[int, Tensor], count: int) -> Tensor:
    """(units, ...), NaN for units without a picture."""
    whole = torch.full((count, *next(iter(parts.values())).shape), float("nan"))
    for index, part in parts.items():
        whole[index] = part
    return whole


def _axes(answers: Answers) -> dict[str, Any]:
    shape = answers.layer.shape
    return {
        "wavelengths_px": sets.wavelengths(shape),
        "wavelength_speed": sets.cells(shape),
        "directions_deg": sets.DIRECTIONS,
        "plaid_directions_deg": sets.PLAID_DIRECTIONS,
        "texture_directions_deg": sets.TEXTURE_DIRECTIONS,
        "texture_speeds_px_per_frame": sets.TEXTURE_SPEEDS,
        "contrasts": sets.CONTRASTS,
        "flicker_per_frame": sets.FREQUENCIES,
        "dot_flows": list(sets.FLOWS),
        "dot_coherences": sets.COHERENCES,
        "texture_turns": list(sets.TURNS),
        "turns_per_frame": sets.RATES,
    }


def _agreement(found: Sequence[UnitTuning]) -> dict[str, Agreement]:
    gratings, textures = [], []
    for unit in found:
        if unit.shown is None or unit.texture is None:
            continue
        shown = (unit.unit, unit.shown.direction_deg, unit.shown.speed_px_per_frame)
        curve, own = unit.gratings, unit.texture
        gratings.append(Pair(*shown, curve.direction_deg, unit.preferred_speed_px_per_frame, curve.dsi))
        textures.append(Pair(*shown, own.direction.direction_deg, own.speed_px_per_frame, own.direction.dsi))
    return {"gratings": agreement(gratings), "texture": agreement(textures)}
