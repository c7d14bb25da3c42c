"""Units of a real network: the default search beside bare pixels and the published procedure, numbers and
pictures.

    python benchmarks/natural_optima.py MODEL LAYER:UNITS [LAYER:UNITS ...] --weights FILE [--size 16x64x64]
    --out DIR

Prints per unit and search the response, and what a person would want to know of the picture: contrast (RMS
about mid grey), chroma (mean spread of the channels), share of values at the limits, slope of the amplitude
spectrum (natural clips about -1.5). Leaves a contact sheet per layer: a row for each search, frames spread
over the clip.
"""

import argparse
import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

from kinetoscope.models.registry import load_model
from kinetoscope.optimal.ascend import PAPER, AdamSettings, unit_generator
from kinetoscope.optimal.settings import OptimalSettings
from kinetoscope.pipeline import account_for, versions
from kinetoscope.types import Video
from kinetoscope.units.unit import parse_size, parse_units

SEARCHES = {"strong": AdamSettings(), "paper": replace(PAPER, steps=320), "default": OptimalSettings()}


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


def strip(video: Video, frames: int = 5) -> torch.Tensor:
    """Frames spread over the clip, side by side, (C, H, W')."""
    chosen = torch.linspace(0, len(video) - 1, frames).round().long()
    return torch.cat([video[t] for t in chosen.tolist()], dim=2)


def rows_of(model: nn.Module, layer: str, units: str, size: tuple[int, int, int]) -> list[dict[str, Any]]:
    """One row per unit and search, with its clip."""
    account, chosen = account_for(model, layer, [units], size=size)
    banked, rows = account.beginnings(chosen), []
    for unit, beginning in zip(chosen, banked, strict=True):
        with account.listening([unit]) as (forward, objectives), torch.no_grad():
            for name, settings in SEARCHES.items():
                generators = [unit_generator(0, unit)]
                (found,) = account.optima(forward, objectives, settings, generators, [beginning])
                row: dict[str, Any] = {"layer": layer, "unit": unit, "search": name}
                row["response"] = float(objectives[0](forward(found.video.transpose(0, 1)[None])))
                row |= {"seconds": found.seconds, **picture_numbers(found.video)}
                if found.notes is not None:
                    row |= {"start": found.notes.start, "colour_free": found.notes.colour_free}
                told = (f"{k} {v:.3g}" if isinstance(v, float) else f"{v}" for k, v in row.items())
                print("  ".join(told), flush=True)
                rows.append({**row, "video": found.video})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("layers", nargs="+", metavar="LAYER:UNITS")
    parser.add_argument("--weights", default="default")
    parser.add_argument("--size", default="16x64x64")
    parser.add_argument("--out", type=Path, default=Path("natural"))
    options = parser.parse_args()
    model = load_model(options.model, weights=options.weights)
    options.out.mkdir(parents=True, exist_ok=True)
    table = []
    for asked in options.layers:
        layer, _, units = asked.rpartition(":")
        parse_units(units, 10**6)
        rows = rows_of(model, layer, units, parse_size(options.size))
        sheet = torch.cat([strip(row.pop("video")) for row in rows], dim=1).clamp(0, 1)
        pixels = (255 * sheet).byte().permute(1, 2, 0).numpy()
        Image.fromarray(np.kron(pixels, np.ones((2, 2, 1), np.uint8))).save(options.out / f"{layer}.png")
        table += rows
    (options.out / "rows.json").write_text(json.dumps({"versions": versions(), "rows": table}, indent=1))


if __name__ == "__main__":
    main()
