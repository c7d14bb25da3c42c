"""Stimuli for a real experiment, with what the units are predicted to answer to each."""

import csv
import io
import itertools
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ..card import ModelCard, card_of
from ..files import safe_component, write_bytes_atomically
from ..render.frames import encode_mp4, to_frames
from ..results import UnitResult
from ..stimuli import Shape
from ..units.tap import Forward
from . import own, sets
from .answers import in_channels
from .found import UnitTuning
from .listen import Shown, grey_response, heard, layer_of, over_map
from .measure import Tuning
from .report import vivit_deg

MANIFEST = "manifest.csv"


@dataclass(frozen=True)
class ExportSettings:
    """How stimuli are meant to be shown.

    Attributes:
        degrees_per_pixel: visual angle of a pixel.
        frames_per_second: of the display.
        luminance_low, luminance_high: of black and white, cd/m^2; the display's response must be linear.
        blank_frames: mid grey before and after each stimulus; in the films, not in the arrays.
    """

    degrees_per_pixel: float = 1.0
    frames_per_second: float = 30.0
    luminance_low: float = 0.0
    luminance_high: float = 100.0
    blank_frames: int = 15


def export_stimuli(
    model: nn.Module,
    tuning: Tuning,
    directory: str | Path,
    *,
    card: ModelCard | None = None,
    settings: ExportSettings | None = None,
) -> Path:
    """Write stimuli as 8-bit arrays and films, and what each unit is predicted to answer.

    Shown are each unit's best grating in all directions and its plaids, all that is common and no grating,
    and, where pictures were compared, the optimal inputs and the own textures in all directions at their
    best speed. Answers are to the 8-bit clips that are written.

    Args:
        model, card: that were tuned.
        tuning: from `tune`.
        directory: gets `arrays/NAME.npy`, (T, C, H, W) uint8, `films/NAME.mp4` and `manifest.csv`.

    Returns:
        The manifest: a row per stimulus; columns `unit_N` hold the predicted answers beyond that to grey.

    Raises:
        OutputUnwritable: a file cannot be written.
    """
    how, directory, record = settings or ExportSettings(), Path(directory), tuning.record
    units = [unit.unit for unit in tuning.units]
    size = (tuning.shape[1], tuning.shape[2], tuning.shape[3])
    layer = layer_of(
        model, tuning.layer, units, card or card_of(model), size, record["device"], record["precision"]
    )
    rows = []
    with layer.listening() as forward:
        grey = grey_response(forward, layer.shape)
        for number, each in enumerate(exported(tuning)):
            name = f"{number:04d}_{each.kind.replace(' ', '_').replace('/', '')}"
            levels = to_levels(each)
            _write(directory, name, levels, how)
            answers = (_answer(forward, levels) - grey).tolist()
            predicted = {f"unit_{u}": f"{value:.6g}" for u, value in zip(units, answers, strict=True)}
            named = {"stimulus": name, "kind": each.kind, "description": each.name}
            rows.append({**named, **_facts(each, levels), **asdict(how), **predicted})
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return write_bytes_atomically(directory / MANIFEST, text.getvalue().encode("utf-8"))


def exported(tuning: Tuning) -> Iterator[Shown]:
    """Which stimuli are written, in order."""
    shape, contrast = tuning.shape, float(tuning.record["contrast"])
    best = [unit.optimum for unit in tuning.units if unit.optimum is not None]
    cells = list(dict.fromkeys((wavelength, speed) for wavelength, speed, _ in best))
    for block in sets.common(shape, contrast, int(tuning.record["seed"])):
        # one phase, texture or polarity of each, which the last axis holds
        if block.key != "gratings":
            yield from block.shown[:: 2 if block.axes[-1] == 2 else 1]
    for (wavelength, speed), direction in itertools.product(cells, sets.DIRECTIONS):
        yield sets.drifting((wavelength, speed, direction), shape, 0.0, contrast)
    yield from sets.plaids(shape, cells, contrast).shown[::2]
    yield from sets.flashes(shape, contrast).shown
    for unit in tuning.units:
        if unit.texture is not None:
            yield from _of_picture(unit, tuning.pictures[unit.unit], shape)


def _of_picture(unit: UnitTuning, result: UnitResult, shape: Shape) -> Iterator[Shown]:
    assert unit.texture is not None
    clip = in_channels(result.video, shape[0]).transpose(0, 1) - 0.5
    yield Shown("optimal input", f"optimal input of unit {unit.unit}", lambda: clip, None)
    image = in_channels(result.decomposition.static_image, shape[0])
    for each in own.all_directions(shape, image, unit.texture.speed_px_per_frame).shown:
        yield replace(each, name=f"unit {unit.unit}: {each.name}")


def to_levels(each: Shown) -> np.ndarray:
    """A stimulus as it is written, (T, C, H, W) uint8."""
    return ((0.5 + each.clip()).clamp(0, 1) * 255).round().to(torch.uint8).transpose(0, 1).numpy()


def _answer(forward: Forward, levels: np.ndarray) -> Tensor:
    clip = torch.from_numpy(levels).float().div(255).transpose(0, 1) - 0.5
    return heard(forward, [Shown("exported", "exported", lambda: clip, None)], over_map)[0]


def _write(directory: Path, name: str, levels: np.ndarray, how: ExportSettings) -> None:
    buffer = io.BytesIO()
    np.save(buffer, levels)
    write_bytes_atomically(directory / "arrays" / f"{safe_component(name)}.npy", buffer.getvalue())
    frames = to_frames(torch.from_numpy(levels).float().div(255))
    blank = [np.full_like(frames[0], 128)] * how.blank_frames
    film = encode_mp4([*blank, *frames, *blank], fps=how.frames_per_second)
    write_bytes_atomically(directory / "films" / f"{safe_component(name)}.mp4", film)


def _facts(each: Shown, levels: np.ndarray) -> dict[str, str | int | float]:
    frames, _, height, width = levels.shape
    direction = vivit_deg(each.direction_deg)
    contrast = float(((levels / 255.0 - 0.5) ** 2).mean() ** 0.5)
    return {
        "direction_deg": "" if each.direction_deg is None else each.direction_deg,
        "direction_vivit_deg": "" if direction is None else direction,
        "frames": frames,
        "height_px": height,
        "width_px": width,
        "least_value": float(levels.min()) / 255,
        "greatest_value": float(levels.max()) / 255,
        "rms_contrast": round(contrast, 4),
    }
