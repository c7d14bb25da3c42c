"""At which depth does a plane of motion direction appear, and do its pictures point where they are asked to?

    python benchmarks/compass.py --out DIR [--network motion13|transformer|i3d] [--weights FILE] [--angles 8]

`kinetoscope compass` for several layers of a network, from shallow to deep, and a table over them. Finished
angles and layers are kept in DIR: run the same command again to go on after an interruption. The weights of
the transformer come from `benchmarks/tiny_transformer.py`, those of the I3D are a published checkpoint.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import torch

import kinetoscope as ks
from kinetoscope.bearings.probe import held_out_score, knows_direction, planted_clips, train
from kinetoscope.cli import main as kinetoscope
from kinetoscope.tuning.listen import layer_of

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


def read_only(model: str, size: str, layers: Sequence[str], asked: argparse.Namespace) -> None:
    """Print what the probes of layers read, without a clip for any angle."""
    network = ks.load_model(model, weights=asked.weights)
    card, extent = ks.card_of(network), tuple(int(part) for part in size.split("x"))
    print("layer | channels | held-out error, deg | correlation | mean cosine | best of 16 shuffled | plane")
    for name in layers:
        layer = layer_of(network, name, "all", card, extent, "cpu", asked.precision)
        count = round(0.75 * asked.clips)
        shown = planted_clips(layer, count, 0, "train")
        held_out = planted_clips(layer, asked.clips - count, 0, "held-out")
        true = held_out_score(train(shown), held_out)
        dealers = (torch.Generator().manual_seed(seed) for seed in range(16))
        chance = [held_out_score(train(shown, dealer), held_out) for dealer in dealers]
        cells = [
            name,
            str(shown.activations.shape[1]),
            f"{true.median_error_deg:.1f}",
            _two(true.circular_correlation),
            _two(true.mean_cosine),
            _two(max(score.mean_cosine for score in chance)),
            "yes" if knows_direction(true, chance) else "no",
        ]
        print(" | ".join(cells), flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--network", choices=NETWORKS, default="motion13")
    parser.add_argument("--layers", help="such as conv2,conv3b; default: all of the list")
    parser.add_argument("--weights", default="default", help="needed for the transformer and the I3D")
    parser.add_argument("--angles", type=int, default=16)
    parser.add_argument("--clips", type=int, default=640)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--precision", default="fp32", choices=("fp32", "bf16"))
    parser.add_argument("--read-only", action="store_true", help="train and score the probes, no more")
    asked = parser.parse_args()
    model, size, layers = NETWORKS[asked.network]
    if asked.read_only:
        read_only(model, size, asked.layers.split(",") if asked.layers else layers, asked)
        return 0
    rows = []
    for layer in asked.layers.split(",") if asked.layers else layers:
        out = asked.out / asked.network / layer
        words = ["compass", model, layer, "--out", str(out), "--size", size, "--weights", asked.weights]
        words += ["--angles", str(asked.angles), "--clips", str(asked.clips)]
        words += ["--precision", asked.precision]
        words += [] if asked.steps is None else ["--steps", str(asked.steps)]
        if status := kinetoscope(words):
            return status
        rows.append(line(json.loads((out / "compass.json").read_text())))
    print(HEAD, *rows, sep="\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
