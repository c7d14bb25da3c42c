"""Do the pictures agree with what is measured? Tables for the bundled network and a published I3D.

    python benchmarks/tuning_agreement.py --out DIR [--network motion13|i3d] [--units 24] [--weights FILE]

`kinetoscope evaluate tuning` for both networks: units spread evenly over each layer are visualized from noise
(one seed), measured with gratings and with their own texture, and compared. Finished pictures and finished
layers are kept in DIR: run the same command again to go on after an interruption. Seconds of pictures and of
measurements are in DIR/NETWORK/pictures and DIR/NETWORK/layers.
"""

import argparse
import json
from pathlib import Path

from kinetoscope.cli import main as kinetoscope

LAYERS = {
    "motion13": ("conv1", "conv2", "conv3a", "conv3b", "conv4a", "conv4b", "fc"),
    "i3d": ("Conv3d_1a_7x7", "Mixed_3c", "Mixed_4c"),
}
NAMES = {"motion13": "motion13", "i3d": "i3d_inception_piergiaj"}
SIZES = {"motion13": "16x64x64", "i3d": "16x64x64"}
WANTED = {"median_error_deg": 15.0, "within_45_deg": 0.9}
"""What is hoped for by the units' own textures."""


def run(network: str, out: Path, units: int, weights: str, layers: str | None) -> int:
    """Evaluate one network, and print whether its layers come up to what is hoped for; gives the status."""
    words = ["--units", str(units), "--size", SIZES[network], "--weights", weights]
    chosen = layers or ",".join(LAYERS[network])
    status = kinetoscope(
        ["evaluate", "tuning", NAMES[network], "--layers", chosen, *words, "--out", str(out)]
    )
    if status:
        return status
    for layer in json.loads((out / "tuning.json").read_text())["layers"]:
        agreed = layer["agreement"]["texture"]
        told = ", ".join(f"{key} {agreed[key]}" for key in ("units", "median_error_deg", "within_45_deg"))
        good = agreed["median_error_deg"] is not None and (
            agreed["median_error_deg"] <= WANTED["median_error_deg"]
            and agreed["within_45_deg"] >= WANTED["within_45_deg"]
        )
        print(f"{layer['layer']}: {told}: {'reached' if good else 'missed'}; off: {agreed['outside']}")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--network", choices=LAYERS, help="default: both")
    parser.add_argument("--layers", help="such as conv2,conv3b; default: all of the list")
    parser.add_argument("--units", type=int, default=24, help="per layer")
    parser.add_argument("--weights", help="a checkpoint of the I3D; needed for it")
    options = parser.parse_args()
    for network in (options.network,) if options.network else LAYERS:
        weights = "default" if network == "motion13" else options.weights
        if weights is None:
            parser.error("the I3D needs --weights FILE")
        status = run(network, options.out / network, options.units, weights, options.layers)
        if status:
            return status
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
