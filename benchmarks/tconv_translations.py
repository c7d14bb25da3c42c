"""Trained to tell eight translations apart, does a 3T layer point along them?

    python benchmarks/tconv_translations.py [--seeds 3] [--steps 900] [--json FILE] [--picture FILE.png]

Trains one network a seed, about a minute of processor time each, and prints a row per class: the direction of
the mean content velocity of the channels that the class uses, weighed by use. By chance it is 90 degrees off.
"""

import argparse
import statistics
import time
from dataclasses import asdict
from pathlib import Path

import torch

from kinetoscope.evaluation.translations import (
    Translations,
    TranslationSettings,
    class_motions,
    fit_translations,
    held_out,
)
from kinetoscope.records import write_bytes_atomically, write_json
from kinetoscope.render.trajectories import draw_directions
from kinetoscope.tconv.read import read_motion


def measure(settings: TranslationSettings) -> tuple[Translations, dict]:
    began = time.process_time()
    net = fit_translations(settings)
    seconds = time.process_time() - began
    accuracy, classes = class_motions(net, held_out(settings))
    print(f"\nseed {settings.seed}: accuracy {accuracy:.3f}, {seconds:.0f} s of processor time\n")
    print("| class | wanted | found | error | speed, px/frame | most used channels: share, direction |")
    print("|---|---|---|---|---|---|")
    for row in classes:
        used = ", ".join(
            f"{channel}: {share:.2f}, {angle:.0f}\N{DEGREE SIGN}"
            for channel, share, angle in zip(row.channels, row.use, row.channels_deg, strict=True)
        )
        numbers = (
            f"{row.wanted_deg:.0f} | {row.found_deg:.0f} | {row.error_deg:.1f} | {row.speed_px_per_frame:.2f}"
        )
        print(f"| {row.name} | {numbers} | {used} |", flush=True)
    record = {"accuracy": accuracy, "seconds": seconds, "classes": [asdict(row) for row in classes]}
    return net, {"settings": asdict(settings), **record}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    standard = TranslationSettings()
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=standard.steps)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the numbers here")
    parser.add_argument("--picture", type=Path, help="draw the first network's classes here")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    runs = []
    for seed in range(options.seeds):
        net, record = measure(TranslationSettings(steps=options.steps, seed=seed))
        runs.append(record)
        if seed == 0 and options.picture:
            (motion,) = read_motion(net)
            about = [
                (row["name"], row["wanted_deg"], row["channels"], row["use"]) for row in record["classes"]
            ]
            title = "Eight translations: paths of the channels each class uses most"
            picture = draw_directions(title, about, motion.path_px, net.conv.weight.detach())
            write_bytes_atomically(options.picture, picture)
    errors = [row["error_deg"] for run in runs for row in run["classes"]]
    print(f"\nmean error {statistics.mean(errors):.1f}, median {statistics.median(errors):.1f}", end="")
    print(f", largest {max(errors):.1f} degrees over {len(errors)} classes")
    if options.json:
        write_json(options.json, {"mean_error_deg": statistics.mean(errors), "runs": runs})


if __name__ == "__main__":
    main()
