"""Make the pictures of the site's front page.

python docs/make_gallery.py i3d FILE_OF_KINETICS_WEIGHTS
python docs/make_gallery.py planted
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from make_images import GAP, IMAGES, PAPER, label
from PIL import Image

import kinetoscope as ks
from kinetoscope.files import write_bytes_atomically
from kinetoscope.render.colour import flow_to_rgb, font, legend
from kinetoscope.render.frames import encode_png, enlarge, to_frame
from kinetoscope.results import UnitResult
from kinetoscope.synthetic.networks import MotionEnergy

UNITS = (
    ("Conv3d_1a_7x7", 5),
    ("Conv3d_1a_7x7", 38),
    ("Conv3d_2c_3x3", 40),
    ("Mixed_3c", 111),
    ("Mixed_3c", 200),
    ("Mixed_4c", 17),
)
SIDE, HEAD, SCALE = 128, 18, 2.0


def cell(picture: np.ndarray) -> Image.Image:
    """A square picture, enlarged without smoothing as far as it is smaller."""
    factor = max(1, SIDE // max(picture.shape[:2]))
    whole = Image.fromarray(enlarge(picture[None], factor)[0])
    return whole.resize((SIDE, SIDE), Image.Resampling.LANCZOS)


def sheet(rows: Sequence[Sequence[np.ndarray]], heads: Sequence[str], names: Sequence[str]) -> Image.Image:
    """Pictures in rows, a name over each row, heads over the columns."""
    page = Image.new("RGB", (len(heads) * (SIDE + GAP) - GAP, HEAD + len(rows) * (SIDE + HEAD + GAP)), PAPER)
    for column, head in enumerate(heads):
        label(page, (column * (SIDE + GAP) + SIDE // 2, HEAD - 5), head)
    for row, (pictures, name) in enumerate(zip(rows, names, strict=True)):
        top = HEAD + row * (SIDE + HEAD + GAP) + HEAD
        label(page, (4 + round(font(12).getlength(name) / 2), top - 5), name)
        for column, picture in enumerate(pictures):
            page.paste(cell(picture), (column * (SIDE + GAP), top))
    return page


def shown(result: UnitResult) -> list[np.ndarray]:
    """Three frames of the optimum, the texture, and the motion as colour, its mean over time."""
    video, parts = result.video, result.decomposition
    frames = [to_frame(video[index]) for index in (0, len(video) // 2, len(video) - 1)]
    motion = flow_to_rgb(parts.velocity.mean(dim=0, keepdim=True), SCALE)[0]
    return [*frames, to_frame(parts.static_image), to_frame(motion)]


def real(weights: str) -> Image.Image:
    """Units of the real I3D, and the filters decoded from its weights."""
    model, rows, names = ks.load_model("i3d_inception_piergiaj", weights=weights), [], []
    for layer, unit in UNITS:
        (result,) = ks.visualize(model, layer, [unit], size=(16, 64, 64), seeds=1)
        found = ks.decode_filter(model, layer, unit)
        film = found.video
        rows.append([*shown(result), to_frame(film[len(film) // 2])])
        names.append(f"{layer}, unit {unit}: {result.motion.label}")
        print(result, tuple(found.decoded.shape), flush=True)
    return sheet(rows, ["first frame", "middle", "last", "texture", "motion", "decoded"], names)


def planted() -> Image.Image:
    """Kernels of known motion: the kernel's middle slice, and what was found."""
    rows, names = [], []
    for direction, speed in ((0, 1.0), (75, 0.5), (160, 1.0), (250, 2.0)):
        model = MotionEnergy([(direction, speed)], wavelength=8.0, size=(7, 11))
        kernel = model.conv.weight[0].detach().transpose(0, 1)  # slices, channels, rows, columns
        (result,) = ks.visualize(model, "energy", [0], size=(16, 64, 64), seeds=1, start="noise")
        middle = kernel[len(kernel) // 2]
        rows.append([to_frame(0.5 + 0.5 * middle / middle.abs().max()), *shown(result)])
        found = f"{result.motion.direction_deg:.0f} degrees, {result.motion.speed_px_per_frame:.2f} px/frame"
        names.append(f"planted {direction} degrees, {speed:.2f} px/frame; found {found}")
        print(names[-1], flush=True)
    page = sheet(rows, ["kernel", "first frame", "middle", "last", "texture", "motion"], names)
    wheel = Image.fromarray(legend(SCALE)).resize((64, 64), Image.Resampling.LANCZOS)
    page.paste(wheel, (page.width - 64, HEAD + 64))
    return page


def main(arguments: Sequence[str] | None = None) -> None:
    """Write `i3d-units.jpg` or `planted-kernels.png` into docs/images."""
    parser = argparse.ArgumentParser(description="Make the pictures of the site's front page.")
    parser.add_argument("what", choices=("i3d", "planted"))
    parser.add_argument("weights", nargs="?", help="of the I3D: a file")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    if given.what == "planted":
        page = planted()
        print(write_bytes_atomically(IMAGES / "planted-kernels.png", encode_png(np.asarray(page))))
        return
    page = real(given.weights)
    place = Path(IMAGES / "i3d-units.jpg")
    page.save(place, quality=85)
    print(place, place.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
