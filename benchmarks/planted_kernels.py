"""From kernel to velocity: motion-energy units of known tuning, with default settings.

    python benchmarks/planted_kernels.py [--size 16x64x64] [--seed 0] [--json FILE]

Prints a row per unit and the median and 90 % errors.
"""

import argparse
import json
import math
import statistics
from pathlib import Path

import kinetoscope as ks
from kinetoscope.evaluation.networks import MotionEnergy
from kinetoscope.units.unit import parse_size

DIRECTIONS = tuple(range(0, 360, 45))
SPEEDS = (0.5, 1.0, 2.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="16x64x64", help="clip, TxHxW")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write the rows here")
    options = parser.parse_args()
    rows = []
    for direction in DIRECTIONS:
        for speed in SPEEDS:
            model = MotionEnergy([(direction, speed)])
            (result,) = ks.visualize(
                model, "energy", [0], size=parse_size(options.size), seed=options.seed, seeds=1
            )
            off = (result.motion.direction_deg - direction + 180) % 360 - 180
            row = {
                "direction_deg": direction,
                "speed_px_per_frame": speed,
                "direction_error_deg": abs(off),
                "speed_ratio": result.motion.speed_px_per_frame / speed,
                "seconds": result.optimal.seconds + result.decomposition.seconds,
            }
            rows.append(row)
            print("  ".join(f"{value:8.2f}" for value in row.values()), flush=True)
    errors = sorted(row["direction_error_deg"] for row in rows)
    speeds = [abs(row["speed_ratio"] - 1) for row in rows]
    print(f"direction error: median {statistics.median(errors):.1f} degrees,", end=" ")
    print(f"nine of ten within {errors[math.ceil(0.9 * len(errors)) - 1]:.1f}")
    print(f"speed error: median {100 * statistics.median(speeds):.0f} %")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
