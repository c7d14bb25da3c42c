"""The default decomposition beside 2000 steps of the published one, on one planted clip.

    python benchmarks/decompose_speed.py [--size 16x128x128] [--json FILE]

The published steps are timed as the difference of two short runs, and multiplied.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import torch

from kinetoscope.inquiry.request import versions
from kinetoscope.motion.decompose import PRESETS, DecomposeSettings, decompose
from kinetoscope.motion.paper import PaperSettings
from kinetoscope.motion.summary import summarize
from kinetoscope.synthetic.planted import noise_texture, planted_clip, translation
from kinetoscope.units.unit import parse_size

STEPS = (20, 120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="16x128x128", help="clip, TxHxW")
    parser.add_argument("--json", type=Path, help="write the numbers here")
    options = parser.parse_args()
    size = parse_size(options.size)
    texture = noise_texture(size[1] + 64, size[2] + 64, torch.Generator().manual_seed(0))
    video = planted_clip(texture, translation(30.0, 1.0), *size).video
    default = min((decompose(video, PRESETS["default"]) for _ in range(3)), key=lambda found: found.seconds)
    paper = DecomposeSettings(formulation="paper", paper=PaperSettings())
    short, long = (
        min(decompose(video, replace(paper, paper=PaperSettings(steps=steps))).seconds for _ in range(2))
        for steps in STEPS
    )
    published = 2000 * (long - short) / (STEPS[1] - STEPS[0])
    motion = summarize(default)
    row = {
        "size": size,
        "seconds": default.seconds,
        "published_seconds": published,
        "ratio": published / default.seconds,
        "psnr_db": default.psnr_db,
        "direction_deg": motion.direction_deg,
        "speed_px_per_frame": motion.speed_px_per_frame,
    }
    print(f"{torch.get_num_threads()} threads, {versions()}")
    print(
        "default {seconds:.2f} s, 2000 published steps {published_seconds:.1f} s, ratio {ratio:.0f}; "
        "1 px/frame at 30 degrees came back as {speed_px_per_frame:.3f} at {direction_deg:.1f}".format(**row)
    )
    if options.json:
        options.json.write_text(json.dumps({"versions": versions(), **row}, indent=2))


if __name__ == "__main__":
    main()
