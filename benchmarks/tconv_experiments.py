"""What 3T convolutions learn where motion tells the classes, and where appearance does.

    python benchmarks/tconv_experiments.py --out DIR [--epochs 6] [--clips 1280] [--seeds 1] [--json FILE]

Trains small 3D and 3T networks, from scratch and from a 2D network that learned other textures from stills,
on two procedural sets of eight classes: `motion` (the same textures in all classes, only the motion tells
them) and `appearance` (random motions in all classes, only the texture tells them). Prints what Ras2020 has
in Tables 1 to 4, and which of its findings hold; writes the distributions (Figs. 4 and 5) as PNG. Run again,
it goes on.
"""

import argparse
import json
import statistics as stats
from itertools import product
from pathlib import Path
from typing import Any

from kinetoscope.files import write_bytes_atomically
from kinetoscope.render.temporal import draw_distributions
from kinetoscope.tconv.read import PARAMETERS, WHOLE_MODEL, read_motion, statistics
from kinetoscope.training.recipes import Recipe, bundled_recipe, parse_recipe
from kinetoscope.training.train import BEST, RECORD, finished, train
from kinetoscope.zoo.registry import load_model

DATA, KINDS, STARTS = ("motion", "appearance"), ("3t", "3d"), ("pretrained", "scratch")


def run(recipe: Recipe, out: Path) -> dict[str, Any]:
    """Train, or take up, or read what was trained before."""
    if not finished(recipe, out):
        train(recipe, out, resume=True, note=lambda line: print(f"  {out.name}: {line}", flush=True))
    return json.loads((out / RECORD).read_text())


def run_cell(data: str, kind: str, start: str, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    changes = [f"seed={seed}", f"training.epochs={options.epochs}", f"data.clips={options.clips}"]
    if start == "pretrained":
        stills = options.out / f"stills-{seed}"
        run(parse_recipe(bundled_recipe("stills_2d"), [f"seed={seed}"]), stills)
        changes.append(f"model.pretrained={stills / BEST}")
    recipe = parse_recipe(bundled_recipe(f"{data}_{kind}"), changes)
    out = options.out / f"{data}-{kind}-{start}-{seed}"
    record = run(recipe, out)
    cell = {
        "data": data,
        "kind": kind,
        "start": start,
        "seed": seed,
        "accuracy": record["best"]["validation_accuracy"],
        "parameters": record["parameters"],
        "seconds": record["seconds"],
    }
    if kind == "3t":
        layers = read_motion(load_model(recipe.model.name, weights=str(out / BEST)))
        cell["motion"] = {
            row.parameter: {
                "mean": row.mean_magnitude,
                "deviation": row.deviation_magnitude,
                "spread": row.deviation,
            }
            for row in statistics(layers)
            if row.layer == WHOLE_MODEL
        }
        picture = draw_distributions(
            f"{data}, {start}, seed {seed}", {motion.layer: motion.content for motion in layers}
        )
        write_bytes_atomically(options.out / f"{out.name}.png", picture)
    return cell


def chosen(cells: list[dict[str, Any]], **wanted: str) -> list[dict[str, Any]]:
    return [cell for cell in cells if all(cell[key] == value for key, value in wanted.items())]


def accuracy(cells: list[dict[str, Any]], **wanted: str) -> float:
    return stats.mean(cell["accuracy"] for cell in chosen(cells, kind=wanted.pop("kind"), **wanted))


def number(cells: list[dict[str, Any]], parameter: str, what: str, **wanted: str) -> float:
    return stats.mean(cell["motion"][parameter][what] for cell in chosen(cells, kind="3t", **wanted))


def tables(cells: list[dict[str, Any]]) -> list[str]:
    lines = ["", "Validation accuracy, % (Tables 1 and 3; chance 12.5)", ""]
    lines += ["| network | parameters | motion | appearance |", "|---|---|---|---|"]
    for start, kind in product(STARTS, KINDS):
        row = [chosen(cells, data=data, kind=kind, start=start) for data in DATA]
        shares = [" ".join(f"{100 * cell['accuracy']:.1f}" for cell in found) for found in row]
        lines.append(f"| {start} {kind.upper()} | {row[0][0]['parameters']} | {' | '.join(shares)} |")
    for start, table in zip(STARTS, (2, 4), strict=True):
        lines += [
            "",
            f"Parameters of {start} 3T networks, mean / deviation of magnitudes (Table {table}), and",
        ]
        lines += [
            "deviation of the values themselves, all x 10^-3 (rotation in degrees, shifts in pixels)",
            "",
        ]
        lines += ["| parameter | motion | appearance |", "|---|---|---|"]
        for parameter in PARAMETERS:
            texts = []
            for data in DATA:
                mean, deviation, spread = (
                    1000 * number(cells, parameter, what, data=data, start=start)
                    for what in ("mean", "deviation", "spread")
                )
                texts.append(f"{mean:.2f} / {deviation:.2f}; {spread:.2f}")
            lines.append(f"| {parameter} | {' | '.join(texts)} |")
    return lines


def findings(cells: list[dict[str, Any]]) -> list[str]:
    lines = ["", "Findings of the paper", ""]
    for data, start in product(DATA, STARTS):
        ours, plain = (100 * accuracy(cells, kind=kind, data=data, start=start) for kind in KINDS)
        lines.append(f"- {data}, {start}: 3T {ours:.1f} against 3D {plain:.1f} %")
    for data, kind in product(DATA, KINDS):
        with_, without = (100 * accuracy(cells, kind=kind, data=data, start=start) for start in STARTS)
        verdict = "holds" if with_ > without else "does not hold"
        lines.append(
            f"- pretraining helps {kind.upper()} on {data}: {verdict} ({with_:.1f} against {without:.1f} %)"
        )
    for start, parameter in product(STARTS, PARAMETERS):
        motion, still = (number(cells, parameter, "spread", data=data, start=start) for data in DATA)
        verdict = "holds" if motion > still else "does not hold"
        lines.append(f"- {start}, {parameter}: spreads more on motion: {verdict} ({motion:.4f}, {still:.4f})")
    for data, parameter in product(DATA, PARAMETERS):
        with_, without = (number(cells, parameter, "spread", data=data, start=start) for start in STARTS)
        verdict = "holds" if without > with_ else "does not hold"
        lines.append(
            f"- {data}, {parameter}: spreads more from scratch: {verdict} ({without:.4f}, {with_:.4f})"
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--clips", type=int, default=1280, help="in an epoch")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the cells here")
    options = parser.parse_args()
    cells = [
        run_cell(data, kind, start, seed, options)
        for seed, start, data, kind in product(range(options.seeds), STARTS, DATA, KINDS)
    ]
    print("\n".join([*tables(cells), *findings(cells)]))
    if options.json:
        options.json.write_text(
            json.dumps({**vars(options), "out": None, "json": None, "cells": cells}, indent=2) + "\n"
        )


if __name__ == "__main__":
    main()
