"""Planted clips, family by family: velocity errors of the account, of version 0.1.0's, and of flow programs.

    python benchmarks/planted_families.py [--size 16x64x80] [--seeds 0,1,2] [--most N] [--json FILE]
                                          [--methods layered,fetch,dis,farneback] [--pack DIR]

`fetch` is the default of version 0.1.0, unchanged. Seeds from 500 on chose the settings; report others. A
family's number is the median over its clips. --pack writes the clips with their truth instead, for other
programs.
"""

import argparse
import json
import statistics
import time
from collections import Counter
from pathlib import Path
from typing import Any

import torch

from kinetoscope.evaluation.cases import ClipCase, clip_cases
from kinetoscope.evaluation.flow import available, flow_programs
from kinetoscope.evaluation.pack import write_pack
from kinetoscope.evaluation.planted import compare
from kinetoscope.inquiry.request import versions
from kinetoscope.motion.decompose import DecomposeSettings, decompose
from kinetoscope.motion.metrics import roughness
from kinetoscope.motion.summary import summarize
from kinetoscope.units.unit import parse_size


def measured(case: ClipCase, seed: int, method: str) -> dict[str, Any]:
    """One clip by one method."""
    clip, began = case.clip, time.perf_counter()
    row: dict[str, Any] = {"family": case.family, "name": case.name, "seed": seed, "method": method}
    if method in ("layered", "fetch"):
        found = decompose(clip.video, DecomposeSettings(formulation=method))
        velocity = found.velocity
        frames = statistics.median(roughness(frame) for frame in clip.video)
        row |= {
            **found.variance_explained,
            "label": summarize(found).label,
            "psnr_db": found.psnr_db,
            "carried": found.carried,
            "lifetime": found.texture_lifetime_frames,
            "keys": len(found.textures),
            "rough_frames": max(map(roughness, found.textures)) / max(frames, 1e-9),
            "rough_truth": max(map(roughness, found.textures)) / max(roughness(clip.texture), 1e-9),
        }
    else:
        velocity = flow_programs()[method](clip.video)
    errors = compare(velocity, clip.velocity)
    return {
        **row,
        "median": errors.endpoint_px,
        "p90": errors.endpoint_p90_px,
        "speed": float(velocity.norm(dim=1).mean()),
        "seconds": time.perf_counter() - began,
    }


def table(rows: list[dict[str, Any]], methods: list[str]) -> str:
    """Median and p90 of the end-point error per family, and what the account says of it."""
    lines = [["family", "n", *methods, "coherent", "light", "jitter", "texture / frames, / truth"]]
    lines.append(["---"] * len(lines[0]))
    for family in dict.fromkeys(row["family"] for row in rows):
        alike = [row for row in rows if row["family"] == family]

        def middle(key: str, method: str, alike: list[dict[str, Any]] = alike) -> float:
            return statistics.median(row[key] for row in alike if row["method"] == method)

        cells = [f"{middle('median', method):.3f} / {middle('p90', method):.3f}" for method in methods]
        told = ["", "", "", ""]
        if "layered" in methods:
            told = [f"{middle(key, 'layered'):.2f}" for key in ("coherent", "light", "jitter")]
            told.append(f"{middle('rough_frames', 'layered'):.2f}, {middle('rough_truth', 'layered'):.2f}")
        lines.append([family, str(len(alike) // len(methods)), *cells, *told])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="16x64x80", help="clip, TxHxW")
    parser.add_argument("--seeds", default="0,1,2", help="of the clips")
    parser.add_argument("--methods", default="layered,fetch,dis,farneback")
    parser.add_argument("--most", type=int, default=99, help="clips of a family and seed at most")
    parser.add_argument("--json", type=Path, help="write the rows here")
    parser.add_argument("--pack", type=Path, help="write clips and truth here instead")
    options = parser.parse_args()
    size, seeds = parse_size(options.size), [int(seed) for seed in options.seeds.split(",")]
    if options.pack:
        write_pack(options.pack, size, seeds)
        return
    methods = [name for name in options.methods.split(",") if available() or name in ("layered", "fetch")]
    rows = []
    for seed in seeds:
        count: Counter[str] = Counter()
        for case in clip_cases(seed, size):
            count[case.family] += 1
            if count[case.family] <= options.most:
                rows += [measured(case, seed, method) for method in methods]
    print(f"{options.size}, seeds {options.seeds}, {torch.get_num_threads()} threads, {versions()}\n")
    print(table(rows, methods))
    for method in methods:
        mine = [row["seconds"] for row in rows if row["method"] == method]
        print(f"\n{method}: median {statistics.median(mine):.2f} s a clip")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
