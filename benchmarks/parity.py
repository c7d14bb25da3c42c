"""Relative error of every recorded layer of the published networks, against their authors' code.

    python benchmarks/parity.py [FOLDER] [--json FILE]

FOLDER (default: `checkpoints` in KINETOSCOPE_DATA) holds the manifests and `fill.py`, which is run.
"""

import argparse
import json
import os
from math import isnan, nan
from pathlib import Path

from kinetoscope.evaluation.parity import compare_folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = Path(os.environ.get("KINETOSCOPE_DATA", "data")) / "checkpoints"
    parser.add_argument("folder", type=Path, nargs="?", default=default)
    parser.add_argument("--json", type=Path, help="write the errors here")
    options = parser.parse_args()
    if not (options.folder / "fill.py").is_file():
        parser.error(f"{options.folder} holds no fill.py; name the folder with the manifests")
    found = {}
    print("| model | layer | relative error |\n|---|---|---|")
    for name, errors in compare_folder(options.folder):
        found[name] = errors
        for layer, error in errors.items():
            print(f"| {name} | {layer} | {error:.1e} |", flush=True)
    every = [error for errors in found.values() for error in errors.values()]
    worst = next((error for error in every if isnan(error)), max(every, default=nan))  # max passes NaN over
    print(f"\n{len(found)} models, largest relative error {worst:.1e}")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
