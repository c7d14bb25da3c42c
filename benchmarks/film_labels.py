"""Does the label say what drifting gratings say? Units of a first layer, films from noise starts.

    python benchmarks/film_labels.py MODEL LAYER --weights FILE [--units 0,2,4] [--size 16x64x64]
                                     [--least 0.2] [--out DIR] [--json FILE]

Gratings of several colours, wavelengths and speeds drift in 16 directions. A direction's response r is what
the unit's mean positive part gains on mid grey, at the colour, wavelength and speed that it prefers;
selectivity is |sum r e^(ia)| / sum r, the preferred direction the angle of that sum. Units that reach
--least are visualized from noise and taken apart, and the film's direction is compared with the one that
gratings prefer. --out leaves pictures: frames, below them the texture and the reconstruction.
"""

import argparse
import cmath
import json
import math
import statistics
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn

from kinetoscope.inquiry.request import Options, versions
from kinetoscope.inquiry.run import Inquiry
from kinetoscope.inquiry.settle import request_for
from kinetoscope.inquiry.visualize import visualize_each
from kinetoscope.results import UnitResult
from kinetoscope.stimuli import colours, grating, to_contrast
from kinetoscope.types import MOTION_LABELS
from kinetoscope.units.unit import parse_size, parse_units
from kinetoscope.zoo.registry import load_model

ANGLES = tuple(22.5 * k for k in range(16))
WAVELENGTHS = (4.0, 7.0, 12.0, 22.0)
SPEEDS = (0.5, 1.0, 2.0)
CONTRAST = 0.2
"""Root mean square about mid grey, as that of the films."""


@dataclass(frozen=True)
class Tuning:
    """What gratings say of a unit.

    Attributes:
        direction_deg: preferred; selectivity: in [0, 1].
        colour, wavelength, speed: where the response is greatest.
    """

    direction_deg: float
    selectivity: float
    colour: str
    wavelength: float
    speed: float


def tunings(model: nn.Module, layer: str, units: list[int], size: tuple[int, int, int]) -> list[Tuning]:
    """Of each unit, from the responses to all gratings."""
    request = request_for(model, layer, units, Options(size=size, objective="channel-relu"))
    inquiry, chosen = Inquiry(request), request.units
    axes = colours(3)
    shown = list(product(axes, WAVELENGTHS, SPEEDS))
    table = torch.zeros(len(units), len(shown), len(ANGLES))
    with inquiry.listening(chosen) as (forward, objectives), torch.no_grad():

        def responses(clip: Tensor) -> Tensor:
            answer = forward(0.5 + clip)
            return torch.stack([objective(answer).squeeze() for objective in objectives])

        resting = responses(torch.zeros(1, 3, *size))
        for i, (colour, wavelength, speed) in enumerate(shown):
            for k, angle in enumerate(ANGLES):
                clip = grating((3, *size), wavelength, angle, speed, colour=axes[colour])
                table[:, i, k] = responses(to_contrast(clip[None], CONTRAST)) - resting
    return [tuning(gains, shown) for gains in table]


def tuning(gains: Tensor, shown: list[tuple[str, float, float]]) -> Tuning:
    """Of one unit, from what it gains (stimulus, angle) by (colour, wavelength, speed)."""
    best = int(gains.amax(dim=1).argmax())
    heights = gains[best].clamp(min=0).tolist()
    turns = zip(heights, ANGLES, strict=True)
    total = sum(height * cmath.exp(1j * math.radians(angle)) for height, angle in turns)
    return Tuning(
        direction_deg=math.degrees(cmath.phase(total)) % 360,
        selectivity=abs(total) / max(sum(heights), 1e-12),
        colour=shown[best][0],
        wavelength=shown[best][1],
        speed=shown[best][2],
    )


def row_of(result: UnitResult, told: Tuning) -> dict[str, object]:
    """One line of the table."""
    motion, found = result.motion, result.decomposition
    off = abs((motion.direction_deg - told.direction_deg + 180) % 360 - 180)
    return {
        "unit": result.record["unit"],
        "prefers_deg": told.direction_deg,
        "selectivity": told.selectivity,
        "colour": told.colour,
        "wavelength_px": told.wavelength,
        "grating_speed": told.speed,
        "label": motion.label,
        "direction_deg": motion.direction_deg,
        "error_deg": off,
        "speed_px_per_frame": motion.speed_px_per_frame,
        **found.variance_explained,
        "carried": found.carried,
        "lifetime": found.texture_lifetime_frames,
        "keys": len(found.textures),
    }


def picture(result: UnitResult) -> Image.Image:
    """Every second frame; below, the texture and the reconstruction."""
    found = result.decomposition
    above = torch.cat(list(result.video[::2]), dim=2)
    below = torch.cat([found.static_image, *found.reconstruction[2::2]], dim=2)
    pixels = torch.cat([above, below], dim=1).clamp(0, 1).mul(255).byte().permute(1, 2, 0).cpu().numpy()
    shown = Image.fromarray(pixels)
    return shown.resize((2 * shown.width, 2 * shown.height), Image.Resampling.NEAREST)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("layer")
    parser.add_argument("--weights", default="default")
    parser.add_argument("--units", help="as for visualize; default: even numbers below 64")
    parser.add_argument("--size", default="16x64x64", help="clip, TxHxW")
    parser.add_argument("--least", type=float, default=0.2, help="selectivity of the units that are shown")
    parser.add_argument("--out", type=Path, help="leave pictures here")
    parser.add_argument("--json", type=Path, help="write the rows here")
    options = parser.parse_args()
    size = parse_size(options.size)
    model = load_model(options.model, weights=options.weights)
    units = parse_units(options.units, 10**6) if options.units else list(range(0, 64, 2))
    told = dict(zip(units, tunings(model, options.layer, units, size), strict=True))
    chosen = [unit for unit in units if told[unit].selectivity >= options.least]
    print(f"{options.layer}: {len(chosen)} of {len(units)} units, {versions()}\n")
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
    rows = []
    for result in visualize_each(model, options.layer, chosen, size=size, seeds=1, start="noise"):
        row = row_of(result, told[result.record["unit"]])
        rows.append(row)
        told_of = (
            f"{key} {value:.2f}" if isinstance(value, float) else f"{key} {value}"
            for key, value in row.items()
        )
        print("  ".join(told_of), flush=True)
        if options.out:
            picture(result).save(options.out / f"{row['unit']}.png")
    errors = [float(str(row["error_deg"])) for row in rows]
    good = [
        row["label"] in MOTION_LABELS[:8] and error <= 45 for row, error in zip(rows, errors, strict=True)
    ]
    print(
        f"\nerror: median {statistics.median(errors):.1f} degrees; named as drifting and within 45: ", end=""
    )
    print(f"{sum(good)} of {len(rows)}")
    if options.json:
        options.json.write_text(json.dumps({"versions": versions(), "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
