"""Contact sheets of a real network: 0.1.0's default, the published procedure, and the present default.

    python benchmarks/natural_optima.py MODEL LAYER:UNITS [LAYER:UNITS ...] --weights FILE [--size 16x64x64]
    --out DIR

Prints per unit and search the response, and what a person would want to know of the picture: contrast (RMS
about mid grey), chroma (mean spread of the channels), share of values at the limits, slope of the amplitude
spectrum (natural clips about -1.5). Leaves a contact sheet per layer, a row for each unit, and all clips, so
that a run that was interrupted goes on.
"""

import argparse
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from kinetoscope.card import card_of
from kinetoscope.inquiry.request import Options, versions
from kinetoscope.inquiry.run import Inquiry
from kinetoscope.inquiry.settle import request_for
from kinetoscope.optimal.ascend import unit_generator
from kinetoscope.types import Video
from kinetoscope.units.unit import parse_size, parse_units
from kinetoscope.zoo.registry import load_model

PRESETS: dict[str, tuple[str, int | None]] = {
    "strong": ("strong", None),
    "paper": ("paper", 320),
    "now": ("default", None),
}
"""Preset and steps of each search."""

TITLES = {
    "strong": "0.1.0's default (--preset strong)",
    "paper": "published procedure, 320 steps",
    "now": "now",
}

Size = tuple[int, int, int]


def slope(video: Video) -> float:
    """Of log amplitude against log frequency of the brightness, from 2 cycles a frame to 0.4 a pixel."""
    height, width = video.shape[-2:]
    grey = video.mean(dim=1)
    window = torch.hann_window(height)[:, None] * torch.hann_window(width)
    power = torch.fft.fft2((grey - grey.mean((1, 2), keepdim=True)) * window).abs().square().mean(dim=0)
    radius = torch.hypot(torch.fft.fftfreq(height)[:, None], torch.fft.fftfreq(width))
    edges = torch.linspace(2 / height, 0.4, 12)
    rings = torch.stack([power[(radius >= a) & (radius < b)].mean() for a, b in pairwise(edges)])
    x, y = ((edges[:-1] + edges[1:]) / 2).log(), rings.sqrt().clamp(min=1e-9).log()
    return float(((x - x.mean()) * (y - y.mean())).sum() / (x - x.mean()).square().sum())


def picture_numbers(video: Video) -> dict[str, float]:
    """Contrast, chroma, share at the limits and slope of a clip (T, C, H, W)."""
    return {
        "contrast": float((video - 0.5).square().mean().sqrt()),
        "chroma": float((video.amax(dim=1) - video.amin(dim=1)).mean()),
        "limits": float(((video < 0.02) | (video > 0.98)).float().mean()),
        "slope": slope(video),
    }


def clip_of(model: nn.Module, layer: str, unit: int, name: str, size: Size, out: Path) -> Video:
    """The optimum of one search, (T, C, H, W); read where an earlier run left it."""
    path = out / "clips" / f"{layer}-{unit}-{name}.safetensors"
    if not path.exists():
        options = Options(size=size, preset=PRESETS[name][0], steps=PRESETS[name][1])
        inquiry = Inquiry(request_for(model, layer, [unit], options))
        known = inquiry.beginnings([unit])
        with inquiry.listening([unit]) as (forward, objectives):
            (found,) = inquiry.optima(
                forward, objectives, inquiry.request.optimal, [unit_generator(0, unit)], known
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({"video": found.video.contiguous()}, path)
    return load_file(path)["video"]


def rows_of(model: nn.Module, layer: str, units: list[int], size: Size, out: Path) -> list[dict[str, Any]]:
    """One row per unit and search, with its clip."""
    rows = []
    for unit in units:
        inquiry = Inquiry(request_for(model, layer, [unit], Options(size=size)))
        for name in PRESETS:
            video = clip_of(model, layer, unit, name, size, out)
            with inquiry.listening([unit]) as (forward, objectives), torch.no_grad():
                response = float(objectives[0](forward(video.transpose(0, 1)[None])))
            row = {"layer": layer, "unit": unit, "name": inquiry.request.name(unit), "search": name}
            row |= {"response": response, **picture_numbers(video)}
            print(
                "  ".join(f"{k} {v:.3g}" if isinstance(v, float) else f"{v}" for k, v in row.items()),
                flush=True,
            )
            rows.append({**row, "video": video})
    return rows


def sheet(rows: list[dict[str, Any]], path: Path, frames: int = 4) -> None:
    """A row per unit, a column per search; under each clip its numbers."""
    units = list(dict.fromkeys(row["unit"] for row in rows))
    height, width = rows[0]["video"].shape[-2:]
    with plt.rc_context({"font.size": 7}):
        tall = 4.2 / frames * height / width + 0.3
        figure, axes = plt.subplots(
            len(units), len(PRESETS), figsize=(4.2 * len(PRESETS), tall * len(units) + 0.3), squeeze=False
        )
        for row in rows:
            axis = axes[units.index(row["unit"]), list(PRESETS).index(row["search"])]
            chosen = torch.linspace(0, len(row["video"]) - 1, frames).round().long()
            strip = torch.cat([row["video"][t] for t in chosen.tolist()], dim=2).clamp(0, 1)
            axis.imshow(strip.permute(1, 2, 0).numpy(), interpolation="nearest")
            axis.set(xticks=[], yticks=[])
            axis.set_xlabel(
                f"response {row['response']:.3g}, contrast {row['contrast']:.2f}, chroma "
                f"{row['chroma']:.2f}, at the limits {row['limits']:.2f}, slope {row['slope']:.1f}"
            )
            if row["search"] == next(iter(PRESETS)):
                axis.set_ylabel(row["name"] or f"{row['layer']} {row['unit']}")
        for axis, name in zip(axes[0], PRESETS, strict=True):
            axis.set_title(TITLES[name])
        figure.tight_layout(pad=0.4)
        figure.savefig(path, dpi=110, pil_kwargs={"quality": 88})
        plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("layers", nargs="+", metavar="LAYER:UNITS")
    parser.add_argument("--weights", default="default")
    parser.add_argument("--size", default="16x64x64")
    parser.add_argument("--out", type=Path, default=Path("natural"))
    options = parser.parse_args()
    model, size = load_model(options.model, weights=options.weights), parse_size(options.size)
    card = card_of(model)
    options.out.mkdir(parents=True, exist_ok=True)
    table = []
    for asked in options.layers:
        layer, _, units = asked.rpartition(":")
        named = card.class_names if layer == card.output_layer else ()
        rows = rows_of(model, layer, parse_units(units, 10**6, named), size, options.out)
        sheet(rows, options.out / f"{layer}.jpg")
        table += [{key: value for key, value in row.items() if key != "video"} for row in rows]
    (options.out / "rows.json").write_text(json.dumps({"versions": versions(), "rows": table}, indent=1))


if __name__ == "__main__":
    main()
