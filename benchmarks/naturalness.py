"""Which numbers tell a readable optimal input from noise? Ten units of a published I3D, by two searches.

    python benchmarks/naturalness.py --weights FILE --clips FOLDER --out DIR [--units LAYER:N,N ...]

Each unit is visualized by bare pixels (`--preset strong`, what version 0.1.0 did) and by today's default, one
seed, clips of 16 x 64 x 64, and has its card made. What is finished in DIR is only read again. The table says
of each number how often the default lies nearer to natural clips, and how well the number alone tells the two
apart (the area under the ROC curve: 1 or 0 always, 0.5 never). The second network is the same architecture
with random weights, as a control.
"""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

import kinetoscope as ks

MODEL = "i3d_inception_piergiaj"
UNITS = ("Conv3d_1a_7x7:3,8,12,28", "Mixed_3c:40,200", "Mixed_4c:10,17", "Mixed_5c:100,300")
PRESETS = ("strong", "default")
Row = Mapping[str, Any]


def _compared(name: str, key: str = "value") -> Callable[[Row], float | None]:
    return lambda row: None if row[name] is None else row[name][key]


def _middle(name: str) -> Callable[[Row], float | None]:
    return _compared(name, "natural_median")


NUMBERS: dict[str, tuple[Callable[[Row], float | None], Callable[[Row], float | None]]] = {
    "response, percentile": (_compared("response", "percentile"), lambda row: 50.0),
    "response over the best natural": (_compared("response", "ratio_to_best"), lambda row: 1.0),
    "spectrum gap, dB": (_compared("spectrum_gap_db"), _middle("spectrum_gap_db")),
    "share at the limits": (_compared("limits"), _middle("limits")),
    "contrast": (_compared("contrast"), _middle("contrast")),
    "colour": (_compared("colour"), _middle("colour")),
    "way: share of the best": (lambda row: row["way_share"], lambda row: 1.0),
    "way: percentile": (lambda row: row["way_percentile"], lambda row: 50.0),
    "second network: percentile": (_compared("transfer", "percentile"), lambda row: 50.0),
}
"""By name: the number of a unit, and what natural clips have."""


def area(first: Sequence[float], second: Sequence[float]) -> float:
    """How often a number of the first is larger than one of the second; ties count half."""
    pairs = [(a > b) + 0.5 * (a == b) for a in first for b in second]
    return sum(pairs) / len(pairs)


def table(rows: Mapping[str, Sequence[Row]]) -> list[str]:
    """One line a number: means of both searches and of natural clips, wins of the default, the area."""
    lines = ["number | strong | default | natural | default nearer | area"]
    for name, (of, natural) in NUMBERS.items():
        pairs = [
            (of(strong), of(default), natural(default))
            for strong, default in zip(rows["strong"], rows["default"], strict=True)
        ]
        known = [(a, b, n) for a, b, n in pairs if a is not None and b is not None and n is not None]
        if not known:
            continue
        strong, default, middle = ([triple[k] for triple in known] for k in range(3))
        nearer = sum(abs(b - n) < abs(a - n) for a, b, n in known)
        means = " | ".join(f"{sum(part) / len(part):.3g}" for part in (strong, default, middle))
        lines.append(f"{name} | {means} | {nearer} of {len(known)} | {area(default, strong):.2f}")
    return lines


def cards_of(model: nn.Module, second: nn.Module, preset: str, asked: argparse.Namespace) -> ks.Naturalness:
    """Optimal inputs of one search, and their cards."""
    results = []
    for named in asked.units:
        layer, _, units = named.rpartition(":")
        results += ks.visualize(
            model,
            layer,
            units,
            preset=preset,
            size=(16, 64, 64),
            seeds=1,
            steps=asked.steps,
            precision=asked.precision,
        )
        print(preset, *(f"{r.record['layer']} {r.record['unit']}" for r in results), flush=True)
    return ks.naturalness(
        model, results, asked.clips, second=second, most=asked.most, precision=asked.precision
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--clips", required=True)
    parser.add_argument("--units", nargs="*", default=UNITS, metavar="LAYER:N,N")
    parser.add_argument("--most", type=int, default=200, help="natural clips at most")
    parser.add_argument("--steps", type=int, help="of both searches; default: their own")
    parser.add_argument("--precision", default="fp32", choices=("fp32", "bf16"))
    asked = parser.parse_args()
    model = ks.load_model(MODEL, weights=asked.weights)
    second = ks.load_model(MODEL, weights="random", seed=1)
    found: dict[str, Sequence[Row]] = {}
    for preset in PRESETS:
        held = asked.out / preset / "naturalness.json"
        if not held.exists():
            cards = cards_of(model, second, preset, asked)
            cards.save(held.parent)
        found[preset] = json.loads(held.read_text())["units"]
    for preset, rows in found.items():
        print(f"\n{preset}: unit | " + " | ".join(NUMBERS))
        for row in rows:
            values = [of(row) for of, _ in NUMBERS.values()]
            cells = ["-" if value is None else f"{value:.3g}" for value in values]
            print(f"{row['layer']} {row['unit']} | " + " | ".join(cells))
    print("", *table(found), sep="\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
