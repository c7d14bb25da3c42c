"""From kernel to velocity: motion-energy units of known tuning, with default settings.

    python benchmarks/planted_kernels.py [--size 16x64x64] [--seed 0] [--json FILE]

Kernels of three wavelengths, three bandwidths and two colours. The truth is where the kernel's own amplitude
spectrum is greatest: a grating of that frequency drives the unit most. Starts are noise: an optimum grown
from a grating would agree with gratings by construction. Prints a row per unit, and the errors of all.
"""

import argparse
import json
import math
import statistics
from pathlib import Path

import torch
from torch import Tensor

import kinetoscope as ks
from kinetoscope.synthetic.networks import MotionEnergy
from kinetoscope.units.unit import parse_size

DIRECTIONS = (0, 30, 75, 110, 160, 200, 250, 315)
SPEEDS = (0.5, 1.0, 2.0)
WAVELENGTHS = (6.0, 8.0, 12.0)
EXTENTS = ((5, 9), (7, 11), (9, 15))
"""Frames and pixels of the kernels; longer ones have narrower bands."""

COLOURS = {"grey": (1.0, 1.0, 1.0), "red-green": (1.0, -1.0, 0.0)}


def peak(pair: Tensor) -> tuple[float, float]:
    """Direction in degrees and speed in pixels per frame of the grating that drives a quadrature pair most.

    Args:
        pair: even and odd kernel, (2, T, H, W).
    """
    sizes = (128, 256, 256)
    spectrum = torch.fft.fftn(torch.complex(pair[0], pair[1]), s=sizes).abs()
    index = torch.unravel_index(spectrum.argmax(), sizes)
    t, y, x = (float(torch.fft.fftfreq(size)[i]) for i, size in zip(index, sizes, strict=True))
    speed = -t / (x**2 + y**2)  # along (x, y); y counts downwards
    return math.degrees(math.atan2(-y * speed, x * speed)) % 360, abs(speed) * math.hypot(x, y)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="16x64x64", help="clip, TxHxW")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write the rows here")
    options = parser.parse_args()
    rows = []
    cases = [(direction, speed) for direction in DIRECTIONS for speed in SPEEDS]
    for number, (direction, speed) in enumerate(cases):
        wavelength, size = WAVELENGTHS[number % 3], EXTENTS[number // 3 % 3]
        colour = list(COLOURS)[number // 2 % 2]
        model = MotionEnergy([(direction, speed)], wavelength=wavelength, size=size)
        pair = model.conv.weight.detach().sum(dim=1)
        with torch.no_grad():
            model.conv.weight.mul_(torch.tensor(COLOURS[colour]).view(1, 3, 1, 1, 1))
        (result,) = ks.visualize(
            model, "energy", [0], size=parse_size(options.size), seed=options.seed, seeds=1, start="noise"
        )
        true_direction, true_speed = peak(pair)
        row = {
            "direction_deg": true_direction,
            "speed_px_per_frame": true_speed,
            "wavelength_px": wavelength,
            "kernel_px": size[1],
            "direction_error_deg": abs((result.motion.direction_deg - true_direction + 180) % 360 - 180),
            "speed_ratio": result.motion.speed_px_per_frame / true_speed,
        }
        rows.append({**row, "colour": colour})
        print("  ".join(f"{value:8.2f}" for value in row.values()), colour, result.motion.label, flush=True)
    errors = sorted(row["direction_error_deg"] for row in rows)
    ratios = sorted(row["speed_ratio"] for row in rows)
    print(f"direction error: median {statistics.median(errors):.1f} degrees,", end=" ")
    print(f"nine of ten within {errors[math.ceil(0.9 * len(errors)) - 1]:.1f}")
    print(f"speed ratio: median {statistics.median(ratios):.3f}, {ratios[0]:.2f} to {ratios[-1]:.2f}")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
