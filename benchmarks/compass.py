"""At which depth does a plane of motion direction appear, and do its pictures point where they are asked to?

    python benchmarks/compass.py --out DIR [--network motion13|transformer|i3d] [--weights FILE] [--angles 8]

`kinetoscope compass` for several layers of a network, from shallow to deep, and a table over them. Finished
angles and layers are kept in DIR: run the same command again to go on after an interruption. The weights of
the transformer come from `benchmarks/tiny_transformer.py`, those of the I3D are a published checkpoint.
"""

import argparse
import json
from pathlib import Path

from kinetoscope.cli import main as kinetoscope

HERE = Path(__file__).parent
NETWORKS = {
    "motion13": ("motion13", "16x64x64", ("conv2", "conv3b", "conv4b")),
    "transformer": (
        f"{HERE / 'tiny_transformer.py'}:build",
        "16x32x32",
        ("blocks.0", "blocks.1", "blocks.2"),
    ),
    "i3d": (
        "i3d_inception_piergiaj",
        "16x64x64",
        ("Conv3d_1a_7x7", "Conv3d_2c_3x3", "Mixed_3c", "Mixed_4c", "Mixed_4f", "Mixed_5c"),
    ),
}
"""By name: the model, the clips' size, and the layers from shallow to deep."""

HEAD = (
    "layer | channels | held-out error, deg | held-out correlation | "
    "mean cosine | best shuffled | plane | "
    "clips: correlation | error, deg | within 45 deg | still | shuffled: correlation | error, deg | s"
)


def line(held: dict) -> str:
    """One layer's row of the table."""
    probe, came = held["probe"], held["recovered"]
    read = probe["held_out"]
    chance = max(score["mean_cosine"] for score in probe["held_out_shuffled"])
    cells = [
        held["layer"],
        str(probe["channels"]),
        f"{read['median_error_deg']:.1f}",
        f"{read['circular_correlation'] or 0.0:.2f}",
        f"{read['mean_cosine']:.2f}",
        f"{chance:.2f}",
        "yes" if probe["knows_direction"] else "no",
    ]
    if came["probe"] is None:
        cells += ["-"] * 6
    else:
        own, other = came["probe"], came["shuffled"]
        cells += [
            _two(own["circular_correlation"]),
            f"{own['median_error_deg']:.1f}",
            f"{own['within_45_deg']:.2f}",
            str(own["shown_still"]),
            _two(other["circular_correlation"]),
            f"{other['median_error_deg']:.1f}",
        ]
    return " | ".join([*cells, f"{held['seconds']:.0f}"])


def _two(number: float | None) -> str:
    return "-" if number is None else f"{number:.2f}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--network", choices=NETWORKS, default="motion13")
    parser.add_argument("--layers", help="such as conv2,conv3b; default: all of the list")
    parser.add_argument("--weights", default="default", help="needed for the transformer and the I3D")
    parser.add_argument("--angles", type=int, default=16)
    parser.add_argument("--clips", type=int, default=640)
    parser.add_argument("--steps", type=int)
    asked = parser.parse_args()
    model, size, layers = NETWORKS[asked.network]
    rows = []
    for layer in asked.layers.split(",") if asked.layers else layers:
        out = asked.out / asked.network / layer
        words = ["compass", model, layer, "--out", str(out), "--size", size, "--weights", asked.weights]
        words += ["--angles", str(asked.angles), "--clips", str(asked.clips)]
        words += [] if asked.steps is None else ["--steps", str(asked.steps)]
        if status := kinetoscope(words):
            return status
        rows.append(line(json.loads((out / "compass.json").read_text())))
    print(HEAD, *rows, sep="\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
