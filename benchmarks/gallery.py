"""The gallery with thousands of units, in a real browser.

    python benchmarks/gallery.py make /tmp/many --units 30000     # a synthetic atlas
    python benchmarks/gallery.py measure /tmp/many                # first tiles, keystrokes, requests

The records are as the atlas writes them, with numbers drawn at random; the strips are a few drifting
gratings, each linked to by many units. `measure` wants playwright and Chromium.
"""

import argparse
import hashlib
import io
import json
import os
import shutil
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from kinetoscope.files import digest_of

WORDS = (
    "right", "up-right", "up", "up-left", "left", "down-left", "down", "down-right",
    "expansion", "contraction", "counter-clockwise", "clockwise", "still",
    "flicker", "jitter", "unexplained", "dead", "flat",
)  # fmt: skip
FRAMES, CELL = 16, 96
STRIPS = 64


def strip(draw: np.random.Generator) -> bytes:
    """Frames of a drifting grating, its texture, and its motion's colour, in one row."""
    angle, pitch, colour = draw.uniform(0, 6.28), draw.uniform(8, 40), draw.uniform(0.2, 1, 3)
    y, x = np.mgrid[:CELL, :CELL]
    waves = [
        0.5 + 0.45 * np.sin((x * np.cos(angle) - y * np.sin(angle) - 2 * t) * 6.28 / pitch)
        for t in range(FRAMES + 1)
    ]
    cells = [wave[..., None] * colour for wave in waves]
    cells.append(np.broadcast_to(draw.uniform(0, 1, 3), (CELL, CELL, 3)))
    file = io.BytesIO()
    Image.fromarray((255 * np.concatenate(cells, axis=1)).astype(np.uint8)).save(file, "WEBP", quality=70)
    return file.getvalue()


def record(draw: np.random.Generator, layer: str, unit: int, depth: float, tile: bytes) -> dict[str, Any]:
    """A unit's record; deeper ones move faster and need motion more."""
    word = str(draw.choice(WORDS, p=[0.055] * 12 + [0.14, 0.05, 0.05, 0.05, 0.02, 0.03]))
    eighth = WORDS.index(word)
    direction = (45 * eighth + draw.normal(0, 12) if eighth < 8 else draw.uniform(0, 360)) % 360
    speed = float(draw.gamma(2, 0.1 + 0.4 * depth)) if word != "still" else 0.02
    shares = draw.dirichlet((4, 1, 1, 2))
    optimal = float(draw.gamma(3, 1))
    said = {
        "schema": 1,
        "settings": SETTINGS,
        "network": "Synthetic",
        "weights_sha256": "0" * 64,
        "layer": layer,
        "unit": unit,
        "unit_name": f"class {unit}" if layer == "head" else "",
        "objective": "channel-relu",
        "seed": 0,
        "device": "cpu",
        "precision": "fp32",
        "model": "synthetic",
        "weights": "random",
        "steps": 200,
        "search": {
            "start": "bank",
            "best_response": optimal,
            "bank_stimulus": "drifting",
            "bank_response": optimal / 2,
        },
        "activation": {
            "optimal": optimal,
            "random_input": 0.1,
            "reconstruction": optimal * 0.9,
            "static_only": optimal * float(draw.uniform()),
            "flat_colour": 0.05,
            "reversed": optimal * 0.3,
            "shuffled": optimal * 0.4,
            "slowed": optimal * 0.7,
            "sped_up": optimal * 0.6,
            "grey": optimal * 0.8,
        },
        "indices": {
            "reconstruction_kept": float(draw.beta(8, 2)),
            "motion_dependence": float(draw.beta(1 + 3 * depth, 2)),
            "direction_index": float(draw.uniform(-0.2, 1)),
            "colour_dependence": float(draw.beta(1, 4)),
        },
        "confidence": {
            "seeds": [0, 1, 2],
            "labels": [word] * 3,
            "label_agreement": float(draw.choice([1 / 3, 2 / 3, 1])),
            "circular_variance": float(draw.beta(1, 6)),
            "field_circular_variance": float(draw.beta(1, 5)),
            "speeds_px_per_frame": [speed] * 3,
            "speed_spread_px_per_frame": float(draw.gamma(1, 0.05)),
        },
        "decomposition": {
            "psnr_db": float(draw.normal(28, 4)),
            "displacement_tv": 0.01,
            "change_share": float(draw.uniform()),
            "variance_explained": dict(
                zip(("coherent", "light", "jitter", "residual"), map(float, shares), strict=True)
            ),
            "carried": float(draw.uniform()),
            "texture_lifetime_frames": float(draw.uniform(2, 16)),
        },
        "motion": {
            "direction_deg": float(direction),
            "speed_px_per_frame": speed,
            "mean_speed_px_per_frame": speed * 1.3 + 0.05,
            "coherence": float(draw.uniform(0.3, 1)),
            "divergence_per_frame": float(draw.normal(0, 0.02)),
            "rotation_per_frame": float(draw.normal(0, 0.02)),
            "label": word,
        },
        "seconds": {"optimize": 6.0, "decompose": 2.0, "confidence": 5.0, "render": 1.0},
        "history": [optimal * (1 - 0.9**step) for step in range(20)],
        "render": {
            "motion_scale_px_per_frame": 2.0,
            "frames_per_second": 10.0,
            "tile": {"frames": FRAMES, "cell_height": CELL, "cell_width": CELL},
        },
        "files": {"tile.webp": {"bytes": len(tile), "sha256": hashlib.sha256(tile).hexdigest()}},
    }
    return {**said, "record_sha256": digest_of(said)}


SETTINGS = {"preset": "default", "size": [16, 96, 96], "seeds": 3}


def make(out: Path, units: int, layers: int, seed: int) -> None:
    """Write a synthetic atlas."""
    draw = np.random.default_rng(seed)
    strips = [strip(draw) for _ in range(STRIPS)]
    pool = out / ".strips"
    pool.mkdir(parents=True)
    for index, content in enumerate(strips):
        (pool / f"{index}.webp").write_bytes(content)
    names = [*(f"stage{index // 6}.block{index % 6}.conv" for index in range(layers - 1)), "head"]
    said, begun = {}, 0
    for index, name in enumerate(names):
        end = round(units * (index + 1) / layers)
        said[name] = {"units": end - begun, "asked": list(range(end - begun))}
        for unit in range(end - begun):
            which = int(draw.integers(STRIPS))
            folder = out / name / str(unit)
            folder.mkdir(parents=True)
            os.link(pool / f"{which}.webp", folder / "tile.webp")
            text = json.dumps(record(draw, name, unit, index / layers, strips[which]))
            (folder / "unit.json").write_text(text)
        begun = end
    about = {
        "schema": 1,
        "model": "synthetic",
        "weights": "random",
        "weights_sha256": "0" * 64,
        "seed": 0,
        "settings": SETTINGS,
        "motion_scale_px_per_frame": 2.0,
        "layers": said,
    }
    (out / "atlas.json").write_text(json.dumps(about))


KEYSTROKE = """async (letter) => {
  const search = document.getElementById("search");
  const settled = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  await settled();
  const began = performance.now();
  search.value += letter;
  search.dispatchEvent(new Event("input", { bubbles: true }));
  await settled();  // the frame is drawn
  const left = document.querySelector(".count b").textContent.replaceAll(",", "");
  return [performance.now() - began, K.took, Number(left)];
}"""

FIRST_TILES = """() => {
  const all = [...document.querySelectorAll(".cell img")];
  const seen = all.filter((one) => one.getBoundingClientRect().top < innerHeight);
  return seen.length > 4 && seen.every((one) => one.complete && one.naturalWidth) && performance.now();
}"""


def measure(out: Path, turns: int) -> None:
    """Build the site and look at it as a browser does."""
    from playwright.sync_api import sync_playwright

    from kinetoscope.gallery.build import build

    began = time.perf_counter()
    built = build(out, told=lambda words: None)
    print(f"{built.units} units: site built in {time.perf_counter() - began:.1f} s", flush=True)
    site = out / "gallery"
    for name in ("data.js", "rest.js", "near.js"):
        print(f"  {name}: {(site / name).stat().st_size / 1e6:.1f} MB")
    with sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("chromium-headless-shell"),
            args=["--no-sandbox"],
        )
        first, requests = [], []
        for _ in range(turns):
            page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
            page.on("request", lambda one: requests.append(one.url))
            page.goto(built.page.resolve().as_uri(), wait_until="commit")
            while not (done := page.evaluate(FIRST_TILES)):  # the page's policy lets no script in to tell
                page.wait_for_timeout(10)
            first.append(done / 1000)  # since the browser began to open it
        times = [page.evaluate(KEYSTROKE, letter) for letter in "block3 up"]
        elements = page.evaluate("document.querySelectorAll('*').length")
        browser.close()
    away = [url for url in requests if not url.startswith(("file:", "data:"))]
    print(f"  first tiles: {min(first):.2f} to {max(first):.2f} s, {turns} times")
    print("  keystrokes:", ", ".join(f"{one[0]:.0f}" for one in times), "ms")
    frames, computed = [one[0] for one in times], [one[1] for one in times]
    print(
        f"  a keystroke, to the drawn frame: median {statistics.median(frames):.0f} ms, "
        f"at most {max(frames):.0f} ms "
        f"(computed in {max(computed):.0f} ms); 'block3 up' leaves {times[-1][2]} units"
    )
    print(f"  requests beyond the folder: {len(away)} of {len(requests)}; {elements} elements in the page")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("verb", choices=("make", "measure"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--units", type=int, default=30_000)
    parser.add_argument("--layers", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--turns", type=int, default=5)
    asked = parser.parse_args()
    if asked.verb == "make":
        make(asked.folder, asked.units, asked.layers, asked.seed)
    else:
        measure(asked.folder, asked.turns)


if __name__ == "__main__":
    main()
