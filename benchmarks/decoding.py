"""Filter decoding by substitution: the paper's LeNet and its hand-built letters, in numbers and pictures.

    python benchmarks/decoding.py DIR_OF_DATA --out DIR [--weights FILE]

DIR_OF_DATA holds MNIST's idx files; without it scikit-learn's digits stand in. It prints which digits and
weights it used. Figures and tables are numbered as in Rafegas & Vanrell 2015; `results.json` has the numbers.
"""

import argparse
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from PIL import Image as PillowImage
from PIL import ImageDraw

from kinetoscope.files import write_bytes_atomically, write_json
from kinetoscope.filters.compare import correlate, decoding_errors, most_exciting
from kinetoscope.filters.decode import DecodedFilter, decode_filters
from kinetoscope.filters.substitute import UNPOOLINGS
from kinetoscope.render.animation import Panel, Picture, draw_panels, resized, signed_rgb
from kinetoscope.render.frames import encode_png, to_frame
from kinetoscope.training.digits import Digits, load_digits
from kinetoscope.training.lenet import accuracy, as_input
from kinetoscope.units.tap import tap
from kinetoscope.weights.checkpoints import load_weights
from kinetoscope.zoo.characters import LETTERS, SHAPES, built_by_hand
from kinetoscope.zoo.lenet import CARD, LeNet, load_bundled

PAPER = {
    "conv3": {"bicubic": 0.002, "nearest": 0.0022, "bilinear": 0.003},
    "conv5": {"bicubic": 0.012, "nearest": 0.012, "bilinear": 0.013},
    "conv7": {"bicubic": 0.078, "nearest": 0.077, "bilinear": 0.081},
}
"""Table 1: mean square errors of the paper's network."""

SIDE = 96
COLOURS = "red wants bright, blue wants dark"


def decoded(
    net: torch.nn.Module, layer: str, units: range, size: tuple[int, int, int], unpool: str = "bicubic"
) -> list[DecodedFilter]:
    return list(decode_filters(net, layer, units, unpool, size=size))


def cell(values: torch.Tensor, peak: float | None = None, side: int = SIDE) -> Picture:
    """A filter or map (1, H, W) in signed colours, as large as every other panel."""
    scale = float(values.abs().max()) if peak is None else peak
    return resized(signed_rgb(values.sum(0), scale), side, side, smooth=False)


def photo(image: torch.Tensor, seen: tuple[int, ...] = ()) -> Picture:
    """An image, and a frame around the part (top, left, height, width) that a unit sees."""
    picture = PillowImage.fromarray(resized(to_frame(image), SIDE, SIDE, smooth=False))
    if seen:
        top, left, bottom, right = (
            round(edge * SIDE / image.shape[-1])
            for edge in (seen[0], seen[1], seen[0] + seen[2], seen[1] + seen[3])
        )
        ImageDraw.Draw(picture).rectangle((left, top, right - 1, bottom - 1), outline=(255, 176, 0), width=2)
    return np.asarray(picture)


def field(filter: DecodedFilter, place: int) -> tuple[int, ...]:
    """What one place of a map sees of the image, (top, left, height, width); () for all of it."""
    if max(filter.map_shape, default=1) == 1:
        return ()
    starts = zip(
        divmod(place, filter.map_shape[1]), filter.map_shape, filter.corner, filter.stride, strict=True
    )
    return (*(c + (i - n // 2) * s for i, n, c, s in starts), *filter.decoded.shape[1:])


def save(out: Path, name: str, panels: list[Panel], columns: int, words: str) -> None:
    write_bytes_atomically(out / f"{name}.png", encode_png(draw_panels(panels, columns, bar=words)))


def streamed(net: torch.nn.Module, layer: str, filters: list[DecodedFilter], inputs: torch.Tensor) -> tuple:
    """For every image and unit the highest response and its place: of the network, and of decoded filters."""
    peaks: list[list[torch.Tensor]] = [[], [], [], []]
    units = [f.unit for f in filters]
    with torch.no_grad(), tap(net, layer) as forward:
        for part in inputs.split(250):
            for first, maps in ((0, forward(part)[:, units]), (2, correlate(part, filters))):
                found = maps.reshape(*maps.shape[:2], -1).max(2)
                peaks[first].append(found.values)
                peaks[first + 1].append(found.indices)
    return tuple(map(torch.cat, peaks))


def class_matrix(net: LeNet, digits: Digits, out: Path) -> dict:
    """Fig. 1: which images excite the decoded class filters most."""
    filters = decoded(net, "conv7", range(10), CARD.clip)
    values = correlate(as_input(digits.images), filters).flatten(1)
    ranking = most_exciting(values, 4)
    labels = digits.labels[ranking]
    matrix = values[ranking[:, 0]].T  # filter x image
    figure = Figure(figsize=(11, 9.6), layout="constrained")
    grid = figure.subplots(11, 12)
    for axes in grid.flat:
        axes.set_axis_off()
    for index, filter in enumerate(filters):
        positive, negative = filter.thresholded()
        peak = float(filter.decoded.abs().max())
        grid[index + 1, 0].imshow(cell(positive - negative, 1.0))
        grid[index + 1, 1].imshow(cell(filter.decoded, peak))
        grid[0, index + 2].imshow(photo(digits.images[ranking[index, 0]]))
        row = matrix[index]
        for column, value in enumerate(row):
            axes = grid[index + 1, column + 2]
            axes.imshow([[float(value)]], cmap="Greys", vmin=float(row.min()), vmax=float(row.max()))
            bright = value < (row.min() + row.max()) / 2
            axes.text(0, 0, f"{value:.0f}", ha="center", va="center", color="black" if bright else "white")
    figure.suptitle(
        "Decoded class filters 0 to 9 (thresholded, whole) and the image that excites each most;\n"
        "correlation of every filter with every such image, dark is high, one scale a row"
    )
    figure.savefig(out / "figure1_classes.png", dpi=80)
    own = labels == torch.arange(10)[:, None]
    means = torch.stack([values[digits.labels == digit].mean(0) for digit in range(10)], dim=1)
    by_unpool = {}
    for unpool in UNPOOLINGS:
        others = decoded(net, "conv7", range(10), CARD.clip, unpool)
        best = correlate(as_input(digits.images), others).flatten(1).argmax(0)
        by_unpool[unpool] = int((digits.labels[best] == torch.arange(10)).sum())
    return {
        "own_class_by_interpolation": by_unpool,
        "most_exciting_is_own_class": int(own[:, 0].sum()),
        "at_least_3_of_4_are_own_class": int((own.sum(1) >= 3).sum()),
        "most_exciting_labels": labels.tolist(),
        "class_mean_largest_on_diagonal": int((means.argmax(1) == torch.arange(10)).sum()),
    }


def maps_of_a_three(net: LeNet, digits: Digits, out: Path) -> None:
    """Fig. 3: responses of the network beside correlations with decoded filters."""
    three = digits.images[digits.labels == 3][:1]
    panels: list[Panel] = []
    for layer, units in (("conv1", range(4)), ("conv3", range(4)), ("conv5", range(100))):
        filters = decoded(net, layer, units, CARD.clip)
        with torch.no_grad(), tap(net, layer) as forward:
            theirs = forward(as_input(three))[:, list(units)]
        panels.append((f"image, {layer}", photo(three[0])))
        for name, maps in (("network", theirs), ("decoded", correlate(as_input(three), filters))):
            maps = (maps - maps.min()) / (maps.max() - maps.min())
            single = maps.shape[-1] == 1
            for index, tile in enumerate(maps.reshape(4, 5, 5) if single else maps[0]):
                unit = f"{25 * index}\N{EN DASH}{25 * index + 24}" if single else str(index)
                panels.append((f"{name} {unit}", photo(tile[None])))
    words = (
        "maps of an image: in the network, and by correlation with the decoded filters; white is high, one"
    )
    save(out, "figure3_maps", panels, 9, f"{words} scale a layer; conv5 has no map: 25 units a tile")


def sheets(net: LeNet, digits: Digits, out: Path) -> dict:
    """Fig. 4: decoded filters of each layer, and the images that excite them most."""
    inputs, agreement = as_input(digits.images), {}
    for layer, units, shown in (("conv1", 20, 20), ("conv3", 50, 50), ("conv5", 500, 14), ("conv7", 10, 10)):
        filters = decoded(net, layer, range(shown if units == 500 else units), CARD.clip)
        theirs, their_places, ours, our_places = streamed(net, layer, filters, inputs)
        by_net, by_filter = most_exciting(theirs, 4), most_exciting(ours, 4)
        both = torch.stack([theirs - theirs.mean(0), ours - ours.mean(0)])
        both = both / both.norm(dim=1, keepdim=True)
        agreement[layer] = float((both[0] * both[1]).sum(0).mean())
        panels: list[Panel] = []
        for row, filter in enumerate(filters[:14]):
            positive, negative = filter.thresholded()
            panels += [
                (f"{layer}:{filter.unit}", cell(filter.decoded)),
                ("thresholded", cell(positive - negative, 1)),
            ]
            for name, best, places in (
                ("network", by_net[row], their_places[:, row]),
                ("decoded", by_filter[row], our_places[:, row]),
            ):
                panels += [
                    (f"{name}, no. {rank}", photo(digits.images[i], field(filter, int(places[i]))))
                    for rank, i in enumerate(best.tolist(), start=1)
                ]
        words = (
            f"{COLOURS}, each at its own scale; images by response in the network, and by correlation with"
        )
        save(
            out,
            f"figure4_{layer}",
            panels,
            10,
            f"{words} the filter; frame: what the unit sees",
        )
        family = [(f"{layer}:{filter.unit}", cell(filter.decoded)) for filter in filters]
        save(out, f"figure5_lenet_{layer}", family, 10, f"decoded filters, each at its own scale; {COLOURS}")
    return {"correlation_of_peaks": agreement}


def letters(out: Path) -> dict:
    """The supplement: decoded families (fig. 5), parts of C and D (fig. 6), activations for C (fig. 7)."""
    net, size = built_by_hand(), (1, 14, 14)
    names = {"conv1": "-|\\/", "conv2": list(SHAPES), "conv4": list(LETTERS)}
    units = {"conv1": 4, "conv2": 14, "conv4": 8}
    family = {layer: decoded(net, layer, range(count), size) for layer, count in units.items()}
    panels: list[Panel] = []
    for layer, filters in family.items():
        panels += [
            (f"{layer} {f.unit}: {name}", cell(f.decoded))
            for f, name in zip(filters, names[layer], strict=True)
        ]
    words = f"decoded filters of the character network, each at its own scale; {COLOURS}"
    save(out, "figure5_letters", panels, 9, words)
    inputs = torch.stack([filter.decoded for filter in family["conv4"]])
    outputs = {}
    for layer in units:
        with torch.no_grad(), tap(net, layer) as forward:
            outputs[layer] = forward(inputs)
    panels = []
    weights = net.conv4.weight.detach()
    for letter in "CD":
        unit = list(LETTERS).index(letter)
        panels.append((f"letter {letter}", cell(family["conv4"][unit].decoded)))
        strongest = weights[unit].flatten(1).amax(1).topk(5).indices
        panels += [(f"{list(SHAPES)[i]} (conv2)", cell(family["conv2"][i].decoded)) for i in strongest]
        strokes = net.conv2.weight.detach()[strongest[0]].flatten(1).amax(1).topk(2).indices
        panels += [
            (f"{list(SHAPES)[strongest[0]]} of {names['conv1'][i]}", cell(family["conv1"][i].decoded))
            for i in strokes
        ]
    save(
        out,
        "figure6_parts",
        panels,
        8,
        "a letter, the shapes it is made of, and the strokes of the first shape",
    )
    panels = [("input: C", cell(inputs[0]))]
    for layer, maps in outputs.items():
        peak = float(maps[0].abs().max())
        for name, filter, values in zip(names[layer], family[layer], maps[0], strict=True):
            pair = np.concatenate(
                [cell(filter.decoded, side=SIDE // 2), cell(values[None], peak, SIDE // 2)], 1
            )
            panels.append(
                (f"{layer} {name}: {float(values.max()):.2f}", np.pad(pair, ((24, 24), (0, 0), (0, 0))))
            )
    save(
        out,
        "figure7_activations",
        panels,
        9,
        "left the decoded filter, right its map for the decoded C, one scale a layer; number: its largest",
    )
    answers = outputs["conv4"].flatten(1)
    return {"own_unit_most": int((answers.argmax(1) == torch.arange(8)).sum()), "responses": answers.tolist()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="?", help="folder with MNIST's idx files")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--weights", type=Path, help="of LeNet; the bundled ones")
    options = parser.parse_args()
    digits = load_digits(options.data)
    net = load_bundled() if options.weights is None else LeNet().eval()
    if options.weights is not None:
        load_weights(net, options.weights)
    options.out.mkdir(parents=True, exist_ok=True)
    weights = "the bundled ones" if options.weights is None else options.weights.name
    print(f"digits: {len(digits.labels)} of {digits.source}; weights: {weights}")
    found = {"digits": digits.source, "images": len(digits.labels), "weights": weights}
    found |= {"letters": letters(options.out), "accuracy_unseen": accuracy(net, digits.split()[1])}
    print(f"letters: {found['letters']['own_unit_most']} of 8 excite their own unit most")
    print(f"accuracy on unseen digits: {found['accuracy_unseen']:.4f}")
    found["classes"] = class_matrix(net, digits, options.out)
    print(f"class filters: {found['classes']}")
    inputs = as_input(digits.images)
    rows = [asdict(row) for layer in PAPER for row in decoding_errors(net, layer, inputs)]
    for row in rows:
        row["paper"] = PAPER[row["layer"]][row["unpool"]]
        numbers = f"{row['mean']:.4f} ± {row['deviation']:.4f}  paper {row['paper']:.4f}"
        print(f"{row['layer']}  {row['unpool']:8}  {numbers}", flush=True)
    found["errors"] = rows
    maps_of_a_three(net, digits, options.out)
    found["sheets"] = sheets(net, digits, options.out)
    write_json(options.out / "results.json", found)


if __name__ == "__main__":
    main()
