"""Read what a run has left: the units of a folder, from the one that moves most as a whole to the least.

python examples/read_results.py demo
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from kinetoscope.files import finished_units
from kinetoscope.records import load_arrays, read_unit


def main(arguments: Sequence[str] | None = None) -> None:
    """Print one line per finished unit."""
    parser = argparse.ArgumentParser(description="Read what a run has left.")
    parser.add_argument("folder", type=Path, help="what --out named")
    folders = finished_units(parser.parse_args(arguments).folder)
    records = [(folder, read_unit(folder)) for folder in folders]
    for folder, record in sorted(records, key=lambda row: -row[1]["motion"]["speed_px_per_frame"]):
        motion, activation = record["motion"], record["activation"]
        fastest = load_arrays(folder)["velocity"].norm(dim=1).max().item()
        kept = activation["reconstruction"] / activation["optimal"]
        print(
            f"{record['layer']}:{record['unit']} {record['unit_name'] or motion['label']}: "
            f"{motion['speed_px_per_frame']:.2f} px/frame towards {motion['direction_deg']:.0f} degrees, "
            f"fastest pixel {fastest:.1f}, reconstruction keeps {kept:.0%} of the response"
        )


if __name__ == "__main__":
    main()
