"""From a planted clip to its velocity: textures of noise and photographs, with default settings.

    python benchmarks/planted_clips.py [--size 16x96x128] [--seeds 0,1] [--json FILE]

Prints a row per clip (median error over all pixels and frames) and the greatest errors. The photographs are
those that come with scikit-learn.
"""

import argparse
import json
from pathlib import Path

import torch
from sklearn.datasets import load_sample_image

import kinetoscope as ks
from kinetoscope.evaluation.metrics import direction_error_deg, endpoint_errors
from kinetoscope.synthetic.planted import (
    expansion,
    noise_texture,
    planted_clip,
    rotation,
    still,
    translation,
)
from kinetoscope.types import Image
from kinetoscope.units.unit import parse_size

MOTIONS = {"still": still()} | {
    f"{direction} degrees, {speed} px/frame": translation(direction, speed)
    for direction in range(0, 360, 45)
    for speed in (0.5, 1.0, 2.0)
}
MOTIONS |= {f"rotation {turn:+} rad/frame": rotation(turn) for turn in (0.02, -0.02)}
MOTIONS |= {f"expansion {growth:+} per frame": expansion(growth) for growth in (0.02, -0.02)}


def textures(height: int, width: int, seed: int) -> dict[str, Image]:
    """One of noise, and one crop of each photograph, large enough for everything to move in."""
    draw = torch.Generator().manual_seed(seed)
    found = {"noise": noise_texture(height + 100, width + 100, draw)}
    for name in ("china", "flower"):
        picture = torch.from_numpy(load_sample_image(f"{name}.jpg").copy()).permute(2, 0, 1).float() / 255
        top, left = (int(torch.randint(room, (), generator=draw)) for room in (150, 200))
        found[name] = picture[:, top : top + height + 100, left : left + width + 100]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="16x96x128", help="clip, TxHxW")
    parser.add_argument("--seeds", default="0,1", help="of the textures")
    parser.add_argument("--json", type=Path, help="write the rows here")
    options = parser.parse_args()
    frames, height, width = parse_size(options.size)
    rows = []
    for seed in map(int, options.seeds.split(",")):
        for kind, texture in textures(height, width, seed).items():
            for name, motion in MOTIONS.items():
                clip = planted_clip(texture, motion, frames, height, width)
                found = ks.decompose(clip.video)
                error = float(endpoint_errors(found.velocity, clip.velocity).median())
                off = direction_error_deg(found.velocity.mean((0, 2, 3)), clip.velocity.mean((0, 2, 3)))
                rows.append({"texture": kind, "seed": seed, "motion": name, "error": error, "off_deg": off})
                told = "" if off is None else f"{off:6.2f} degrees off"
                print(f"{kind:7} {seed}  {name:26} {error:7.4f} px/frame {told}", flush=True)
    standing = max(row["error"] for row in rows if row["motion"] == "still")
    moving = max(row["error"] for row in rows if row["motion"] != "still")
    turned = max(row["off_deg"] for row in rows if row["off_deg"] is not None)
    print(
        f"greatest median error: still {standing:.4f}, moving {moving:.4f} px/frame; "
        f"direction {turned:.2f} degrees"
    )
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
