"""Make the pictures of the README from a finished demo: `python docs/make_images.py demo`."""

import argparse
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from kinetoscope.files import finished_units, write_bytes_atomically
from kinetoscope.records import load_arrays, read_unit
from kinetoscope.render.colour import flow_to_rgb, font, legend
from kinetoscope.render.frames import enlarge, to_frame
from kinetoscope.render.sheet import INK

IMAGES = Path(__file__).parent / "images"
PAPER = (255, 255, 255)
GAP, HEAD, ZOOM = 6, 20, 2
LIMIT = 300_000


def class_strip(folders: Sequence[Path], columns: int = 7) -> Image.Image:
    """Texture above, coherent motion (mean over time) below, for every unit; the wheel comes last."""
    records = [read_unit(folder) for folder in folders]
    scale = records[0]["render"]["motion_scale_px_per_frame"]
    cells = []
    for folder, record in zip(folders, records, strict=True):
        arrays = load_arrays(folder)
        mean = arrays["coherent_velocity"].mean(dim=0, keepdim=True)
        pictures = [to_frame(arrays["static_image"]), to_frame(flow_to_rgb(mean, scale)[0])]
        cells.append((record["unit_name"], enlarge(np.stack(pictures), ZOOM)))
    height, width = cells[0][1].shape[1:3]
    rows = -(-(len(cells) + 1) // columns)
    cell = (width + GAP, HEAD + 2 * height + 2 * GAP)
    page = Image.new("RGB", (columns * cell[0] - GAP, rows * cell[1] - GAP), PAPER)
    for index, (name, pair) in enumerate(cells):
        x, y = index % columns * cell[0], index // columns * cell[1]
        label(page, (x + width // 2, y + HEAD - 6), name)
        for row, picture in enumerate(pair):
            page.paste(Image.fromarray(picture), (x, y + HEAD + row * (height + GAP // 2)))
    wheel = Image.fromarray(legend(scale)).resize((width, width), Image.Resampling.LANCZOS)
    place = (
        len(cells) % columns * cell[0],
        len(cells) // columns * cell[1] + HEAD + (2 * height - width) // 2,
    )
    page.paste(wheel, place)
    return page


def label(page: Image.Image, place: tuple[int, int], words: str) -> None:
    """Words centred on a baseline at `place`."""
    ImageDraw.Draw(page).text(place, words, INK, font(12), anchor="ms")


def write_small(name: str, picture: Image.Image) -> None:
    """Write a PNG below LIMIT bytes, reduced to 256 colours where that takes it."""
    picture = picture.convert("RGB")
    reduced = picture.quantize(256, dither=Image.Dither.FLOYDSTEINBERG)
    for version in (picture, reduced):
        buffer = io.BytesIO()
        version.save(buffer, "PNG", optimize=True)
        if len(buffer.getvalue()) < LIMIT:
            print(write_bytes_atomically(IMAGES / name, buffer.getvalue()), len(buffer.getvalue()), "bytes")
            return
    raise SystemExit(f"{name} is not below {LIMIT} bytes even in 256 colours; make it smaller")


def main(arguments: Sequence[str] | None = None) -> None:
    """Write `summary.png` and `classes.png` beside this file."""
    parser = argparse.ArgumentParser(description="Make the pictures of the README from a finished demo.")
    parser.add_argument("demo", type=Path, help="folder of a finished `kinetoscope demo`")
    parser.add_argument("--unit", default="counter-clockwise", help="class for the summary figure")
    given = parser.parse_args(arguments)
    folders = finished_units(given.demo)
    chosen = next(folder for folder in folders if read_unit(folder)["unit_name"] == given.unit)
    with Image.open(chosen / "summary.png") as figure:
        size = (1200, round(figure.height * 1200 / figure.width))
        write_small("summary.png", figure.resize(size, Image.Resampling.LANCZOS))
    write_small("classes.png", class_strip(folders))


if __name__ == "__main__":
    main()
